//! FIX 4.4, tag=value, the order-entry subset; PURE.
//!
//! Bytes become messages ([`frame`], [`message`]), messages go through the session rules ([`session`]), and what is left is
//! an order ([`order`]). Nothing in this room reads a clock or a socket: time comes in as [`Now`], bytes go out into a buffer.

pub mod frame;
pub mod logon;
pub mod message;
pub mod order;
pub mod reject;
pub mod replay;
mod rules;
pub mod session;
pub mod tag;
pub mod timestamp;

use std::time::Instant;

/// The moment at which something is handled, read once at the edge.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For timers.
    pub instant: Instant,
    /// For `SendingTime` and `TransactTime`: milliseconds since 1970-01-01 UTC.
    pub unix_millis: u64,
}
