//! The watchdog's own counters, exported as metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::capture::Captured;
use crate::stall::StackVia;

/// What the watchdog did and what it could not do.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    /// Observations that the reporter had no room for.
    pub(crate) dropped: AtomicU64,
    /// Captures that gave a whole stack, by a system call's registers.
    pub(crate) captured_syscall: AtomicU64,
    /// Captures that gave a whole stack, by a signal.
    pub(crate) captured_signal: AtomicU64,
    /// Captures that gave a part of a stack.
    pub(crate) captured_cut: AtomicU64,
    /// Captures that gave nothing.
    pub(crate) captured_none: AtomicU64,
    /// Captures not tried, for the budget.
    pub(crate) captures_saved: AtomicU64,
    /// Captures put off to the next look.
    pub(crate) captures_deferred: AtomicU64,
    /// System calls that signals for stacks may have broken off.
    pub(crate) interrupted_calls: AtomicU64,
    /// Those of them that the thread was known to stand in when it was sent the signal.
    pub(crate) signalled_in_call: AtomicU64,
    /// Times the watchdog was late because the machine was crowded.
    pub(crate) crowded: AtomicU64,
    /// Times it was late because the CPU quota was used up.
    pub(crate) throttled: AtomicU64,
    /// Times the whole process stood still.
    pub(crate) frozen: AtomicU64,
    /// Times the machine was suspended.
    pub(crate) suspended: AtomicU64,
    /// CPU time of the watchdog's thread in nanoseconds.
    pub(crate) cpu_ns: AtomicU64,
    /// Looks at the workers.
    pub(crate) looks: AtomicU64,
}

impl Stats {
    /// Counts a capture by its outcome.
    pub(crate) fn count(&self, captured: &Captured) {
        let counter = match (captured.complete, captured.via) {
            (true, StackVia::Syscall) => &self.captured_syscall,
            (true, StackVia::Signal) => &self.captured_signal,
            (_, StackVia::None) => &self.captured_none,
            (false, StackVia::Syscall | StackVia::Signal) => &self.captured_cut,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
