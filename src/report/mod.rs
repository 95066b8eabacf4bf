//! Reports: from an observation to everybody who wants to know.
//!
//! One thread between the watchdog and the sinks. It symbolises, finds the user's line, writes the event into the
//! ring and the totals and leaves it to the log's own thread. It may be slow: its inbox is bounded, and what does not
//! fit is counted by the watchdog, which goes on.

mod accounts;
mod compose;
mod lock;
mod log;
#[cfg(test)]
mod recorded;
mod reporter;
mod ring;
mod standstill;
mod stuck;
mod testimony;

pub(crate) use accounts::{Accounts, short_path, to_f64};
pub(crate) use compose::{close, compose, is_announced, is_elsewhere, keep_better_cause};
pub(crate) use log::LogThread;
pub(crate) use reporter::{Message, Reporter, ReporterThread};
pub use ring::Ring;
pub(crate) use standstill::standstill;
