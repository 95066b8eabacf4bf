//! The whole process stood still: what is told about it; PURE.
//!
//! A stop, a freezer, a debugger, a paused or suspended machine hits every worker at once and is nobody's doing. It is found
//! when it is over, so it is one event with its whole length, for the process and not for a worker.

use std::time::Duration;

use super::pace::{Lateness, Round};
use crate::stall::{Circumstance, Confidence, Judgement, Parts, Verdict};

/// One standstill of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standstill {
    /// Number of the event, from the same count as the stalls.
    pub(crate) id: u64,
    /// Begin in milliseconds since the Unix epoch.
    pub(crate) started_at_unix_ms: u64,
    /// How long.
    pub(crate) length: Duration,
    /// Frozen or suspended, and why it is called so.
    pub(crate) judgement: Judgement,
}

/// What is known beside the watchdog's own round.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside {
    /// The process that traces this one.
    pub(crate) tracer: Option<u64>,
    /// Polls that were under way.
    pub(crate) polls: usize,
}

impl Standstill {
    /// The standstill that a round shows, if it shows one; number and begin are to be filled in.
    pub(crate) fn of(round: &Round, lateness: Lateness, beside: Beside) -> Option<Self> {
        let (verdict, length) = match lateness {
            Lateness::Frozen(gap) => (Verdict::Frozen, gap),
            Lateness::Suspended { away, gap } => (Verdict::Suspended, away + gap),
            Lateness::OnTime | Lateness::Crowded(_) | Lateness::Throttled(_) => return None,
        };
        let mut evidence = Vec::new();
        if let Lateness::Suspended { away, .. } = lateness {
            evidence.push(format!(
                "the clock that goes on in a suspend ran {:.0} ms ahead",
                ms(away)
            ));
        }
        evidence.push(format!(
            "pollscope's watchdog meant to pause for {:.1} ms and came back after {:.1} ms, of them {:.1} ms waiting for a CPU",
            ms(round.wanted),
            ms(round.took),
            ms(round.run_queue.unwrap_or_default())
        ));
        evidence.extend(round.process_cpu.map(|used| {
            format!(
                "the whole process used {:.1} ms of CPU time meanwhile",
                ms(used)
            )
        }));
        evidence.extend(
            round
                .steal
                .filter(|stolen| !stolen.is_zero())
                .map(|stolen| format!("the hypervisor took {:.0} ms of CPU time", ms(stolen))),
        );
        evidence.extend(
            beside
                .tracer
                .map(|tracer| format!("process {tracer} traces this one, as a debugger does")),
        );
        if beside.polls > 0 {
            evidence.push(format!(
                "{} polls were under way; this time is taken out of theirs",
                beside.polls
            ));
        }
        let is_traced = verdict == Verdict::Frozen && beside.tracer.is_some();
        Some(Self {
            id: 0,
            started_at_unix_ms: 0,
            length,
            judgement: Judgement {
                verdict,
                confidence: if verdict == Verdict::Suspended {
                    Confidence::Proven
                } else {
                    Confidence::Likely
                },
                evidence,
                circumstance: is_traced.then_some(Circumstance::Traced),
            },
        })
    }

    /// The split: neither busy nor waiting for a CPU.
    pub(crate) fn parts(&self) -> Parts {
        Parts {
            cpu: Duration::ZERO,
            run_queue: Duration::ZERO,
            blocked: self.length,
        }
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn round() -> Round {
        Round {
            took: millis(312),
            wanted: millis(2),
            run_queue: Some(millis(5)),
            process_cpu: Some(millis(4)),
            ..Round::default()
        }
    }

    /// A freeze is told with its length, what it rests on, and the debugger if there is one.
    #[test]
    fn a_freeze() {
        let beside = Beside {
            tracer: Some(77),
            polls: 2,
        };
        let found = Standstill::of(&round(), Lateness::Frozen(millis(305)), beside).unwrap();
        assert_eq!(
            (found.judgement.verdict, found.length, found.parts().blocked),
            (Verdict::Frozen, millis(305), millis(305))
        );
        assert_eq!(found.judgement.circumstance, Some(Circumstance::Traced));
        assert_eq!(
            found.judgement.evidence,
            [
                "pollscope's watchdog meant to pause for 2.0 ms and came back after 312.0 ms, of them 5.0 ms waiting for a CPU",
                "the whole process used 4.0 ms of CPU time meanwhile",
                "process 77 traces this one, as a debugger does",
                "2 polls were under way; this time is taken out of theirs",
            ]
        );
    }

    /// A suspend lasts as long as both clocks say; a crowded machine is no standstill.
    #[test]
    fn a_suspend() {
        let suspended = Lateness::Suspended {
            away: millis(9000),
            gap: millis(310),
        };
        let found = Standstill::of(&round(), suspended, Beside::default()).unwrap();
        assert_eq!(
            (found.judgement.verdict, found.length),
            (Verdict::Suspended, millis(9310))
        );
        for lateness in [
            Lateness::OnTime,
            Lateness::Crowded(millis(310)),
            Lateness::Throttled(millis(310)),
        ] {
            assert_eq!(Standstill::of(&round(), lateness, Beside::default()), None);
        }
    }
}
