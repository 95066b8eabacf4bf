//! Open-loop load for the reference services: real IRC clients for the chat, real FIX sessions for the exchange.
//!
//! *Open loop* means that the times of all messages are computed before the first one is sent, and that a slow answer never
//! delays the next message, as real users do not wait for one another. A message has three times: when it was intended, when
//! it was sent, and when it was answered. The headline is *response time*, from intended to answered: what a user would
//! have waited. A generator that measures from the sending instead hides the very stalls it should show.
//!
//! ```no_run
//! # async fn example() -> Result<(), load::Error> {
//! use load::chat::{self, ChatPlan};
//!
//! let address = "127.0.0.1:6667".parse().expect("an address");
//! let plan = ChatPlan { clients: 100, rate_per_s: 200.0, ..ChatPlan::new(address) };
//! let report = chat::run(plan, std::future::pending(), |progress| eprintln!("{progress}")).await?;
//! println!("{}: p99 {:?} ms", report.stamp, report.response_ms.p99);
//! # Ok(())
//! # }
//! ```
//!
//! Every report is stamped: `OK`, `SATURATED` when the service did not keep up with what was offered, `INVALID` when this
//! generator itself was the limit, so that its figures say nothing about the service. A run of more clients than one process
//! may have files is made of several, whose [`Account`]s add up. [`sweep`] finds the highest rate that meets a goal.
//!
//! That the figures are right is tested, not claimed: [`null`] is a service that answers at once, or after a time that theory
//! can predict, and `docs/load.md` says what else is compared with theory.
//!
//! Rooms, from pure to edge: [`schedule`] (when), [`chat`] and [`exchange`] (what, as sessions that never touch a socket),
//! [`histogram`], [`stamp`] and [`sweep`] (how it is judged); then the private rooms with clocks, threads and sockets. This
//! crate knows the protocols, not the services: it depends on neither.

pub mod chat;
pub mod exchange;
pub mod histogram;
pub mod null;
pub mod schedule;
pub mod stamp;
pub mod sweep;

mod account;
mod build;
mod client;
mod clock;
mod connection;
mod error;
mod generator;
mod ledger;
mod machine;
mod pacer;
mod proc_text;
mod progress;
mod report;
mod seconds;
mod server;
mod session;
mod shared;
mod source;
mod stop;
mod storm;
mod usage;

pub use account::Account;
pub use build::Build;
pub use error::Error;
pub use machine::Machine;
pub use progress::Progress;
pub use report::{Apart, GeneratorUse, Report};
pub use seconds::Second;
pub use server::{Meter, ServerSecond, ServerUse};
