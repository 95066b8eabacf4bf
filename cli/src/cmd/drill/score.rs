//! What a run was worth: reports held against the truth. PURE.

use pollscope::stall::{Confidence, Phase, Stall, Verdict};
use serde::Serialize;

use super::scenario::{Combination, Deed, Expectation, Flavor, Hold, Quiet, Scenario, Tier};
use super::subject::RUNTIME;
use super::watch::{Acted, Reported, Seen};

/// How far a reported begin may lie before the true one: a look, and what the subject does before it takes the time.
const BEGIN_SLACK_US: u64 = 30_000;

/// Reports that an endless stall must get: the open one, and the doublings within the time it is watched.
const ESCALATIONS: usize = 4;

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

/// The row of one run.
pub(super) fn score(scenario: &Scenario, run: Combination, seen: &Seen) -> Row {
    match &scenario.deed {
        Deed::Stall(hold) => score_hold(scenario, hold, run, seen),
        Deed::Silent(quiet) => score_quiet(scenario, quiet, run, seen),
    }
}

/// A row of a run that could not be watched.
pub(super) fn failed(scenario: &Scenario, run: Combination, why: &str) -> Row {
    let mut row = row(scenario, run, &Seen::default());
    row.got = "the run failed".to_owned();
    why.clone_into(&mut row.note);
    if let Deed::Stall(hold) = &scenario.deed {
        row.acts = vec![missing(hold); wanted_acts(hold)];
    }
    row
}

fn wanted_acts(hold: &Hold) -> usize {
    let times = if hold.endless { 1 } else { hold.times };
    hold.tasks * usize::try_from(times).unwrap_or(usize::MAX)
}

/// An act of which nothing was told.
fn missing(hold: &Hold) -> ActScore {
    ActScore {
        expected: first_verdict(hold),
        got: None,
        right_verdict: false,
        right_line: false,
        open_after_ms: None,
        total_error_pct: None,
        confidence: None,
    }
}

fn row(scenario: &Scenario, run: Combination, seen: &Seen) -> Row {
    let mut notes = vec![scenario.note.clone()];
    if seen.missed > 0 {
        notes.push(format!("{} reports were lost on the way", seen.missed));
    }
    notes.extend(seen.acts.iter().find_map(|acted| acted.error.clone()));
    notes.retain(|note| !note.is_empty());
    Row {
        name: scenario.name.clone(),
        runtime: run.runtime,
        tier: run.tier,
        expected: expected(&scenario.deed),
        got: String::new(),
        found: false,
        right_line: false,
        right_verdict: false,
        open_after_ms: None,
        total_error_pct: None,
        note: notes.join("; "),
        silent: matches!(scenario.deed, Deed::Silent(_)),
        acts: Vec::new(),
        false_blames: 0,
        wrong_proven: 0,
        interrupted: seen.interrupted,
        seconds: seen.seconds,
    }
}

fn expected(deed: &Deed) -> String {
    match deed {
        Deed::Stall(hold) if hold.every => {
            let verdicts: Vec<_> = hold
                .expect
                .iter()
                .filter_map(|expected| expected.verdict.first())
                .map(|verdict| verdict.name())
                .collect();
            verdicts.join(" and ")
        }
        Deed::Stall(hold) => first_verdict(hold).name().to_owned(),
        Deed::Silent(Quiet {
            verdict: Some(verdict),
            ..
        }) => format!("{}, no code blamed", verdict.name()),
        Deed::Silent(_) => "no code blamed".to_owned(),
    }
}

fn first_verdict(hold: &Hold) -> Verdict {
    hold.expect
        .iter()
        .find_map(|expected| expected.verdict.first().copied())
        .unwrap_or(Verdict::Unknown)
}

fn score_hold(scenario: &Scenario, hold: &Hold, run: Combination, seen: &Seen) -> Row {
    let mut acts: Vec<ActScore> = seen
        .acts
        .iter()
        .map(|acted| score_act(hold, acted, &seen.reports))
        .collect();
    let wanted = wanted_acts(hold);
    acts.resize(wanted.max(acts.len()), missing(hold));
    let mut row = Row {
        got: got(&acts),
        found: acts.iter().all(|act| act.got.is_some()) && has_escalated(hold, seen),
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
    if hold.every && !every_expectation_is_met(hold, seen) {
        row.right_line = false;
    }
    for (what, missing) in [
        (
            "another runtime was named",
            seen.reports
                .iter()
                .any(|report| report.stall.runtime != RUNTIME),
        ),
        (
            "the wait object was not named",
            hold.object
                .as_ref()
                .is_some_and(|object| !names_object(seen, object)),
        ),
    ] {
        if missing {
            row.right_verdict = false;
            row.note = [row.note.as_str(), what]
                .iter()
                .filter(|part| !part.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join("; ");
        }
    }
    row
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

/// Whether a report says that code did something.
fn blames_code(stall: &Stall) -> bool {
    !stall.verdict.is_machine() && stall.verdict != Verdict::Unknown
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

fn has_escalated(hold: &Hold, seen: &Seen) -> bool {
    let agains = seen
        .reports
        .iter()
        .filter(|report| report.stall.phase == Phase::Again);
    !hold.endless || agains.count() >= ESCALATIONS
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

fn score_quiet(scenario: &Scenario, quiet: &Quiet, run: Combination, seen: &Seen) -> Row {
    let blamed: Vec<&Stall> = seen
        .reports
        .iter()
        .map(|report| &report.stall)
        .filter(|stall| blames_code(stall))
        .collect();
    let mut verdicts: Vec<&str> = seen
        .reports
        .iter()
        .map(|report| report.stall.verdict.name())
        .collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    let told = quiet
        .verdict
        .is_none_or(|verdict| verdicts.contains(&verdict.name()));
    let mut row = Row {
        got: if verdicts.is_empty() {
            "nothing".to_owned()
        } else {
            verdicts.join(", ")
        },
        found: blamed.is_empty() && told,
        right_line: blamed.is_empty(),
        right_verdict: blamed.is_empty() && told,
        false_blames: blamed.len(),
        wrong_proven: blamed
            .iter()
            .filter(|stall| stall.confidence == Confidence::Proven)
            .count(),
        ..row(scenario, run, seen)
    };
    if let Some(stall) = blamed.first() {
        let line = stall.line.as_ref().map_or_else(String::new, |line| {
            format!(" at {}:{}", line.file, line.line)
        });
        row.note = format!(
            "{} for {:.0} ms{line}, {:?}: {}",
            stall.verdict.name(),
            stall.duration_ms,
            stall.confidence,
            stall.evidence.join("; ")
        );
    }
    row
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

/// The middle one; the upper of two.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    quantile(values, 0.5)
}

/// The smallest value that at least this share of them does not exceed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks are small and not negative"
)]
pub(super) fn quantile(values: impl Iterator<Item = f64>, share: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}
