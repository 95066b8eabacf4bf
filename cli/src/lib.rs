//! The pollscope command line: parse → typed command → run → render.
//!
//! `args` turns words into a typed command and refuses the rest; `cmd` has one file a command; `render` is the only room
//! that prints. What is observed and who observes are different processes: the reference services are this same program
//! as `pollscope serve`, and everybody else talks to them over the admin API that any user has (`client`).
//!
//! Nothing depends on this crate but its own tests.

mod admin_address;
mod args;
mod client;
mod cmd;
mod ending;
mod fault_list;
mod fault_metrics;
mod faults_api;
mod render;
mod service;
mod sse;
mod stop;
mod telemetry;

use std::ffi::OsString;
use std::process::ExitCode;

pub use fault_metrics::FAULTS;

/// Runs the command line `words`, the program's own name first. Returns the exit code:
/// 0 done and as expected · 1 done, expectation not met · 2 wrong use · 3 could not run.
#[must_use]
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome = args::parse(words).and_then(cmd::run);
    if let Err(failure) = &outcome {
        render::failure(failure);
    }
    ending::code(&outcome)
}
