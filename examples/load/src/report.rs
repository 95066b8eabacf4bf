//! The report of a run, as a person and a script read it.
//!
//! Its field names are a promise: never renamed, only added to.

use serde::Serialize;

use crate::histogram::Percentiles;
use crate::machine::Machine;
use crate::server::ServerUse;
use crate::stamp::Stamp;

/// What a run found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether the figures may be believed; look here first.
    pub stamp: Stamp,
    /// `chat` or `exchange`.
    pub workload: &'static str,
    /// Messages that were due per second.
    pub offered_per_s: f64,
    /// Messages per second that brought everything they should, in time.
    pub achieved_per_s: f64,
    /// From intended to answered, for each answer or delivery: what a user would have waited. The headline.
    pub response_ms: Percentiles,
    /// From sent to answered: what a closed loop would have seen.
    pub service_ms: Percentiles,
    /// From intended to handed to the socket: the generator's own lateness.
    pub send_lag_ms: Percentiles,
    /// Answers or deliveries that were still missing when the run gave up on them.
    pub lost: u64,
    /// Answers or deliveries that came more than once.
    pub duplicated: u64,
    /// Those that came after one that should have come later.
    pub reordered: u64,
    /// Connections lost, messages that could not be sent, complaints of the service.
    pub errors: u64,
    /// What went wrong first, in words.
    pub first_error: Option<String>,
    /// What the service used; `None` if its process is not known or could not be read.
    pub server: Option<ServerUse>,
    /// Clients or sessions of the plan.
    pub clients: usize,
    /// Messages sent.
    pub sent: u64,
    /// Answers or deliveries received.
    pub received: u64,
    /// Messages that had to wait for room in their socket because the service was slow to read.
    pub held_up: u64,
    /// For how many seconds messages were sent.
    pub duration_s: f64,
    /// Whether the run was ended before its time by its caller.
    pub cancelled: bool,
    /// Fingerprint of the intended times: equal for equal rate, duration, seed and distribution.
    pub schedule_hash: String,
    /// The command line of this process.
    pub command: String,
    /// The machine that ran the generator.
    pub machine: Machine,
}
