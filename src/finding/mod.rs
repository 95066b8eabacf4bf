//! Conditions that are no stalls: no poll is too long, and yet the service suffers.
//!
//! A pure core (`detector`: looks and beats in, findings that open and close out) with a thin sampler on the watchdog's
//! thread. What it says is composed on the reporter's thread, as a stall's report is. It must not know stacks, HTTP or the
//! log.

mod advice;
mod announced;
mod board;
mod compose;
mod counters;
mod detector;
mod driver;
mod event;
mod fact;
mod frequent;
mod judges;
mod kind;
mod ledger;
mod lint;
mod sample;
mod sampler;
mod tasks;
mod thresholds;
mod trend;
mod turns;
mod window;

#[cfg(test)]
pub(crate) use advice::RULES;
pub(crate) use announced::{Announced, Block};
pub(crate) use board::Board;
pub(crate) use compose::{Told, compose, sentence};
pub use event::{Finding, FindingPhase, FindingSubject};
pub use kind::FindingKind;
pub(crate) use ledger::Change;
pub(crate) use sampler::Sampler;
pub use thresholds::{TIME_MAX, TIME_MIN, Thresholds};
