//! How often to look, and what it means when the watchdog itself was late; PURE.
//!
//! The watchdog is its own control: a thread that wanted to sleep for 2 ms and comes back after 300 has met what hit the
//! whole process. Which of it, its own counters tell: ready but without a CPU (crowded, or the quota), or not even ready
//! while the whole process used no CPU time (stopped, frozen, a paused or suspended machine).

use std::time::Duration;

/// Pause between looks while no poll is suspected, as a part of the threshold: a poll that begins just after a look is then still
/// seen for more than half of its time when it has lasted the threshold, so that its evidence speaks for the whole. Each look is
/// a wake-up, and these are most of the watchdog's bill (`cargo bench --bench footprint`).
const UNHURRIED: (u32, u32) = (9, 20);

/// While one is: its report comes a quarter of the threshold late at most, and its stack is looked at some times.
const CLOSE: (u32, u32) = (1, 4);

/// Pause between looks when nothing has moved for [`QUIET_AFTER`], and for attached runtimes that are idle: nine
/// wake-ups a second, and with the metrics' upkeep less than ten.
pub(crate) const QUIET_PAUSE: Duration = Duration::from_millis(110);

/// Without any poll for this long, a worker that still counts as awake (a thread left behind by `block_in_place`) no
/// longer keeps the watchdog at full pace.
pub(crate) const QUIET_AFTER: Duration = Duration::from_secs(1);

/// The longest time that a thread is given to answer for its stack: waiting for that is meant, not late.
const ANSWER_MAX: Duration = Duration::from_millis(50);

/// A capture that takes this long was not only waited for: then none of it was meant.
const CAPTURE_MAX: Duration = Duration::from_millis(200);

/// A gap in the watchdog's own looks that counts as late: below it, ordinary scheduling.
const LATE_MIN: Duration = Duration::from_millis(20);

/// A jump between the clock that goes on in a suspend and the one that does not; both are read to a millisecond.
const SUSPEND_MIN: Duration = Duration::from_millis(50);

/// Pause between two looks at full pace, while no poll is suspected.
pub(crate) fn pause(threshold: Duration) -> Duration {
    threshold * UNHURRIED.0 / UNHURRIED.1
}

/// The same while a poll is suspected and not yet told.
pub(crate) fn pause_while_suspected(threshold: Duration) -> Duration {
    threshold * CLOSE.0 / CLOSE.1
}

/// How much of a capture's time was meant to be waited.
pub(crate) fn meant(capture: Duration) -> Duration {
    if capture > CAPTURE_MAX {
        Duration::ZERO
    } else {
        capture.min(ANSWER_MAX)
    }
}

/// One round of the watchdog, from the begin of a look to the begin of the next. What could not be read is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Round {
    /// How long it took; a clock that stands still while the machine is suspended.
    pub(crate) took: Duration,
    /// How much of it was meant to be waited: the pause, and the time that threads were given to answer.
    pub(crate) wanted: Duration,
    /// CPU time of the watchdog in it.
    pub(crate) cpu: Option<Duration>,
    /// Time in which the watchdog was ready and waited for a CPU.
    pub(crate) run_queue: Option<Duration>,
    /// Time in which the process's CPU quota kept it off the CPUs.
    pub(crate) throttled: Option<Duration>,
    /// CPU time of the whole process, in `process_took` up to the round's end.
    pub(crate) process_cpu: Option<Duration>,
    /// What `process_cpu` was counted over.
    pub(crate) process_took: Duration,
    /// CPU time that the hypervisor gave to others.
    pub(crate) steal: Option<Duration>,
    /// CPUs that the process may use.
    pub(crate) cpus: u32,
    /// Time that the machine was suspended.
    pub(crate) suspended: Option<Duration>,
}

impl Round {
    /// Whether it took so much longer than meant that it must be explained.
    pub(crate) fn is_late(&self) -> bool {
        self.late() >= LATE_MIN
    }

    fn late(&self) -> Duration {
        self.took.saturating_sub(self.wanted)
    }
}

/// What a round says about the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lateness {
    /// It took as long as it should.
    OnTime,
    /// The watchdog was ready but got no CPU: the machine is crowded.
    Crowded(Duration),
    /// The watchdog was ready but the CPU quota was used up.
    Throttled(Duration),
    /// Neither ready nor busy, and nobody else in the process was: it was stopped, or its machine paused.
    Frozen(Duration),
    /// The machine was suspended for `away`, and the process stood still for `gap` by the clock of the polls.
    Suspended {
        /// By the clock that goes on in a suspend.
        away: Duration,
        /// By the clock that does not: nobody's time.
        gap: Duration,
    },
}

/// Judges a round.
pub(crate) fn lateness(round: &Round) -> Lateness {
    let late = round.late();
    let suspended = round.suspended.unwrap_or_default();
    if suspended >= SUSPEND_MIN {
        return Lateness::Suspended {
            away: suspended,
            gap: if round.is_late() {
                late
            } else {
                Duration::ZERO
            },
        };
    }
    if !round.is_late() {
        return Lateness::OnTime;
    }
    let queued = round.run_queue.unwrap_or_default().min(late);
    let awake = queued + round.cpu.unwrap_or_default();
    let gap = late.saturating_sub(awake);
    // Without the kernel's word nobody is declared frozen.
    if round.run_queue.is_some() && gap > late / 2 && gap >= LATE_MIN && stood_still(round, gap) {
        return Lateness::Frozen(gap);
    }
    if round
        .throttled
        .is_some_and(|throttled| throttled >= late / 2)
    {
        return Lateness::Throttled(late);
    }
    Lateness::Crowded(late)
}

/// Whether the whole process used no more CPU time than it could have outside the gap. A watchdog that only waited for a
/// lock of the loader, or for memory, is late as well, but then others go on.
fn stood_still(round: &Round, gap: Duration) -> bool {
    let outside = round.process_took.saturating_sub(gap);
    let possible = outside * round.cpus.max(1);
    round
        .process_cpu
        .is_none_or(|used| used <= possible + gap / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A round that was meant to take 2 ms.
    fn round(took: u64, run_queue: Option<u64>, process_cpu: u64) -> Round {
        Round {
            took: ms(took),
            wanted: ms(2),
            cpu: Some(ms(0)),
            run_queue: run_queue.map(ms),
            process_cpu: Some(ms(process_cpu)),
            process_took: ms(took),
            cpus: 2,
            ..Round::default()
        }
    }

    /// Late and ready is crowded, late and not ready is frozen; without the kernel's word nobody is declared frozen.
    #[test]
    fn tells_crowded_from_frozen() {
        for (took, run_queue, process_cpu, expected) in [
            (3, Some(0), 0, Lateness::OnTime),
            (15, Some(12), 0, Lateness::OnTime),
            (182, Some(170), 150, Lateness::Crowded(ms(180))),
            (312, Some(5), 4, Lateness::Frozen(ms(305))),
            (2002, Some(0), 0, Lateness::Frozen(ms(2000))),
            (312, None, 0, Lateness::Crowded(ms(310))),
            // Others went on: the watchdog itself was held up.
            (312, Some(5), 300, Lateness::Crowded(ms(310))),
        ] {
            let judged = lateness(&round(took, run_queue, process_cpu));
            assert_eq!(judged, expected, "{took} {run_queue:?} {process_cpu}");
        }
    }

    /// The quota keeps the watchdog ready without a CPU, as recorded in a group with 20 ms of every 100.
    #[test]
    fn tells_the_quota() {
        let throttled = Round {
            throttled: Some(ms(75)),
            ..round(79, Some(76), 4)
        };
        assert_eq!(lateness(&throttled), Lateness::Throttled(ms(77)));
        let hardly = Round {
            throttled: Some(ms(10)),
            ..round(79, Some(76), 4)
        };
        assert_eq!(lateness(&hardly), Lateness::Crowded(ms(77)));
    }

    /// What the watchdog did itself is not a gap: time it burned, and time it gave a thread to answer.
    #[test]
    fn own_work_is_no_gap() {
        let busy = Round {
            cpu: Some(ms(300)),
            ..round(312, Some(5), 300)
        };
        assert_eq!(lateness(&busy), Lateness::Crowded(ms(310)));
        let patient = Round {
            wanted: ms(42),
            ..round(45, Some(0), 0)
        };
        assert_eq!(lateness(&patient), Lateness::OnTime);
    }

    /// A suspend is told by its clock, also when nobody's poll has lost any time.
    #[test]
    fn tells_suspends() {
        for (took, suspended, expected) in [
            (
                3,
                3_600_000,
                Lateness::Suspended {
                    away: ms(3_600_000),
                    gap: ms(0),
                },
            ),
            (
                402,
                9000,
                Lateness::Suspended {
                    away: ms(9000),
                    gap: ms(400),
                },
            ),
            (3, 1, Lateness::OnTime),
        ] {
            let slept = Round {
                suspended: Some(ms(suspended)),
                ..round(took, Some(0), 0)
            };
            assert_eq!(lateness(&slept), expected, "{took} {suspended}");
        }
    }
}
