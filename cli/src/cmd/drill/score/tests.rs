//! Reports about acts, and the rows that they must make.

use super::*;
use crate::cmd::drill::catalogue;
use crate::cmd::drill::scenario::{Flavor, Tier};
use crate::cmd::drill::subject::RUNTIME;
use crate::cmd::drill::watch::{Acted, Reported};
use pollscope::finding::{Finding, FindingKind};

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

fn finding(id: u64, kind: FindingKind, phase: &str) -> Finding {
    let finding = serde_json::json!({
        "id": id, "phase": phase, "kind": kind, "service": "drill", "runtime": RUNTIME, "since": 1_000_000,
        "duration_ms": 300.0, "subject": {"site": null, "task": null, "worker": null},
        "evidence": ["it grew"], "figures": {}, "advice": null,
    });
    serde_json::from_value(finding).unwrap()
}

/// Goal: a finding in a silent run is one false blame, opened and closed, unless the scenario says that it is true.
#[test]
fn findings_break_the_silence() {
    let leaks = Seen {
        findings: vec![
            finding(1, FindingKind::TaskLeak, "open"),
            finding(1, FindingKind::TaskLeak, "close"),
        ],
        ..Seen::default()
    };
    let mut idle = scenario("idle");
    let row = score(&idle, RUN, &leaks);
    assert!(!row.found && row.false_blames == 1, "{row:#?}");
    assert_eq!(
        (row.got.as_str(), row.note.as_str()),
        (
            "task-leak",
            "finding task-leak in drill after 300 ms: it grew"
        )
    );
    if let Deed::Silent(quiet) = &mut idle.deed {
        quiet.findings.push(FindingKind::TaskLeak);
    }
    assert!(score(&idle, RUN, &leaks).is_as_expected());
}

/// Goal: a strain must be told by its own name, and other names are false beside it.
#[test]
fn strains_have_one_name() {
    let seen = |kinds: &[FindingKind]| Seen {
        findings: (1..)
            .zip(kinds)
            .map(|(id, kind)| finding(id, *kind, "open"))
            .collect(),
        ..Seen::default()
    };
    let leaked = scenario("leaked-tasks");
    assert!(score(&leaked, RUN, &seen(&[FindingKind::TaskLeak])).is_as_expected());
    let both = score(
        &leaked,
        RUN,
        &seen(&[FindingKind::TaskLeak, FindingKind::Hog]),
    );
    assert!(both.found && both.false_blames == 1, "{both:#?}");
    assert!(!score(&leaked, RUN, &Seen::default()).found);
}

/// Goal: a standstill that must be told is missed when nothing is told at all.
#[test]
fn standstills_must_be_told() {
    let row = score(&scenario("stopped-busy"), RUN, &Seen::default());
    assert!(row.false_blames == 0 && !row.unmet.is_empty(), "{row:#?}");
    let told = seen(vec![report("close", "frozen", "sleep", 12)]);
    assert!(score(&scenario("stopped-busy"), RUN, &told).is_as_expected());
}

/// Goal: what a scenario declares beside lines and verdicts is missed by name, but not of acts that were not found.
#[test]
fn details_are_missed_by_name() {
    let unnamed: Vec<_> = (0..3)
        .flat_map(|_| ["open", "close"])
        .map(|phase| report(phase, "lock-wait", "mutex-sleeper", 12))
        .collect();
    let row = score(&scenario("mutex-sleeper"), RUN, &seen(unnamed));
    assert_eq!(row.unmet, ["the wait object was not named"]);
    let row = score(&scenario("mutex-sleeper"), RUN, &seen(Vec::new()));
    assert!(!row.found && row.unmet.is_empty(), "{row:#?}");
    let mut elsewhere = report("close", "sleep", "sleep", 301);
    elsewhere.stall.runtime = "beside-0".to_owned();
    let row = score(&scenario("sleep"), RUN, &seen(vec![elsewhere]));
    assert_eq!(row.unmet, ["another runtime was named"]);
    let unended = vec![report("open", "sleep", "sleep", 12)];
    let row = score(&scenario("sleep"), RUN, &seen(unended));
    assert_eq!(row.unmet, ["not every end was told"]);
    let wrong = vec![report("close", "pipe", "sleep", 12)];
    let row = score(&scenario("sleep"), RUN, &seen(wrong));
    assert_eq!(row.unmet, ["no act was told rightly"]);
}

/// Goal: a verdict is right only at its own place, and each of two tasks that act together must be told by its own cause.
#[test]
fn causes_are_judged_with_their_places() {
    let told = |verdict, at| {
        let row = score(
            &scenario("mixed"),
            RUN,
            &seen(vec![report("close", verdict, at, 12)]),
        );
        let act = &row.acts[0];
        (act.right_line, act.right_verdict, row.wrong_proven)
    };
    assert_eq!(told("sleep", "mixed-sleep"), (true, true, 0));
    assert_eq!(told("sleep", "mixed-cpu"), (true, false, 1));
}

/// Goal: each time that two tasks act together each must be told by its own cause, not once in a run.
#[test]
fn every_cause_is_told_every_time() {
    let rounds = |second_verdicts: [&str; 3]| {
        let mut seen = Seen::default();
        for (round, second) in (0_u64..).zip(second_verdicts) {
            let causes = [(7, "sleep", "convoy-head"), (8, second, "convoy-wait")];
            for (tid, verdict, at) in causes {
                seen.acts.push(Acted {
                    tid,
                    began_us: ACTED.began_us + round * 1_000_000,
                    ended_us: ACTED.ended_us.map(|ended| ended + round * 1_000_000),
                    ..ACTED
                });
                let mut report = report("close", verdict, at, 301);
                report.stall.tid = tid;
                report.stall.started_at += round * 1000;
                seen.reports.push(report);
            }
        }
        score(&scenario("convoy"), RUN, &seen).unmet
    };
    assert!(rounds(["lock-wait"; 3]).is_empty());
    assert_eq!(
        rounds(["lock-wait", "sleep", "lock-wait"]),
        ["not every cause was told"]
    );
}

/// Goal: a report that does not know the cause but names a line is a blame.
#[test]
fn a_line_is_a_blame() {
    let unknown = vec![report("open", "unknown", "sleep", 12)];
    assert_eq!(
        score(&scenario("idle"), RUN, &seen(unknown)).false_blames,
        1
    );
    let mut without = report("open", "unknown", "sleep", 12);
    without.stall.line = None;
    assert_eq!(
        score(&scenario("idle"), RUN, &seen(vec![without])).false_blames,
        0
    );
}
