//! CPU time that goes into the kernel: random bytes, page faults, giving memory back.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _};
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
        prepare: None,
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

/// Memory freed a millisecond of wanted duration: the kernel gives back some 10 GiB a second.
const FREED_BYTES_PER_MS: u128 = 10 << 20;

/// At most this much, whatever the duration.
const FREED_BYTES_MAX: usize = 2 << 30;

#[inline(never)]
fn free_much(call: &Call) -> io::Result<Duration> {
    let wanted =
        usize::try_from(call.duration.as_millis() * FREED_BYTES_PER_MS).unwrap_or(FREED_BYTES_MAX);
    let mut much = vec![0_u8; wanted.min(FREED_BYTES_MAX)];
    let began = Instant::now();
    // act begins: huge-free
    for at in (0..much.len()).step_by(PAGE_BYTES) {
        much[at] = 1;
    }
    drop(black_box(much));
    // act ends: huge-free
    Ok(began.elapsed())
}
