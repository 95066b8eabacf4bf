//! Waiting for a child process.

use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[Act {
    name: "child-wait",
    prepare: None,
    run: wait,
}];

#[inline(never)]
#[expect(
    clippy::disallowed_methods,
    reason = "the act: a handler that waits for a child"
)]
fn wait(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    let mut child = Command::new("sleep")
        .arg(format!("{:.3}", call.duration.as_secs_f64()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let status = child.wait()?; // act: child-wait
    if status.success() {
        Ok(began.elapsed())
    } else {
        Err(io::Error::other(format!("`sleep` ended with {status}")))
    }
}
