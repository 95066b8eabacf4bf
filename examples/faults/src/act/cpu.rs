//! Computing in user code: a loop, many small steps, a library's work, a long drop.
//!
//! Each measures its own CPU time, not the wall's: on a crowded machine a fixed wall time would not be a computation.

use std::hint::black_box;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rustix::time::{ClockId, clock_gettime};

use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "cpu-loop",
        prepare: None,
        run: spin,
    },
    Act {
        name: "cpu-steps",
        prepare: None,
        run: steps,
    },
    Act {
        name: "cpu-library",
        prepare: None,
        run: compress,
    },
    Act {
        name: "cpu-drop",
        prepare: Some(build_list),
        run: drop_list,
    },
];

/// Rounds between two looks at the CPU clock, which is a system call: a sample must rarely fall into it.
const ROUNDS_LEN: u64 = 1 << 18;

/// CPU time that the calling thread has used.
#[must_use]
pub fn thread_cpu() -> Duration {
    // act begins: cpu-clock
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // A CPU clock starts at zero and never runs backwards, so neither part can be negative.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
    // act ends: cpu-clock
}

#[inline(never)]
fn spin(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    let end = thread_cpu() + call.duration;
    let mut hash = 1_u64;
    // act begins: cpu-loop
    while thread_cpu() < end {
        let mut round = 0;
        while round < ROUNDS_LEN {
            hash = (hash ^ round).wrapping_mul(0x0000_0100_0000_01b3);
            hash ^= hash >> 29;
            round += 1;
        }
        hash = black_box(hash);
    }
    // act ends: cpu-loop
    black_box(hash);
    Ok(began.elapsed())
}

/// Sorts, formats and parses by turns: the leaves differ at every look, the caller's lines stay.
#[inline(never)]
fn steps(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    let end = thread_cpu() + call.duration;
    let mut seed = 7_u64;
    // act begins: cpu-steps
    while thread_cpu() < end {
        let mut numbers: Vec<u64> = (0..40_000_u64)
            .map(|index| {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(index);
                seed >> 20
            })
            .collect();
        numbers.sort_unstable();
        let text: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        seed ^= text
            .iter()
            .filter_map(|text| text.parse::<u64>().ok())
            .fold(0, u64::wrapping_add);
    }
    // act ends: cpu-steps
    black_box(seed);
    Ok(began.elapsed())
}

/// Compresses one large text in a library that is not the user's code: the caller's line is to blame.
#[inline(never)]
fn compress(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    // act begins: cpu-library
    let text: Vec<u8> = (0..4_000_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    let end = thread_cpu() + call.duration;
    while thread_cpu() < end {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        for part in text.chunks(1 << 20) {
            encoder.write_all(part)?;
            if thread_cpu() >= end {
                break;
            }
        }
        black_box(encoder.finish()?);
    }
    // act ends: cpu-library
    Ok(began.elapsed())
}

/// A list that frees its nodes one after the other when it is dropped.
struct List(Option<Box<Node>>);

struct Node {
    _text: String,
    next: Option<Box<Self>>,
}

impl Drop for List {
    fn drop(&mut self) {
        // act begins: cpu-drop-node
        let mut next = self.0.take();
        while let Some(mut node) = next {
            next = node.next.take();
        }
        // act ends: cpu-drop-node
    }
}

/// Nodes dropped a millisecond on a slow core; frees cost 20 to 60 ns each.
const NODES_PER_MS: u128 = 25_000;

/// The list that the next act drops; built before, because building takes as long as dropping.
static PREPARED: Mutex<List> = Mutex::new(List(None));

fn build_list(duration: Duration) {
    let mut list = List(None);
    for number in 0..duration.as_millis() * NODES_PER_MS {
        let next = list.0.take();
        list.0 = Some(Box::new(Node {
            _text: number.to_string(),
            next,
        }));
    }
    *PREPARED.lock().unwrap_or_else(PoisonError::into_inner) = list;
}

#[inline(never)]
fn drop_list(_call: &Call) -> io::Result<Duration> {
    let mut prepared = PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
    let list = List(prepared.0.take());
    drop(prepared);
    let began = Instant::now();
    drop(black_box(list)); // act: cpu-drop
    Ok(began.elapsed())
}
