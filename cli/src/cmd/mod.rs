//! One file a command: takes its typed arguments, does the work, and gives results to `render`.

mod child;
mod demo;
mod drill;
mod faults;
mod flamegraph;
mod load;
mod serve;
mod stalls;

use tokio::runtime::{Builder, Runtime};

use crate::args::Command;
use crate::ending::{Ending, Failure};

pub(crate) use self::load::{Series, Side, Spread, SweepReport};
pub(crate) use demo::{Match, Outcome, Summary};

pub(crate) use drill::{
    Flavor as DrillFlavor, Promise as DrillPromise, Report as DrillReport, Row as DrillRow,
    Tier as DrillTier, word,
};

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Result<Ending, Failure> {
    match command {
        Command::Demo(demo) => demo::run(demo),
        Command::Drill(drill) => drill::run(&drill),
        Command::DrillSubject(subject) => drill::subject(&subject),
        Command::DrillHog => Ok(drill::hog()),
        Command::Serve { service } => serve::run(service),
        Command::Load { workload } => load::run(&workload),
        Command::LoadNull(null) => load::null(&null),
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
