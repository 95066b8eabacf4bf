//! Resolving a backtrace on a worker: the symbols of the whole program are read at its first time.

use std::backtrace::Backtrace;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use super::cpu::thread_cpu;
use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[Act {
    name: "backtrace",
    prepare: None,
    run: resolve,
}];

#[inline(never)]
fn resolve(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    let end = thread_cpu() + call.duration;
    // act begins: backtrace
    while thread_cpu() < end {
        black_box(Backtrace::force_capture().to_string());
    }
    // act ends: backtrace
    Ok(began.elapsed())
}
