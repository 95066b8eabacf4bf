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
    /// Seconds it was watched.
    pub(crate) seconds: f64,
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
}

impl Row {
    /// Whether the row is as it should be.
    pub(crate) fn is_as_expected(&self) -> bool {
        self.found
            && self.right_line
            && self.right_verdict
            && self.false_blames == 0
            && self.wrong_proven == 0
    }
}
