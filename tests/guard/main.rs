//! The test guard through its public API.
//!
//! A process of its own: the tests of the other one stall on purpose and load the address space, which a test that
//! expects nothing to be found would feel.

#[cfg(test)]
mod finds;
#[cfg(test)]
mod misses;

#[cfg(test)]
use std::time::Duration;

/// Sleeps on the thread.
#[cfg(test)]
#[inline(never)]
#[expect(clippy::disallowed_methods, reason = "the block under test")]
fn blocks(length: Duration) {
    std::thread::sleep(length);
}

/// Computes for that much CPU time; a time on the wall would not be a limit on a crowded machine.
#[cfg(test)]
#[inline(never)]
fn computes(length: Duration) {
    use rustix::time::{ClockId, clock_gettime};
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(
            time.tv_sec.unsigned_abs(),
            u32::try_from(time.tv_nsec).unwrap(),
        )
    };
    let begin = now();
    while now() - begin < length {
        std::hint::spin_loop();
    }
}
