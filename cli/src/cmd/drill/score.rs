//! What a run was worth: reports held against the truth. PURE.

use pollscope::stall::{Confidence, Phase, Stall, Verdict};

use super::quantile::median;
use super::row::{ActScore, Row};
use super::scenario::{Combination, Deed, Expectation, Hold, Quiet, Scenario, Trouble};
use super::subject::RUNTIME;
use super::watch::{Acted, Reported, Seen};

/// How far a reported begin may lie before the true one: a look, and what the subject does before it takes the time.
const BEGIN_SLACK_US: u64 = 30_000;

/// Reports that an endless stall must get: the open one, and the doublings within the time it is watched.
const ESCALATIONS: usize = 4;

/// The row of one run.
pub(super) fn score(scenario: &Scenario, run: Combination, seen: &Seen) -> Row {
    match &scenario.deed {
        Deed::Stall(hold) => score_hold(scenario, hold, run, seen),
        Deed::Silent(quiet) => score_quiet(scenario, quiet, run, seen),
        Deed::Finding(trouble) => score_trouble(scenario, trouble, run, seen),
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
        Deed::Finding(trouble) => format!("finding {}", trouble.finding.name()),
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
    let wrong = seen.reports.iter().map(|report| &report.stall);
    let wrong: Vec<_> = wrong.filter(|stall| is_wrong_proof(hold, stall)).collect();
    if let Some(note) = blame_note(&wrong) {
        row.note = note;
    }
    if hold.every && !every_expectation_is_met(hold, seen) {
        row.right_line = false;
    }
    for (what, missing) in [
        (
            "another runtime was named",
            seen.reports
                .iter()
                .any(|report| blames_code(&report.stall) && report.stall.runtime != RUNTIME),
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
fn score_trouble(scenario: &Scenario, trouble: &Trouble, run: Combination, seen: &Seen) -> Row {
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

/// The first of some stalls that blame code, with what it rests on.
fn blame_note(stalls: &[&Stall]) -> Option<String> {
    let stall = stalls.first()?;
    let line = stall.line.as_ref().map_or_else(String::new, |line| {
        format!(" at {}:{}", line.file, line.line)
    });
    Some(format!(
        "{} for {:.0} ms{line}, {:?}: {}",
        stall.verdict.name(),
        stall.duration_ms,
        stall.confidence,
        stall.evidence.join("; ")
    ))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::drill::catalogue;
    use crate::cmd::drill::scenario::{Flavor, Tier};

    const ACTED: Acted = Acted {
        index: 0,
        tid: 7,
        began_us: 1_000_000_000,
        ended_us: Some(1_000_300_000),
        error: None,
    };

    fn scenario(name: &str) -> Scenario {
        catalogue::named(&[name.to_owned()]).unwrap().remove(0)
    }

    const RUN: Combination = Combination {
        runtime: Flavor::Multi,
        tier: Tier::T2,
    };

    /// A report on thread 7 that begins with the act, on the marked line of that place.
    fn report(phase: &str, verdict: &str, at: &str, after_ms: u64) -> Reported {
        let place = faults::act::place(at).unwrap();
        let stall = serde_json::json!({
            "id": 1, "phase": phase, "service": "drill", "runtime": RUNTIME, "worker": 0, "tid": 7,
            "task": {"id": 3, "name": null, "spawned_at": null, "future": null},
            "started_at": 1_000_000, "duration_ms": 300.0, "threshold_ms": 10.0,
            "cpu_ms": 0.0, "run_queue_ms": 0.0, "blocked_ms": 300.0,
            "verdict": verdict, "confidence": "proven", "evidence": [], "wait_object": null,
            "line": {"file": format!("/build/{}", place.file), "line": place.lines.start(), "function": "f"},
            "stack": [], "stack_via": "syscall", "stack_complete": true, "census": [], "victims": null,
            "span": null, "advice": null, "fingerprint": "0", "suppressed": 0,
        });
        Reported {
            at_us: ACTED.began_us + after_ms * 1000,
            stall: serde_json::from_value(stall).unwrap(),
        }
    }

    fn seen(reports: Vec<Reported>) -> Seen {
        Seen {
            acts: vec![ACTED; 3],
            reports,
            ..Seen::default()
        }
    }

    /// Goal: what was told rightly counts, with the time until it was in hand and the error of the total.
    #[test]
    fn right_is_right() {
        let reports = vec![
            report("open", "sleep", "sleep", 12),
            report("close", "sleep", "sleep", 301),
        ];
        let row = score(&scenario("sleep"), RUN, &seen(reports));
        assert!(row.is_as_expected(), "{row:#?}");
        assert_eq!((row.open_after_ms, row.got.as_str()), (Some(12.0), "sleep"));
        assert_eq!(row.total_error_pct, Some(0.0));
    }

    /// Goal: another line that is called proven is counted, though the last word is right; another verdict is wrong.
    #[test]
    fn wrong_proofs_are_counted() {
        let reports = vec![
            report("open", "sleep", "holder-sleeps", 12),
            report("close", "sleep", "sleep", 301),
        ];
        let row = score(&scenario("sleep"), RUN, &seen(reports));
        assert!(row.right_line && row.wrong_proven == 1, "{row:#?}");
        let reports = vec![report("open", "pipe", "sleep", 12)];
        let row = score(&scenario("sleep"), RUN, &seen(reports));
        assert!(
            row.found && row.right_line && !row.right_verdict,
            "{row:#?}"
        );
    }

    /// Goal: acts that are missing are not found, and a report about nothing that happened is a false blame.
    #[test]
    fn nothing_is_not_everything() {
        let row = score(&scenario("sleep"), RUN, &Seen::default());
        assert!(!row.found && row.acts.len() == 3, "{row:#?}");
        let mut stranger = report("open", "sleep", "sleep", 12);
        stranger.stall.tid = 8;
        let row = score(&scenario("sleep"), RUN, &seen(vec![stranger]));
        assert_eq!((row.found, row.false_blames), (false, 1));
        let row = failed(&scenario("sleep"), RUN, "it did not start");
        assert!(!row.is_as_expected() && row.acts.len() == 3);
    }

    /// Goal: a silent run forgives the machine's verdicts and nothing else.
    #[test]
    fn silence_is_kept() {
        let row = score(
            &scenario("idle"),
            RUN,
            &seen(vec![report("open", "starved", "sleep", 12)]),
        );
        assert!(row.is_as_expected() && row.got == "starved", "{row:#?}");
        let row = score(
            &scenario("idle"),
            RUN,
            &seen(vec![report("open", "sleep", "sleep", 12)]),
        );
        assert!(
            !row.found && row.false_blames == 1 && row.note.contains("sleep for 300 ms"),
            "{row:#?}"
        );
    }
}
