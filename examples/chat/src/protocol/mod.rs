//! The protocol: bytes to lines to commands, and replies back to lines; PURE.
//!
//! From the outside in: [`framing`] cuts lines out of a byte stream, [`message`] takes one apart ([`tags`] are the part in front),
//! [`command`] says what it asks for ([`mode`] and [`listing`] read the two commands with a small language of their own).
//! Back: [`numeric`] and [`answer`] word the replies, [`isupport`] announces the limits, [`line`] makes the bytes.
//! [`name`] and [`mask`] say which names are the same and which match, [`capability`] what a client can be sent.
//!
//! Nothing here knows clients, rooms, sockets or a clock.

pub mod answer;
pub mod capability;
pub mod command;
pub mod framing;
pub mod isupport;
pub mod line;
pub mod listing;
pub mod mask;
pub mod message;
pub mod mode;
pub mod motd;
pub mod name;
pub mod numeric;
pub mod tags;
pub mod timestamp;
pub mod verb;
