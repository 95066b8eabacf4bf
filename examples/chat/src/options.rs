//! What can be set, with defaults that suit a public server of some ten thousand clients.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use faults::Plan;
use pollscope::metrics::Registry;

use crate::outbox::SendLimits;
use crate::protocol::name::CaseMapping;
use crate::session::{FloodLimits, Password, Patience};

/// Options of one server. Make them with [`Options::new`] and change what you need.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Where [`METRICS`](crate::METRICS) are registered. One registry a server: two would share their series.
    pub registry: Registry,
    /// The faults that can be switched on, for the points in [`POINTS`](crate::POINTS).
    pub faults: Arc<Plan>,
    /// The name in the prefix of replies. One word without a colon; clients only show it.
    pub server_name: Arc<str>,
    /// The word that clients must give with PASS. Default: none, everybody may come in.
    pub password: Option<Password>,
    /// A text file to show to every client that comes, read once at the start. Default: none.
    pub motd_file: Option<PathBuf>,
    /// How names are compared. Default rfc1459, which clients expect unless they are told otherwise.
    pub case_mapping: CaseMapping,
    /// How fast a client may send. Default: 100 lines at once, 50 a second after that, disconnected after 1,000 lines that
    /// had to wait without a pause between them (20 s of sending). Far more than people type or paste, more than bridges
    /// and bots need, and far less than what one connection could send.
    pub flood_limits: FloodLimits,
    /// Most connections at once; the next one is told so and closed. Default 20,000: below the usual hard limit of
    /// open files, so that the server says no before the kernel does.
    pub connections_max: usize,
    /// Most rooms one client is in. Default 50: bounds what one client costs others when it quits.
    pub rooms_per_client_max: usize,
    /// Bounds of a send queue. Default 1,024 lines and 96 KiB: what established servers use, enough for a long NAMES.
    pub send_limits: SendLimits,
    /// Limits of silence. Default: 30 s to register, PING after 120 s, 60 s to answer, as common servers do.
    pub patience: Patience,
    /// How long an empty room waits for somebody to come back before its task ends. Default 5 s: spares restarts in a
    /// reconnect storm.
    pub room_linger: Duration,
    /// Longest time to write out the last lines of a connection that ends. Default 3 s: a reader that needs longer
    /// is gone or too slow; it also bounds the shutdown.
    pub drain: Duration,
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new(registry: Registry, faults: Arc<Plan>) -> Self {
        Self {
            registry,
            faults,
            server_name: "chat.local".into(),
            password: None,
            motd_file: None,
            case_mapping: CaseMapping::default(),
            flood_limits: FloodLimits {
                burst_lines: 100,
                line_every: Duration::from_millis(20),
                patience_lines: 1000,
            },
            connections_max: 20_000,
            rooms_per_client_max: 50,
            send_limits: SendLimits {
                messages: 1024,
                bytes: 96 * 1024,
            },
            patience: Patience {
                registration: Duration::from_secs(30),
                ping_after: Duration::from_secs(120),
                pong_within: Duration::from_secs(60),
            },
            room_linger: Duration::from_secs(5),
            drain: Duration::from_secs(3),
        }
    }
}
