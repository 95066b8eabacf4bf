//! An IRC chat server to be observed: teaching code that real clients can use.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let registry = pollscope::metrics::Registry::new();
//! let faults = std::sync::Arc::new(faults::Plan::new("chat", chat::POINTS));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:6667").await?;
//! let shutdown = async { /* completes when the server should stop */ };
//! chat::run(listener, chat::Options::new(registry, faults), shutdown).await
//! # }
//! ```
//!
//! Read it from the inside out. The **pure core** takes values and returns values, and knows neither tokio nor a clock:
//! [`protocol`] (bytes to lines to commands and back), [`session`] (what one client may do, and what follows; how fast it may
//! send, how long it may be silent), [`room`] (who is in it, who may what, who gets which line), [`directory`] (who is here).
//! [`hall`] puts them together to a whole server in one value. The **tasks** around it: `room_task` (one task a room, reached
//! by its `room_handle`), `outbox` (the bounded send queue between a room and a connection), `client` (a session's actions
//! carried out), `connection` (one socket), `server` (accept and shutdown), with `shared_directory` as the only shared state
//! and [`METRICS`] as everything that is counted.
//!
//! The order of data is one way: socket → session → room → outbox → socket. Nothing waits against that direction, so
//! nothing can deadlock; where a queue is full, the sender waits (connection → room) or the reader is evicted (room → outbox).

mod client;
mod connection;
pub mod directory;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod hall;
pub mod identity;
mod meters;
mod metrics;
pub mod moment;
mod options;
mod outbox;
pub mod protocol;
pub mod room;
mod room_handle;
mod room_task;
mod server;
pub mod session;
mod shared_directory;

pub use metrics::METRICS;
pub use options::Options;
pub use outbox::SendLimits;
pub use protocol::name::CaseMapping;
pub use server::run;
pub use session::{FloodLimits, Password, Patience};

/// Where faults can act in this service: in the handling of a PRIVMSG and on its way to a room, at the begin of a fan-out, at
/// a full send queue, beside a connection and at its end, and where connections are accepted.
pub static POINTS: &[faults::Point] = &[
    faults::Point::Handler,
    faults::Point::RoomLookup,
    faults::Point::FanOut,
    faults::Point::SendQueue,
    faults::Point::Connection,
    faults::Point::SessionEnd,
    faults::Point::Accept,
];
