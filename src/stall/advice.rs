//! What to do about a stall: a table of rules, first match wins; PURE.
//!
//! A rule asks for a verdict, for a function on the stack, or for both; special rules stand before general ones. Every
//! rule has a section of its name in `docs/advice.md`, which says why and what to write instead.

use std::sync::Arc;

use super::event::{Advice, Frame};
use super::function_name::is_named;
use super::line::is_runtime;
use super::verdict::Verdict;

mod rules;

use rules::{RULES, SPECIAL};

/// Where the sections are.
const DOCS: &str = "docs/advice.md";

/// What is known beside verdict and stack that makes a rule of its own the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circumstance {
    /// The process's own threads take the CPUs.
    OwnThreads,
    /// The holders of the locks seem to wait for each other.
    Deadlock,
    /// A debugger is attached.
    Traced,
}

struct Rule {
    id: &'static str,
    /// Verdicts it is for; empty for any that blames code.
    verdicts: &'static [Verdict],
    /// Begins of function names, or of their segments with a `::` before, one of which must be on the stack of the poll; empty
    /// for any stack.
    functions: &'static [&'static str],
    text: &'static str,
}

/// The advice for a verdict and its stack.
pub(crate) fn advise(
    verdict: Verdict,
    stack: &[Arc<Frame>],
    circumstance: Option<Circumstance>,
) -> Option<Advice> {
    // Beyond the runtime's frames lies who called the runtime, which did not stall it.
    let poll: Vec<&str> = stack
        .iter()
        .take_while(|frame| !is_runtime(frame))
        .map(|frame| frame.function.as_str())
        .collect();
    let special = SPECIAL
        .iter()
        .filter(|(needed, _)| circumstance == Some(*needed))
        .map(|(_, rule)| rule);
    special
        .chain(RULES)
        .find(|rule| rule.fits(verdict, &poll))
        .map(|rule| Advice {
            rule: rule.id.to_owned(),
            text: rule.text.to_owned(),
            docs: format!("{DOCS}#{}", rule.id),
        })
}

impl Rule {
    fn fits(&self, verdict: Verdict, poll: &[&str]) -> bool {
        let verdict_fits = if self.verdicts.is_empty() {
            !verdict.is_machine() && verdict != Verdict::Unknown
        } else {
            self.verdicts.contains(&verdict)
        };
        let on_stack = |part: &&str| poll.iter().any(|function| is_named(function, part));
        verdict_fits && (self.functions.is_empty() || self.functions.iter().any(on_stack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stall::Verdict::*;

    fn rule(verdict: Verdict, functions: &[&str]) -> Option<String> {
        let frame = |function: &&str| Frame {
            function: (*function).to_owned(),
            ..Frame::default()
        };
        let stack: Vec<Arc<Frame>> = functions.iter().map(frame).map(Arc::new).collect();
        advise(verdict, &stack, None).map(|advice| advice.rule)
    }

    /// Stacks as they are captured, and the rule that speaks about them.
    const RECORDED: &[(Verdict, &[&str], &str)] = &[
        (
            Sleep,
            &["clock_nanosleep", "std::thread::functions::sleep", "app::f"],
            "thread-sleep",
        ),
        (Sleep, &["usleep", "app::f"], "sleep"),
        (
            Sleep,
            &[
                "usleep",
                "<std::thread::local::LocalKey<T>>::with",
                "app::f",
            ],
            "sleep",
        ),
        (
            LockWait,
            &[
                "<std::sys::sync::mutex::futex::Mutex>::lock_contended",
                "app::f",
            ],
            "std-mutex",
        ),
        (
            LockWait,
            &["<std::sys::sync::rwlock::futex::RwLock>::read_contended"],
            "std-rwlock",
        ),
        (
            LockWait,
            &["<parking_lot::raw_mutex::RawMutex>::lock_slow"],
            "parking-lot",
        ),
        (
            LockWait,
            &["<std::sync::mpmc::list::Channel<()>>::recv"],
            "blocking-channel",
        ),
        (
            LockWait,
            &["<std::sys::sync::condvar::futex::Condvar>::wait_optional_timeout"],
            "condvar",
        ),
        (
            LockWait,
            &[
                "<std::sys::thread::unix::Thread>::join",
                "<std::thread::lifecycle::JoinInner<()>>::join",
            ],
            "thread-join",
        ),
        (LockWait, &["app::own_futex"], "lock-wait"),
        (Pipe, &["read", "std::fs::read::inner", "app::f"], "std-fs"),
        (Disk, &["pread64", "app::f"], "disk"),
        (Disk, &["fsync", "<std::fs::File>::sync_all"], "file-sync"),
        (
            Pipe,
            &[
                "write",
                "<std::io::stdio::Stdout as std::io::Write>::write_all",
            ],
            "stdout-lock",
        ),
        (
            Socket,
            &["recv", "<std::net::tcp::TcpStream as std::io::Read>::read"],
            "std-net",
        ),
        (
            Dns,
            &["poll", "__res_context_send", "getaddrinfo"],
            "name-lookup",
        ),
        (
            ChildWait,
            &["wait4", "<std::process::Child>::wait"],
            "child-process",
        ),
        (FileLock, &["flock", "app::f"], "file-lock"),
        (
            CpuUser,
            &["regex_automata::hybrid::search::find_fwd", "app::f"],
            "regex",
        ),
        (
            CpuUser,
            &["argon2::Argon2::fill_blocks", "app::login"],
            "password-hash",
        ),
        (
            CpuUser,
            &["core::ptr::drop_in_place<app::Tree>", "app::f"],
            "drop",
        ),
        (
            CpuUser,
            &[
                "core::slice::sort::unstable::quicksort::quicksort::<serde_json::Value>",
                "app::f",
            ],
            "sort",
        ),
        (
            CpuUser,
            &["<alloc::string::String>::push_str", "app::f"],
            "cpu-in-task",
        ),
        (
            CpuUser,
            &["<core::cmp::ordering::Ordering>::then", "app::regex::f"],
            "cpu-in-task",
        ),
        (
            CpuUser,
            &[
                "<T as alloc::slice::<impl [T]>::to_vec_in::ConvertVec>::to_vec",
                "<[V] as alloc::slice::Concat<T>>::concat",
                "app::f",
            ],
            "cpu-in-task",
        ),
        (
            CpuUser,
            &["app::image::load", "app::sort_by_name"],
            "cpu-in-task",
        ),
        (Disk, &["pread64", "app::resync_all"], "disk"),
        (
            LockWait,
            &["app::condvars", "app::JoinHandles::wait"],
            "lock-wait",
        ),
        (CpuUser, &["app::f"], "cpu-in-task"),
        (CpuSystem, &["app::f"], "kernel-time"),
        (Starved, &["std::thread::sleep"], "starved"),
        (Throttled, &[], "throttled"),
    ];

    /// Each recorded stack gets its rule.
    #[test]
    fn recorded_stacks() {
        for (verdict, stack, expected) in RECORDED {
            assert_eq!(
                rule(*verdict, stack).as_deref(),
                Some(*expected),
                "{stack:?}"
            );
        }
    }

    /// What lies beyond the runtime's frames is not asked, and nothing is advised about the unknown.
    #[test]
    fn callers_of_the_runtime_do_not_count() {
        let stack = [
            "app::f",
            "tokio::runtime::task::core::poll",
            "regex::Regex::new",
        ];
        assert_eq!(rule(CpuUser, &stack).as_deref(), Some("cpu-in-task"));
        assert_eq!(rule(Unknown, &["getaddrinfo"]), None);
    }

    /// A circumstance brings its own rule, for its own verdicts only.
    #[test]
    fn circumstances() {
        let rule = |verdict, circumstance| {
            advise(verdict, &[], Some(circumstance)).map(|advice| advice.rule)
        };
        for (verdict, circumstance, expected) in [
            (Starved, Circumstance::OwnThreads, "worker-count"),
            (Throttled, Circumstance::OwnThreads, "worker-count"),
            (LockWait, Circumstance::Deadlock, "deadlock"),
            (Frozen, Circumstance::Traced, "debugger"),
            (Sleep, Circumstance::Deadlock, "sleep"),
        ] {
            assert_eq!(rule(verdict, circumstance).as_deref(), Some(expected));
        }
    }

    /// Every rule has its section and every section its rule; every verdict that can be helped has a rule.
    #[test]
    fn the_docs_agree() {
        let docs = include_str!("../../docs/advice.md");
        let sections: Vec<&str> = docs
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        let special = SPECIAL.iter().map(|(_, rule)| rule);
        let findings = crate::finding::RULES.iter().map(|(kind, _)| kind.name());
        let stalls = special.chain(RULES).map(|rule| rule.id);
        let rules: Vec<&str> = stalls.chain(findings).collect();
        assert_eq!(sections, rules);
        for verdict in Verdict::ALL {
            assert_eq!(
                rule(verdict, &[]).is_some(),
                verdict != Unknown,
                "{verdict:?}"
            );
        }
    }
}
