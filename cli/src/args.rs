//! The command line as types. What gets past this file is sound in itself; whether it can be done is another matter.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::admin_address::AdminAddress;
use crate::cmd::{DrillFlavor, DrillTier};
use crate::ending::Failure;
use crate::fault_list::FaultList;
use crate::service::Service;

/// Longest time that any command takes on the command line: a day, as the load generator's own limit.
const SECONDS_MAX: u64 = 24 * 60 * 60;

/// Most worker threads: far beyond any machine, so that a slip of the finger does not become an outage.
const WORKERS_MAX: i64 = 1024;

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

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Blocking faults to walk through, or `none` for a clean run [default: all four]
    #[arg(long, value_name = "none|NAME,…")]
    pub(crate) faults: Option<FaultList>,
    /// Ends after so many seconds at most [default: 55, with --faults none 20]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Runtime of the services
    #[arg(long, value_enum, default_value_t)]
    pub(crate) runtime: Flavor,
    /// One JSON object a line instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Stay, with services and load running, until Ctrl-C
    #[arg(long, visible_alias = "stay")]
    pub(crate) keep: bool,
    /// Let the system choose all ports instead of the usual ones
    #[arg(long)]
    pub(crate) any_port: bool,
    /// Do not serve tokio-console
    #[arg(long)]
    pub(crate) no_console: bool,
}

/// `drill`.
#[derive(Debug, Args)]
pub(crate) struct Drill {
    /// A few runs of each scenario, in three minutes at most
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these scenarios
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) scenario: Vec<String>,
    /// Only this kind of runtime
    #[arg(long, value_enum)]
    pub(crate) runtime: Option<DrillFlavor>,
    /// Only this tier
    #[arg(long, value_enum)]
    pub(crate) tier: Option<DrillTier>,
    /// How long each scenario that must stay silent is watched [default: 600, with --quick 6]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    pub(crate) silent_seconds: Option<u64>,
    /// Subjects at the same time [default: 2, of silent scenarios 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: Option<u8>,
    /// Lists the scenarios instead
    #[arg(long)]
    pub(crate) list: bool,
    /// The result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Writes the result as a Markdown page, too
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

/// `drill-subject`.
#[derive(Debug, Args)]
pub(crate) struct DrillSubject {
    /// Scenario
    pub(crate) scenario: String,
    /// Kind of runtime
    #[arg(long, value_enum)]
    pub(crate) runtime: DrillFlavor,
    /// Tier
    #[arg(long, value_enum)]
    pub(crate) tier: DrillTier,
    /// Length of a scenario that is not over by itself
    #[arg(long)]
    pub(crate) seconds: u64,
}

/// `serve`.
#[derive(Debug, Subcommand)]
pub(crate) enum Serve {
    /// An IRC server
    Chat {
        /// Where IRC clients connect; port 0 for any
        #[arg(long, value_name = "IP:PORT", default_value_t = Service::Chat.listen(), value_parser = address)]
        irc: SocketAddr,
        #[command(flatten)]
        options: ServeOptions,
    },
    /// A FIX 4.4 exchange
    Exchange {
        /// Where FIX sessions connect; port 0 for any
        #[arg(long, value_name = "IP:PORT", default_value_t = Service::Exchange.listen(), value_parser = address)]
        fix: SocketAddr,
        #[command(flatten)]
        options: ServeOptions,
    },
}

/// What both services take.
#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// Where the admin server listens [default: POLLSCOPE_ADMIN, else 127.0.0.1:7667 (chat), 127.0.0.1:7878 (exchange)]
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    pub(crate) admin: Option<SocketAddr>,
    /// Runtime of the service
    #[arg(long, value_enum, default_value_t)]
    pub(crate) runtime: Flavor,
    /// Worker threads of a multi-thread runtime [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=WORKERS_MAX))]
    pub(crate) workers: Option<u16>,
    /// Faults to switch on at the start
    #[arg(long, value_name = "none|NAME,…", default_value = "none")]
    pub(crate) faults: FaultList,
    /// Serve tokio-console [default address: 127.0.0.1:6669 (chat), 127.0.0.1:6670 (exchange)]
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    pub(crate) console: Option<Option<SocketAddr>>,
    /// Announce the addresses as JSON, and end when standard input does
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
}

/// The two kinds of Tokio runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Flavor {
    /// `multi_thread`
    #[default]
    Multi,
    /// `current_thread`
    Current,
}

/// `load`.
#[derive(Debug, Subcommand)]
pub(crate) enum Load {
    /// IRC clients that talk in rooms
    Chat {
        /// Clients, each with a connection
        #[arg(long, value_name = "N", default_value_t = 100)]
        clients: usize,
        /// Members of a room
        #[arg(long, value_name = "N", default_value_t = 10)]
        room_size: usize,
        /// Where the service listens
        #[arg(long, value_name = "IP:PORT", default_value_t = Service::Chat.listen(), value_parser = address)]
        address: SocketAddr,
        #[command(flatten)]
        options: LoadOptions,
    },
    /// FIX sessions that trade
    Exchange {
        /// Sessions, each with a connection
        #[arg(long, value_name = "N", default_value_t = 20)]
        sessions: usize,
        /// Symbols traded
        #[arg(long, value_name = "N", default_value_t = 4)]
        symbols: usize,
        /// The service's TargetCompID
        #[arg(long, value_name = "COMPID", default_value = "EXCHANGE")]
        target: String,
        /// Where the service listens
        #[arg(long, value_name = "IP:PORT", default_value_t = Service::Exchange.listen(), value_parser = address)]
        address: SocketAddr,
        #[command(flatten)]
        options: LoadOptions,
    },
}

/// What both loads take.
#[derive(Debug, Args)]
pub(crate) struct LoadOptions {
    /// Messages offered per second by all together
    #[arg(long, value_name = "PER_SECOND", default_value_t = 100.0)]
    pub(crate) rate: f64,
    /// Seconds of sending
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// Equal seeds give equal schedules
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Equal gaps between messages instead of random ones
    #[arg(long)]
    pub(crate) constant: bool,
    /// Process of the service on this machine, to report what it uses
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) server_pid: Option<i32>,
    /// The report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// End when standard input does
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
}

/// `faults`.
#[derive(Debug, Subcommand)]
pub(crate) enum Faults {
    /// Every fault there is, what it does and what must be found
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Switch a fault on, in all services that run unless one is named
    On {
        /// Which fault
        name: String,
        /// How long one firing blocks [default: 300]
        #[arg(long, value_name = "MS")]
        duration_ms: Option<u64>,
        /// Pause between two firings [default: 1000]
        #[arg(long, value_name = "MS")]
        pause_ms: Option<u64>,
        #[command(flatten)]
        at: At,
    },
    /// Switch a fault off, in all services that run unless one is named
    Off {
        /// Which fault
        name: String,
        #[command(flatten)]
        at: At,
    },
    /// Which faults are on, and what they have done
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
}

/// Whom to talk to.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// chat, exchange, or the URL of an admin server [default: both, as far as they run]
    #[arg(long, value_name = "SERVICE|URL")]
    pub(crate) service: Option<AdminAddress>,
    #[command(flatten)]
    pub(crate) token: Token,
}

/// The admin server's token.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Token of the admin server [default: POLLSCOPE_ADMIN_TOKEN]
    #[arg(long)]
    token: Option<String>,
}

impl Token {
    /// The token given, else the one of the environment.
    pub(crate) fn or_environment(self) -> Option<String> {
        self.token.or_else(environment_token)
    }
}

/// `POLLSCOPE_ADMIN_TOKEN`; an empty one is none, as for the services.
pub(crate) fn environment_token() -> Option<String> {
    std::env::var("POLLSCOPE_ADMIN_TOKEN")
        .ok()
        .filter(|token| !token.is_empty())
}

/// `stalls`.
#[derive(Debug, Args)]
pub(crate) struct Stalls {
    #[command(flatten)]
    pub(crate) at: At,
    /// Go on with every new one until Ctrl-C
    #[arg(long)]
    pub(crate) follow: bool,
    /// As a JSON array, with --follow one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `flamegraph`.
#[derive(Debug, Args)]
pub(crate) struct Flamegraph {
    /// chat, exchange, or the URL of an admin server
    #[arg(long, value_name = "SERVICE|URL", default_value = "exchange")]
    pub(crate) service: AdminAddress,
    /// How long to record
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) seconds: u32,
    /// Samples per second and core
    #[arg(long, value_name = "N", default_value_t = 99, value_parser = clap::value_parser!(u32).range(1..=250))]
    pub(crate) hz: u32,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Format of the file [default: by its name: .svg, .folded or .txt, .pb.gz or .pprof]
    #[arg(long, value_enum)]
    pub(crate) format: Option<ProfileFormat>,
    #[command(flatten)]
    pub(crate) token: Token,
}

/// How a profile is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileFormat {
    /// A picture for the browser
    Svg,
    /// One line a stack
    Folded,
    /// For `go tool pprof`
    Pprof,
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

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected ip:port such as 127.0.0.1:6667".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    match digits.parse() {
        Ok(seconds @ 1..=SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("expected whole seconds from 1 to {SECONDS_MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Result<Command, String> {
        let words = line.split_whitespace().map(OsString::from);
        parse(std::iter::once("pollscope".into()).chain(words))
            .map_err(|failure| failure.to_string())
    }

    /// Goal: the definition itself is sound.
    #[test]
    fn definition_is_sound() {
        CommandLine::command().debug_assert();
    }

    /// Goal: what the documentation shows is understood.
    #[test]
    fn accepts_what_is_documented() {
        for line in [
            "demo",
            "demo --faults none --duration 60 --json",
            "demo --faults block-cpu,std-mutex --runtime current --stay --any-port",
            "drill --quick --json --markdown docs/drill.md",
            "drill --scenario sleep,cpu-loop --runtime multi --tier t2 --jobs 1",
            "serve chat --irc 0.0.0.0:6667 --admin 127.0.0.1:0 --workers 1 --faults block-sleep",
            "serve chat --console",
            "serve exchange --fix 127.0.0.1:0 --console 127.0.0.1:7000 --runtime current",
            "load chat --clients 20 --room-size 10 --rate 50 --duration 30s --json",
            "load exchange --sessions 4 --rate 100 --symbols 2 --duration 5",
            "faults list",
            "faults on block-sleep --duration-ms 200 --pause-ms 500 --service chat",
            "faults off block-sleep",
            "faults status --service http://127.0.0.1:7667 --json",
            "stalls --follow --json",
            "flamegraph --seconds 5 -o out.svg",
        ] {
            check(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    /// Goal: each wrong use is answered in one line that says what was expected.
    #[test]
    fn refuses_in_one_line() {
        for (line, expected) in [
            ("serve chat --irc localhost", "expected ip:port such as"),
            ("serve mail", "expected one of chat, exchange"),
            ("serve chat --faults nap", "expected one of block-sleep"),
            ("demo --duration soon", "expected whole seconds"),
            ("demo --faults nap", "expected one of block-sleep"),
            (
                "stalls --service mail",
                "expected chat, exchange, or the URL",
            ),
            ("flamegraph --seconds 5", "--output"),
            ("flamegraph --seconds 90 -o x.svg", "1..=60"),
            ("serve chat --runtime both", "multi, current"),
            (
                "dmeo",
                "expected one of demo, drill, serve, load, faults, stalls, flamegraph",
            ),
        ] {
            let error = check(line).unwrap_err();
            assert!(
                error.contains(expected) && !error.contains('\n'),
                "{line}: {error}"
            );
        }
    }
}
