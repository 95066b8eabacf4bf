//! Acts: each must be found in time, on its line, with its verdict, and nobody else be blamed.

use pollscope::stall::{Confidence, Phase, Stall, Verdict};

use super::{blame_note, blames_code, first_verdict, missing, row, wanted_acts};
use crate::cmd::drill::quantile::median;
use crate::cmd::drill::row::{ActScore, Row};
use crate::cmd::drill::scenario::{Combination, Expectation, Hold, Scenario};
use crate::cmd::drill::subject::RUNTIME;
use crate::cmd::drill::watch::{Acted, Reported, Seen};

/// How far a reported begin may lie before the true one: a look, and what the subject does before it takes the time.
const BEGIN_SLACK_US: u64 = 30_000;

/// Reports that an endless stall must get: the open one, and the doublings within the time it is watched.
const ESCALATIONS: usize = 4;

/// The row of a run whose acts must be found.
pub(super) fn score(scenario: &Scenario, hold: &Hold, run: Combination, seen: &Seen) -> Row {
    let mut acts: Vec<ActScore> = seen
        .acts
        .iter()
        .map(|acted| score_act(hold, acted, &seen.reports))
        .collect();
    let wanted = wanted_acts(hold);
    acts.resize(wanted.max(acts.len()), missing(first_verdict(hold)));
    // Of what was not found nothing more is missing.
    let is_found = acts.iter().all(|act| act.got.is_some());
    let unmet = unmet(hold, seen, is_found);
    let escalated = (hold.endless && is_found).then(|| has_escalated(seen));
    let mut row = Row {
        got: got(&acts),
        found: is_found && escalated != Some(false),
        escalated,
        right_line: acts.iter().all(|act| act.right_line),
        right_verdict: acts.iter().all(|act| act.right_verdict),
        open_after_ms: median(acts.iter().filter_map(|act| act.open_after_ms)),
        total_error_pct: acts
            .iter()
            .filter_map(|act| act.total_error_pct)
            .max_by(f64::total_cmp),
        wrong_proven: seen
            .reports
            .iter()
            .filter(|report| is_wrong_proof(hold, &report.stall))
            .count(),
        false_blames: seen
            .reports
            .iter()
            .filter(|report| report.stall.phase == Phase::Open && blames_code(&report.stall))
            .filter(|report| !seen.acts.iter().any(|acted| is_about(acted, &report.stall)))
            .count(),
        ..row(scenario, run, seen)
    };
    row.acts = acts;
    row.unmet = unmet;
    let wrong = seen.reports.iter().map(|report| &report.stall);
    let wrong: Vec<_> = wrong.filter(|stall| is_wrong_proof(hold, stall)).collect();
    let notes = [blame_note(&wrong).unwrap_or_else(|| row.note.clone())];
    let notes: Vec<String> = notes
        .into_iter()
        .chain(row.unmet.iter().cloned())
        .filter(|note| !note.is_empty())
        .collect();
    row.note = notes.join("; ");
    row
}

/// What the scenario declares beside its acts' lines and verdicts, and was not told.
fn unmet(hold: &Hold, seen: &Seen, is_found: bool) -> Vec<String> {
    let names_another =
        |report: &Reported| blames_code(&report.stall) && report.stall.runtime != RUNTIME;
    let object = hold.object.as_ref();
    [
        (
            "another runtime was named",
            seen.reports.iter().any(names_another),
        ),
        (
            "the wait object was not named",
            is_found && object.is_some_and(|object| !names_object(seen, object)),
        ),
        (
            "not every cause was told",
            is_found && hold.every && !every_expectation_is_met(hold, seen),
        ),
    ]
    .into_iter()
    .filter(|(_, is_unmet)| *is_unmet)
    .map(|(what, _)| what.to_owned())
    .collect()
}

fn score_act(hold: &Hold, acted: &Acted, reports: &[Reported]) -> ActScore {
    let own = |report: &&Reported| is_about(acted, &report.stall);
    let open = reports
        .iter()
        .filter(own)
        .find(|report| report.stall.phase == Phase::Open);
    // The last word counts: a report keeps the better cause of the ones before it.
    let last = reports.iter().filter(own).max_by_key(|report| report.at_us);
    let close = reports
        .iter()
        .filter(own)
        .find(|report| report.stall.phase == Phase::Close);
    let matching = |stall: &Stall| {
        hold.expect
            .iter()
            .any(|expected| expected.verdict.contains(&stall.verdict))
    };
    let truth_ms = acted
        .ended_us
        .map(|ended| ms(ended.saturating_sub(acted.began_us)));
    ActScore {
        expected: first_verdict(hold),
        got: last.map(|report| report.stall.verdict),
        right_verdict: last.is_some_and(|report| matching(&report.stall)),
        right_line: last.is_some_and(|report| is_right_line(&hold.expect, &report.stall)),
        open_after_ms: open.map(|report| ms(report.at_us.saturating_sub(acted.began_us))),
        total_error_pct: close
            .zip(truth_ms)
            .map(|(report, truth)| (report.stall.duration_ms / truth - 1.0).abs() * 100.0),
        confidence: last.map(|report| report.stall.confidence),
        lasted_ms: truth_ms,
    }
}

/// Whether a report is about this act: the same thread, at the same time.
fn is_about(acted: &Acted, stall: &Stall) -> bool {
    let began_us = stall.started_at * 1000;
    let ended_us = acted.ended_us.unwrap_or(u64::MAX);
    stall.tid == acted.tid && began_us + BEGIN_SLACK_US >= acted.began_us && began_us <= ended_us
}

fn is_right_line(expect: &[Expectation], stall: &Stall) -> bool {
    let line = stall.line.as_ref();
    line.is_some_and(|line| {
        expect
            .iter()
            .any(|expected| expected.is_at(&line.file, line.line))
    })
}

/// Whether a culprit is called proven that is none.
fn is_wrong_proof(hold: &Hold, stall: &Stall) -> bool {
    let is_also = |stall: &Stall| {
        stall.line.as_ref().is_some_and(|line| {
            hold.also
                .iter()
                .filter_map(|name| faults::act::place(name))
                .any(|place| place.holds(&line.file, line.line))
        })
    };
    // The culprit is a line that computes or waits; which of the words for that fits best may become clear later.
    let is_right = is_right_line(&hold.expect, stall)
        && hold
            .expect
            .iter()
            .flat_map(|expected| &expected.verdict)
            .any(|verdict| verdict.is_cpu() == stall.verdict.is_cpu());
    stall.confidence == Confidence::Proven && blames_code(stall) && !is_right && !is_also(stall)
}

fn has_escalated(seen: &Seen) -> bool {
    let agains = seen
        .reports
        .iter()
        .filter(|report| report.stall.phase == Phase::Again);
    agains.count() >= ESCALATIONS
}

fn every_expectation_is_met(hold: &Hold, seen: &Seen) -> bool {
    hold.expect.iter().all(|expected| {
        seen.reports.iter().any(|report| {
            let line = report.stall.line.as_ref();
            expected.verdict.contains(&report.stall.verdict)
                && line.is_some_and(|line| expected.is_at(&line.file, line.line))
        })
    })
}

fn names_object(seen: &Seen, object: &str) -> bool {
    let named = |report: &Reported| {
        report
            .stall
            .wait_object
            .as_ref()
            .is_some_and(|named| named.contains(object))
    };
    seen.reports.iter().any(named)
}

fn got(acts: &[ActScore]) -> String {
    let mut verdicts: Vec<&str> = acts
        .iter()
        .map(|act| act.got.map_or("nothing", Verdict::name))
        .collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    if verdicts.is_empty() {
        "nothing".to_owned()
    } else {
        verdicts.join(", ")
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a drill fit a float's 53 bits"
)]
fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}
