//! The watchdog: one thread that owns time.
//!
//! It looks at every slot a few times a threshold while any worker is awake and sleeps without a timer when all are
//! parked. What a look means is decided by `stall` (pure); this room reads clocks and `/proc`, captures, and hands
//! observations to the reporter. It never symbolises, formats or logs: a subscriber that blocks must not blind it.

mod capture_budgets;
mod captures;
mod locks;
mod observe;
mod pace;
mod probing;
mod roster;
mod rounds;
mod source;
mod standstill;
mod stats;
mod thread;
mod victims;
mod watch;
mod worker;

pub(crate) use locks::{HeldBy, LockFindings};
pub(crate) use observe::{Observed, Subject};
pub(crate) use pace::{Lateness, lateness};
pub(crate) use rounds::Rounds;
pub(crate) use standstill::{Beside, Standstill};
pub(crate) use stats::Stats;
pub(crate) use thread::WatchdogThread;
pub(crate) use watch::Watch;
pub(crate) use worker::{OpenReport, Worker};
