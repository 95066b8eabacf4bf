//! A small exchange: FIX 4.4 order entry in front of a price-time matching engine.
//!
//! It is a service to be observed, and teaching code: `README.md` beside it is a tour from pattern to file. The way of an order:
//!
//! 1. [`run`] accepts a connection and spawns one task for it (`server`, `gateway`).
//! 2. The task cuts bytes into messages and runs the session rules ([`fix`]): no clock, no socket in there.
//! 3. A sound order goes through a bounded channel to the one thread that owns the [`engine`] and its [`book`]s.
//! 4. Events come back through the session's bounded queue and leave as execution reports.
//!
//! ```no_run
//! # async fn start(registry: pollscope::metrics::Registry) -> std::io::Result<()> {
//! let faults = faults::Plan::new("exchange", exchange::POINTS);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9878").await?;
//! exchange::run(
//!     listener,
//!     exchange::Options::new(registry, faults.into()),
//!     std::future::pending(),
//! )
//! .await
//! # }
//! ```

pub mod book;
pub mod command;
pub mod decimal;
pub mod ending;
pub mod engine;
mod engine_thread;
pub mod event;
pub mod fix;
mod gateway;
mod logons;
pub mod metrics;
mod options;
pub mod order;
mod outbox;
mod server;

pub use metrics::METRICS;
pub use options::Options;
pub use server::run;

/// Where faults can act in this service.
pub static POINTS: &[faults::Point] = &[
    faults::Point::Handler,
    faults::Point::SendQueue,
    faults::Point::SessionEnd,
];
