//! Load for an exchange: FIX 4.4 sessions that place, trade and cancel orders round a middle price.
//!
//! The latency of a message runs to the first answer for its ClOrdID, whatever else follows.

mod fix;
mod flow;
mod session;
mod timestamp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::flow::Flow;
use self::session::FixSession;
use crate::error::Error;
use crate::generator::{self, Arrival, Course};
use crate::ledger::Begins;
use crate::progress::Progress;
use crate::report::{Offer, Report};
use crate::schedule::{Distribution, Schedule};
use crate::session::Workload;

/// Most sessions of one run: one address has some 28,000 ports for outgoing connections by default.
pub const SESSIONS_LEN_MAX: usize = 28_000;

/// Most symbols: what an exchange of this size lists.
pub const SYMBOLS_LEN_MAX: usize = 1_000;

/// An exchange load; start from [`ExchangePlan::new`].
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangePlan {
    /// Where the FIX service listens.
    pub address: SocketAddr,
    /// The service's TargetCompID. Default `EXCHANGE`.
    pub target: String,
    /// Sessions, each with a connection of its own: 1 to [`SESSIONS_LEN_MAX`]. Default 20. With one session its orders can
    /// only meet each other.
    pub sessions: usize,
    /// Orders and cancels offered per second by all sessions together. Default 100.
    pub rate_per_s: f64,
    /// Symbols traded, named `SYM1`, `SYM2` and so on: 1 to [`SYMBOLS_LEN_MAX`]. Default 4.
    pub symbols: usize,
    /// How long messages are sent and measured. Default 10 s.
    pub duration: Duration,
    /// How long messages are sent before that. Default 0 s.
    pub warm_up: Duration,
    /// Equal seeds give equal schedules and equal orders. Default 1.
    pub seed: u64,
    /// How messages are spread over time. Default Poisson.
    pub distribution: Distribution,
    /// Process of the service on this machine, to report what it uses. Default `None`.
    pub server_pid: Option<i32>,
}

impl ExchangePlan {
    /// A small load on the service at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            target: "EXCHANGE".to_owned(),
            sessions: 20,
            rate_per_s: 100.0,
            symbols: 4,
            duration: Duration::from_secs(10),
            warm_up: Duration::ZERO,
            seed: 1,
            distribution: Distribution::default(),
            server_pid: None,
        }
    }

    /// Holds the plan against its bounds, without connecting.
    ///
    /// # Errors
    ///
    /// The first value out of bounds, with the bounds.
    pub fn check(&self) -> Result<(), Error> {
        for (name, value, max) in [
            ("sessions", self.sessions, SESSIONS_LEN_MAX),
            ("symbols", self.symbols, SYMBOLS_LEN_MAX),
        ] {
            if !(1..=max).contains(&value) {
                return Err(Error::plan(format!(
                    "{name} is {value}; expected 1 to {max}"
                )));
            }
        }
        if self.target.is_empty() || !self.target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::plan(format!(
                "target is {:?}; expected a CompID of printable letters",
                self.target
            )));
        }
        self.schedule().map(drop)
    }

    fn schedule(&self) -> Result<Schedule, Error> {
        let duration = self.warm_up + self.duration;
        Schedule::new(self.rate_per_s, duration, self.seed, self.distribution)
    }
}

/// Runs the load until its end, until `cancel` completes (what has come so far is reported), or until the service is gone.
/// Calls `on_progress` once a second. Needs a runtime with its timer enabled.
///
/// # Errors
///
/// A plan out of bounds, a service that cannot be reached or refuses a logon, a cancellation before the first message.
pub async fn run(
    plan: ExchangePlan,
    cancel: impl Future<Output = ()>,
    on_progress: impl FnMut(&Progress),
) -> Result<Report, Error> {
    plan.check()?;
    let schedule = plan.schedule()?;
    let offer = Offer {
        workload: Exchange::NAME,
        profile: "orders",
        distribution: plan.distribution,
        seed: plan.seed,
        burst: None,
        warm_up_s: plan.warm_up.as_secs_f64(),
        closed_loop: false,
        schedule_hash: schedule.hash(),
    };
    let workload = Exchange {
        flow: Arc::new(Flow::new(plan.seed, plan.sessions, plan.symbols)),
        target: Arc::from(plan.target),
        run: std::process::id(),
        sessions: plan.sessions,
    };
    let course = Course {
        address: plan.address,
        schedule,
        warm_up: plan.warm_up,
        begins: Begins::Intended,
        arrival: Arrival::Calm,
        server_pid: plan.server_pid,
    };
    let go = std::future::ready(());
    let outcome = generator::run(workload, course, go, cancel, on_progress).await?;
    let (server, seconds) = outcome.server.unzip();
    Ok(Report::new(
        offer,
        &outcome.account,
        server,
        seconds.unwrap_or_default(),
        outcome.started,
    ))
}

/// The exchange as the generator sees it.
struct Exchange {
    flow: Arc<Flow>,
    target: Arc<str>,
    /// Tells the sessions of one run from those of another at the same service.
    run: u32,
    sessions: usize,
}

impl Workload for Exchange {
    type Session = FixSession;

    const NAME: &'static str = "exchange";

    fn clients(&self) -> usize {
        self.sessions
    }

    fn session(&self, client: usize) -> FixSession {
        let sender = format!("LOAD-{}-{client}", self.run);
        FixSession::new(
            Arc::clone(&self.flow),
            sender,
            Arc::clone(&self.target),
            client,
        )
    }

    /// One answer, from the exchange itself.
    fn expected(&self, _index: usize) -> u32 {
        1
    }

    fn joined(&self, _client: usize) {}

    fn left(&self, _client: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each bound is refused with its value and what was expected; the defaults are fine.
    #[test]
    fn plan_is_checked() {
        let plan = || ExchangePlan::new("127.0.0.1:9878".parse().unwrap());
        plan().check().unwrap();
        for (bad, part) in [
            (
                ExchangePlan {
                    sessions: 0,
                    ..plan()
                },
                "sessions is 0; expected 1 to 28000",
            ),
            (
                ExchangePlan {
                    symbols: 1001,
                    ..plan()
                },
                "symbols is 1001; expected 1 to 1000",
            ),
            (
                ExchangePlan {
                    target: "a\u{1}b".to_owned(),
                    ..plan()
                },
                "expected a CompID",
            ),
            (
                ExchangePlan {
                    duration: Duration::ZERO,
                    ..plan()
                },
                "duration is 0ns",
            ),
        ] {
            let error = bad.check().unwrap_err();
            assert!(
                error.is_plan() && error.to_string().contains(part),
                "{error}"
            );
        }
    }
}
