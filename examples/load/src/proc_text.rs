//! What `/proc` says of a process, taken out of its text. Pure.

/// User and system time from `/proc/PID/stat`. The program's name may hold spaces and brackets, so fields are counted from
/// the last bracket.
pub(crate) fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory from `/proc/PID/status`.
pub(crate) fn rss_bytes(status: &str) -> Option<u64> {
    let kilobytes: u64 = field(status, "VmRSS:")?
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()?;
    Some(kilobytes * 1024)
}

/// The cores in `Cpus_allowed_list` of `/proc/PID/status`, such as `0-3,8`.
pub(crate) fn allowed_cores(status: &str) -> Option<Vec<u32>> {
    let list = field(status, "Cpus_allowed_list:")?;
    let mut cores = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cores.extend(first.parse().ok()?..=last.parse::<u32>().ok()?);
    }
    Some(cores)
}

/// The value behind a name in `/proc/PID/status`.
pub(crate) fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim())
}

pub(crate) fn number_of(status: &str, name: &str) -> Option<u64> {
    field(status, name)?.parse().ok()
}

/// The parent from `/proc/PID/stat`.
pub(crate) fn parent_pid(stat: &str) -> Option<i32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the CPU time is found behind any program name.
    #[test]
    fn cpu_ticks_are_found() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 99";
        for name in ["chat", "a b", "a) S 9 (b"] {
            assert_eq!(
                cpu_ticks(&format!("77 ({name}) {rest}")),
                Some(300),
                "{name}"
            );
        }
        for bad in [
            "",
            "77 (chat",
            "77 (chat) S 1",
            "77 (chat) S 1 2 3 4 5 6 7 8 9 10 x y",
        ] {
            assert_eq!(cpu_ticks(bad), None, "{bad}");
        }
    }

    /// Goal: resident memory is read in bytes; a process without any (a zombie) is not zero but unknown.
    #[test]
    fn rss_is_found() {
        assert_eq!(
            rss_bytes("Name:\tx\nVmRSS:\t   2048 kB\nThreads: 1\n"),
            Some(2_097_152)
        );
        assert_eq!(rss_bytes("Name:\tx\nState:\tZ (zombie)\n"), None);
    }

    /// Goal: the lists of cores that the kernel writes are understood.
    #[test]
    fn cores_are_found() {
        for (list, cores) in [
            ("0", Some(vec![0])),
            ("0-2,7", Some(vec![0, 1, 2, 7])),
            ("x", None),
        ] {
            let status = format!("Name:\tx\nCpus_allowed_list:\t{list}\n");
            assert_eq!(allowed_cores(&status), cores, "{list}");
        }
        assert_eq!(allowed_cores("Name:\tx\n"), None);
    }
}
