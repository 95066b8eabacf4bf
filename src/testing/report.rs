//! From what was found to what is shown: symbols, excuses, equal places counted once.

use std::sync::Arc;

use super::ledger::{Found, FoundPoll};
use super::seat::Sighting;
use super::violation::{Violation, ViolationKind, Violations};
use super::watcher::SIGHTINGS_LEN_MAX;
use crate::report::is_announced;
use crate::stall::{Frame, Verdict, WaitClue, Waiting, advise, own_future, own_line, refine};
use crate::symbolize::Symbolizer;

/// Source paths of the standard library and of parking_lot (which Tokio can use), in which waiting for a lock ends.
const LOCK_PATHS: [&str; 4] = ["/library/", "/rustc/", "/parking_lot", "/lock_api"];

/// Calls that wait for other threads of the process to be done with the address space.
const ADDRESS_SPACE_CALLS: [&str; 6] = ["brk", "madvise", "mmap", "mprotect", "mremap", "munmap"];

/// The C library's allocator.
const ALLOCATOR: [&str; 9] = [
    "malloc",
    "calloc",
    "realloc",
    "free",
    "cfree",
    "memalign",
    "aligned_alloc",
    "posix_memalign",
    "malloc_trim",
];

/// How a run is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    /// Whether a poll that blocked counts although nobody saw where.
    pub(super) counts_unseen: bool,
    /// Prefixes of the user's own code.
    pub(super) in_app: &'a [String],
}

/// The report of a run; `None` when nothing that counts was found.
pub(super) fn violations(found: Found, rules: Rules<'_>) -> Option<Violations> {
    // Parsing debug information takes a tenth of a second, so only a test that fails pays it.
    let mut symbolizer = Symbolizer::new();
    let mut all: Vec<Violation> = Vec::new();
    for poll in found.polls {
        for violation in places(&poll, &mut symbolizer, rules) {
            match all.iter_mut().find(|known| is_same(known, &violation)) {
                Some(known) => {
                    known.polls += violation.polls;
                    known.switches += violation.switches;
                    known.cpu = known.cpu.max(violation.cpu);
                }
                None => all.push(violation),
            }
        }
    }
    (!all.is_empty()).then_some(Violations {
        all,
        dropped: found.dropped,
    })
}

/// The places of one poll: one for each that was seen, or one without a line. None when all of its waits are excused.
fn places(poll: &FoundPoll, symbolizer: &mut Symbolizer, rules: Rules<'_>) -> Vec<Violation> {
    if poll.sightings.is_empty() {
        let counts = rules.counts_unseen || poll.kind != ViolationKind::Blocked;
        return if counts {
            vec![unseen(poll)]
        } else {
            Vec::new()
        };
    }
    let mut excused = Excused::default();
    let mut told = Vec::new();
    for sighting in &poll.sightings {
        let stack = symbolizer.stack(&sighting.captured.addresses);
        if is_announced(&stack) {
            excused.is_announced = true;
        } else if is_nobodys_doing(sighting, &stack) {
            excused.waits += sighting.waits;
        } else {
            told.push(seen_at(poll, sighting, stack, rules.in_app));
        }
    }
    if told.is_empty() && rules.counts_unseen {
        told.extend(excused.rest(poll));
    }
    told
}

/// What was excused in one poll.
#[derive(Debug, Default)]
struct Excused {
    /// A block that was announced to the runtime; what is waited for in it, and how often, is the runtime's to bear.
    is_announced: bool,
    /// Other waits that were seen.
    waits: u64,
}

impl Excused {
    /// What the kernel has counted beyond it: waits that nobody saw, and that therefore nothing excuses.
    fn rest(&self, poll: &FoundPoll) -> Option<Violation> {
        let switches = poll.switches.saturating_sub(self.waits);
        let is_known = !self.is_announced && poll.sightings.len() < SIGHTINGS_LEN_MAX;
        let counts = is_known && switches > 0 && poll.kind == ViolationKind::Blocked;
        counts.then(|| Violation {
            switches,
            ..unseen(poll)
        })
    }
}

fn unseen(poll: &FoundPoll) -> Violation {
    let subject = poll.subject;
    Violation {
        kind: poll.kind,
        line: None,
        verdict: None,
        syscall: None,
        wait_object: None,
        task_id: subject.task.and_then(|id| id.to_string().parse().ok()),
        spawned_at: subject.spawned_at.to_string(),
        future: subject.future.map(str::to_owned),
        polls: 1,
        switches: poll.switches,
        cpu: poll.cpu,
        advice: None,
        stack: Vec::new(),
    }
}

fn seen_at(
    poll: &FoundPoll,
    sighting: &Sighting,
    stack: Vec<Arc<Frame>>,
    in_app: &[String],
) -> Violation {
    let verdict = refine(verdict(poll.kind, sighting), &stack, in_app);
    let object = sighting.object.as_ref();
    let clue = WaitClue {
        syscall: sighting.syscall.as_deref(),
        target: object.and_then(|object| object.target),
    };
    Violation {
        line: own_line(&stack, in_app),
        verdict: Some(verdict),
        syscall: sighting.syscall.clone(),
        wait_object: object.map(|object| object.text.clone()),
        future: own_future(&stack, in_app).or_else(|| poll.subject.future.map(str::to_owned)),
        advice: advise(verdict, &stack, clue, None),
        stack,
        ..unseen(poll)
    }
}

fn verdict(kind: ViolationKind, sighting: &Sighting) -> Verdict {
    if kind == ViolationKind::OverLimit {
        return Verdict::CpuUser;
    }
    let object = sighting.object.as_ref();
    let waiting = Waiting {
        syscall: sighting.syscall.as_deref(),
        target: object.and_then(|object| object.target),
        wants_lock: object.is_some_and(|object| object.wants_lock),
        // Asleep outside a system call is a page fault, whatever the page waited for.
        uninterruptible: sighting.syscall.is_none(),
        ..Waiting::default()
    };
    waiting.verdict()
}

/// Whether the wait is one that nobody can await: the address space, the allocator's lock and Tokio's own are held for
/// microseconds, and a holder that lost its CPU is the machine's doing.
fn is_nobodys_doing(sighting: &Sighting, stack: &[Arc<Frame>]) -> bool {
    let syscall = sighting.syscall.as_deref().unwrap_or_default();
    let is_lock = syscall == "futex";
    ADDRESS_SPACE_CALLS.contains(&syscall)
        || (is_lock && (is_allocators_lock(stack) || is_tokios_lock(stack)))
}

fn is_allocators_lock(stack: &[Arc<Frame>]) -> bool {
    stack
        .iter()
        .take_while(|frame| frame.file.is_none())
        .any(|frame| ALLOCATOR.contains(&frame.function.trim_start_matches("__libc_")))
}

/// Whether the innermost code that is neither the standard library's nor a lock's is Tokio's.
fn is_tokios_lock(stack: &[Arc<Frame>]) -> bool {
    let is_lock = |frame: &&Arc<Frame>| {
        let file = frame.file.as_deref();
        file.is_none_or(|file| LOCK_PATHS.iter().any(|path| file.contains(path)))
    };
    let asked = stack.iter().find(|frame| !is_lock(frame));
    // What blocks on purpose is asked for by the caller, such as `blocking_recv`.
    asked.is_some_and(|frame| {
        frame
            .function
            .trim_start_matches('<')
            .starts_with("tokio::")
    }) && !stack
        .iter()
        .any(|frame| frame.function.contains("::blocking_"))
}

fn is_same(known: &Violation, other: &Violation) -> bool {
    known.kind == other.kind
        && known.line == other.line
        && known.syscall == other.syscall
        && (known.line.is_some() || known.spawned_at == other.spawned_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Captured;
    use crate::testing::ledger::PollSubject;

    fn excused(waits: u64) -> Sighting {
        Sighting {
            captured: Captured::none("in a test"),
            is_asleep: true,
            waits,
            syscall: Some("munmap".to_owned()),
            object: None,
        }
    }

    /// Tokio's own locks are excused, also where a function's name has "blocking" in it; what blocks on purpose is not.
    #[test]
    fn tokios_locks() {
        const MUTEX: (&str, &str) = ("lock_contended", "/rustc/1/library/std/src/sys/mutex.rs");
        const POOL: (&str, &str) = (
            "tokio::runtime::blocking::pool::Spawner::spawn_task",
            "pool.rs",
        );
        for (stack, expected) in [
            (&[MUTEX, POOL][..], true),
            (
                &[
                    MUTEX,
                    POOL,
                    (
                        "tokio::runtime::blocking::pool::Spawner::spawn_blocking_inner",
                        "pool.rs",
                    ),
                ],
                true,
            ),
            (
                &[
                    MUTEX,
                    ("tokio::runtime::park::park", "park.rs"),
                    ("<tokio::sync::mpsc::Receiver<T>>::blocking_recv", "chan.rs"),
                ],
                false,
            ),
            (&[MUTEX, ("app::f", "main.rs")], false),
        ] {
            let frame = |(function, file): &(&str, &str)| {
                Arc::new(Frame {
                    function: (*function).to_owned(),
                    file: Some((*file).to_owned()),
                    ..Frame::default()
                })
            };
            let frames: Vec<Arc<Frame>> = stack.iter().map(frame).collect();
            assert_eq!(is_tokios_lock(&frames), expected, "{stack:?}");
        }
    }

    /// An excused wait excuses itself and not the others of its poll: those that the kernel counts beyond it are told where
    /// unseen ones count.
    #[test]
    fn an_excuse_is_for_what_was_seen() {
        for (switches, waits, counts_unseen, told) in [
            (1, &[1][..], true, None),
            (3, &[1, 2], true, None),
            (1, &[2], true, None),
            (2, &[1], true, Some(1)),
            (5, &[1, 2], true, Some(2)),
            (2, &[1], false, None),
            (2, &[], true, Some(2)),
            (2, &[], false, None),
            (90, &[1; SIGHTINGS_LEN_MAX], true, None),
        ] {
            let poll = FoundPoll {
                kind: ViolationKind::Blocked,
                subject: PollSubject {
                    task: None,
                    spawned_at: std::panic::Location::caller(),
                    future: None,
                },
                switches,
                cpu: None,
                sightings: waits.iter().copied().map(excused).collect(),
            };
            let found = Found {
                polls: vec![poll],
                dropped: 0,
            };
            let rules = Rules {
                counts_unseen,
                in_app: &[],
            };
            let violations = violations(found, rules);
            let violations = violations.map(|violations| violations.all()[0].switches);
            assert_eq!(violations, told, "{switches} {waits:?} {counts_unseen}");
        }
    }
}
