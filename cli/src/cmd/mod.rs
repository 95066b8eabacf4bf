//! One file a command: takes its typed arguments, does the work, and gives results to `render`.

mod demo;
mod faults;
mod flamegraph;
mod load;
mod serve;
mod stalls;

use tokio::runtime::{Builder, Runtime};

use crate::args::Command;
use crate::ending::{Ending, Failure};

pub(crate) use demo::{Match, Outcome, Summary};

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Result<Ending, Failure> {
    match command {
        Command::Demo(demo) => demo::run(demo),
        Command::Serve { service } => serve::run(service),
        Command::Load { workload } => load::run(workload),
        Command::Faults { action } => faults::run(action),
        Command::Stalls(stalls) => stalls::run(stalls),
        Command::Flamegraph(flamegraph) => flamegraph::run(flamegraph),
    }
}

/// The runtime of commands that only wait for others: one thread.
fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unable("the runtime cannot be built", &error))
}
