//! Sleeping on purpose.

use std::io;
use std::time::{Duration, Instant};

use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[Act {
    name: "sleep",
    prepare: None,
    run: sleep,
}];

#[inline(never)]
#[expect(clippy::disallowed_methods, reason = "the act: a handler that sleeps")]
fn sleep(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    std::thread::sleep(call.duration); // act: sleep
    Ok(began.elapsed())
}
