//! From what was found to what is shown: symbols, excuses, equal places counted once.

use std::sync::Arc;

use super::ledger::{Found, FoundPoll};
use super::seat::Sighting;
use super::violation::{Violation, ViolationKind, Violations};
use crate::report::is_announced;
use crate::stall::{Frame, Verdict, Waiting, advise, own_future, own_line, refine};
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

/// The places of one poll: one for each that was seen, or one without a line. None when all of them are excused.
fn places(poll: &FoundPoll, symbolizer: &mut Symbolizer, rules: Rules<'_>) -> Vec<Violation> {
    if poll.sightings.is_empty() {
        let counts = rules.counts_unseen || poll.kind != ViolationKind::Blocked;
        return if counts {
            vec![unseen(poll)]
        } else {
            Vec::new()
        };
    }
    let seen = poll.sightings.iter().map(|sighting| {
        let stack = symbolizer.stack(&sighting.captured.addresses);
        (sighting, stack)
    });
    seen.filter(|(sighting, stack)| !is_excused(sighting, stack))
        .map(|(sighting, stack)| seen_at(poll, sighting, stack, rules.in_app))
        .collect()
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
    Violation {
        line: own_line(&stack, in_app),
        verdict: Some(verdict),
        syscall: sighting.syscall.clone(),
        wait_object: object.map(|object| object.text.clone()),
        future: own_future(&stack, in_app).or_else(|| poll.subject.future.map(str::to_owned)),
        advice: advise(verdict, &stack, None),
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

/// Whether the wait was announced to the runtime, or is one that nobody can await: the address space, the allocator's
/// lock and Tokio's own are held for microseconds, and a holder that lost its CPU is the machine's doing.
fn is_excused(sighting: &Sighting, stack: &[Arc<Frame>]) -> bool {
    let syscall = sighting.syscall.as_deref().unwrap_or_default();
    let is_lock = syscall == "futex";
    is_announced(stack)
        || ADDRESS_SPACE_CALLS.contains(&syscall)
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
        .any(|frame| frame.function.contains("blocking_"))
}

fn is_same(known: &Violation, other: &Violation) -> bool {
    known.kind == other.kind
        && known.line == other.line
        && known.syscall == other.syscall
        && (known.line.is_some() || known.spawned_at == other.spawned_at)
}
