//! Runs in which no poll is too long: a stall that blames code is false.

use pollscope::stall::{Confidence, Stall};

use super::{blame_note, blames_code, row};
use crate::cmd::drill::row::Row;
use crate::cmd::drill::scenario::{Combination, Quiet, Scenario, Trouble};
use crate::cmd::drill::watch::Seen;

/// The row of a run that must stay silent, but for the machine's verdicts.
pub(super) fn score(scenario: &Scenario, quiet: &Quiet, run: Combination, seen: &Seen) -> Row {
    let stalls = blamed(seen);
    let mut verdicts: Vec<&str> = seen
        .reports
        .iter()
        .map(|report| report.stall.verdict.name())
        .collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    let is_told = quiet
        .verdict
        .is_none_or(|verdict| verdicts.contains(&verdict.name()));
    Row {
        got: if verdicts.is_empty() {
            "nothing".to_owned()
        } else {
            verdicts.join(", ")
        },
        found: stalls.is_empty() && is_told,
        right_line: stalls.is_empty(),
        right_verdict: stalls.is_empty() && is_told,
        false_blames: stalls.len(),
        wrong_proven: proven(&stalls),
        note: blame_note(&stalls).unwrap_or_else(|| scenario.note.clone()),
        ..row(scenario, run, seen)
    }
}

/// A strain must be told by its name; stalls that blame code are false, since no poll is too long.
pub(super) fn score_trouble(
    scenario: &Scenario,
    trouble: &Trouble,
    run: Combination,
    seen: &Seen,
) -> Row {
    let mut kinds: Vec<&str> = seen
        .findings
        .iter()
        .map(|finding| finding.kind.name())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let is_told = kinds.contains(&trouble.finding.name());
    let stalls = blamed(seen);
    Row {
        got: if kinds.is_empty() {
            "nothing".to_owned()
        } else {
            kinds.join(", ")
        },
        found: is_told,
        right_line: true,
        right_verdict: is_told,
        false_blames: stalls.len(),
        wrong_proven: proven(&stalls),
        note: blame_note(&stalls).unwrap_or_else(|| scenario.note.clone()),
        ..row(scenario, run, seen)
    }
}

fn blamed(seen: &Seen) -> Vec<&Stall> {
    let stalls = seen.reports.iter().map(|report| &report.stall);
    stalls.filter(|stall| blames_code(stall)).collect()
}

fn proven(stalls: &[&Stall]) -> usize {
    let is_proven = |stall: &&&Stall| stall.confidence == Confidence::Proven;
    stalls.iter().filter(is_proven).count()
}
