//! `giant-room`: the task of a room of ten thousand sends to all of them, again and again, without yielding.
//!
//! Symptom: every task on the same worker pauses while one room is busy, other rooms' among them.
//! Mechanism: a fan-out is a loop without an `.await`; in a giant room one message is ten thousand sends, and a queue full
//! of messages is a million.
//! Finding: a stall with the verdict `cpu-user`, on one of the lines of the loops below.
//!
//! The members are the fault's own, so that ten clients are enough to see it. Each has a place for its last line.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use crate::block_cpu::{WALL_FACTOR_MAX, thread_cpu};
use crate::fault::Fault;
use crate::finding::Finding;
use crate::marker;
use crate::parameter::Parameters;
use crate::point::Point;

/// Members of the giant room.
const MEMBERS_LEN: usize = 10_000;

/// What is sent to each of them.
const LINE: [u8; 63] = *b":giant!giant@127.0.0.1 PRIVMSG #giant :one line for every one\r\n";

const SOURCE: &str = include_str!("giant_room.rs");

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "giant-room",
    symptom: "every task on the worker pauses while one big room is busy",
    mechanism: "the fan-out of a room of 10,000 sends line after line to all of them without an .await in between",
    point: Point::FanOut,
    parameters: Parameters::waiting("much CPU time the room takes without yielding"),
    finding: Finding::Stall {
        verdict: "cpu-user",
        file: file!(),
        lines: marker::lines(SOURCE),
    },
    block: Some(block),
};

fn block(duration: Duration) -> io::Result<Duration> {
    let began = Instant::now();
    black_box(fan_out_in_task(duration));
    Ok(began.elapsed())
}

/// Sends lines to all members on the calling thread until it has used `duration` of CPU time, or four times that has
/// passed; returns how many lines were sent.
#[inline(never)]
pub fn fan_out_in_task(duration: Duration) -> u64 {
    let mut members = vec![[0; LINE.len()]; MEMBERS_LEN];
    let cpu_end = thread_cpu() + duration;
    let wall_end = Instant::now() + duration * WALL_FACTOR_MAX;
    let mut sent = 0;
    // fault: begins
    while thread_cpu() < cpu_end && Instant::now() < wall_end {
        for member in &mut members {
            *member = black_box(LINE);
            sent += 1;
        }
        black_box(&mut members);
    }
    // fault: ends
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the lines that must be reported are the loops: they hold the send and both heads, not the function's.
    #[test]
    fn marked_lines_are_the_loops() {
        let lines = marker::lines(SOURCE);
        assert!(marker::text(SOURCE, *lines.start()).contains("while thread_cpu()"));
        for part in ["for member in", "*member ="] {
            let mut marked = lines.clone();
            assert!(
                marked.any(|line| marker::text(SOURCE, line).contains(part)),
                "{part}"
            );
        }
        assert_eq!(marker::text(SOURCE, *lines.end()).trim(), "}");
    }

    /// Goal: it keeps the thread at least as long as it was told, and everybody is sent to each time.
    #[test]
    fn sends_for_the_duration() {
        let duration = Duration::from_millis(30);
        let began = Instant::now();
        let sent = fan_out_in_task(duration);
        assert!(began.elapsed() >= duration);
        assert!(
            sent > 0 && sent.is_multiple_of(MEMBERS_LEN as u64),
            "{sent}"
        );
    }
}
