//! Recorded evidence: what was told of it in the end, and whether code was blamed on the way for what the machine did.

use pollscope::stall::{Confidence, Stall};

use super::{blame_note, blames_code, missing, row};
use crate::cmd::drill::recorded::Recorded;
use crate::cmd::drill::row::{ActScore, Row};
use crate::cmd::drill::scenario::{Combination, Scenario};
use crate::cmd::drill::watch::Seen;

/// The row of what was told of a recording.
pub(super) fn score(
    scenario: &Scenario,
    recorded: &Recorded,
    run: Combination,
    told: &[Stall],
) -> Row {
    let is_false = |stall: &&Stall| recorded.verdict.is_machine() && blames_code(stall);
    let is_wrong = |stall: &&Stall| {
        stall.confidence == Confidence::Proven
            && blames_code(stall)
            && !(is_right_line(recorded, stall) && stall.verdict == recorded.verdict)
    };
    let blames: Vec<&Stall> = told.iter().filter(is_false).collect();
    let act = told
        .last()
        .map_or(missing(recorded.verdict), |last| act(recorded, last));
    let notes = [
        format!("recorded: {}", recorded.source),
        scenario.note.clone(),
    ];
    let notes: Vec<String> = notes
        .into_iter()
        .chain(blame_note(&blames))
        .filter(|note| !note.is_empty())
        .collect();
    let is_as_declared = act.right_line && act.right_verdict;
    Row {
        unmet: if is_as_declared {
            Vec::new()
        } else {
            vec!["the recording was not judged as it is declared".to_owned()]
        },
        got: act
            .got
            .map_or("nothing", |verdict| verdict.name())
            .to_owned(),
        found: act.got.is_some(),
        right_line: act.right_line,
        right_verdict: act.right_verdict,
        false_blames: blames.len(),
        wrong_proven: told.iter().filter(is_wrong).count(),
        note: notes.join("; "),
        acts: vec![act],
        ..row(scenario, run, &Seen::default())
    }
}

fn act(recorded: &Recorded, last: &Stall) -> ActScore {
    let names = |object: &String| {
        let named = last.wait_object.as_ref();
        named.is_some_and(|named| named.contains(object))
    };
    let advises = |rule: &String| {
        let advice = last.advice.as_ref();
        advice.is_some_and(|advice| advice.rule == *rule)
    };
    ActScore {
        expected: recorded.verdict,
        got: Some(last.verdict),
        right_verdict: last.verdict == recorded.verdict
            && last.confidence == recorded.confidence
            && recorded.object.as_ref().is_none_or(names)
            && recorded.advice.as_ref().is_none_or(advises),
        right_line: is_right_line(recorded, last),
        open_after_ms: None,
        total_error_pct: None,
        confidence: Some(last.confidence),
        lasted_ms: None,
        in_time: None,
    }
}

fn is_right_line(recorded: &Recorded, stall: &Stall) -> bool {
    match (&recorded.at, &stall.line) {
        (Some(at), Some(line)) => at.file == line.file && at.line == line.line,
        (at, line) => at.is_none() && line.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use pollscope::stall::Verdict;

    use super::*;
    use crate::cmd::drill::catalogue;
    use crate::cmd::drill::scenario::Deed;
    use crate::cmd::drill::score::replayed;

    fn recordings() -> Vec<(Scenario, Recorded)> {
        let recorded = |scenario: Scenario| match &scenario.deed {
            Deed::Recorded(recorded) if recorded.recording.is_native() => {
                let recorded = (**recorded).clone();
                Some((scenario, recorded))
            }
            _ => None,
        };
        let all = catalogue::all().unwrap();
        all.into_iter().filter_map(recorded).collect()
    }

    fn run(scenario: &Scenario) -> Combination {
        scenario.combinations().next().unwrap()
    }

    /// Goal: every recording is judged as its file declares, and the rows are marked.
    #[test]
    fn recordings_are_judged_as_declared() {
        for (scenario, recorded) in recordings() {
            let row = replayed(&scenario, &recorded, run(&scenario));
            assert!(row.is_as_expected() && row.recorded, "{row:#?}");
            assert_eq!(row.open_after_ms, None, "{}", scenario.name);
            let last = row.acts.first().unwrap();
            assert_eq!(
                last.confidence,
                Some(recorded.confidence),
                "{}",
                scenario.name
            );
        }
    }

    /// Goal: whichever text of a recording is cut, at its begin, middle or end, it is refused, not judged.
    #[test]
    fn cut_recordings_are_refused() {
        for (scenario, recorded) in recordings() {
            for moment in 0..recorded.recording.moments.len() {
                for part in [0, 1, 2, 3] {
                    let mut broken = recorded.clone();
                    let Some(poll) = &mut broken.recording.moments[moment].poll else {
                        continue;
                    };
                    for text in [&mut poll.stat, &mut poll.syscall, &mut poll.schedstat] {
                        let Some(text) = text else { continue };
                        text.truncate((text.len() - 1) * part / 3);
                    }
                    let row = replayed(&scenario, &broken, run(&scenario));
                    assert!(!row.found && row.wrong_proven == 0, "{row:#?}");
                    let where_it_is = format!("moment {}: ", moment + 1);
                    assert!(row.note.contains(&where_it_is), "{}", row.note);
                }
            }
        }
    }

    /// Goal: a standstill is a test only if the poll in it would have been a stall by its length alone.
    #[test]
    fn standstills_are_long_enough() {
        let is_standstill =
            |recorded: &Recorded| matches!(recorded.verdict, Verdict::Frozen | Verdict::Suspended);
        let all = recordings().into_iter();
        for (scenario, recorded) in all.filter(|(_, recorded)| is_standstill(recorded)) {
            let moments = recorded.recording.moments.iter();
            let polling = moments.filter(|moment| {
                let poll = moment.poll.as_ref();
                poll.is_some_and(|poll| poll.token != 0)
            });
            let times: Vec<u64> = polling.map(|moment| moment.monotonic).collect();
            let length = times.last().unwrap() - times.first().unwrap();
            let threshold = recorded.recording.threshold_ms * 1_000_000;
            assert!(length > threshold, "{}: {length} ns", scenario.name);
        }
    }

    /// Goal: without a file of the thread the recording is judged with less certainty, never with a wrong proof.
    #[test]
    fn missing_files_prove_nothing_wrong() {
        for (scenario, recorded) in recordings() {
            for missing in ["stat", "syscall", "wchan", "schedstat", "status", "cpu"] {
                let mut without = recorded.clone();
                let moments = &mut without.recording.moments;
                for poll in moments.iter_mut().filter_map(|moment| moment.poll.as_mut()) {
                    match missing {
                        "stat" => poll.stat = None,
                        "syscall" => poll.syscall = None,
                        "wchan" => poll.wchan = None,
                        "schedstat" => poll.schedstat = None,
                        "status" => poll.status = None,
                        _ => poll.cpu = None,
                    }
                }
                let row = replayed(&scenario, &without, run(&scenario));
                assert_eq!(row.wrong_proven, 0, "without {missing}: {row:#?}");
            }
        }
    }
}
