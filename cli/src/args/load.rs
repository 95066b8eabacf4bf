//! `load`: what is offered to a service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use load::chat::{Part, Profile};

use super::value::{address, seconds, seconds_or_none};
use crate::service::Service;

/// Most processes of one load: more than any machine has cores for.
const PROCESSES_MAX: i64 = 64;

/// Most runs of one series; more than enough for a median with its range.
const RUNS_MAX: i64 = 100;

/// `load`.
#[derive(Debug, Subcommand)]
pub(crate) enum Load {
    /// IRC clients that talk in rooms
    Chat(ChatLoad),
    /// FIX sessions that trade
    Exchange(ExchangeLoad),
}

impl Load {
    /// What both take.
    pub(crate) fn options(&self) -> &LoadOptions {
        match self {
            Self::Chat(load) => &load.options,
            Self::Exchange(load) => &load.options,
        }
    }
}

/// `load chat`.
#[derive(Debug, Args)]
pub(crate) struct ChatLoad {
    /// Clients, each with a connection
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) clients: usize,
    /// Members of a room [default: 50, or all if there are fewer]
    #[arg(long, value_name = "N")]
    pub(crate) room_size: Option<usize>,
    /// What the clients do: rooms (talk in rooms of equal size), zipf (one giant room, many small ones), idle (only signs of
    /// life), storm (all come within the duration), reconnect (all are cut off and come back at once), slow (1 % read 1 kB/s),
    /// dead (0.1 % never read), churn (10 % come and go)
    #[arg(long, value_name = "NAME", default_value_t, value_parser = profile)]
    pub(crate) profile: Profile,
    /// Run this profile too, in turn, and compare
    #[arg(long, value_name = "PROFILE", value_parser = profile, conflicts_with = "sweep")]
    pub(crate) against: Option<Profile>,
    /// Ten times the rate for five seconds in the middle
    #[arg(long)]
    pub(crate) burst: bool,
    /// Wait for each answer before the next message; only to show the error that this makes
    #[arg(long, conflicts_with = "sweep")]
    pub(crate) closed: bool,
    /// Generator processes; several for more than about 9,000 clients, because each may open only so many files
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=PROCESSES_MAX))]
    pub(crate) processes: u16,
    /// Where the service listens
    #[arg(long, value_name = "IP:PORT", default_value_t = Service::Chat.listen(), value_parser = address)]
    pub(crate) address: SocketAddr,
    /// One of several processes: its number, how many there are, and the run
    #[arg(long, hide = true, value_name = "I/N/RUN", value_parser = part)]
    pub(crate) part: Option<Part>,
    #[command(flatten)]
    pub(crate) options: LoadOptions,
}

/// `load exchange`.
#[derive(Debug, Args)]
pub(crate) struct ExchangeLoad {
    /// Sessions, each with a connection
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) sessions: usize,
    /// Symbols traded
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) symbols: usize,
    /// The service's TargetCompID
    #[arg(long, value_name = "COMPID", default_value = "EXCHANGE")]
    pub(crate) target: String,
    /// Where the service listens
    #[arg(long, value_name = "IP:PORT", default_value_t = Service::Exchange.listen(), value_parser = address)]
    pub(crate) address: SocketAddr,
    #[command(flatten)]
    pub(crate) options: LoadOptions,
}

/// What both loads take.
#[derive(Debug, Args)]
pub(crate) struct LoadOptions {
    /// Messages offered per second by all together; where a sweep starts
    #[arg(long, value_name = "PER_SECOND", default_value_t = 100.0)]
    pub(crate) rate: f64,
    /// Seconds of sending that are measured
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// Seconds of sending before that, whose times are left out
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds_or_none)]
    pub(crate) warm_up: Duration,
    /// Equal seeds give equal schedules
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Equal gaps between messages instead of random ones
    #[arg(long)]
    pub(crate) constant: bool,
    /// Find the highest rate that meets the goal: rates that double, then close in
    #[arg(long, conflicts_with = "runs")]
    pub(crate) sweep: bool,
    /// The goal of a sweep: the 99th percentile of the response times in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20.0)]
    pub(crate) goal_ms: f64,
    /// Runs, one after the other; the report is their median and range
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=RUNS_MAX))]
    pub(crate) runs: u16,
    /// Process of the service on this machine, to report what it uses
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) server_pid: Option<i32>,
    /// Draw the latencies into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Write a histogram a second into this file, an interval log for HdrHistogram's tools
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sweep", "runs"])]
    pub(crate) hlog: Option<PathBuf>,
    /// The report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// End when standard input does
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
}

/// `load-null`: the service that does nothing.
#[derive(Debug, Args)]
pub(crate) struct LoadNull {
    /// Where it listens
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Answer signs of life from a single queue that takes so long for each
    #[arg(long, value_name = "MICROSECONDS")]
    pub(crate) service_us: Option<u64>,
    /// End when standard input does
    #[arg(long)]
    pub(crate) supervised: bool,
}

fn profile(text: &str) -> Result<Profile, String> {
    let known = Profile::ALL.into_iter().find(|known| known.name() == text);
    known.ok_or_else(|| {
        format!(
            "expected one of {}",
            Profile::ALL.map(Profile::name).join(", ")
        )
    })
}

fn part(text: &str) -> Result<Part, String> {
    let numbers: Vec<usize> = text
        .split('/')
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers[..] {
        [index, of, run] if index < of => {
            Ok(Part::new(index, of, u32::try_from(run).unwrap_or(u32::MAX)))
        }
        _ => Err("expected number, count and run, such as 0/2/4711".to_owned()),
    }
}
