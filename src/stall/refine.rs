//! What the stack adds to a verdict that counters alone gave; PURE.
//!
//! Counters tell that a thread computed or waited, and for what kind of object. Some causes look alike there and differ on
//! the stack: a backtrace being resolved is CPU time, a resolver waits on a socket, a C library on anything.

use std::sync::Arc;

use super::event::Frame;
use super::line::is_runtime;
use super::verdict::Verdict;

/// Functions that resolve or print backtraces, in the standard library and in the `backtrace` crate.
const DIAGNOSTICS: &[&str] = &[
    "std::backtrace_rs::symbolize",
    "std::sys::backtrace::",
    "<std::backtrace::Backtrace",
    "backtrace::symbolize::",
];

/// The C library's resolver, getaddrinfo(3).
const RESOLVER: &[&str] = &["getaddrinfo", "gethostbyname", "__res_"];

/// The verdict with the stack taken into account; only the poll's own part of the stack counts.
pub(crate) fn refine(verdict: Verdict, stack: &[Arc<Frame>]) -> Verdict {
    let poll = || stack.iter().take_while(|frame| !is_runtime(frame));
    let has =
        |parts: &[&str]| poll().any(|frame| parts.iter().any(|part| frame.function.contains(part)));
    match verdict {
        Verdict::CpuUser | Verdict::CpuSystem if has(DIAGNOSTICS) => Verdict::Diagnostics,
        Verdict::Socket | Verdict::Connect | Verdict::BlockedOther | Verdict::Disk
            if has(RESOLVER) =>
        {
            Verdict::Dns
        }
        Verdict::BlockedOther if poll().next().is_some() && !poll().any(|frame| is_std(frame)) => {
            Verdict::ForeignCall
        }
        _ => verdict,
    }
}

/// Whether the standard library made the call: then its own name says what it waits for.
fn is_std(frame: &Frame) -> bool {
    let function = frame.function.trim_start_matches('<');
    function.starts_with("std::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(functions: &[&str]) -> Vec<Arc<Frame>> {
        functions
            .iter()
            .map(|function| Frame {
                function: (*function).to_owned(),
                ..Frame::default()
            })
            .map(Arc::new)
            .collect()
    }

    /// Diagnoses, resolvers and foreign calls are told by their frames; everything else stays.
    #[test]
    fn frames_decide() {
        const POLL: &str = "tokio::runtime::task::core::poll";
        for (verdict, functions, expected) in [
            (
                Verdict::CpuUser,
                &[
                    "gimli::read",
                    "std::backtrace_rs::symbolize::resolve",
                    "app::f",
                ][..],
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
            (Verdict::BlockedOther, &[], Verdict::BlockedOther),
            (Verdict::Sleep, &["usleep", "app::f", POLL], Verdict::Sleep),
        ] {
            assert_eq!(
                refine(verdict, &stack(functions)),
                expected,
                "{functions:?}"
            );
        }
    }
}
