//! `load`: what is offered to a service.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::value::{address, seconds};
use crate::service::Service;

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
