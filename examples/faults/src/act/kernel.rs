//! CPU time that goes into the kernel: random bytes, page faults, giving memory back.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cpu::thread_cpu;
use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "kernel-read",
        prepare: None,
        run: read_random,
    },
    Act {
        name: "page-faults",
        prepare: None,
        run: touch_fresh_memory,
    },
    Act {
        name: "huge-free",
        prepare: Some(touch_much),
        run: free_much,
    },
];

/// Fresh memory touched at a time: enough page faults for half a tenth of a second, little enough for any machine.
const FRESH_BYTES: usize = 64 << 20;

/// The smallest page of any platform: touching one byte each touches every page.
const PAGE_BYTES: usize = 4096;

/// Bytes asked for in one system call; the kernel takes some milliseconds for them.
const READ_BYTES: usize = 4 << 20;

#[inline(never)]
fn read_random(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    #[expect(clippy::disallowed_methods, reason = "part of the act")]
    let mut random = File::open("/dev/urandom")?;
    let mut bytes = vec![1; READ_BYTES];
    let end = thread_cpu() + call.duration;
    // act begins: kernel-read
    while thread_cpu() < end {
        random.read_exact(&mut bytes)?;
    }
    // act ends: kernel-read
    Ok(began.elapsed())
}

#[inline(never)]
fn touch_fresh_memory(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    let end = thread_cpu() + call.duration;
    // act begins: page-faults
    while thread_cpu() < end {
        let mut fresh = vec![0_u8; FRESH_BYTES];
        for at in (0..FRESH_BYTES).step_by(PAGE_BYTES) {
            fresh[at] = 1;
        }
        black_box(&fresh);
    }
    // act ends: page-faults
    Ok(began.elapsed())
}

/// Memory made a millisecond of wanted duration: twice what the kernel gives back, some 10 GiB a second.
const PILE_BYTES_PER_MS: u128 = 20 << 20;

/// At most this much, whatever the duration.
const PILE_BYTES_MAX: usize = 2 << 30;

/// What is given back at a time.
const PIECE_BYTES: usize = 64 << 20;

/// Memory that was touched, waiting to be given back.
static PILE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Touches memory, off the worker, which must be seen to free it.
fn touch_much(duration: Duration) {
    let wanted =
        usize::try_from(duration.as_millis() * PILE_BYTES_PER_MS).unwrap_or(PILE_BYTES_MAX);
    let mut pile = PILE.lock().unwrap_or_else(PoisonError::into_inner);
    while pile.len() < wanted.min(PILE_BYTES_MAX).div_ceil(PIECE_BYTES) {
        let mut piece = vec![0_u8; PIECE_BYTES];
        for at in (0..PIECE_BYTES).step_by(PAGE_BYTES) {
            piece[at] = 1;
        }
        pile.push(piece);
    }
}

#[inline(never)]
fn free_much(call: &Call) -> io::Result<Duration> {
    let pile = std::mem::take(&mut *PILE.lock().unwrap_or_else(PoisonError::into_inner));
    let mut pieces = pile.into_iter();
    let began = Instant::now();
    // act begins: huge-free
    while began.elapsed() < call.duration {
        let Some(piece) = pieces.next() else { break };
        drop(black_box(piece));
    }
    // act ends: huge-free
    let took = began.elapsed();
    *PILE.lock().unwrap_or_else(PoisonError::into_inner) = pieces.collect();
    Ok(took)
}
