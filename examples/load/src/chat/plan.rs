//! What a chat load is to be, held against its bounds, and the report of a run of it. Pure.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::hall::Hall;
use super::part::Part;
use super::profile::Profile;
use super::rooms::ROOM_SIZE_MIN;
use crate::account::Account;
use crate::error::Error;
use crate::generator::{Arrival, Course};
use crate::ledger::Begins;
use crate::report::{Offer, Report};
use crate::schedule::{Burst, Distribution, Pacing, Schedule};
use crate::server::{ServerSecond, ServerUse};
use crate::session::Role;
use crate::source;

/// Name of the load in reports.
pub(super) const NAME: &str = "chat";

/// Most clients of one run: what ten addresses of the loopback network have ports for.
pub const CLIENTS_LEN_MAX: usize = source::CLIENTS_LEN_MAX;

/// Most pairs of receiver and sender in one process: each takes four bytes of memory to watch the order, 200 MB in all.
const PAIRS_LEN_MAX: usize = 50_000_000;

/// A chat load; start from [`ChatPlan::new`].
#[derive(Debug, Clone, PartialEq)]
pub struct ChatPlan {
    /// Where the IRC service listens.
    pub address: SocketAddr,
    /// Clients, each with a connection of its own: 2 to [`CLIENTS_LEN_MAX`]. Default 100.
    pub clients: usize,
    /// Members of a room: 2 to `clients`. Rooms are of equal size, a few members larger if it does not divide; by
    /// [`Profile::Zipf`] it is the mean. Default 50.
    pub room_size: usize,
    /// What the clients do. Default [`Profile::Rooms`].
    pub profile: Profile,
    /// Messages offered per second by all clients together; in a storm the clients and the duration say it. Default 100.
    pub rate_per_s: f64,
    /// How long messages are sent and measured. Default 10 s.
    pub duration: Duration,
    /// How long messages are sent before that; a storm has none. Default 0 s.
    pub warm_up: Duration,
    /// Equal seeds give equal schedules. Default 1.
    pub seed: u64,
    /// How messages are spread over time. Default Poisson.
    pub distribution: Distribution,
    /// A while of a higher rate. Default `None`.
    pub burst: Option<Burst>,
    /// Whether a slow answer delays the next message. Default [`Pacing::Open`]; the other only shows an error.
    pub pacing: Pacing,
    /// Process of the service on this machine, to report what it uses. Default `None`.
    pub server_pid: Option<i32>,
    /// Which part of the clients this process has. Default all.
    pub part: Part,
}

impl ChatPlan {
    /// A small load on the service at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            clients: 100,
            room_size: 50,
            profile: Profile::default(),
            rate_per_s: 100.0,
            duration: Duration::from_secs(10),
            warm_up: Duration::ZERO,
            seed: 1,
            distribution: Distribution::default(),
            burst: None,
            pacing: Pacing::default(),
            server_pid: None,
            part: Part::whole(),
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
        if !(ROOM_SIZE_MIN..=self.clients).contains(&self.room_size) {
            return Err(Error::plan(format!(
                "room size is {}; expected 2 to the number of clients, {}",
                self.room_size, self.clients
            )));
        }
        self.check_part()?;
        if self.pacing == Pacing::Closed && self.profile.is_storm() {
            return Err(Error::plan(
                "a storm is not a closed loop; expected another profile".to_owned(),
            ));
        }
        self.schedule().map(drop)
    }

    /// Whether what this process has is possible by itself.
    fn check_part(&self) -> Result<(), Error> {
        let clients = self.part.len(self.clients);
        let (others, role) = self.profile.others(clients);
        let len_min = ROOM_SIZE_MIN + others;
        if !self.part.is_one() || clients < len_min {
            return Err(Error::plan(format!(
                "{clients} clients in part {} of {}; expected at least {len_min} in each",
                self.part.index, self.part.of
            )));
        }
        if role != Role::Member && self.room_size < ROOM_SIZE_MIN + 1 {
            return Err(Error::plan(format!(
                "room size is {}; expected at least 3, so that two talk beside one who does not",
                self.room_size
            )));
        }
        let pairs = self.hall().rooms.pairs();
        if self.profile.has_rooms() && pairs > PAIRS_LEN_MAX {
            return Err(Error::plan(format!(
                "clients times room size is {pairs}; expected at most {PAIRS_LEN_MAX}"
            )));
        }
        Ok(())
    }

    /// The times of all processes' messages.
    fn whole_schedule(&self) -> Result<Schedule, Error> {
        match self.profile {
            Profile::Storm => Schedule::spread(self.clients, self.duration, self.duration),
            Profile::Reconnect => Schedule::spread(self.clients, Duration::ZERO, self.duration),
            _ => Schedule::with_burst(
                self.rate_per_s,
                self.warm_up + self.duration,
                self.seed,
                self.distribution,
                self.burst,
            ),
        }
    }

    fn schedule(&self) -> Result<Schedule, Error> {
        let whole = self.whole_schedule()?;
        Ok(self.part.schedule(&whole))
    }

    pub(super) fn hall(&self) -> Hall {
        let clients = self.part.len(self.clients);
        let rooms = Hall::rooms_for(self.profile, clients, self.room_size.min(clients));
        let first = self.part.first(self.clients);
        let hall = Hall::new(self.profile, rooms, first, self.part.run);
        match self.pacing {
            Pacing::Open => hall,
            Pacing::Closed => hall.with_one_talker(),
        }
    }

    fn warm_up(&self) -> Duration {
        if self.profile.is_storm() {
            Duration::ZERO
        } else {
            self.warm_up
        }
    }

    pub(super) fn course(&self) -> Result<Course, Error> {
        Ok(Course {
            address: self.address,
            schedule: self.schedule()?,
            warm_up: self.warm_up(),
            begins: match self.pacing {
                Pacing::Open => Begins::Intended,
                Pacing::Closed => Begins::Sent,
            },
            arrival: match self.profile {
                Profile::Storm => Arrival::Storm,
                Profile::Reconnect => Arrival::Reconnect,
                _ => Arrival::Calm,
            },
            server_pid: self.server_pid,
        })
    }

    /// The report of a run of this plan by several processes, from the account that they add up to, what the service used,
    /// and when the first message was due.
    ///
    /// # Errors
    ///
    /// A plan out of bounds.
    pub fn report(
        &self,
        account: &Account,
        server: Option<(ServerUse, Vec<ServerSecond>)>,
        started: SystemTime,
    ) -> Result<Report, Error> {
        let offer = Offer {
            workload: NAME,
            profile: self.profile.name(),
            distribution: if self.profile.is_storm() {
                Distribution::Constant
            } else {
                self.distribution
            },
            seed: self.seed,
            burst: self.burst.filter(|_| !self.profile.is_storm()),
            warm_up_s: self.warm_up().as_secs_f64(),
            closed_loop: self.pacing == Pacing::Closed,
            schedule_hash: self.whole_schedule()?.hash(),
        };
        let (server, seconds) = server.unzip();
        Ok(Report::new(
            offer,
            account,
            server,
            seconds.unwrap_or_default(),
            started,
        ))
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
                "clients is 1; expected 2 to 250000",
            ),
            (
                ChatPlan {
                    clients: 300_000,
                    ..plan()
                },
                "clients is 300000",
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

    /// Goal: what a profile, a closed loop or a part cannot be is refused likewise.
    #[test]
    fn kinds_are_checked() {
        for (bad, part) in [
            (
                ChatPlan {
                    profile: Profile::Slow,
                    room_size: 2,
                    ..plan()
                },
                "room size is 2; expected at least 3",
            ),
            (
                ChatPlan {
                    profile: Profile::Storm,
                    pacing: Pacing::Closed,
                    ..plan()
                },
                "a storm is not a closed loop",
            ),
            (
                ChatPlan {
                    part: Part::new(3, 3, 1),
                    ..plan()
                },
                "part 3 of 3",
            ),
            (
                ChatPlan {
                    clients: 4,
                    room_size: 4,
                    part: Part::new(0, 3, 1),
                    profile: Profile::Churn,
                    ..plan()
                },
                "2 clients in part 0 of 3; expected at least 3",
            ),
        ] {
            let error = bad.check().unwrap_err();
            assert!(
                error.is_plan() && error.to_string().contains(part),
                "{error}"
            );
        }
    }

    /// Goal: the processes of a run have the clients and messages of the run between them, and the same hash in the report.
    #[test]
    fn parts_make_the_whole() {
        for profile in [Profile::Rooms, Profile::Storm] {
            let whole = ChatPlan {
                profile,
                clients: 101,
                ..plan()
            };
            let parts = [0, 1, 2].map(|index| ChatPlan {
                part: Part::new(index, 3, 1),
                ..whole.clone()
            });
            let (mut clients, mut messages) = (0, 0);
            for part in &parts {
                part.check().unwrap();
                assert_eq!(part.hall().number(0), clients);
                clients += part.hall().rooms.clients();
                let schedule = part.schedule().unwrap();
                messages += schedule.intended_ns().len();
                if profile.is_storm() {
                    assert_eq!(schedule.intended_ns().len(), part.hall().rooms.clients());
                }
                assert_eq!(
                    part.whole_schedule().unwrap().hash(),
                    whole.whole_schedule().unwrap().hash()
                );
            }
            assert_eq!(clients, 101);
            assert_eq!(messages, whole.schedule().unwrap().intended_ns().len());
        }
    }
}
