//! `block-cpu`: a handler computes for long without giving the worker back.
//!
//! Symptom: every task on the same worker pauses while one core is busy.
//! Mechanism: a loop without an `.await`; a runtime cannot take the thread from a task that does not yield.
//! Finding: a stall with the verdict `cpu-user`, on one of the lines of the loop below.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::fault::Fault;
use crate::finding::Finding;
use crate::marker;
use crate::parameter::Parameters;
use crate::point::Point;

/// Rounds between two looks at the clocks: about half a millisecond, since the thread's CPU clock is a system call of a
/// microsecond or two and a sample that falls into it does not stand on a line of the loop.
const ROUNDS_LEN: u64 = 1 << 18;

/// The loop ends after this many times the duration, whether or not the thread got that much CPU time: on a crowded machine
/// a fault must not last for ever.
pub(crate) const WALL_FACTOR_MAX: u32 = 4;

const SOURCE: &str = include_str!("block_cpu.rs");

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "block-cpu",
    symptom: "every task on the worker pauses while one core is busy",
    mechanism: "a computation without an .await keeps the worker; the runtime cannot take the thread back",
    point: Point::Handler,
    parameters: Parameters::waiting("much CPU time the handler takes"),
    finding: Finding::Stall {
        verdict: "cpu-user",
        file: file!(),
        lines: marker::lines(SOURCE),
    },
    block: Some(block),
};

fn block(duration: Duration) -> io::Result<Duration> {
    let began = Instant::now();
    black_box(hash_in_task(duration));
    Ok(began.elapsed())
}

/// Hashes on the calling thread until it has used `duration` of CPU time, or four times that has passed; returns the hash.
#[inline(never)]
pub fn hash_in_task(duration: Duration) -> u64 {
    let cpu_end = thread_cpu() + duration;
    let wall_end = Instant::now() + duration * WALL_FACTOR_MAX;
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    // fault: begins
    while thread_cpu() < cpu_end && Instant::now() < wall_end {
        let mut round = 0;
        while round < ROUNDS_LEN {
            hash = (hash ^ round).wrapping_mul(0x0000_0100_0000_01b3);
            hash ^= hash >> 29;
            round += 1;
        }
        hash = black_box(hash);
    }
    // fault: ends
    hash
}

/// CPU time that the calling thread has used.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // A CPU clock starts at zero and never runs backwards, so neither part can be negative.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the lines that must be reported are the loop: they hold the hash and the loop's own head, not the function's.
    #[test]
    fn marked_lines_are_the_loop() {
        let lines = marker::lines(SOURCE);
        assert!(marker::text(SOURCE, *lines.start()).contains("while thread_cpu()"));
        assert!(
            lines
                .clone()
                .any(|line| marker::text(SOURCE, line).contains("wrapping_mul"))
        );
        assert_eq!(marker::text(SOURCE, *lines.end()).trim(), "}");
    }

    /// Goal: it keeps the thread at least as long as it was told, and does so by using the CPU.
    #[test]
    fn burns_cpu_for_the_duration() {
        let duration = Duration::from_millis(30);
        let cpu = thread_cpu();
        assert!(block(duration).unwrap() >= duration);
        // A crowded machine may grant less than the whole, but a sleeping thread would use next to nothing.
        assert!(thread_cpu() - cpu >= duration / WALL_FACTOR_MAX / 4);
    }
}
