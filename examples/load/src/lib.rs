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
//! generator itself was late, so that its figures say nothing about the service.
//!
//! Rooms, from pure to edge: [`schedule`] (when), [`chat`] and [`exchange`] (what, as sessions that never touch a socket),
//! [`histogram`] and [`stamp`] (how it is judged); then the private rooms with clocks, threads and sockets. This crate knows
//! the protocols, not the services: it depends on neither.

pub mod chat;
pub mod exchange;
pub mod histogram;
pub mod schedule;
pub mod stamp;

mod client;
mod clock;
mod connection;
mod error;
mod generator;
mod ledger;
mod machine;
mod pacer;
mod progress;
mod report;
mod server;
mod session;
mod stop;

pub use error::Error;
pub use machine::Machine;
pub use progress::Progress;
pub use report::Report;
pub use server::ServerUse;
