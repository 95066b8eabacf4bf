//! Polls with two causes: a computation and a sleep, two sleeps of which the first is the longer one, a short sleep before a long wait.

use std::hint::black_box;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{Act, Call, thread_cpu};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "mixed",
        prepare: None,
        run: compute_then_sleep,
    },
    Act {
        name: "two-waits",
        prepare: None,
        run: sleep_twice,
    },
    Act {
        name: "wait-changes",
        prepare: None,
        run: sleep_then_wait,
    },
];

/// Rounds between two looks at the CPU clock, which is a system call: a sample must rarely fall into it.
const ROUNDS_LEN: u64 = 1 << 18;

#[inline(never)]
#[expect(clippy::disallowed_methods, reason = "the act: a handler that sleeps")]
fn compute_then_sleep(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    let end = thread_cpu() + call.duration / 2;
    let mut hash = 1_u64;
    // act begins: mixed-cpu
    while thread_cpu() < end {
        let mut round = 0;
        while round < ROUNDS_LEN {
            hash = (hash ^ round).wrapping_mul(0x0000_0100_0000_01b3);
            hash ^= hash >> 29;
            round += 1;
        }
        hash = black_box(hash);
    }
    // act ends: mixed-cpu
    std::thread::sleep(call.duration / 2); // act: mixed-sleep
    Ok(began.elapsed())
}

/// The first sleep takes 19 of 30 parts.
#[inline(never)]
#[expect(clippy::disallowed_methods, reason = "the act: a handler that sleeps")]
fn sleep_twice(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    let longer = call.duration * 19 / 30;
    std::thread::sleep(longer); // act: two-waits
    std::thread::sleep(call.duration.saturating_sub(longer)); // act: two-waits-second
    Ok(began.elapsed())
}

/// The sleep takes a tenth, the wait for a message that does not come the rest.
#[inline(never)]
#[expect(clippy::disallowed_methods, reason = "the act: a handler that waits")]
fn sleep_then_wait(call: &Call) -> io::Result<Duration> {
    let (sender, receiver) = mpsc::channel::<()>();
    let began = Instant::now();
    std::thread::sleep(call.duration / 10); // act: wait-changes-first
    let outcome = receiver.recv_timeout(call.duration * 9 / 10); // act: wait-changes
    drop(sender);
    match outcome {
        Err(RecvTimeoutError::Timeout) => Ok(began.elapsed()),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("a message that nobody sent"))
        }
    }
}
