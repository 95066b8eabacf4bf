//! Reports: from an observation to everybody who wants to know.
//!
//! One thread between the watchdog and the sinks. It symbolises, finds the user's line, writes the event into the
//! ring, the totals and the log. It may be slow or blocked by a subscriber: its inbox is bounded, and what does not
//! fit is counted by the watchdog, which goes on.

mod accounts;
mod compose;
mod log;
mod reporter;
mod ring;
mod stuck;

pub(crate) use accounts::{Accounts, short_path, to_f64};
pub(crate) use reporter::{Message, Reporter, ReporterThread};
pub use ring::Ring;
pub(crate) use stuck::longest_open;
