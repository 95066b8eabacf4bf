//! How often to look, and whether the watchdog itself was late; PURE.

use std::time::Duration;

/// Looks a threshold: the begin of a poll is then known to an eighth of the threshold.
const LOOKS_PER_THRESHOLD: u32 = 4;

/// Pause between looks when nothing has moved for [`QUIET_AFTER`], and for attached runtimes that are idle: ten
/// wake-ups a second.
pub(crate) const QUIET_PAUSE: Duration = Duration::from_millis(100);

/// Without any poll for this long, a worker that still counts as awake (a thread left behind by `block_in_place`) no
/// longer keeps the watchdog at full pace.
pub(crate) const QUIET_AFTER: Duration = Duration::from_secs(1);

/// A gap in the watchdog's own looks that counts as late: below it, ordinary scheduling.
const LATE_MIN: Duration = Duration::from_millis(20);

/// Pause between two looks at full pace.
pub(crate) fn pause(threshold: Duration) -> Duration {
    threshold / LOOKS_PER_THRESHOLD
}

/// What a gap in the watchdog's own looks says about the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lateness {
    /// It woke when it should.
    OnTime,
    /// It was ready but got no CPU: the machine is crowded.
    Crowded(Duration),
    /// It was not even ready: the process was stopped or the machine paused.
    Frozen(Duration),
}

/// Judges a pause that was meant to be `wanted` and took `took`, with `run_queue` of it spent waiting for a CPU.
pub(crate) fn lateness(wanted: Duration, took: Duration, run_queue: Option<Duration>) -> Lateness {
    let late = took.saturating_sub(wanted);
    if late < LATE_MIN {
        return Lateness::OnTime;
    }
    match run_queue {
        Some(run_queue) if run_queue < late / 2 => Lateness::Frozen(late),
        _ => Lateness::Crowded(late),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Late and ready is crowded, late and not ready is frozen; without the kernel's word nobody is declared frozen.
    #[test]
    fn tells_crowded_from_frozen() {
        let ms = Duration::from_millis;
        for (took, run_queue, expected) in [
            (3, Some(0), Lateness::OnTime),
            (15, Some(12), Lateness::OnTime),
            (182, Some(170), Lateness::Crowded(ms(180))),
            (312, Some(5), Lateness::Frozen(ms(310))),
            (312, None, Lateness::Crowded(ms(310))),
        ] {
            assert_eq!(
                lateness(ms(2), ms(took), run_queue.map(ms)),
                expected,
                "{took}"
            );
        }
    }
}
