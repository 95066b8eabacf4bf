//! The CPU quotas that bind this process: where each `cpu.stat` is, and what they say; PURE.
//!
//! A quota of any group around the process's own keeps its threads off the CPUs, and is booked in the `cpu.stat` of the
//! group that has it, nowhere below.
//!
//! Format: the kernel's cgroup documentation, versions 1 and 2. Time in which a quota keeps a ready thread off the CPUs is
//! also booked as its run-queue time (measured on Linux 6.18), so this tells the quota from a crowded machine.

use std::time::Duration;

/// Groups that are read, the innermost first. A pod of Kubernetes or a service of a user lies in five groups of systemd.
pub(super) const LEVELS_MAX: usize = 8;

/// Where `cpu.stat` of this process's cgroup and of those around it may be, innermost first, by `/proc/self/cgroup`:
/// version 2, version 1, and as containers show their own root.
pub(super) fn cpu_stat_paths(cgroup: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for line in cgroup.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let root = if controllers.is_empty() {
            "/sys/fs/cgroup".to_owned()
        } else if controllers.split(',').any(|controller| controller == "cpu") {
            format!("/sys/fs/cgroup/{controllers}")
        } else {
            continue;
        };
        paths.extend(levels(path).map(|level| format!("{root}{level}/cpu.stat")));
    }
    let last = "/sys/fs/cgroup/cpu.stat".to_owned();
    if !paths.contains(&last) {
        paths.push(last);
    }
    paths
}

/// A group's path, those of the groups around it, and the empty one of the root. A path that leads out of the namespace
/// names nothing that can be seen.
fn levels(path: &str) -> impl Iterator<Item = &str> {
    let path = path.trim_end_matches('/');
    let leads_out = path.split('/').any(|name| name == "..");
    let path = if leads_out { "" } else { path };
    std::iter::successors(Some(path), |path| {
        path.rsplit_once('/').map(|(around, _)| around)
    })
}

/// What the quotas of the groups have done so far, each group in its own place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Quotas([Option<Throttling>; LEVELS_MAX]);

impl Quotas {
    /// From the groups' totals, innermost first.
    pub(super) fn new(levels: impl Iterator<Item = Option<Throttling>>) -> Self {
        let mut quotas = Self::default();
        for (place, level) in quotas.0.iter_mut().zip(levels) {
            *place = level;
        }
        quotas
    }

    /// Whether no group tells of a quota.
    pub(crate) fn are_unknown(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// What was added since `base` by the quota that took most. The quotas of several groups may bind at once, so their
    /// times are not added up.
    pub(crate) fn since(&self, base: &Self) -> Option<Throttling> {
        let differences = self.0.iter().zip(&base.0).filter_map(|(now, base)| {
            let (now, base) = ((*now)?, (*base)?);
            Some(Throttling {
                time: now.time.saturating_sub(base.time),
                periods: now.periods.saturating_sub(base.periods),
            })
        });
        differences.max_by_key(|throttling| throttling.time)
    }
}

/// What a quota has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Throttling {
    /// Time that it kept ready threads off the CPUs.
    pub(crate) time: Duration,
    /// Periods in which it did.
    pub(crate) periods: u64,
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

    /// Version 2 names one hierarchy, version 1 the controller's; the groups around follow, the root that can be seen is
    /// last.
    #[test]
    fn finds_the_cgroup() {
        assert_eq!(
            cpu_stat_paths("0::/system.slice/app.service\n"),
            [
                "/sys/fs/cgroup/system.slice/app.service/cpu.stat",
                "/sys/fs/cgroup/system.slice/cpu.stat",
                "/sys/fs/cgroup/cpu.stat"
            ]
        );
        assert_eq!(
            cpu_stat_paths("5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n"),
            [
                "/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.stat",
                "/sys/fs/cgroup/cpu,cpuacct/docker/cpu.stat",
                "/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
                "/sys/fs/cgroup/cpu.stat"
            ]
        );
        for text in ["garbage", "0::/", "0::/../../b", "0::"] {
            assert_eq!(cpu_stat_paths(text), ["/sys/fs/cgroup/cpu.stat"], "{text}");
        }
    }

    /// The group whose quota took most counts, wherever it is; what was not known at both ends does not.
    #[test]
    fn the_largest_difference_counts() {
        let totals = |levels: &[Option<(u64, u64)>]| {
            Quotas::new(levels.iter().map(|level| {
                level.map(|(millis, periods)| Throttling {
                    time: Duration::from_millis(millis),
                    periods,
                })
            }))
        };
        let base = totals(&[Some((0, 0)), Some((900, 30)), None, Some((5, 1))]);
        let now = totals(&[
            Some((10, 1)),
            Some((970, 31)),
            Some((5000, 60)),
            Some((5, 1)),
        ]);
        let expected = Throttling {
            time: Duration::from_millis(70),
            periods: 1,
        };
        assert_eq!(now.since(&base), Some(expected));
        let (none, many) = (totals(&[]), totals(&[Some((1, 1)); LEVELS_MAX + 1]));
        assert_eq!(now.since(&none), None);
        assert!(none.are_unknown() && !many.are_unknown());
    }
}
