//! The places in a service where a fault can act.
//!
//! Named after what the service does there, not after a fault, so that a later fault can share a point.

use serde::Serialize;

/// A place in a service where a fault can act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Point {
    /// A task handles one message: faults that block act here, and `blocking-pool-exhausted` hands calls over.
    Handler,
    /// A bounded send queue is full: `unbounded-queue` keeps the message anyway.
    SendQueue,
    /// A connection or session ends: `task-leak` leaves a task behind.
    SessionEnd,
    /// A message is on its way to a room: `lock-across-await` looks the room up in a table of its own.
    RoomLookup,
    /// A room begins to send a line to its members: `giant-room` and `await-in-fanout` act here.
    FanOut,
    /// A connection lives: what may end it or keep its task busy waits beside it.
    Connection,
    /// The service accepts connections. Nothing to call: `fd-exhausted` takes the descriptors of the process.
    Accept,
}

impl Point {
    /// The word used in messages and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::SendQueue => "send-queue",
            Self::SessionEnd => "session-end",
            Self::RoomLookup => "room-lookup",
            Self::FanOut => "fan-out",
            Self::Connection => "connection",
            Self::Accept => "accept",
        }
    }

    /// The point's own bit in a set of points.
    pub(crate) const fn bit(self) -> u8 {
        match self {
            Self::Handler => 1,
            Self::SendQueue => 1 << 1,
            Self::SessionEnd => 1 << 2,
            Self::RoomLookup => 1 << 3,
            Self::FanOut => 1 << 4,
            Self::Connection => 1 << 5,
            Self::Accept => 1 << 6,
        }
    }
}
