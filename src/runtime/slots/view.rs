//! One look at a slot by another thread: plain values, to be compared with those of the look before.
//!
//! A look is tried again until nothing has moved on while it read. Loads mirror the order of the stores in `slot`.

use std::panic::Location;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::slot::{CLAIMED, Slot};
use crate::primitives::fence;

/// Attempts at one consistent look; a poll under a microsecond can spoil a few.
const VIEW_ATTEMPTS_MAX: usize = 4;

/// What the watchdog reads from a slot in one look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlotView {
    /// Sequence number; odd inside a poll.
    pub(crate) seq: u64,
    /// Distinguishes threads that use the same slot one after the other.
    pub(crate) generation: u64,
    /// Task being polled; 0 for a `block_on` root.
    pub(crate) task_id: u64,
    /// Where it was spawned.
    pub(crate) spawned_at: Option<&'static Location<'static>>,
    /// Thread id.
    pub(crate) tid: i32,
    /// Number of the runtime in the registry.
    pub(crate) runtime: u32,
    /// Worker index or [`NO_WORKER`](super::NO_WORKER).
    pub(crate) worker: u32,
    /// When this thread became that worker, as a running number: the latest claim is the true one.
    pub(crate) worker_since: u64,
    /// The thread's stack.
    pub(crate) stack: (u64, u64),
    /// The thread's thread pointer, next to its thread-local storage.
    pub(crate) thread_pointer: u64,
    /// Whether the worker is idle.
    pub(crate) parked: bool,
    /// Whether task, thread and sequence number belong together.
    pub(super) is_consistent: bool,
    /// End of the flagged poll, if it was stamped: (its odd sequence number, monotonic time).
    pub(crate) ended: (u64, Duration),
    /// CPU time of the thread at that end, if it could be read.
    pub(crate) ended_cpu: Option<Duration>,
}

impl SlotView {
    /// Whether a poll was running.
    pub(crate) fn in_poll(&self) -> bool {
        self.seq % 2 == 1
    }
}

impl Slot {
    /// The last stamped end, also when the thread is gone: (odd sequence number, monotonic time).
    pub(super) fn last_end(&self) -> Option<(u64, Duration)> {
        let seq = self.ended_seq.load(Ordering::Acquire);
        (seq != 0).then(|| {
            (
                seq,
                Duration::from_nanos(self.ended_ns.load(Ordering::Relaxed)),
            )
        })
    }

    /// Changes with every poll of whoever holds the slot.
    pub(crate) fn heartbeats(&self) -> u64 {
        self.seq.load(Ordering::Relaxed)
    }

    /// One consistent look; `None` for a slot nobody holds. A slot that changes at every attempt is between polls for
    /// all that a look can tell.
    pub(crate) fn view(&self) -> Option<SlotView> {
        let mut view = self.attempt()?;
        for _ in 0..VIEW_ATTEMPTS_MAX {
            if view.is_consistent {
                return Some(view);
            }
            view = self.attempt()?;
        }
        view.seq &= !1;
        Some(view)
    }

    pub(super) fn attempt(&self) -> Option<SlotView> {
        if self.state.load(Ordering::Acquire) != CLAIMED {
            return None;
        }
        let generation = self.generation.load(Ordering::Acquire);
        let ended_seq = self.ended_seq.load(Ordering::Acquire);
        let seq = self.seq.load(Ordering::Acquire);
        let view = SlotView {
            seq,
            generation,
            task_id: self.task_id.load(Ordering::Relaxed),
            spawned_at: self.spawned_at.load(),
            tid: self.tid.load(Ordering::Relaxed),
            runtime: self.runtime.load(Ordering::Relaxed),
            worker: self.worker.load(Ordering::Relaxed),
            worker_since: self.worker_since.load(Ordering::Relaxed),
            stack: (
                self.stack_low.load(Ordering::Relaxed),
                self.stack_top.load(Ordering::Relaxed),
            ),
            thread_pointer: self.thread_pointer.load(Ordering::Relaxed),
            parked: self.parked.load(Ordering::Relaxed),
            is_consistent: false,
            ended: (
                ended_seq,
                Duration::from_nanos(self.ended_ns.load(Ordering::Relaxed)),
            ),
            ended_cpu: Some(self.ended_cpu_ns.load(Ordering::Relaxed))
                .filter(|ns| *ns != 0)
                .map(Duration::from_nanos),
        };
        // Task and thread belong to the sequence number only if nothing has moved on while they were read.
        fence(Ordering::Acquire);
        let is_same_poll = self.seq.load(Ordering::Relaxed) == seq;
        // In this order: a slot that was claimed anew shows its new generation.
        let is_claimed = self.state.load(Ordering::Acquire) == CLAIMED;
        let is_same_thread = self.generation.load(Ordering::Relaxed) == generation;
        is_claimed.then_some(SlotView {
            is_consistent: is_same_poll && is_same_thread,
            ..view
        })
    }
}
