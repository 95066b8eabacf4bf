//! The CPU quota of this process's control group: where its `cpu.stat` is, and what it says; PURE.
//!
//! Format: the kernel's cgroup documentation, versions 1 and 2. Time in which a quota keeps a ready thread off the CPUs is
//! also booked as its run-queue time (measured on Linux 6.18), so this tells the quota from a crowded machine.

use std::time::Duration;

/// Where `cpu.stat` of this process's cgroup may be, by `/proc/self/cgroup`: version 2, version 1, and as containers show
/// their own root.
pub(super) fn cpu_stat_paths(cgroup: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for line in cgroup.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let path = path.trim_end_matches('/');
        if controllers.is_empty() {
            paths.push(format!("/sys/fs/cgroup{path}/cpu.stat"));
        } else if controllers.split(',').any(|controller| controller == "cpu") {
            paths.push(format!("/sys/fs/cgroup/{controllers}{path}/cpu.stat"));
            paths.push(format!("/sys/fs/cgroup/{controllers}/cpu.stat"));
        }
    }
    paths.push("/sys/fs/cgroup/cpu.stat".to_owned());
    paths
}

/// What a quota has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Throttling {
    /// Time that it kept ready threads off the CPUs.
    pub(super) time: Duration,
    /// Periods in which it did.
    pub(super) periods: u64,
}

/// Parses `cpu.stat`: microseconds in version 2, nanoseconds in version 1.
pub(super) fn throttling(text: &str) -> Option<Throttling> {
    let value = |name: &str| {
        text.lines().find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(' ')?
                .trim()
                .parse::<u64>()
                .ok()
        })
    };
    let time = value("throttled_usec")
        .map(Duration::from_micros)
        .or_else(|| value("throttled_time").map(Duration::from_nanos))?;
    Some(Throttling {
        time,
        periods: value("nr_throttled")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both versions of `cpu.stat`, and texts without the values or with one too large.
    #[test]
    fn reads_throttling() {
        for (text, expected) in [
            (
                "usage_usec 5\nnr_throttled 3\nthrottled_usec 1500\n",
                Some((1_500_000, 3)),
            ),
            (
                "nr_periods 1\nnr_throttled 1\nthrottled_time 2000\n",
                Some((2000, 1)),
            ),
            ("usage_usec 5\n", None),
            ("nr_throttled 1\nthrottled_usec x\n", None),
            ("nr_throttled 1\nthrottled_usecs 7\n", None),
            ("throttled_usec 7\n", None),
            (
                "nr_throttled 1\nthrottled_usec 99999999999999999999\n",
                None,
            ),
            ("", None),
        ] {
            let expected = expected.map(|(nanos, periods)| Throttling {
                time: Duration::from_nanos(nanos),
                periods,
            });
            assert_eq!(throttling(text), expected, "{text:?}");
        }
    }

    /// Version 2 names one path, version 1 the controller's; a container's own root comes last.
    #[test]
    fn finds_the_cgroup() {
        assert_eq!(
            cpu_stat_paths("0::/system.slice/app.service\n"),
            [
                "/sys/fs/cgroup/system.slice/app.service/cpu.stat",
                "/sys/fs/cgroup/cpu.stat"
            ]
        );
        assert_eq!(
            cpu_stat_paths("5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n"),
            [
                "/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.stat",
                "/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
                "/sys/fs/cgroup/cpu.stat"
            ]
        );
        assert_eq!(cpu_stat_paths("garbage"), ["/sys/fs/cgroup/cpu.stat"]);
    }
}
