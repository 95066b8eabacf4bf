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

/// Repeated reports that each endless act must get: at 20 ms and every doubling, of which 1.28 s is the seventh, within 4 s.
const ESCALATIONS: usize = 7;

/// Acts of which one at least must be told rightly, so that shares over a whole drill do not hide a kind that never is.
const MANY_ACTS: usize = 3;

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
    let unmet = unmet(hold, seen, &acts, is_found);
    let escalated = (hold.endless && is_found)
        .then(|| seen.acts.iter().all(|acted| has_escalated(acted, seen)));
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
fn unmet(hold: &Hold, seen: &Seen, acts: &[ActScore], is_found: bool) -> Vec<String> {
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
        (
            "not every end was told",
            is_found && !hold.endless && acts.iter().any(|act| act.total_error_pct.is_none()),
        ),
        (
            "no act was told rightly",
            is_found && acts.len() >= MANY_ACTS && !acts.iter().any(ActScore::is_right),
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
    let last = last_word(acted, reports);
    let close = reports
        .iter()
        .filter(own)
        .find(|report| report.stall.phase == Phase::Close);
    let truth_ms = acted
        .ended_us
        .map(|ended| ms(ended.saturating_sub(acted.began_us)));
    ActScore {
        expected: first_verdict(hold),
        got: last.map(|report| report.stall.verdict),
        right_verdict: last.is_some_and(|report| is_right_verdict(&hold.expect, &report.stall)),
        right_line: last.is_some_and(|report| is_right_line(&hold.expect, &report.stall)),
        open_after_ms: open.map(|report| ms(report.at_us.saturating_sub(acted.began_us))),
        total_error_pct: close
            .zip(truth_ms)
            .map(|(report, truth)| (report.stall.duration_ms / truth - 1.0).abs() * 100.0),
        confidence: last.map(|report| report.stall.confidence),
        lasted_ms: truth_ms,
        in_time: open.map(|report| acted.ended_us.is_none_or(|ended| report.at_us < ended)),
    }
}

/// The last report about an act counts: it keeps the better cause of the ones before it.
fn last_word<'a>(acted: &Acted, reports: &'a [Reported]) -> Option<&'a Reported> {
    let own = reports
        .iter()
        .filter(|report| is_about(acted, &report.stall));
    own.max_by_key(|report| report.at_us)
}

/// Whether a report is about this act: the same thread, at the same time.
fn is_about(acted: &Acted, stall: &Stall) -> bool {
    let began_us = stall.started_at * 1000;
    let ended_us = acted.ended_us.unwrap_or(u64::MAX);
    stall.tid == acted.tid && began_us + BEGIN_SLACK_US >= acted.began_us && began_us <= ended_us
}

fn is_right_line(expect: &[Expectation], stall: &Stall) -> bool {
    expect.iter().any(|expected| names(expected, stall))
}

/// Whether the verdict is one of those of the place that was named; of a wrong line, whether it is one of the act's at all.
fn is_right_verdict(expect: &[Expectation], stall: &Stall) -> bool {
    let is_right_line = is_right_line(expect, stall);
    expect.iter().any(|expected| {
        expected.verdict.contains(&stall.verdict) && (names(expected, stall) || !is_right_line)
    })
}

/// Whether the line is that of the expectation.
fn names(expected: &Expectation, stall: &Stall) -> bool {
    let line = stall.line.as_ref();
    line.is_some_and(|line| expected.is_at(&line.file, line.line))
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
    let is_right = hold.expect.iter().any(|expected| {
        let is_of_kind = |verdict: &Verdict| verdict.is_cpu() == stall.verdict.is_cpu();
        names(expected, stall) && expected.verdict.iter().any(is_of_kind)
    });
    stall.confidence == Confidence::Proven && blames_code(stall) && !is_right && !is_also(stall)
}

fn has_escalated(acted: &Acted, seen: &Seen) -> bool {
    let own = seen
        .reports
        .iter()
        .filter(|report| is_about(acted, &report.stall));
    own.filter(|report| report.stall.phase == Phase::Again)
        .count()
        >= ESCALATIONS
}

/// Whether each time that the tasks acted together, each expectation was the last word about one of them.
fn every_expectation_is_met(hold: &Hold, seen: &Seen) -> bool {
    let is_met = |together: &[Acted], expected: &Expectation| {
        let last_words = together
            .iter()
            .filter_map(|acted| last_word(acted, &seen.reports));
        let mut stalls = last_words.map(|report| &report.stall);
        stalls.any(|stall| expected.verdict.contains(&stall.verdict) && names(expected, stall))
    };
    let mut rounds = seen.acts.chunks(hold.tasks.max(1));
    rounds.all(|together| {
        hold.expect
            .iter()
            .all(|expected| is_met(together, expected))
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
