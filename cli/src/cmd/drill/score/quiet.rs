//! Runs in which no poll is too long: a stall that blames code is false, and so is a finding that is not true there.

use std::collections::BTreeSet;

use pollscope::finding::{Finding, FindingKind};
use pollscope::stall::{Confidence, Stall};

use super::{blame_note, blames_code, row};
use crate::cmd::drill::row::Row;
use crate::cmd::drill::scenario::{Combination, Quiet, Scenario, Trouble};
use crate::cmd::drill::watch::Seen;

/// The row of a run that must stay silent, but for the machine's verdicts.
pub(super) fn score(scenario: &Scenario, quiet: &Quiet, run: Combination, seen: &Seen) -> Row {
    let blames = Blames::of(seen, &quiet.findings);
    let told = verdicts(seen);
    let is_told = quiet
        .verdict
        .is_none_or(|verdict| told.contains(verdict.name()));
    let row = row(scenario, run, seen);
    Row {
        got: in_words(told.into_iter().chain(kinds(seen))),
        found: blames.count() == 0 && is_told,
        right_line: blames.count() == 0,
        right_verdict: blames.count() == 0 && is_told,
        false_blames: blames.count(),
        wrong_proven: blames.proven(),
        note: blames.note().unwrap_or_else(|| row.note.clone()),
        unmet: unmet(is_told, "the machine's verdict was not told"),
        ..row
    }
}

/// A strain must be told by its name; stalls that blame code are false, since no poll is too long.
pub(super) fn score_trouble(
    scenario: &Scenario,
    trouble: &Trouble,
    run: Combination,
    seen: &Seen,
) -> Row {
    let mut true_ones = trouble.findings.clone();
    true_ones.push(trouble.finding);
    let blames = Blames::of(seen, &true_ones);
    let is_told = seen
        .findings
        .iter()
        .any(|finding| finding.kind == trouble.finding);
    let row = row(scenario, run, seen);
    Row {
        got: in_words(kinds(seen).into_iter()),
        found: is_told,
        right_line: true,
        right_verdict: is_told,
        false_blames: blames.count(),
        wrong_proven: blames.proven(),
        note: blames.note().unwrap_or_else(|| row.note.clone()),
        ..row
    }
}

/// What was blamed though it did nothing.
struct Blames<'a> {
    stalls: Vec<&'a Stall>,
    findings: Vec<&'a Finding>,
}

impl<'a> Blames<'a> {
    fn of(seen: &'a Seen, true_ones: &[FindingKind]) -> Self {
        let stalls = seen.reports.iter().map(|report| &report.stall);
        // A finding is an event when it opens and one when it closes.
        let mut numbers = BTreeSet::new();
        let findings = seen.findings.iter();
        Self {
            stalls: stalls.filter(|stall| blames_code(stall)).collect(),
            findings: findings
                .filter(|finding| !true_ones.contains(&finding.kind))
                .filter(|finding| numbers.insert(finding.id))
                .collect(),
        }
    }

    fn count(&self) -> usize {
        self.stalls.len() + self.findings.len()
    }

    fn proven(&self) -> usize {
        let is_proven = |stall: &&&Stall| stall.confidence == Confidence::Proven;
        self.stalls.iter().filter(is_proven).count()
    }

    fn note(&self) -> Option<String> {
        let finding = || {
            let finding = self.findings.first()?;
            let evidence = finding.evidence.join("; ");
            Some(format!(
                "finding {} in {} after {:.0} ms: {evidence}",
                finding.kind.name(),
                finding.runtime,
                finding.duration_ms
            ))
        };
        blame_note(&self.stalls).or_else(finding)
    }
}

fn verdicts(seen: &Seen) -> BTreeSet<&'static str> {
    let stalls = seen.reports.iter().map(|report| &report.stall);
    stalls.map(|stall| stall.verdict.name()).collect()
}

fn kinds(seen: &Seen) -> BTreeSet<&'static str> {
    let findings = seen.findings.iter();
    findings.map(|finding| finding.kind.name()).collect()
}

fn in_words(names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

fn unmet(is_met: bool, what: &str) -> Vec<String> {
    if is_met {
        Vec::new()
    } else {
        vec![what.to_owned()]
    }
}
