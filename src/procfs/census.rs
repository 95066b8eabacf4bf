//! What every other thread is doing at this moment: who might hold the lock that one waits for.

use super::parse::{self, SyscallState};
use super::syscall_names::syscall_name;
use crate::stall::ThreadState;

/// Threads looked at, in the kernel's order; at 10 µs each the census stays under a millisecond.
const THREADS_MAX: usize = 64;

/// The states of the process's threads but for the `waiting` one; running threads first, then blocked ones.
pub(crate) fn census(waiting: i32) -> Vec<ThreadState> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let tids = tasks
        .flatten()
        .filter_map(|task| task.file_name().to_str()?.parse::<i32>().ok());
    let mut states: Vec<ThreadState> = tids
        .filter(|tid| *tid != waiting)
        .take(THREADS_MAX)
        .filter_map(thread_state)
        .collect();
    states.sort_by_key(|thread| (thread.state != 'R', thread.tid));
    states
}

#[expect(
    clippy::disallowed_methods,
    reason = "procfs, on the watchdog's own thread"
)]
fn thread_state(tid: i32) -> Option<ThreadState> {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")).ok()?;
    let syscall = std::fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).ok();
    let call = syscall.as_deref().and_then(parse::syscall);
    Some(ThreadState {
        tid,
        name: parse::stat_name(&stat)?.to_owned(),
        state: parse::stat(&stat)?.state,
        syscall: match call {
            Some(SyscallState::Blocked(call)) => Some(syscall_name(call.number)),
            _ => None,
        },
    })
}
