//! What the machine did to the process meanwhile: quota throttling of its cgroup.
//!
//! Pure parsers and one thin reader with a kept descriptor. Read only when a poll is suspected: a healthy service never
//! pays for it. Format: the kernel's cgroup
//! documentation (`cpu.stat`, versions 1 and 2).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// Bytes read of `cpu.stat`, which has about ten short lines.
const TEXT_BYTES_MAX: usize = 1024;

/// Running totals, for differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EnvironmentUse {
    /// Time that the cgroup's quota kept runnable threads off the CPUs.
    pub(crate) throttled: Option<Duration>,
}

impl EnvironmentUse {
    /// What was added since `base`.
    pub(crate) fn since(self, base: Self) -> Self {
        let difference =
            |now: Option<Duration>, base: Option<Duration>| Some(now?.saturating_sub(base?));
        Self {
            throttled: difference(self.throttled, base.throttled),
        }
    }
}

/// The kept descriptor.
#[derive(Debug)]
pub(crate) struct Environment {
    cpu_stat: Option<File>,
}

impl Environment {
    /// Opens `cpu.stat` where there is one.
    #[expect(
        clippy::disallowed_methods,
        reason = "procfs, once, on the watchdog's own thread"
    )]
    pub(crate) fn open() -> Self {
        let cgroup = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self {
            cpu_stat: cpu_stat_paths(&cgroup)
                .iter()
                .find_map(|path| File::open(path).ok()),
        }
    }

    /// The totals now. One read, a few microseconds.
    pub(crate) fn usage(&self) -> EnvironmentUse {
        EnvironmentUse {
            throttled: text(self.cpu_stat.as_ref()).and_then(|text| throttled(&text)),
        }
    }
}

fn text(file: Option<&File>) -> Option<String> {
    let mut bytes = [0; TEXT_BYTES_MAX];
    let len = file?.read_at(&mut bytes, 0).ok()?;
    Some(String::from_utf8_lossy(bytes.get(..len)?).into_owned())
}

/// Where `cpu.stat` of this process's cgroup may be: version 2, version 1, and as containers show their own root.
fn cpu_stat_paths(cgroup: &str) -> Vec<String> {
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

/// The throttled time in `cpu.stat`: microseconds in version 2, nanoseconds in version 1.
fn throttled(text: &str) -> Option<Duration> {
    let value = |name: &str| {
        text.lines().find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(' ')?
                .trim()
                .parse::<u64>()
                .ok()
        })
    };
    value("throttled_usec")
        .map(Duration::from_micros)
        .or_else(|| value("throttled_time").map(Duration::from_nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both versions of `cpu.stat`, and texts without the value.
    #[test]
    fn reads_throttled_time() {
        for (text, expected) in [
            (
                "usage_usec 5\nnr_throttled 3\nthrottled_usec 1500\n",
                Some(Duration::from_micros(1500)),
            ),
            (
                "nr_periods 1\nnr_throttled 1\nthrottled_time 2000\n",
                Some(Duration::from_micros(2)),
            ),
            ("usage_usec 5\n", None),
            ("throttled_usec x\n", None),
            ("throttled_usecs 7\n", None),
            ("", None),
        ] {
            assert_eq!(throttled(text), expected, "{text:?}");
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
