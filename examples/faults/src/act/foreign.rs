//! Waiting in a library that makes its system calls itself: neither the standard library's name nor the object says for what.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[Act {
    name: "foreign-wait",
    prepare: None,
    run: wait,
}];

/// Waits for an event that never comes, as a driver's client library does for its own thread.
#[inline(never)]
fn wait(call: &Call) -> io::Result<Duration> {
    let event = eventfd(0, EventfdFlags::CLOEXEC)?;
    let timeout = Timespec::try_from(call.duration).map_err(io::Error::other)?;
    let began = Instant::now();
    let mut polled = [PollFd::new(&event, PollFlags::IN)];
    poll(&mut polled, Some(&timeout))?; // act: foreign-wait
    Ok(began.elapsed())
}
