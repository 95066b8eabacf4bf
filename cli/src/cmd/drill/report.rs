//! The result of a drill: rows, what they sum up to, and the confusion matrix. PURE.

use std::collections::BTreeMap;
use std::time::Duration;

use pollscope::stall::Verdict;
use serde::Serialize;

use super::quantile::quantile;
use super::row::{ActScore, Row};
use super::scenario::Tier;

/// Share of right lines and verdicts that a drill must reach.
const RIGHT_SHARE: f64 = 0.95;

/// The result. Field names are a promise: never renamed, only added to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// One for each run.
    pub(crate) scenarios: Vec<Row>,
    /// What they sum up to.
    pub(crate) summary: Summary,
    /// How often a verdict was expected and another one given, in acts: expected, got, count.
    pub(crate) confusion: Vec<Confusion>,
}

/// What the rows sum up to; positives are acts, negatives are runs that must stay silent.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    /// Acts that had to be found.
    pub(crate) positives: usize,
    /// Those of which a stall was reported.
    pub(crate) found: usize,
    /// Those blamed on the right line.
    pub(crate) right_line: usize,
    /// Those with the right verdict.
    pub(crate) right_verdict: usize,
    /// Wrong culprits with confidence `proven`.
    pub(crate) wrong_proven: usize,
    /// Runs that had to stay silent.
    pub(crate) negatives: usize,
    /// Rows judged from recorded evidence; each is one of the acts above, without times.
    pub(crate) recorded: usize,
    /// Reports that blamed code for what it did not do, in all runs.
    pub(crate) false_blames: usize,
    /// From an act's begin to its open report in hand; without computations in tier T0, which are reported from 150 ms on.
    pub(crate) open_ms_p50: Option<f64>,
    /// The same.
    pub(crate) open_ms_p99: Option<f64>,
    /// How far totals were off.
    pub(crate) total_error_pct_p50: Option<f64>,
    /// The worst.
    pub(crate) total_error_pct_max: Option<f64>,
    /// System calls that pollscope may have interrupted.
    pub(crate) eintr_caused: u64,
    /// Rows that are not as expected.
    pub(crate) rows_failed: usize,
    /// Seconds that the drill took.
    pub(crate) wall_s: f64,
}

/// One cell of the confusion matrix.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Confusion {
    /// What was expected.
    pub(crate) expected: Verdict,
    /// What was got; `None` for nothing.
    pub(crate) got: Option<Verdict>,
    /// How often.
    pub(crate) count: usize,
    /// Whether that counts as right: some scenarios have more than one right verdict.
    pub(crate) right: bool,
}

impl Report {
    pub(super) fn new(rows: Vec<Row>, wall: Duration) -> Self {
        let acts = || rows.iter().flat_map(|row| &row.acts);
        let count = |is: fn(&ActScore) -> bool| acts().filter(|act| is(act)).count();
        let opens = || {
            rows.iter()
                .filter(|row| {
                    row.tier != Tier::T0 || !row.acts.iter().any(|act| act.expected.is_cpu())
                })
                .flat_map(|row| &row.acts)
                .filter_map(|act| act.open_after_ms)
        };
        let errors = || acts().filter_map(|act| act.total_error_pct);
        let summary = Summary {
            positives: acts().count(),
            found: count(|act| act.got.is_some()),
            right_line: count(|act| act.right_line),
            right_verdict: count(|act| act.right_verdict),
            wrong_proven: rows.iter().map(|row| row.wrong_proven).sum(),
            negatives: rows.iter().filter(|row| row.silent).count(),
            recorded: rows.iter().filter(|row| row.recorded).count(),
            false_blames: rows.iter().map(|row| row.false_blames).sum(),
            open_ms_p50: quantile(opens(), 0.5),
            open_ms_p99: quantile(opens(), 0.99),
            total_error_pct_p50: quantile(errors(), 0.5),
            total_error_pct_max: quantile(errors(), 1.0),
            eintr_caused: rows.iter().map(|row| row.interrupted).sum(),
            rows_failed: rows.iter().filter(|row| !row.is_as_expected()).count(),
            wall_s: wall.as_secs_f64(),
        };
        Self {
            confusion: confusion(&rows),
            scenarios: rows,
            summary,
        }
    }

    /// Whether everything that the project promises held: all found, 95 % of lines and verdicts right, nobody blamed falsely.
    /// Times are shown only: on a machine that others use they tell of the others.
    pub(crate) fn is_as_expected(&self) -> bool {
        let summary = &self.summary;
        let enough = |right: usize| share(right, summary.positives) >= RIGHT_SHARE;
        summary.found == summary.positives
            && enough(summary.right_line)
            && enough(summary.right_verdict)
            && summary.wrong_proven == 0
            && summary.false_blames == 0
            && self.scenarios.iter().all(|row| row.found)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of acts are small")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

fn confusion(rows: &[Row]) -> Vec<Confusion> {
    let mut counts: BTreeMap<(Verdict, Option<Verdict>, bool), usize> = BTreeMap::new();
    for act in rows.iter().flat_map(|row| &row.acts) {
        *counts
            .entry((act.expected, act.got, act.right_verdict))
            .or_default() += 1;
    }
    counts
        .into_iter()
        .map(|((expected, got, right), count)| Confusion {
            expected,
            got,
            count,
            right,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::drill::scenario::Flavor;

    fn row(acts: Vec<ActScore>) -> Row {
        Row {
            name: "sleep".to_owned(),
            runtime: Flavor::Multi,
            tier: Tier::T2,
            expected: String::new(),
            got: String::new(),
            found: acts.iter().all(|act| act.got.is_some()),
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
            seconds: 1.0,
        }
    }

    fn right(open_after_ms: f64) -> ActScore {
        ActScore {
            expected: Verdict::Sleep,
            got: Some(Verdict::Sleep),
            right_verdict: true,
            right_line: true,
            open_after_ms: Some(open_after_ms),
            total_error_pct: Some(0.0),
            confidence: None,
        }
    }

    fn holds(rows: Vec<Row>) -> bool {
        Report::new(rows, Duration::ZERO).is_as_expected()
    }

    /// Goal: one wrong line or verdict in twenty is forgiven, a second is not; one missing act never is.
    #[test]
    fn shares_are_held() {
        let with = |wrong: usize, spoil: fn(&mut ActScore)| {
            let mut acts = vec![right(12.0); 20];
            acts.iter_mut().take(wrong).for_each(spoil);
            holds(vec![row(acts)])
        };
        assert!(with(1, |act| act.right_line = false));
        assert!(!with(2, |act| act.right_line = false));
        assert!(with(1, |act| act.right_verdict = false));
        assert!(!with(2, |act| act.right_verdict = false));
        assert!(!with(1, |act| act.got = None));
    }

    /// Goal: wrong proofs and false blames fail a drill in which all else is right; a late report does not.
    #[test]
    fn nobody_is_blamed_falsely() {
        assert!(holds(vec![row(vec![right(900.0)])]));
        let mut proven = row(vec![right(12.0)]);
        proven.wrong_proven = 1;
        assert!(!holds(vec![row(vec![right(12.0)]), proven]));
        let mut blamed = row(vec![right(12.0)]);
        blamed.false_blames = 1;
        assert!(!holds(vec![blamed]));
    }
}
