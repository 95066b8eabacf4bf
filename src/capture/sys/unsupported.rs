//! The twin for platforms without capture: stalls are found and timed, without stacks, CPU times or signals.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use super::{Answer, RawModule, ThreadWaits};

/// No signal can be had.
#[derive(Debug)]
pub(crate) struct CaptureSignal;

impl CaptureSignal {
    pub(crate) fn install() -> Option<Self> {
        None
    }

    pub(crate) fn copy_stack(
        &self,
        _tid: i32,
        _stack: &std::ops::Range<u64>,
        _patience: Duration,
    ) -> Answer {
        Answer::NotAsked
    }
}

/// There are no system calls to be named.
pub(crate) const GENERIC_SYSCALLS: bool = false;

/// There are no files about threads.
pub(crate) const TELLS_THREADS: bool = false;

/// Above every thread id of a kernel (Linux: `PID_MAX_LIMIT`, 2^22), so that none of its files is taken for a thread's.
const FIRST_TID: i32 = 1 << 30;

/// Threads are numbered by their first call, since two with one number would pass for one.
pub(crate) fn current_tid() -> i32 {
    static NEXT: AtomicI32 = AtomicI32::new(FIRST_TID);
    thread_local! {
        static OWN: i32 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    OWN.with(|own| *own)
}

pub(crate) fn thread_pointer() -> u64 {
    0
}

pub(crate) fn thread_stack() -> Option<std::ops::Range<u64>> {
    None
}

pub(crate) fn thread_cpu_time(_tid: i32) -> Option<Duration> {
    None
}

pub(crate) fn process_cpu_time() -> Option<Duration> {
    None
}

pub(crate) fn suspended_time() -> Option<Duration> {
    None
}

pub(crate) fn own_waits() -> Option<ThreadWaits> {
    None
}

pub(crate) fn peer_of(_descriptor: i32) -> Option<Vec<u8>> {
    None
}

pub(crate) fn read_memory(_address: u64, _bytes: &mut [u8]) -> bool {
    false
}

pub(crate) fn static_memory(_range: std::ops::Range<u64>) -> Option<&'static [u8]> {
    None
}

pub(crate) fn modules() -> Vec<RawModule> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each thread has a number of its own, and keeps it.
    #[test]
    fn threads_are_told_apart() {
        let own = current_tid();
        let other = std::thread::spawn(current_tid).join().unwrap();
        assert!(own >= FIRST_TID && other >= FIRST_TID);
        assert_ne!(own, other);
        assert_eq!(own, current_tid());
    }
}
