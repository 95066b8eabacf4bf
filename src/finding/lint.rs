//! What is said about a lint of the debug mode; PURE.

use super::compose::{Said, subject, time};
use super::fact::Site;
use super::kind::FindingKind;
use crate::debug::Lint;

/// The kind of finding that a lint is.
pub(super) fn kind(lint: &Lint) -> FindingKind {
    match lint {
        Lint::LockAcrossAwait { .. } => FindingKind::LockAcrossAwait,
        Lint::TaskPanicked { .. } => FindingKind::TaskPanicked,
        Lint::NeverPolled { .. } => FindingKind::NeverPolled,
        Lint::UnboundedSpawn { .. } => FindingKind::UnboundedSpawn,
        Lint::DroppedWithTasks { .. } => FindingKind::RuntimeDroppedWithTasks,
    }
}

/// What is said about it.
pub(super) fn said(lint: &Lint) -> Said {
    match lint {
        Lint::LockAcrossAwait {
            task,
            spawned_at,
            taken_at,
            wanted_at,
            ..
        } => lock_across_await(*task, *spawned_at, taken_at, *wanted_at),
        Lint::TaskPanicked {
            task, spawned_at, ..
        } => Said {
            subject: subject(Some(spawned_at), known(*task), None),
            evidence: vec![
                format!("task {task} panicked; it was spawned at {spawned_at}"),
                "whoever awaits its JoinHandle gets the panic; whether somebody does, tokio does not tell".to_owned(),
            ],
            figures: Vec::new(),
        },
        Lint::NeverPolled {
            task,
            spawned_at,
            tasks,
            longest,
            ..
        } => Said {
            subject: subject(Some(spawned_at), known(*task), None),
            evidence: vec![format!(
                "{tasks} tasks spawned at {spawned_at} wait for their first poll, task {task} for {}: nobody drives their runtime, or something stands in its way",
                time(*longest)
            )],
            figures: vec![
                ("tasks", count(*tasks)),
                ("longest_ms", longest.as_secs_f64() * 1e3),
            ],
        },
        Lint::UnboundedSpawn {
            spawned_at,
            alive,
            growth,
            pause,
            ..
        } => Said {
            subject: subject(Some(spawned_at), None, None),
            evidence: vec![format!(
                "{alive} tasks spawned at {spawned_at} are alive, {growth} more than {} ago and growing before that: they are spawned faster than they end",
                time(*pause)
            )],
            figures: vec![("alive_tasks", count(*alive)), ("growth", count(*growth))],
        },
        Lint::DroppedWithTasks { tasks, sites, .. } => dropped(*tasks, sites),
    }
}

fn lock_across_await(
    task: u64,
    spawned_at: Option<Site>,
    taken_at: Site,
    wanted_at: Option<Site>,
) -> Said {
    let who = match (known(task), spawned_at) {
        (Some(task), Some(at)) => format!("task {task}, spawned at {at}"),
        (Some(task), None) => format!("task {task}"),
        (None, Some(at)) => format!("the future given to block_on at {at}"),
        (None, None) => "a future given to block_on".to_owned(),
    };
    let mut evidence = vec![format!(
        "the lock taken at {taken_at} was still held when the poll that took it was over ({who})"
    )];
    evidence.extend(wanted_at.map(|at| {
        format!("it is wanted at {at}, which blocks its thread until that task runs again")
    }));
    Said {
        subject: subject(Some(taken_at), known(task), None),
        evidence,
        figures: Vec::new(),
    }
}

fn dropped(tasks: u64, sites: &[(Site, u64)]) -> Said {
    let mut evidence = vec![format!(
        "{tasks} tasks were alive when the runtime was dropped; they end where they are"
    )];
    evidence.extend(
        sites
            .iter()
            .map(|(site, tasks)| format!("{tasks} of them were spawned at {site}")),
    );
    let placed: u64 = sites.iter().map(|(_, tasks)| tasks).sum();
    if placed < tasks {
        evidence.push(format!(
            "{} more, whose spawn sites are not listed",
            tasks - placed
        ));
    }
    Said {
        subject: subject(sites.first().map(|(site, _)| *site), None, None),
        evidence,
        figures: vec![("tasks", count(tasks))],
    }
}

/// The id of a task; `block_on`'s future has none.
fn known(task: u64) -> Option<u64> {
    (task != 0).then_some(task)
}

fn count(count: u64) -> f64 {
    crate::report::to_f64(count)
}

#[cfg(test)]
mod tests {
    use std::panic::Location;
    use std::time::Duration;

    use super::*;

    /// Each names its line, its task and its numbers.
    #[test]
    fn names_the_line() {
        let here = Location::caller();
        let at = here.to_string();
        let lock = Lint::LockAcrossAwait {
            runtime: 1,
            task: 0,
            spawned_at: Some(here),
            taken_at: here,
            wanted_at: Some(here),
        };
        let never = Lint::NeverPolled {
            runtime: 1,
            task: 7,
            spawned_at: here,
            tasks: 2,
            longest: Duration::from_secs(3),
        };
        let dropped = Lint::DroppedWithTasks {
            runtime: "orders".to_owned(),
            number: 1,
            tasks: 5,
            sites: vec![(here, 3)],
        };
        for (lint, task, sentences, figure) in [
            (lock, None, 2, None),
            (never, Some(7), 1, Some(("tasks", 2.0))),
            (dropped, None, 3, Some(("tasks", 5.0))),
        ] {
            let said = said(&lint);
            assert_eq!(said.subject.site.as_ref(), Some(&at));
            assert_eq!(said.subject.task, task);
            assert_eq!(said.evidence.len(), sentences, "{said:?}");
            assert_eq!(said.figures.first().copied(), figure);
        }
    }
}
