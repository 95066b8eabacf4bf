//! What to do about a finding: one rule a kind, with its section in `docs/advice.md` as the rules for stalls have.

use super::kind::FindingKind;
use crate::stall::Advice;

/// Where the sections are.
const DOCS: &str = "docs/advice.md";

/// Rule and text by kind; the rule bears the kind's name, with which no rule for stalls begins.
pub(crate) const RULES: &[(FindingKind, &str)] = &[
    (
        FindingKind::BlockInPlace,
        "Move long work into spawn_blocking, or limit it: each announced block holds a thread of its own and stops the task's other branches.",
    ),
    (
        FindingKind::BlockingPoolExhausted,
        "Limit long work with a Semaphore or give it threads of its own: file access and name lookups wait behind it.",
    ),
    (
        FindingKind::QueueStall,
        "Take in less work: bound the queue or the number of tasks, batch small tasks, or add workers if CPUs are free.",
    ),
    (
        FindingKind::DriverUnpolled,
        "Shorten the polls of this task: while it runs nobody notices timers and sockets, on the idle workers too.",
    ),
    (
        FindingKind::Hog,
        "Let this task wait or split it up: it always has more to do and takes the worker from the others.",
    ),
    (
        FindingKind::TaskLeak,
        "Give these tasks an end: a timeout, a JoinSet that is dropped with its owner, or a cancellation token.",
    ),
    (
        FindingKind::LostWaker,
        "Store the waker before returning Pending: nobody can wake this task any more.",
    ),
    (
        FindingKind::SelfWakeStorm,
        "Wait for an event instead of waking yourself: this task spins through the scheduler.",
    ),
    (
        FindingKind::LockAcrossAwait,
        "Let go of the lock before the await, or use tokio::sync::Mutex: who wants it meanwhile blocks a worker.",
    ),
    (
        FindingKind::TaskPanicked,
        "Await the task's JoinHandle and handle its error: a panic of a detached task is heard by nobody.",
    ),
    (
        FindingKind::NeverPolled,
        "Drive the runtime that this task was spawned on, or find what keeps its workers: the task has not begun.",
    ),
    (
        FindingKind::UnboundedSpawn,
        "Bound these tasks: a Semaphore, a JoinSet with a limit, or buffer_unordered.",
    ),
    (
        FindingKind::RuntimeDroppedWithTasks,
        "Tell the tasks to end and await them before the runtime is dropped: they end at whatever await they are in.",
    ),
];

/// The advice for a kind.
pub(crate) fn advise(kind: FindingKind) -> Option<Advice> {
    RULES
        .iter()
        .find(|(of, _)| *of == kind)
        .map(|(_, text)| Advice {
            rule: kind.name().to_owned(),
            text: (*text).to_owned(),
            docs: format!("{DOCS}#{}", kind.name()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind has its advice, and its section in the guide says the same sentence.
    #[test]
    fn every_kind_is_advised() {
        let docs = include_str!("../../docs/advice.md");
        for kind in FindingKind::ALL {
            let advice = advise(kind).unwrap();
            let section = docs
                .split("\n## ")
                .find(|section| section.lines().next() == Some(kind.name()))
                .unwrap_or_else(|| panic!("no section for {}", kind.name()));
            assert!(section.contains(&advice.text), "{}", kind.name());
        }
    }
}
