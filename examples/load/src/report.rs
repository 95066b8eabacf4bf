//! The report of a run, as a person and a script read it.
//!
//! Its field names are a promise: never renamed, only added to.

use std::io::{self, Write};
use std::time::SystemTime;

use serde::Serialize;

use crate::account::Account;
use crate::build::Build;
use crate::histogram::{CurvePoint, Percentiles};
use crate::machine::Machine;
use crate::null::Floor;
use crate::schedule::{Burst, Distribution};
use crate::seconds::{Second, Seconds};
use crate::server::{ServerSecond, ServerUse};
use crate::stamp::{Grounds, Stamp};

/// A message sent so much after its time was sent late: 1 ms, in nanoseconds.
const LATE_NS: u64 = 1_000_000;

/// What a run found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether the figures may be believed; look here first.
    pub stamp: Stamp,
    /// Why they may not, if so.
    pub stamp_reason: Option<String>,
    /// `chat` or `exchange`.
    pub workload: &'static str,
    /// What the clients do, by name.
    pub profile: &'static str,
    /// Messages that were due per second, after the warm-up.
    pub offered_per_s: f64,
    /// Messages per second that brought everything they should, in time.
    pub achieved_per_s: f64,
    /// Answers or deliveries per second, after the warm-up.
    pub deliveries_per_s: f64,
    /// From intended to answered, for each answer or delivery: what a user would have waited. The headline. If
    /// `closed_loop` is true, from sent to answered, which is the mistake that a closed loop makes.
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
    /// The clients that are told apart, if the profile has some.
    pub apart: Option<Apart>,
    /// What the service used; `None` if its process is not known or could not be read.
    pub server: Option<ServerUse>,
    /// The same, second by second.
    pub server_seconds: Vec<ServerSecond>,
    /// What the generator itself used.
    pub generator: GeneratorUse,
    /// What the same generator measures against a service that answers at once; `None` if that was not asked for.
    pub null_server: Option<Floor>,
    /// Clients or sessions of the plan.
    pub clients: usize,
    /// Messages sent, those of the warm-up too, as all counts.
    pub sent: u64,
    /// Answers or deliveries received.
    pub received: u64,
    /// Messages after the warm-up that were sent more than a millisecond late; late, but never left out.
    pub sent_late: u64,
    /// Messages that had to wait for room in their socket because the service was slow to read.
    pub held_up: u64,
    /// How long it took until all clients were in.
    pub connect_s: f64,
    /// For how many seconds messages were sent and measured.
    pub duration_s: f64,
    /// For how many seconds messages were sent before that. Their times are left out, their arrival is not.
    pub warm_up_s: f64,
    /// From the start to the last answer, the warm-up included.
    pub last_answer_s: f64,
    /// Whether the run was ended before its time by its caller.
    pub cancelled: bool,
    /// Whether each message waited for the answer before: such a run shows an error, not the service.
    pub closed_loop: bool,
    /// How messages were spread.
    pub distribution: Distribution,
    /// What the schedule was made from, beside rate, duration and distribution.
    pub seed: u64,
    /// A while of a higher rate, if there was one.
    pub burst: Option<Burst>,
    /// Fingerprint of the intended times: equal for equal rate, duration, seed and distribution.
    pub schedule_hash: String,
    /// The distribution of the response times, for a plot.
    pub curve: Vec<CurvePoint>,
    /// The response times by the second in which the answers came.
    pub seconds: Vec<Second>,
    /// The command line of this process.
    pub command: String,
    /// What this program was built from and how.
    pub build: Build,
    /// The machine that ran the generator.
    pub machine: Machine,
    #[serde(skip)]
    pub(crate) intervals: Seconds,
    #[serde(skip)]
    pub(crate) started: SystemTime,
}

/// Clients that are told apart from the others: slow readers, those that never read, those that come and go.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Apart {
    /// How many.
    pub clients: usize,
    /// What they waited: slow readers for messages, movers for joining and parting. From intended to answered.
    pub response_ms: Percentiles,
    /// Connections of theirs that the service closed.
    pub closed: u64,
}

/// What the generator itself used while it sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GeneratorUse {
    /// Processes.
    pub processes: usize,
    /// CPU time of the busiest reading thread, in percent of a core; `None` if the kernel does not tell.
    pub reading_cpu_pct: Option<f64>,
    /// Time that the busiest pacing thread was not waiting for the next message, in percent.
    pub pacing_cpu_pct: Option<f64>,
}

impl Apart {
    fn of(account: &Account) -> Option<Self> {
        (account.apart_clients > 0).then(|| Self {
            clients: account.apart_clients,
            response_ms: account.apart.percentiles(),
            closed: account.apart_closed,
        })
    }
}

impl GeneratorUse {
    fn of(account: &Account) -> Self {
        Self {
            processes: account.processes,
            reading_cpu_pct: account.reading_cpu_pct,
            pacing_cpu_pct: account.pacing_cpu_pct,
        }
    }
}

/// What a plan says of itself in the report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Offer {
    pub(crate) workload: &'static str,
    pub(crate) profile: &'static str,
    pub(crate) distribution: Distribution,
    pub(crate) seed: u64,
    pub(crate) burst: Option<Burst>,
    pub(crate) warm_up_s: f64,
    pub(crate) closed_loop: bool,
    pub(crate) schedule_hash: String,
}

impl Report {
    /// The report of a run that was offered `offer`, came to `account` and began at `started`.
    pub(crate) fn new(
        offer: Offer,
        account: &Account,
        server: Option<ServerUse>,
        server_seconds: Vec<ServerSecond>,
        started: SystemTime,
    ) -> Self {
        let seconds = account.measured_s.max(f64::MIN_POSITIVE);
        let (offered_per_s, achieved_per_s) = (
            account.offered as f64 / seconds,
            account.completed as f64 / seconds,
        );
        let response_ms = account.response.percentiles();
        let send_lag_ms = account.send_lag.percentiles();
        let (stamp, stamp_reason) = Stamp::judge(&Grounds {
            offered_per_s,
            achieved_per_s,
            send_lag_p99_ms: send_lag_ms.p99,
            response_p99_ms: response_ms.p99,
            generator_cpu_pct: account.generator_cpu_pct(),
        });
        Self {
            stamp,
            stamp_reason,
            workload: offer.workload,
            profile: offer.profile,
            offered_per_s,
            achieved_per_s,
            deliveries_per_s: response_ms.count as f64 / seconds,
            response_ms,
            service_ms: account.service.percentiles(),
            send_lag_ms,
            lost: account.lost,
            duplicated: account.duplicated,
            reordered: account.reordered,
            errors: account.errors,
            first_error: account.first_error.clone(),
            apart: Apart::of(account),
            server,
            server_seconds,
            generator: GeneratorUse::of(account),
            null_server: None,
            clients: account.clients,
            sent: account.sent,
            received: account.received,
            sent_late: account.send_lag.count_above(LATE_NS),
            held_up: account.held_up,
            connect_s: account.connect_s,
            duration_s: account.measured_s,
            warm_up_s: offer.warm_up_s,
            last_answer_s: account.last_s,
            cancelled: account.cancelled,
            closed_loop: offer.closed_loop,
            distribution: offer.distribution,
            seed: offer.seed,
            burst: offer.burst,
            schedule_hash: offer.schedule_hash,
            curve: account.response.curve(),
            seconds: account.seconds.summaries(),
            command: std::env::args().collect::<Vec<_>>().join(" "),
            build: Build::this(),
            machine: Machine::here(),
            intervals: account.seconds.clone(),
            started,
        }
    }

    /// Whether the figures may be believed and nothing is missing.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.stamp == Stamp::Ok && self.lost == 0
    }

    /// Writes the response times as an interval log, which HdrHistogram's own tools read: a histogram a second, in
    /// nanoseconds.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn write_interval_log(&self, out: &mut impl Write) -> io::Result<()> {
        let comment = format!("{} {}", self.workload, self.command);
        self.intervals.write_log(out, self.started, &comment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::tests::account;

    fn report(account: &Account) -> Report {
        let offer = Offer {
            workload: "chat",
            profile: "rooms",
            distribution: Distribution::Poisson,
            seed: 1,
            burst: None,
            warm_up_s: 1.0,
            closed_loop: false,
            schedule_hash: "0".to_owned(),
        };
        Report::new(offer, account, None, Vec::new(), SystemTime::UNIX_EPOCH)
    }

    /// Goal: a busy thread of the generator makes the report worthless, a lost message makes it not good.
    #[test]
    fn good_is_ok_and_complete() {
        assert!(report(&account(100)).is_good());
        let mut lossy = account(100);
        lossy.lost = 1;
        assert!(!report(&lossy).is_good());
        let mut busy = account(100);
        busy.reading_cpu_pct = Some(95.0);
        let busy = report(&busy);
        assert_eq!(busy.stamp, Stamp::Invalid);
        assert!(busy.stamp_reason.unwrap().contains("GENERATOR-LIMITED"));
    }

    /// Goal: clients that are told apart appear only where there are some.
    #[test]
    fn apart_only_where_some_are() {
        assert_eq!(report(&account(10)).apart, None);
        let mut slow = account(10);
        slow.apart_clients = 2;
        assert_eq!(report(&slow).apart.unwrap().clients, 2);
    }
}
