//! What a run was worth: reports held against the truth. PURE.
//!
//! One file for each kind of run: `hold` for acts that must be found, `quiet` for runs in which no code may be blamed,
//! `recorded` for evidence that was recorded elsewhere. Here is what their rows have in common.

use pollscope::stall::{Stall, Verdict};

use super::recorded::Recorded;
use super::row::{ActScore, Row};
use super::scenario::{Combination, Deed, Hold, Quiet, Scenario};
use super::watch::Seen;

mod hold;
mod quiet;
mod recorded;
#[cfg(test)]
mod tests;

/// The row of one run.
pub(super) fn score(scenario: &Scenario, run: Combination, seen: &Seen) -> Row {
    match &scenario.deed {
        Deed::Recorded(recorded) => replayed(scenario, recorded, run),
        Deed::Stall(hold) => hold::score(scenario, hold, run, seen),
        Deed::Silent(quiet) => quiet::score(scenario, quiet, run, seen),
        Deed::Finding(trouble) => quiet::score_trouble(scenario, trouble, run, seen),
    }
}

/// The row of recorded evidence, which needs no run.
pub(super) fn replayed(scenario: &Scenario, recorded: &Recorded, run: Combination) -> Row {
    match recorded.recording.replay() {
        Ok(replayed) => recorded::score(scenario, recorded, run, &replayed.stalls),
        Err(error) => failed(scenario, run, &error.to_string()),
    }
}

/// A row of a run that could not be watched.
pub(super) fn failed(scenario: &Scenario, run: Combination, why: &str) -> Row {
    let mut row = row(scenario, run, &Seen::default());
    row.got = "the run failed".to_owned();
    row.unmet = vec!["the run failed".to_owned()];
    why.clone_into(&mut row.note);
    if let Deed::Stall(hold) = &scenario.deed {
        row.acts = vec![missing(first_verdict(hold)); wanted_acts(hold)];
    }
    if let Deed::Recorded(recorded) = &scenario.deed {
        row.acts = vec![missing(recorded.verdict)];
    }
    row
}

fn wanted_acts(hold: &Hold) -> usize {
    let times = if hold.endless { 1 } else { hold.times };
    hold.tasks * usize::try_from(times).unwrap_or(usize::MAX)
}

/// An act of which nothing was told.
fn missing(expected: Verdict) -> ActScore {
    ActScore {
        expected,
        got: None,
        right_verdict: false,
        right_line: false,
        open_after_ms: None,
        total_error_pct: None,
        confidence: None,
        lasted_ms: None,
        in_time: None,
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
        recorded: matches!(scenario.deed, Deed::Recorded(_)),
        silent: match &scenario.deed {
            Deed::Silent(_) => true,
            Deed::Recorded(recorded) => recorded.verdict.is_machine(),
            Deed::Stall(_) | Deed::Finding(_) => false,
        },
        acts: Vec::new(),
        false_blames: 0,
        wrong_proven: 0,
        interrupted: seen.interrupted,
        blocked_signalled: seen.blocked_signalled,
        seconds: seen.seconds,
        unmet: Vec::new(),
        escalated: None,
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
        Deed::Recorded(recorded) if recorded.verdict.is_machine() => {
            format!("{}, no code blamed", recorded.verdict.name())
        }
        Deed::Recorded(recorded) => recorded.verdict.name().to_owned(),
    }
}

fn first_verdict(hold: &Hold) -> Verdict {
    hold.expect
        .iter()
        .find_map(|expected| expected.verdict.first().copied())
        .unwrap_or(Verdict::Unknown)
}

/// Whether a report says that code did something; one that does not know what, but names a line, does.
fn blames_code(stall: &Stall) -> bool {
    let knows = stall.verdict != Verdict::Unknown || stall.line.is_some();
    !stall.verdict.is_machine() && knows
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
