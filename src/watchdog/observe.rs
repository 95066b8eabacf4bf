//! What the watchdog hands to the reporter: values only, nothing symbolised yet.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::locks::LockFindings;
use crate::capture::Captured;
use crate::runtime::WatchedRuntime;
use crate::stall::{Judgement, Parts, Phase, Span, Victims, Wait};

/// Who was stalled.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The runtime, if it is still registered.
    pub(crate) runtime: Option<Arc<WatchedRuntime>>,
    /// Worker index.
    pub(crate) worker: Option<usize>,
    /// Thread id.
    pub(crate) tid: i32,
    /// Task id, if it is a task and known.
    pub(crate) task_id: Option<u64>,
    /// Where it was spawned.
    pub(crate) spawned_at: Option<&'static Location<'static>>,
}

/// One observation of a stall.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    /// Number of the stall.
    pub(crate) id: u64,
    /// Open, again or close.
    pub(crate) phase: Phase,
    /// Who.
    pub(crate) subject: Subject,
    /// Begin in milliseconds since the Unix epoch.
    pub(crate) started_at_unix_ms: u64,
    /// Begin and length on the watchdog's clock.
    pub(crate) span: Span,
    /// The threshold that was in force.
    pub(crate) threshold: Duration,
    /// The split of the length.
    pub(crate) parts: Parts,
    /// Why; a close repeats the last.
    pub(crate) judgement: Judgement,
    /// The stack; `None` in a close.
    pub(crate) captured: Option<Captured>,
    /// An earlier stack of the same poll; a culprit is proven only if both blame it.
    pub(crate) earlier: Option<Captured>,
    /// Where it slept most, unless it computed.
    pub(crate) wait: Option<Wait>,
    /// The lock, the other threads and who holds it, for lock waits.
    pub(crate) lock: Option<LockFindings>,
    /// Who has waited for it so far.
    pub(crate) victims: Option<Victims>,
}
