//! What every other thread is doing at this moment: who might hold the lock that one waits for.

use super::parse::{self, SyscallState, ThreadStat};
use super::syscall_names::syscall_name;
use crate::stall::ThreadState;

/// Threads looked at, in the kernel's order; at 15 µs each the census stays under a millisecond.
const THREADS_MAX: usize = 64;

/// What the names of the toolkit's own threads begin with.
const OWN_THREADS: &str = "pollscope-";

/// The states of the process's threads but for the `waiting` one; running threads first, then blocked ones.
pub(crate) fn census(waiting: i32) -> Vec<ThreadState> {
    let mut states: Vec<ThreadState> = tids()
        .filter(|tid| *tid != waiting)
        .take(THREADS_MAX)
        .filter_map(thread_state)
        .collect();
    states.sort_by_key(|thread| (thread.state != 'R', thread.tid));
    states
}

/// How many threads of this process run or want to, those of the toolkit not counted.
pub(crate) fn ready_threads() -> u32 {
    let is_ready =
        |(name, stat): &(String, ThreadStat)| stat.state == 'R' && !name.starts_with(OWN_THREADS);
    let ready = tids()
        .take(THREADS_MAX)
        .filter_map(stat_of)
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
fn stat_of(tid: i32) -> Option<(String, ThreadStat)> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")).ok()?;
    Some((parse::stat_name(&text)?.to_owned(), parse::stat(&text)?))
}

#[expect(
    clippy::disallowed_methods,
    reason = "procfs, on the watchdog's own thread"
)]
fn thread_state(tid: i32) -> Option<ThreadState> {
    let (name, stat) = stat_of(tid)?;
    let syscall = std::fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).ok();
    let call = syscall.as_deref().and_then(parse::syscall);
    Some(ThreadState {
        tid,
        name,
        state: stat.state,
        syscall: match call {
            Some(SyscallState::Blocked(call)) => Some(syscall_name(call.number)),
            _ => None,
        },
    })
}
