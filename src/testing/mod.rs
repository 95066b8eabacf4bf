//! A guard for tests: fails a test whose polls block their thread, naming the line.
//!
//! What the kernel counts is the gate, not a clock: a poll that made its thread wait made a *voluntary context switch*,
//! and the kernel counts those for each thread, so a crowded machine cannot fail a test. A count has no line, so a
//! watcher thread looks at guarded threads all the time and takes the stack of one that sleeps inside a poll while it
//! lasts. Every guard is by itself: tests of one process run side by side, with or without a [`Scope`](crate::Scope).

mod allow;
mod guard;
mod ledger;
mod meter;
mod report;
mod seat;
mod violation;
mod watcher;

pub use allow::allow_blocking;
pub use guard::{Guard, is_supported, run};
pub(crate) use meter::Metered;
pub use violation::{Violation, ViolationKind, Violations};
