//! CPU time of the whole process, and what one sample is worth. PURE.
//!
//! The kernel's timer cannot fire faster than its tick, so a profile asked for at 250 Hz has 100 samples a second on
//! a kernel that ticks at 100. A profile that claims the asked rate then shows a fraction of the CPU time used.

use std::time::Duration;

/// Length of the ticks in `/proc`; fixed by the kernel's interface at 100 a second, whatever its own timer does.
const TICK: Duration = Duration::from_millis(10);

/// Fewest samples for a measured period; with fewer, chance decides.
const SAMPLES_MIN: u32 = 50;

/// Least CPU time for a measured period; below it the ticks are too coarse.
const SPENT_MIN: Duration = Duration::from_millis(500);

/// The CPU time, user and system, that `/proc/self/stat` shows; fields 14 and 15 of proc_pid_stat(5).
pub(super) fn spent(stat: &str) -> Option<Duration> {
    // The name in parentheses may itself hold spaces and parentheses; field 3 follows its last one.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user.checked_add(system)?)
}

/// CPU time that one of `samples` stands for, when `spent` was used and `hz` samples a second were asked for.
pub(super) fn period(hz: u32, samples: u64, spent: Option<Duration>) -> Duration {
    let asked = Duration::from_secs(1) / hz.max(1);
    let (Some(spent), Ok(samples)) = (spent, u32::try_from(samples)) else {
        return asked;
    };
    if samples < SAMPLES_MIN || spent < SPENT_MIN {
        return asked;
    }
    spent / samples
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User and system time are found behind a name made to mislead.
    #[test]
    fn reads_the_process_time() {
        let stat = "42 (a) R 1 (b)) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 7 8 20 0 3 0";
        assert_eq!(spent(stat), Some(Duration::from_millis(1750)));
        for broken in [
            "",
            "42 (a",
            "42 (a) S 1 2",
            "42 (a) S 1 42 42 0 -1 1 1 0 0 0 x 25",
        ] {
            assert_eq!(spent(broken), None, "{broken:?}");
        }
    }

    /// The period is measured when there is enough to measure, and the asked one otherwise.
    #[test]
    fn measures_the_period() {
        let second = Duration::from_secs(1);
        for (hz, samples, spent, expected_ms) in [
            (250, 200, Some(2 * second), 10),
            (100, 200, Some(2 * second), 10),
            (100, 49, Some(2 * second), 10),
            (100, 200, Some(second / 4), 10),
            (100, 200, None, 10),
            (0, 0, None, 1000),
        ] {
            assert_eq!(
                period(hz, samples, spent),
                Duration::from_millis(expected_ms),
                "{hz} {samples} {spent:?}"
            );
        }
    }
}
