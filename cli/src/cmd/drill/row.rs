//! The record of one run of a scenario.

use pollscope::stall::{Confidence, Verdict};
use serde::Serialize;

use super::scenario::{Flavor, Tier};

/// One row of the table. Field names are a promise: never renamed, only added to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// Scenario.
    pub(crate) name: String,
    /// Runtime flavour.
    pub(crate) runtime: Flavor,
    /// Tier.
    pub(crate) tier: Tier,
    /// What had to be found.
    pub(crate) expected: String,
    /// What was.
    pub(crate) got: String,
    /// Whether every act was found; for silent scenarios, whether no code was blamed.
    pub(crate) found: bool,
    /// Whether every act was blamed on the right line.
    pub(crate) right_line: bool,
    /// Whether every act got the right verdict.
    pub(crate) right_verdict: bool,
    /// From an act's begin to its open report in hand, the median.
    pub(crate) open_after_ms: Option<f64>,
    /// How far reported totals were off, the worst.
    pub(crate) total_error_pct: Option<f64>,
    /// What else is worth knowing.
    pub(crate) note: String,
    /// Whether it was judged from recorded evidence: it has no times then.
    pub(crate) recorded: bool,
    /// Whether it had to stay silent.
    pub(crate) silent: bool,
    /// Acts.
    pub(crate) acts: Vec<ActScore>,
    /// Reports that blamed code for what it did not do.
    pub(crate) false_blames: usize,
    /// Wrong culprits with confidence `proven`.
    pub(crate) wrong_proven: usize,
    /// System calls that pollscope may have interrupted.
    pub(crate) interrupted: u64,
    /// Of these, signals to threads that were known to stand in a system call.
    pub(crate) blocked_signalled: u64,
    /// Seconds it was watched.
    pub(crate) seconds: f64,
    /// What it declares beside lines and verdicts of its acts, and did not get; one sentence each.
    pub(crate) unmet: Vec<String>,
    /// Whether it was reported again and again; `None` where nothing was endless.
    pub(crate) escalated: Option<bool>,
}

/// One act and what was told of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ActScore {
    /// Verdict that was expected first.
    pub(crate) expected: Verdict,
    /// Verdict of the last report; `None` when it was not found.
    pub(crate) got: Option<Verdict>,
    /// Whether the verdict is one of the expected.
    pub(crate) right_verdict: bool,
    /// Whether the line is.
    pub(crate) right_line: bool,
    /// From the begin to the open report in hand.
    pub(crate) open_after_ms: Option<f64>,
    /// How far the total was off.
    pub(crate) total_error_pct: Option<f64>,
    /// Confidence of the last report.
    pub(crate) confidence: Option<Confidence>,
    /// How long it lasted by its own clock.
    pub(crate) lasted_ms: Option<f64>,
    /// Whether its open report was in hand while it lasted; `None` if there was none, or no clock.
    pub(crate) in_time: Option<bool>,
}

impl ActScore {
    /// Whether line and verdict are right.
    pub(crate) fn is_right(&self) -> bool {
        self.right_line && self.right_verdict
    }
}

impl Row {
    /// Whether the row is as it should be.
    pub(crate) fn is_as_expected(&self) -> bool {
        self.found
            && self.right_line
            && self.right_verdict
            && self.false_blames == 0
            && self.wrong_proven == 0
            && self.unmet.is_empty()
    }

    /// Whether it is a strain: neither acts nor silence, a finding had to be told.
    pub(crate) fn is_strain(&self) -> bool {
        !self.silent && self.acts.is_empty()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A row with these acts that is right in every respect.
    pub(in super::super) fn row(acts: Vec<ActScore>) -> Row {
        Row {
            name: "sleep".to_owned(),
            runtime: Flavor::Multi,
            tier: Tier::T2,
            expected: String::new(),
            got: String::new(),
            found: true,
            right_line: true,
            right_verdict: true,
            open_after_ms: None,
            total_error_pct: None,
            note: String::new(),
            recorded: false,
            silent: false,
            acts,
            false_blames: 0,
            wrong_proven: 0,
            interrupted: 0,
            blocked_signalled: 0,
            seconds: 1.0,
            unmet: Vec::new(),
            escalated: None,
        }
    }

    /// A sleep that was told rightly, after that time.
    pub(in super::super) fn right(open_after_ms: f64) -> ActScore {
        ActScore {
            expected: Verdict::Sleep,
            got: Some(Verdict::Sleep),
            right_verdict: true,
            right_line: true,
            open_after_ms: Some(open_after_ms),
            total_error_pct: Some(0.0),
            confidence: None,
            lasted_ms: Some(300.0),
            in_time: Some(true),
        }
    }

    /// Goal: a row is right only if nothing at all is missing.
    #[test]
    fn everything_counts() {
        assert!(row(vec![right(12.0)]).is_as_expected());
        let unmet = Row {
            unmet: vec!["another runtime was named".to_owned()],
            ..row(vec![right(12.0)])
        };
        assert!(!unmet.is_as_expected());
    }
}
