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
//! Read it from the inside out. The **pure core** takes values and returns values: [`message`] (one line of IRC),
//! [`codec`] (lines out of bytes), [`command`] (what a message asks for), [`session`] (what one client may do, and what
//! follows), [`numeric`] and `answer` (replies), [`name`] (which names are the same), [`keepalive`] (when silence is too
//! long). The **tasks** around it: `room` (one task a room), `outbox` (the bounded send queue between a room and a
//! connection), `client` (a session's actions carried out), `connection` (one socket), `server` (accept and shutdown),
//! with `directory` as the only shared state and [`METRICS`] as everything that is counted.
//!
//! The order of data is one way: socket → session → room → outbox → socket. Nothing waits against that direction, so
//! nothing can deadlock; where a queue is full, the sender waits (connection → room) or the reader is evicted (room → outbox).

mod answer;
mod client;
pub mod codec;
pub mod command;
mod connection;
mod directory;
pub mod keepalive;
pub mod message;
mod meters;
mod metrics;
pub mod name;
pub mod numeric;
mod options;
mod outbox;
mod room;
mod server;
pub mod session;

pub use keepalive::Patience;
pub use metrics::METRICS;
pub use options::Options;
pub use outbox::SendLimits;
pub use server::run;

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
