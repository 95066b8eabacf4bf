//! What the stack adds to a verdict that counters alone gave; PURE.
//!
//! Counters tell that a thread computed or waited, and for what kind of object. Some causes look alike there and differ on
//! the stack: a backtrace being resolved is CPU time, a resolver waits on a socket, a C library on anything.

use std::sync::Arc;

use super::event::Frame;
use super::function_name::is_named;
use super::line::{is_own, is_runtime};
use super::verdict::Verdict;

/// Functions that resolve or print backtraces, in the standard library and in the `backtrace` crate.
const DIAGNOSTICS: &[&str] = &[
    "std::backtrace_rs::symbolize",
    "std::sys::backtrace::",
    "std::backtrace::Backtrace",
    "backtrace::symbolize::",
];

/// The C library's resolver, getaddrinfo(3).
const RESOLVER: &[&str] = &[
    "getaddrinfo",
    "__GI_getaddrinfo",
    "gethostbyname",
    "_nss_dns_",
    "__res_",
];

/// Tokio's own locks, by the innermost function of its that can stand under one: each is held for less than a microsecond, and
/// nobody sleeps or computes with it.
const TOKIOS_LOCKS: &[&str] = &[
    "tokio::loom::std::mutex::Mutex",
    "tokio::loom::std::parking_lot::Mutex",
    "tokio::runtime::blocking::pool::",
    "tokio::runtime::io::",
    "tokio::runtime::scheduler::inject::",
    "tokio::runtime::scheduler::multi_thread::idle::",
    "tokio::util::",
];

/// How a lock is waited for, whosever it is.
const LOCKING: &[&str] = &[
    "std::",
    "core::",
    "alloc::",
    "lock_api::",
    "parking_lot::",
    "parking_lot_core::",
];

/// The C library's calls that change the address space: they wait for other threads of the process, whoever makes them. Its allocator
/// is one that does.
const ADDRESS_SPACE_CALLS: &[&str] = &[
    "brk", "sbrk", "madvise", "mlock", "mlock2", "mmap", "mmap64", "mprotect", "mremap", "munmap",
];

/// The verdict with the stack taken into account; only the poll's own part of the stack counts.
pub(crate) fn refine(verdict: Verdict, stack: &[Arc<Frame>], in_app: &[String]) -> Verdict {
    let poll = || stack.iter().take_while(|frame| !is_runtime(frame));
    let has = |parts: &[&str]| {
        poll().any(|frame| parts.iter().any(|part| is_named(&frame.function, part)))
    };
    match verdict {
        Verdict::CpuUser | Verdict::CpuSystem if has(DIAGNOSTICS) => Verdict::Diagnostics,
        Verdict::Socket | Verdict::Connect | Verdict::BlockedOther | Verdict::Disk
            if has(RESOLVER) =>
        {
            Verdict::Dns
        }
        // Whoever holds it so long has lost its CPU.
        Verdict::LockWait if is_tokios_lock(stack) => Verdict::Starved,
        Verdict::BlockedOther if has_names(stack) && is_foreign(poll(), in_app) => {
            Verdict::ForeignCall
        }
        _ => verdict,
    }
}

/// Whether a stack that waits for a lock waits for one of Tokio's own.
fn is_tokios_lock(stack: &[Arc<Frame>]) -> bool {
    let is_any =
        |frame: &Frame, parts: &[&str]| parts.iter().any(|part| is_named(&frame.function, part));
    // Functions of the C library, `syscall` among them, are no paths.
    let mut inside = stack
        .iter()
        .filter(|frame| frame.function.contains("::") && !is_any(frame, LOCKING));
    inside
        .next()
        .is_some_and(|frame| is_any(frame, TOKIOS_LOCKS))
}

/// Whether the program's functions have their names: of a stripped one those of C libraries alone are known, which says nothing about
/// who called them.
fn has_names(stack: &[Arc<Frame>]) -> bool {
    stack.iter().any(|frame| frame.function.contains("::"))
}

/// Whether nobody of the standard library stands between the innermost own frame and the system call: then a library made it, and its own
/// name says what it waits for. Further out the standard library may well have called the own code (a closure of an iterator).
fn is_foreign<'a>(poll: impl Iterator<Item = &'a Arc<Frame>>, in_app: &[String]) -> bool {
    let mut inside = poll.take_while(|frame| !is_own(frame, in_app)).peekable();
    inside
        .peek()
        .is_some_and(|innermost| !changes_the_address_space(innermost))
        && inside.all(|frame| !is_named(&frame.function, "std::"))
}

fn changes_the_address_space(frame: &Frame) -> bool {
    ADDRESS_SPACE_CALLS.contains(&frame.function.trim_start_matches('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(functions: &[&str]) -> Vec<Arc<Frame>> {
        // As with debug information: the program's own frames have a file of its own.
        let own = |function: &str| function.starts_with("app::");
        functions
            .iter()
            .map(|function| Frame {
                function: (*function).to_owned(),
                file: own(function).then(|| "/home/u/app/src/f.rs".to_owned()),
                line: own(function).then_some(7),
                ..Frame::default()
            })
            .map(Arc::new)
            .collect()
    }

    const POLL: &str = "tokio::runtime::task::core::poll";

    /// Verdicts of the counters, stacks, and the verdicts with them.
    const RECORDED: &[(Verdict, &[&str], Verdict)] = &[
        (
            Verdict::CpuUser,
            &[
                "gimli::read",
                "std::backtrace_rs::symbolize::resolve",
                "app::f",
            ],
            Verdict::Diagnostics,
        ),
        (
            Verdict::CpuUser,
            &["app::f", POLL, "std::sys::backtrace::__rust_begin"],
            Verdict::CpuUser,
        ),
        (
            Verdict::Socket,
            &["recvfrom", "__res_context_send", "getaddrinfo", "app::f"],
            Verdict::Dns,
        ),
        (
            Verdict::LockWait,
            &["futex", "getaddrinfo", "app::f"],
            Verdict::LockWait,
        ),
        (
            Verdict::BlockedOther,
            &["poll", "vendor_wait", "app::f", POLL],
            Verdict::ForeignCall,
        ),
        (
            Verdict::BlockedOther,
            &["ioctl", "<std::fs::File>::metadata", "app::f", POLL],
            Verdict::BlockedOther,
        ),
        (
            Verdict::BlockedOther,
            &[
                "poll",
                "vendor_wait",
                "app::f::{{closure}}",
                "<std::thread::local::LocalKey<T>>::with",
                "app::f",
                POLL,
            ],
            Verdict::ForeignCall,
        ),
        (
            Verdict::BlockedOther,
            &[
                "ioctl",
                "<std::fs::File>::metadata",
                "app::f",
                "vendor_callback",
                "app::g",
                POLL,
            ],
            Verdict::BlockedOther,
        ),
        (
            Verdict::BlockedOther,
            &["poll", "vendor_wait", POLL],
            Verdict::ForeignCall,
        ),
        // Stripped: the ioctl may well be the standard library's.
        (
            Verdict::BlockedOther,
            &["ioctl", "server+0x1c7e0", "server+0x2d010", "start_thread"],
            Verdict::BlockedOther,
        ),
        (
            Verdict::BlockedOther,
            &["__munmap", "__libc_free", "app::f", POLL],
            Verdict::BlockedOther,
        ),
        (
            Verdict::LockWait,
            &[
                "syscall",
                "std::sys::pal::unix::futex::futex_wait",
                "<std::sys::sync::mutex::futex::Mutex>::lock_contended",
                "tokio::runtime::blocking::pool::Spawner::spawn_task",
                "tokio::runtime::blocking::pool::spawn_blocking",
                "app::f",
                POLL,
            ],
            Verdict::Starved,
        ),
        (
            Verdict::LockWait,
            &[
                "syscall",
                "<parking_lot_core::thread_parker::imp::ThreadParker>::park",
                "parking_lot::raw_mutex::RawMutex::lock_slow",
                "tokio::loom::std::parking_lot::Mutex<T>::lock",
                "tokio::sync::notify::Notify::notify_waiters",
                "app::f",
                POLL,
            ],
            Verdict::Starved,
        ),
        (
            Verdict::LockWait,
            &[
                "syscall",
                "<std::sys::sync::mutex::futex::Mutex>::lock_contended",
                "app::f",
                "tokio::runtime::blocking::pool::spawn_blocking",
                POLL,
            ],
            Verdict::LockWait,
        ),
        (
            Verdict::LockWait,
            &[
                "syscall",
                "tokio::runtime::park::CachedParkThread::park",
                "app::f",
                POLL,
            ],
            Verdict::LockWait,
        ),
        (Verdict::BlockedOther, &[], Verdict::BlockedOther),
        (
            Verdict::CpuUser,
            &["app::backtrace::symbolize::all", "app::f", POLL],
            Verdict::CpuUser,
        ),
        (
            Verdict::Socket,
            &["recvfrom", "app::getaddrinfo_cached", POLL],
            Verdict::Socket,
        ),
        (Verdict::Sleep, &["usleep", "app::f", POLL], Verdict::Sleep),
    ];

    /// Diagnoses, resolvers and foreign calls are told by their frames; everything else stays.
    #[test]
    fn frames_decide() {
        for (verdict, functions, expected) in RECORDED {
            assert_eq!(
                refine(*verdict, &stack(functions), &[]),
                *expected,
                "{functions:?}"
            );
        }
    }
}
