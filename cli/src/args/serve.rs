//! `serve`: one service to be observed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::value::address;
use crate::fault_list::FaultList;
use crate::service::Service;

/// Most worker threads: far beyond any machine, so that a slip of the finger does not become an outage.
const WORKERS_MAX: i64 = 1024;

/// `serve`.
#[derive(Debug, Subcommand)]
pub(crate) enum Serve {
    /// An IRC server
    Chat {
        /// Where IRC clients connect; port 0 for any
        #[arg(long, value_name = "IP:PORT", default_value_t = Service::Chat.listen(), value_parser = address)]
        irc: SocketAddr,
        #[command(flatten)]
        chat: ChatOptions,
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

/// What only the chat takes.
#[derive(Debug, Default, Args)]
pub(crate) struct ChatOptions {
    /// Text file that is shown to every client that comes
    #[arg(long, value_name = "FILE")]
    pub(crate) motd: Option<PathBuf>,
    /// File whose first line clients must give with PASS
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Lines a second that one client may send after a burst; 0 for any number [default: 50]
    #[arg(long, value_name = "N")]
    pub(crate) client_rate: Option<u32>,
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
