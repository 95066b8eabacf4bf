//! The command line as types, one file a command. What gets past them is sound in itself; whether it can be done is another
//! matter.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::ending::Failure;

mod at;
mod demo;
mod drill;
mod faults;
mod flamegraph;
mod load;
mod serve;
mod stalls;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use at::{At, environment_token};
pub(crate) use demo::Demo;
pub(crate) use drill::{Drill, DrillSubject};
pub(crate) use faults::Faults;
pub(crate) use flamegraph::{Flamegraph, ProfileFormat};
pub(crate) use load::{ChatLoad, ExchangeLoad, Load, LoadNull, LoadOptions};
pub(crate) use serve::{ChatOptions, Flavor, Serve, ServeOptions};
pub(crate) use stalls::Stalls;

/// Finds out which task and which line stalls a Tokio runtime, while it is happening.
///
/// Exit codes: 0 done and as expected, 1 done but the expectation was not met, 2 wrong use, 3 could not run.
#[derive(Debug, Parser)]
#[command(
    name = "pollscope",
    version,
    propagate_version = true,
    max_term_width = 100
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run both reference services under load, break them four times, and show what is found
    Demo(Demo),
    /// Stall runtimes in every known way, one after the other, and check what is found
    Drill(Drill),
    /// The process that a drill watches
    #[command(hide = true)]
    DrillSubject(DrillSubject),
    /// A process that wants a CPU, for a drill
    #[command(hide = true)]
    DrillHog,
    /// Run a reference service to be observed
    Serve {
        /// Which one
        #[command(subcommand)]
        service: Serve,
    },
    /// Put a reference service under load and measure what its users feel
    Load {
        /// Which service's protocol
        #[command(subcommand)]
        workload: Load,
    },
    /// A service that does nothing, to measure the load itself
    #[command(hide = true)]
    LoadNull(LoadNull),
    /// Switch faults in running services on and off
    Faults {
        /// What to do with them
        #[command(subcommand)]
        action: Faults,
    },
    /// Show the latest stalls of running services, and why they happened
    Stalls(Stalls),
    /// Record where a running service spends its CPU time
    Flamegraph(Flamegraph),
}

/// The command that the words mean.
///
/// # Errors
///
/// In one line what is wrong and what was expected; [`Failure::NobodyReads`] after help was printed.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let words: Vec<OsString> = words.into_iter().collect();
    match CommandLine::try_parse_from(&words) {
        Ok(line) => Ok(line.command),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                // Printing fails only when nobody reads, which is what is said then anyway.
                let _ = error.print();
                Err(Failure::NobodyReads)
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Err(Failure::Usage(format!(
                "a command is missing\n\n{}",
                error.render()
            ))),
            ErrorKind::InvalidSubcommand => Err(Failure::Usage(format!(
                "{}; expected one of {}",
                one_line(&error.render().to_string()),
                commands_after(&words)
            ))),
            _ => Err(Failure::Usage(one_line(&error.render().to_string()))),
        },
    }
}

/// The first paragraph and the tips of clap's message as one line.
fn one_line(message: &str) -> String {
    let said = message
        .lines()
        .take_while(|line| !line.starts_with("Usage:"));
    let words: Vec<_> = said
        .flat_map(str::split_whitespace)
        .take_while(|word| *word != "For")
        .collect();
    let line = words.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

/// The commands that may follow those among `words`.
fn commands_after(words: &[OsString]) -> String {
    let mut command = CommandLine::command();
    for word in words.iter().skip(1) {
        match command.find_subcommand(word) {
            Some(known) => command = known.clone(),
            None => break,
        }
    }
    let names: Vec<_> = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(clap::Command::get_name)
        .collect();
    names.join(", ")
}
