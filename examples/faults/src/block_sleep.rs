//! `block-sleep`: a handler calls the blocking sleep of the standard library.
//!
//! Symptom: every task on the same worker pauses for as long as the sleep, while the machine is idle.
//! Mechanism: `std::thread::sleep` puts the worker's thread to sleep, not the task; nothing else runs on that worker.
//! Finding: a stall with the verdict `sleep` on the line of the sleep below.

use std::io;
use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::finding::Finding;
use crate::marker;
use crate::parameter::Parameters;
use crate::point::Point;

const SOURCE: &str = include_str!("block_sleep.rs");

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "block-sleep",
    symptom: "every task on the worker pauses together while the CPU is idle",
    mechanism: "std::thread::sleep in an async handler puts the worker's thread to sleep instead of the task",
    point: Point::Handler,
    parameters: Parameters::waiting("long the handler sleeps"),
    finding: Finding::Stall {
        verdict: "sleep",
        file: file!(),
        lines: marker::line(SOURCE),
    },
    block: Some(block),
};

fn block(duration: Duration) -> io::Result<Duration> {
    Ok(sleep_in_task(duration))
}

/// Sleeps on the calling thread and returns how long it was.
#[inline(never)]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the fault: a handler that sleeps"
)]
pub fn sleep_in_task(duration: Duration) -> Duration {
    // Reading the clock afterwards keeps this frame on the stack: a last call would be turned into a jump.
    let began = Instant::now();
    std::thread::sleep(duration); // fault: blocks here
    began.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the line that must be reported is the one that sleeps.
    #[test]
    fn marked_line_sleeps() {
        let line = *marker::line(SOURCE).start();
        assert!(marker::text(SOURCE, line).contains("std::thread::sleep(duration)"));
    }

    /// Goal: it blocks at least as long as it was told.
    #[test]
    fn blocks_for_the_duration() {
        let duration = Duration::from_millis(30);
        assert!(block(duration).unwrap() >= duration);
    }
}
