//! How much of the machine others took during a drill, so that late reports can be told from a machine that was lent out.
//!
//! Counted is CPU time, not pressure: the drill keeps the CPUs busy by itself and presses on its own subjects.

use std::time::Duration;

use tokio::time::Instant;

/// From this share of all CPUs on that others took, how soon a report was in hand says more about them than about pollscope:
/// half a CPU on the smallest machine, on which two subjects run at a time.
pub(super) const CROWDED_SHARE: f64 = 0.25;

/// Ticks a second of the times in `/proc`, on every platform of Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The machine's and the drill's own CPU time at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    at: Instant,
    machine: Ticks,
    /// Of this process and of its children that have ended.
    own: u64,
}

/// The first line of `/proc/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    /// Every state of every CPU, so that it grows by the number of CPUs.
    all: u64,
    /// Neither idle nor waiting for a disk; what a hypervisor took counts as well.
    busy: u64,
}

impl Usage {
    /// What it is now; `None` where `/proc` cannot be read.
    #[expect(
        clippy::disallowed_methods,
        reason = "files of the kernel, which wait for nothing, between two runs"
    )]
    pub(super) fn now() -> Option<Self> {
        Some(Self {
            at: Instant::now(),
            machine: machine(&std::fs::read_to_string("/proc/stat").ok()?)?,
            own: own(&std::fs::read_to_string("/proc/self/stat").ok()?)?,
        })
    }

    /// The share of all CPUs that others took until `later`.
    pub(super) fn others_until(&self, later: &Self) -> Option<f64> {
        let length = later.at.saturating_duration_since(self.at);
        others(
            self.machine,
            later.machine,
            later.own.saturating_sub(self.own),
            length,
        )
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "ticks of a drill fit a float's 53 bits"
)]
fn others(before: Ticks, after: Ticks, own: u64, length: Duration) -> Option<f64> {
    let all = after.all.saturating_sub(before.all);
    let busy = after.busy.saturating_sub(before.busy);
    // A moment of few ticks has no share.
    (length.as_secs_f64() * TICKS_PER_SECOND >= 10.0 && all > 0)
        .then(|| busy.saturating_sub(own) as f64 / all as f64)
}

/// The first eight numbers are user, nice, system, idle, iowait, irq, softirq, steal; the guests' are within the first two.
fn machine(stat: &str) -> Option<Ticks> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .take(8)
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let all = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some(Ticks {
        all,
        busy: all - idle,
    })
}

/// The sum of utime, stime, cutime and cstime, which are the twelfth to the fifteenth behind the name (proc(5)).
fn own(stat: &str) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(") ")?;
    let numbers = behind.split_ascii_whitespace().skip(11).take(4);
    let times: Vec<u64> = numbers
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    (times.len() == 4).then(|| times.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the fields are the documented ones, and a text that was cut is refused.
    #[test]
    fn fields_are_found() {
        let stat = "cpu  100 10 50 800 20 3 7 10 5 0\ncpu0 1 2 3\n";
        assert_eq!(
            machine(stat),
            Some(Ticks {
                all: 1000,
                busy: 180
            })
        );
        assert_eq!(machine("cpu  100 10 50"), None);
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 400 30 2 1 20 0 7 0 1296190";
        assert_eq!(own(stat), Some(433));
        assert_eq!(own("7 (a) S 1 2 3"), None);
        assert!(Usage::now().is_some());
    }

    /// Goal: what the drill used is not the others'.
    #[test]
    fn own_time_is_not_the_others() {
        let before = Ticks { all: 0, busy: 0 };
        let after = Ticks {
            all: 2000,
            busy: 1500,
        };
        let second = Duration::from_secs(1);
        assert_eq!(others(before, after, 1000, second), Some(0.25));
        assert_eq!(others(before, after, 1600, second), Some(0.0));
        assert_eq!(others(before, after, 0, Duration::from_millis(1)), None);
    }
}
