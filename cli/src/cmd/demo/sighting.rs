//! What the events say about a fault that was switched on. PURE.
//!
//! On a crowded machine the first report of a stall may carry a provisional verdict that the next one corrects. So the
//! best report counts, while the time of finding stays that of the first report of the same stall.

use std::collections::HashMap;

use faults::{Fault, Finding};
use pollscope::stall::{Phase, Stall};
use serde::Serialize;

use crate::service::Service;

/// How far a report agrees with what the fault declares about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Match {
    /// The verdict is the declared one.
    pub(crate) right_verdict: bool,
    /// The line is a declared one.
    pub(crate) right_line: bool,
}

impl Match {
    /// How a report agrees with a fault; nothing if it is not about that fault's source file at all.
    fn of(fault: &Fault, stall: &Stall) -> Option<Self> {
        let Finding::Stall {
            verdict,
            file,
            lines,
        } = &fault.finding
        else {
            return None;
        };
        let line = stall
            .line
            .as_ref()
            .filter(|line| line.file.ends_with(file))?;
        Some(Self {
            right_verdict: stall.verdict.name() == *verdict,
            right_line: lines.contains(&line.line),
        })
    }

    /// Nothing left to correct.
    pub(crate) fn is_complete(self) -> bool {
        self.right_verdict && self.right_line
    }
}

/// The reports about one fault so far.
#[derive(Debug)]
pub(crate) struct Sighting {
    fault: &'static Fault,
    service: Service,
    /// Age of each stall at its first report, by its number.
    opened_ms: HashMap<u64, f64>,
    best: Option<(Match, Box<Stall>, f64)>,
    closed_ms: HashMap<u64, f64>,
}

impl Sighting {
    /// Nothing seen yet.
    pub(crate) fn new(fault: &'static Fault, service: Service) -> Self {
        Self {
            fault,
            service,
            opened_ms: HashMap::new(),
            best: None,
            closed_ms: HashMap::new(),
        }
    }

    /// Takes a report of the fault's service that arrived so many milliseconds after the stall began.
    pub(crate) fn take(&mut self, stall: Box<Stall>, seen_after_ms: f64) {
        if stall.phase == Phase::Close {
            self.closed_ms.insert(stall.id, stall.duration_ms);
            return;
        }
        self.opened_ms.entry(stall.id).or_insert(stall.duration_ms);
        let Some(found) = Match::of(self.fault, &stall) else {
            return;
        };
        let rank = |found: Match| (found.right_line, found.right_verdict);
        if self
            .best
            .as_ref()
            .is_none_or(|(best, ..)| rank(found) > rank(*best))
        {
            self.best = Some((found, stall, seen_after_ms));
        }
    }

    /// Where the fault is on.
    pub(crate) fn service(&self) -> Service {
        self.service
    }

    /// The best report.
    pub(crate) fn best(&self) -> Option<(Match, &Stall)> {
        self.best
            .as_ref()
            .map(|(found, stall, _)| (*found, &**stall))
    }

    /// Whether there is a report that agrees in everything.
    pub(crate) fn is_complete(&self) -> bool {
        self.best().is_some_and(|(found, _)| found.is_complete())
    }

    /// Whether the stall of the best report has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.best()
            .is_some_and(|(_, stall)| self.closed_ms.contains_key(&stall.id))
    }

    /// The result, where `true_ms` is how long the fault itself says that it blocked.
    pub(crate) fn outcome(&self, true_ms: Option<f64>, note: Option<String>) -> Outcome {
        let Some((found, stall, seen_after_ms)) = &self.best else {
            return Outcome {
                fault: self.fault.name,
                service: self.service,
                declared: self.fault.finding.name(),
                shown_by: None,
                found: false,
                right_verdict: false,
                right_line: false,
                id: None,
                verdict: None,
                opened_after_ms: None,
                seen_after_ms: None,
                reported_ms: None,
                true_ms,
                error_pct: None,
                note,
            };
        };
        let reported_ms = self.closed_ms.get(&stall.id).copied();
        let error = |reported: f64, truth: f64| 100.0 * (reported - truth) / truth;
        Outcome {
            fault: self.fault.name,
            service: self.service,
            declared: self.fault.finding.name(),
            shown_by: None,
            found: true,
            right_verdict: found.right_verdict,
            right_line: found.right_line,
            id: Some(stall.id),
            verdict: Some(stall.verdict.name()),
            opened_after_ms: self.opened_ms.get(&stall.id).copied(),
            seen_after_ms: Some(*seen_after_ms),
            reported_ms,
            true_ms,
            error_pct: reported_ms
                .zip(true_ms)
                .map(|(reported, truth)| error(reported, truth)),
            note,
        }
    }
}

/// What came of one fault. Field names are a promise: never renamed, only added to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) fault: &'static str,
    /// Where it was on.
    pub(crate) service: Service,
    /// What must be found: `stall`, `condition`, `metric`, `slow` or `rate`.
    pub(crate) declared: &'static str,
    /// What showed it, if that is no stall.
    pub(crate) shown_by: Option<String>,
    /// Whether a stall in its source file was reported, or what else is declared was seen.
    pub(crate) found: bool,
    /// Whether with the declared verdict; as `found` where none is declared.
    pub(crate) right_verdict: bool,
    /// Whether on a declared line; as `found` where none is declared.
    pub(crate) right_line: bool,
    /// Number of the stall in its service.
    pub(crate) id: Option<u64>,
    /// The verdict reported.
    pub(crate) verdict: Option<&'static str>,
    /// Age of the stall when its first report was made.
    pub(crate) opened_after_ms: Option<f64>,
    /// Age of the stall when the best report reached us.
    pub(crate) seen_after_ms: Option<f64>,
    /// The total in the report of its end.
    pub(crate) reported_ms: Option<f64>,
    /// How long the fault itself says that it blocked.
    pub(crate) true_ms: Option<f64>,
    /// How far the total is off.
    pub(crate) error_pct: Option<f64>,
    /// Why it could not be found, if the fault says so.
    pub(crate) note: Option<String>,
}

impl Outcome {
    /// Whether it was found and everything about it was right.
    pub(crate) fn is_as_declared(&self) -> bool {
        self.found && self.right_line && self.right_verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report as it comes over the wire.
    fn report(
        id: u64,
        phase: &str,
        verdict: &str,
        place: Option<(&str, u32)>,
        duration_ms: f64,
    ) -> Box<Stall> {
        let line = place
            .map(|(file, line)| serde_json::json!({"file": file, "line": line, "function": "f"}));
        serde_json::from_value(serde_json::json!({
            "id": id, "phase": phase, "service": "chat", "runtime": "chat", "worker": 1, "tid": 7,
            "task": {"id": 3, "name": null, "spawned_at": null, "future": null}, "started_at": 0,
            "duration_ms": duration_ms, "threshold_ms": 10.0, "cpu_ms": 0.0, "run_queue_ms": 0.0, "blocked_ms": duration_ms,
            "verdict": verdict, "confidence": "proven", "evidence": [], "wait_object": null, "line": line,
            "stack": [], "stack_via": "syscall", "stack_complete": true, "census": [], "victims": null,
            "span": null, "advice": null, "fingerprint": "0", "suppressed": 0
        }))
        .unwrap()
    }

    fn place(fault: &Fault) -> (&'static str, u32) {
        let Finding::Stall { file, lines, .. } = &fault.finding else {
            panic!("a blocking fault");
        };
        (file, *lines.start())
    }

    /// Goal: a provisional verdict is corrected by a later report, and the time stays that of the first.
    #[test]
    fn later_reports_correct() {
        let fault = Fault::named("block-sleep").unwrap();
        let mut sighting = Sighting::new(fault, Service::Chat);
        sighting.take(report(4, "open", "unknown", Some(place(fault)), 10.0), 12.0);
        assert!(!sighting.is_complete());
        sighting.take(report(4, "again", "sleep", Some(place(fault)), 20.0), 22.0);
        assert!(sighting.is_complete() && !sighting.is_closed());
        sighting.take(
            report(4, "close", "sleep", Some(place(fault)), 303.0),
            304.0,
        );
        assert!(sighting.is_closed());
        let outcome = sighting.outcome(Some(300.0), None);
        assert!(outcome.is_as_declared());
        assert_eq!(outcome.opened_after_ms, Some(10.0));
        assert_eq!(outcome.seen_after_ms, Some(22.0));
        assert_eq!(outcome.error_pct, Some(1.0));
    }

    /// Goal: the first complete report stays, whatever comes later.
    #[test]
    fn first_complete_report_stays() {
        let fault = Fault::named("block-cpu").unwrap();
        let mut sighting = Sighting::new(fault, Service::Chat);
        sighting.take(
            report(1, "open", "cpu-user", Some(place(fault)), 10.0),
            11.0,
        );
        sighting.take(
            report(2, "open", "cpu-user", Some(place(fault)), 10.0),
            11.0,
        );
        assert_eq!(sighting.best().unwrap().1.id, 1);
    }

    /// Goal: a stall elsewhere is not this fault; one in its file counts, with what is wrong about it.
    #[test]
    fn tells_what_is_wrong() {
        let fault = Fault::named("std-mutex").unwrap();
        let (file, line) = place(fault);
        for (verdict, where_, expect) in [
            ("lock-wait", None, (false, false, false)),
            (
                "lock-wait",
                Some(("src/other.rs", line)),
                (false, false, false),
            ),
            ("sleep", Some((file, line)), (true, true, false)),
            ("lock-wait", Some((file, line + 1)), (true, false, true)),
            ("lock-wait", Some((file, line)), (true, true, true)),
        ] {
            let mut sighting = Sighting::new(fault, Service::Chat);
            sighting.take(report(1, "open", verdict, where_, 10.0), 11.0);
            let outcome = sighting.outcome(None, None);
            let got = (outcome.found, outcome.right_line, outcome.right_verdict);
            assert_eq!(got, expect, "{verdict} at {where_:?}");
        }
    }
}
