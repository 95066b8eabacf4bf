//! The event from a change: sentences, figures and advice; PURE.

use std::collections::BTreeMap;
use std::panic::Location;
use std::time::Duration;

use super::advice::advise;
use super::event::{Finding, FindingPhase, FindingSubject};
use super::fact::{Fact, Site, TaskShare};
use super::ledger::Change;
use super::lint;

/// A change with the calendar's time.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) change: Change,
    pub(crate) since_unix_ms: u64,
}

/// What is said about a fact.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) subject: FindingSubject,
    pub(super) evidence: Vec<String>,
    pub(super) figures: Vec<(&'static str, f64)>,
}

/// The event of a change.
pub(crate) fn compose(told: &Told, service: &str) -> Finding {
    let change = &told.change;
    let kind = change.fact.kind();
    let said = said(&change.fact);
    let figures = said
        .figures
        .into_iter()
        .map(|(name, value)| (name.to_owned(), round(value)))
        .collect::<BTreeMap<_, _>>();
    Finding {
        id: change.id,
        phase: change.phase,
        kind,
        service: service.to_owned(),
        runtime: change.runtime.clone(),
        since: told.since_unix_ms,
        duration_ms: round(change.length.as_secs_f64() * 1e3),
        subject: said.subject,
        evidence: said.evidence,
        figures,
        advice: advise(kind),
    }
}

fn said(fact: &Fact) -> Said {
    match fact {
        Fact::BlockInPlace { task, site, worker } => Said {
            subject: subject(*site, *task, *worker),
            evidence: vec![
                "the stack shows block_in_place, so the worker was given away before".to_owned(),
            ],
            figures: Vec::new(),
        },
        Fact::BlockingPool { threads, queued } => Said {
            evidence: vec![format!(
                "all {threads} threads of the blocking pool are taken and no further one is allowed; {queued} calls wait for one"
            )],
            figures: vec![
                ("blocking_threads", to_f64(*threads)),
                ("blocking_queue_depth", to_f64(*queued)),
            ],
            ..Said::default()
        },
        Fact::Backlog { .. } => backlog(fact),
        Fact::Driver {
            descriptors,
            worker,
            task,
            site,
        } => Said {
            subject: subject(*site, *task, *worker),
            evidence: vec![
                "no worker's loop has turned and no parked worker waits in the driver".to_owned(),
                format!("{descriptors} descriptors are registered with it"),
            ],
            figures: vec![("registered_descriptors", to_f64(*descriptors))],
        },
        Fact::Hog { .. } => hog(fact),
        Fact::Lint(lint) => lint::said(lint),
        Fact::Leak { .. } => leak(fact),
        Fact::LostWaker { site, task, tasks } => Said {
            subject: subject(Some(*site), Some(*task), None),
            evidence: vec![format!(
                "{tasks} tasks spawned at {site} returned Pending and no clone of their waker is left"
            )],
            figures: vec![("tasks", to_f64(*tasks))],
        },
        Fact::SelfWakes {
            site,
            task,
            per_second,
            share,
        } => Said {
            subject: subject(Some(*site), Some(*task), None),
            evidence: vec![format!(
                "the task has woken itself {per_second:.0} times a second, {:.0} % of its wake-ups",
                share * 100.0
            )],
            figures: vec![("self_wakes_per_second", *per_second), ("share", *share)],
        },
    }
}

fn backlog(fact: &Fact) -> Said {
    let Fact::Backlog {
        ready,
        polls_per_second,
        delay,
        mean_poll,
        sites,
    } = fact
    else {
        return Said::default();
    };
    let mut evidence = vec![
        format!(
            "{ready} tasks are ready, {polls_per_second:.0} polls a second: who becomes ready now waits about {} (estimated)",
            time(*delay)
        ),
        format!(
            "a poll takes {} on average, no single one is to blame",
            time(*mean_poll)
        ),
    ];
    evidence.extend(sites.iter().map(|(site, share)| {
        format!(
            "{:.0} % of the polls seen: spawned at {site}",
            share * 100.0
        )
    }));
    Said {
        subject: subject(sites.first().map(|(site, _)| *site), None, None),
        evidence,
        figures: vec![
            ("ready_tasks", to_f64(*ready)),
            ("polls_per_second", *polls_per_second),
            ("delay_ms", delay.as_secs_f64() * 1e3),
            ("mean_poll_ms", mean_poll.as_secs_f64() * 1e3),
        ],
    }
}

fn hog(fact: &Fact) -> Said {
    let Fact::Hog {
        tasks,
        polls_per_second,
        ready,
        forced_yields_per_second,
    } = fact
    else {
        return Said::default();
    };
    let share = |task: &TaskShare| {
        let at = task.site.map(Location::to_string);
        format!(
            "task {} was in {:.0} % of the looks, in {} polls or more{}",
            task.task,
            task.share * 100.0,
            task.polls_seen,
            at.map_or_else(String::new, |at| format!("; spawned at {at}"))
        )
    };
    let mut evidence: Vec<String> = tasks.iter().map(share).collect();
    evidence.push(format!(
        "meanwhile {ready} tasks were ready; {polls_per_second:.0} polls a second in all"
    ));
    evidence.extend(forced_yields_per_second.map(|yields| {
        format!(
            "budgets were spent {yields:.0} times a second: a task that always finds more to do"
        )
    }));
    let total: f64 = tasks.iter().map(|task| task.share).sum();
    let mut figures = vec![
        ("share", total),
        ("ready_tasks", to_f64(*ready)),
        ("polls_per_second", *polls_per_second),
    ];
    figures.extend(forced_yields_per_second.map(|yields| ("forced_yields_per_second", yields)));
    Said {
        subject: subject(
            tasks.first().and_then(|task| task.site),
            tasks.first().map(|task| task.task),
            None,
        ),
        evidence,
        figures,
    }
}

fn leak(fact: &Fact) -> Said {
    let Fact::Leak {
        site,
        alive,
        growth,
        window,
    } = fact
    else {
        return Said::default();
    };
    let whose = site.map_or_else(
        || "of the whole runtime, whatever their spawn site".to_owned(),
        |site| format!("spawned at {site}"),
    );
    Said {
        subject: subject(*site, None, None),
        evidence: vec![format!(
            "{alive} tasks are alive, {whose}; the low-water mark rose by {growth} in {:.0} s and in every part of them",
            window.as_secs_f64()
        )],
        figures: vec![
            ("alive_tasks", to_f64(*alive)),
            ("growth", to_f64(*growth)),
            ("window_seconds", window.as_secs_f64()),
        ],
    }
}

pub(super) fn subject(
    site: Option<Site>,
    task: Option<u64>,
    worker: Option<usize>,
) -> FindingSubject {
    FindingSubject {
        site: site.map(Location::to_string),
        task,
        worker,
    }
}

/// The finding in one sentence, for the log; PURE.
pub(crate) fn sentence(finding: &Finding) -> String {
    let phase = match finding.phase {
        FindingPhase::Open => "for",
        FindingPhase::Close => "is over after",
        FindingPhase::Once => "",
    };
    let whose = finding
        .subject
        .site
        .as_ref()
        .map_or_else(String::new, |site| format!(" at {site}"));
    let because = finding
        .evidence
        .first()
        .map_or_else(String::new, |first| format!(": {first}"));
    let what = match (&finding.advice, finding.phase) {
        (Some(advice), FindingPhase::Open | FindingPhase::Once) => format!("; {}", advice.text),
        _ => String::new(),
    };
    let lasts = match finding.phase {
        FindingPhase::Once => String::new(),
        _ => {
            let length = Duration::from_secs_f64(finding.duration_ms.max(0.0) / 1e3);
            format!(" {phase} {}", time(length))
        }
    };
    format!(
        "{} in runtime {}{whose}{lasts}{because}{what}",
        finding.kind.name(),
        finding.runtime,
    )
}

pub(super) fn time(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.1} s"),
        seconds if seconds >= 0.01 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{:.2} ms", seconds * 1e3),
    }
}

/// Three decimals: more digits would only look exact.
fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn to_f64(count: u64) -> f64 {
    crate::report::to_f64(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::FindingKind;

    /// An event says what it rests on, and goes through JSON unchanged.
    #[test]
    fn says_what_it_rests_on() {
        let here = Location::caller();
        let told = Told {
            change: Change {
                id: 3,
                phase: FindingPhase::Open,
                runtime: "orders".to_owned(),
                since: Duration::from_secs(5),
                length: Duration::from_millis(600),
                fact: Fact::Backlog {
                    ready: 10_000,
                    polls_per_second: 5000.0,
                    delay: Duration::from_secs(2),
                    mean_poll: Duration::from_micros(400),
                    sites: vec![(here, 0.9)],
                },
            },
            since_unix_ms: 77,
        };
        let finding = compose(&told, "shop");
        assert_eq!(finding.kind, FindingKind::QueueStall);
        assert_eq!(finding.subject.site, Some(here.to_string()));
        assert!(finding.evidence[0].contains("10000 tasks are ready"));
        assert_eq!(finding.figures["delay_ms"], 2000.0);
        let text = sentence(&finding);
        assert!(
            text.starts_with("queue-stall in runtime orders at "),
            "{text}"
        );
        let json = serde_json::to_string(&finding).unwrap();
        assert!(
            json.contains(r#""kind":"queue-stall","service":"shop""#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), finding);
    }
}
