//! Load for a chat: IRC clients in rooms of equal size, each message delivered to everybody else in its room.
//!
//! The text of a message carries its sender, number and intended time, so that every receiver can tell what came late,
//! twice, out of order or not at all.

mod arrivals;
mod line;
mod rooms;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use self::rooms::Rooms;
use self::session::IrcSession;
use crate::error::Error;
use crate::generator;
use crate::progress::Progress;
use crate::report::Report;
use crate::schedule::{Distribution, Schedule};
use crate::session::Workload;

/// Most clients of one run: one address has some 28,000 ports for outgoing connections by default.
pub const CLIENTS_LEN_MAX: usize = 28_000;

/// Most pairs of receiver and sender: each takes four bytes of memory to watch the order, 200 MB in all.
const PAIRS_LEN_MAX: usize = 50_000_000;

/// A chat load; start from [`ChatPlan::new`].
#[derive(Debug, Clone, PartialEq)]
pub struct ChatPlan {
    /// Where the IRC service listens.
    pub address: SocketAddr,
    /// Clients, each with a connection of its own: 2 to [`CLIENTS_LEN_MAX`]. Default 100.
    pub clients: usize,
    /// Members of a room: 2 to `clients`. Rooms are of equal size, a few members larger if it does not divide. Default 10.
    pub room_size: usize,
    /// Messages offered per second by all clients together. Default 100.
    pub rate_per_s: f64,
    /// How long messages are sent. Default 10 s.
    pub duration: Duration,
    /// Equal seeds give equal schedules. Default 1.
    pub seed: u64,
    /// How messages are spread over time. Default Poisson.
    pub distribution: Distribution,
    /// Process of the service on this machine, to report what it uses. Default `None`.
    pub server_pid: Option<i32>,
}

impl ChatPlan {
    /// A small load on the service at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            clients: 100,
            room_size: 10,
            rate_per_s: 100.0,
            duration: Duration::from_secs(10),
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
        if !(2..=CLIENTS_LEN_MAX).contains(&self.clients) {
            return Err(Error::plan(format!(
                "clients is {}; expected 2 to {CLIENTS_LEN_MAX}",
                self.clients
            )));
        }
        if !(2..=self.clients).contains(&self.room_size) {
            return Err(Error::plan(format!(
                "room size is {}; expected 2 to the number of clients, {}",
                self.room_size, self.clients
            )));
        }
        let pairs = self.clients.saturating_mul(self.room_size);
        if pairs > PAIRS_LEN_MAX {
            return Err(Error::plan(format!(
                "clients times room size is {pairs}; expected at most {PAIRS_LEN_MAX}"
            )));
        }
        self.schedule().map(drop)
    }

    fn schedule(&self) -> Result<Schedule, Error> {
        Schedule::new(self.rate_per_s, self.duration, self.seed, self.distribution)
    }
}

/// Runs the load until its end, until `cancel` completes (what has come so far is reported), or until the service is gone.
/// Calls `on_progress` once a second. Needs a runtime with its timer enabled.
///
/// # Errors
///
/// A plan out of bounds, a service that cannot be reached or lets a client not in, a cancellation before the first message.
pub async fn run(
    plan: ChatPlan,
    cancel: impl Future<Output = ()>,
    on_progress: impl FnMut(&Progress),
) -> Result<Report, Error> {
    plan.check()?;
    let schedule = plan.schedule()?;
    let workload = Chat::new(Rooms::new(plan.clients, plan.room_size), std::process::id());
    generator::run(
        workload,
        plan.address,
        schedule,
        plan.server_pid,
        cancel,
        on_progress,
    )
    .await
}

/// The chat as the generator sees it.
struct Chat {
    rooms: Arc<Rooms>,
    /// Tells the clients of one run from those of another at the same service.
    run: u32,
    /// Clients that are in, by room.
    present: Vec<AtomicU32>,
}

impl Chat {
    fn new(rooms: Rooms, run: u32) -> Self {
        Self {
            present: (0..rooms.len()).map(|_| AtomicU32::new(0)).collect(),
            rooms: Arc::new(rooms),
            run,
        }
    }

    fn present(&self, client: usize) -> &AtomicU32 {
        &self.present[self.rooms.room_of(client)]
    }
}

impl Workload for Chat {
    type Session = IrcSession;

    const NAME: &'static str = "chat";

    fn clients(&self) -> usize {
        self.rooms.clients()
    }

    fn session(&self, client: usize) -> IrcSession {
        IrcSession::new(Arc::clone(&self.rooms), client, self.run)
    }

    /// Everybody who is in the room but the sender.
    fn expected(&self, index: usize) -> u32 {
        self.present(self.sender(index))
            .load(Ordering::Relaxed)
            .saturating_sub(1)
    }

    fn joined(&self, client: usize) {
        self.present(client).fetch_add(1, Ordering::Relaxed);
    }

    fn left(&self, client: usize) {
        self.present(client).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> ChatPlan {
        ChatPlan::new("127.0.0.1:6667".parse().unwrap())
    }

    /// Goal: each bound is refused with its value and what was expected; the defaults are fine.
    #[test]
    fn plan_is_checked() {
        plan().check().unwrap();
        for (bad, part) in [
            (
                ChatPlan {
                    clients: 1,
                    ..plan()
                },
                "clients is 1; expected 2 to 28000",
            ),
            (
                ChatPlan {
                    clients: 30_000,
                    ..plan()
                },
                "clients is 30000",
            ),
            (
                ChatPlan {
                    room_size: 1,
                    ..plan()
                },
                "room size is 1; expected 2 to the number of clients, 100",
            ),
            (
                ChatPlan {
                    room_size: 101,
                    ..plan()
                },
                "room size is 101",
            ),
            (
                ChatPlan {
                    clients: 10_000,
                    room_size: 10_000,
                    ..plan()
                },
                "100000000; expected at most 50000000",
            ),
            (
                ChatPlan {
                    rate_per_s: 0.0,
                    ..plan()
                },
                "rate is 0",
            ),
        ] {
            let error = bad.check().unwrap_err();
            assert!(
                error.is_plan() && error.to_string().contains(part),
                "{error}"
            );
        }
    }

    /// Goal: a message is expected by the others who are in its room at that moment, nobody else.
    #[test]
    fn expects_who_is_present() {
        let chat = Chat::new(Rooms::new(4, 2), 1);
        assert_eq!(chat.expected(0), 0);
        for client in 0..4 {
            chat.joined(client);
        }
        assert_eq!(
            (chat.expected(0), chat.expected(1), chat.expected(6)),
            (1, 1, 1)
        );
        chat.left(2);
        assert_eq!((chat.expected(0), chat.expected(1)), (0, 1));
    }
}
