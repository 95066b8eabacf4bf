//! The result of a drill: rows, what they sum up to, and the confusion matrix. PURE.

use std::collections::BTreeMap;
use std::time::Duration;

use load::Machine;
use pollscope::stall::Verdict;
use serde::Serialize;

use super::promise::{Promise, opens, promises};
use super::quantile::quantile;
use super::row::{ActScore, Row};

/// The result. Field names are a promise: never renamed, only added to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// One for each run.
    pub(crate) scenarios: Vec<Row>,
    /// What they sum up to.
    pub(crate) summary: Summary,
    /// How often a verdict was expected and another one given, in acts: expected, got, count.
    pub(crate) confusion: Vec<Confusion>,
    /// What is promised of every drill, and whether it held.
    pub(crate) promises: Vec<Promise>,
    /// How it was made.
    pub(crate) made: Made,
}

/// How a result was made: without that, its figures mean nothing.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Made {
    /// The command line.
    pub(crate) command: String,
    /// Version of pollscope.
    pub(crate) version: &'static str,
    /// How long each silent run was watched, in seconds.
    pub(crate) silent_seconds: u64,
    /// Where.
    pub(crate) machine: Machine,
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
    /// Of these, signals to threads that were known to stand in a system call; the others had just entered it.
    pub(crate) blocked_signalled: u64,
    /// Share of all CPUs that others took while acts were done; `None` if that was too short or is not known.
    pub(crate) others_cpu_share: Option<f64>,
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
    /// The result of these rows, made while others took that share of the CPUs; `threshold` is the length of a poll from
    /// which on it is a stall.
    pub(super) fn new(
        rows: Vec<Row>,
        wall: Duration,
        others_share: Option<f64>,
        threshold: Duration,
        made: Made,
    ) -> Self {
        let acts = || rows.iter().flat_map(|row| &row.acts);
        let count = |is: fn(&ActScore) -> bool| acts().filter(|act| is(act)).count();
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
            open_ms_p50: quantile(opens(&rows), 0.5),
            open_ms_p99: quantile(opens(&rows), 0.99),
            total_error_pct_p50: quantile(errors(), 0.5),
            total_error_pct_max: quantile(errors(), 1.0),
            eintr_caused: rows.iter().map(|row| row.interrupted).sum(),
            blocked_signalled: rows.iter().map(|row| row.blocked_signalled).sum(),
            others_cpu_share: others_share,
            rows_failed: rows.iter().filter(|row| !row.is_as_expected()).count(),
            wall_s: wall.as_secs_f64(),
        };
        Self {
            promises: promises(&rows, others_share, threshold.as_secs_f64() * 1e3),
            confusion: confusion(&rows),
            scenarios: rows,
            summary,
            made,
        }
    }

    /// Whether every promise was kept.
    pub(crate) fn is_as_expected(&self) -> bool {
        self.promises.iter().all(Promise::is_kept)
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
    use super::super::row::tests::{right, row};
    use super::*;

    fn made() -> Made {
        Made {
            command: "pollscope drill".to_owned(),
            version: "0",
            silent_seconds: 1,
            machine: Machine::here(),
        }
    }

    fn report(acts: Vec<ActScore>, others_share: Option<f64>) -> Report {
        let threshold = Duration::from_millis(10);
        Report::new(
            vec![row(acts)],
            Duration::ZERO,
            others_share,
            threshold,
            made(),
        )
    }

    /// Goal: one promise that is missed fails a drill, unless it is a time and the machine was others'.
    #[test]
    fn every_promise_counts() {
        assert!(report(vec![right(12.0)], None).is_as_expected());
        assert!(!report(vec![right(900.0); 20], None).is_as_expected());
        assert!(report(vec![right(900.0); 20], Some(0.5)).is_as_expected());
        let mut acts = vec![right(12.0); 2];
        acts[0].got = None;
        assert!(!report(acts, Some(0.5)).is_as_expected());
    }
}
