//! What every thread of this process is doing at this moment.

use std::time::Duration;

use super::lock_owner;
use super::parse::{self, BlockedCall, SyscallState, ThreadStat};
use super::syscall_names::syscall_name;
use crate::capture::sys;

/// Threads looked at; at 15 µs each a census stays under two milliseconds.
const THREADS_MAX: usize = 128;

/// What the names of the toolkit's own threads begin with.
const OWN_THREADS: &str = "pollscope-";

/// What one look saw of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThreadLook {
    /// Kernel thread id.
    pub(crate) tid: i32,
    /// Name.
    pub(crate) name: String,
    /// State letter.
    pub(crate) state: char,
    /// The system call it stands in.
    pub(crate) call: Option<BlockedCall>,
    /// When it was looked at.
    pub(crate) at: Duration,
    /// CPU time that it had had by then, to the nanosecond.
    pub(crate) cpu: Option<Duration>,
}

impl ThreadLook {
    /// Name of the system call it stands in.
    pub(crate) fn syscall(&self) -> Option<String> {
        self.call.map(|call| syscall_name(call.number))
    }

    /// Address of the futex it waits for.
    pub(crate) fn futex(&self) -> Option<u64> {
        let call = self.call?;
        (syscall_name(call.number) == "futex").then_some(call.arguments[0])
    }

    /// Whether it is one of the toolkit's own, which hold no lock of the service.
    pub(crate) fn is_own(&self) -> bool {
        self.name.starts_with(OWN_THREADS)
    }

    /// Whether the address of that futex's lock is on its stack; `false` for a thread that is not blocked.
    pub(crate) fn mentions(&self, futex: u64) -> bool {
        self.call
            .is_some_and(|call| lock_owner::is_on_stack(futex, call.sp))
    }
}

/// Looks at the process's threads, `first` ones first: those of runtimes are met even among thousands of others.
pub(crate) fn census(first: &[i32], clock: fn() -> Duration) -> Vec<ThreadLook> {
    let others = tids().filter(|tid| !first.contains(tid));
    first
        .iter()
        .copied()
        .chain(others)
        .take(THREADS_MAX)
        .filter_map(|tid| look(tid, clock))
        .collect()
}

/// How many threads of this process run or want to, those of the toolkit not counted.
pub(crate) fn ready_threads() -> u32 {
    ready_among(tids().take(THREADS_MAX).filter_map(stat_text))
}

/// How many of the threads whose `stat` these are run or want to, those of the toolkit not counted.
pub(crate) fn ready_among(stats: impl Iterator<Item = String>) -> u32 {
    let is_ready =
        |(name, stat): &(String, ThreadStat)| stat.state == 'R' && !name.starts_with(OWN_THREADS);
    let ready = stats
        .filter_map(|text| named(&text))
        .filter(is_ready)
        .count();
    u32::try_from(ready).unwrap_or(u32::MAX)
}

fn tids() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|task| task.file_name().to_str()?.parse().ok())
}

#[expect(
    clippy::disallowed_methods,
    reason = "procfs, on the watchdog's own thread"
)]
fn stat_text(tid: i32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")).ok()
}

fn named(text: &str) -> Option<(String, ThreadStat)> {
    Some((parse::stat_name(text)?.to_owned(), parse::stat(text)?))
}

#[expect(
    clippy::disallowed_methods,
    reason = "procfs, on the watchdog's own thread"
)]
fn look(tid: i32, clock: fn() -> Duration) -> Option<ThreadLook> {
    let (name, stat) = named(&stat_text(tid)?)?;
    let syscall = std::fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).ok();
    let call = match syscall.as_deref().and_then(parse::syscall) {
        Some(SyscallState::Blocked(call)) => Some(call),
        _ => None,
    };
    Some(ThreadLook {
        tid,
        name,
        state: stat.state,
        call,
        at: clock(),
        cpu: sys::thread_cpu_time(tid),
    })
}
