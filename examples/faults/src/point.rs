//! The places in a service where a fault can act.
//!
//! Named after what the service does there, not after a fault, so that a later fault can share a point.

use serde::Serialize;

/// A place in a service where a fault can act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Point {
    /// A task handles one message: faults that block act here.
    Handler,
    /// A bounded send queue is full: `unbounded-queue` keeps the message anyway.
    SendQueue,
    /// A connection or session ends: `task-leak` leaves a task behind.
    SessionEnd,
}

impl Point {
    /// The word used in messages and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::SendQueue => "send-queue",
            Self::SessionEnd => "session-end",
        }
    }

    /// The point's own bit in a set of points.
    pub(crate) const fn bit(self) -> u8 {
        match self {
            Self::Handler => 1,
            Self::SendQueue => 1 << 1,
            Self::SessionEnd => 1 << 2,
        }
    }
}
