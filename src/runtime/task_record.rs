//! What is known about one task of `pollscope::spawn`, shared by its polls and its wakers.
//!
//! Counted without a clock, a lock or an allocation: its polls have one writer at a time, and so have the wakes from
//! inside a poll; only a wake from another thread, which costs a hundred times that anyway, adds atomically. Its live
//! wakers are not counted at all: they are the references to the record itself.

use std::panic::Location;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use super::coarse_clock::{AtomicStamp, Stamp};
use super::slots;

/// References to a record that are no waker: the registry's and the future's own.
const KEEPERS: usize = 2;

/// The record of one task.
#[derive(Debug)]
pub(crate) struct TaskRecord {
    /// Unlike a task id never used again.
    pub(super) number: u64,
    pub(super) place: AtomicU32,
    spawned_at: &'static Location<'static>,
    born: Duration,
    id: AtomicU64,
    runtime: AtomicU32,
    /// Odd inside a poll.
    seq: AtomicU64,
    self_wakes: AtomicU64,
    other_wakes: AtomicU64,
    /// First wake since the last poll ended, or that end if it was woken in the poll: only then it is in a queue again.
    ready: AtomicStamp,
    last_wake: AtomicStamp,
    /// Tokio's own waker of the task.
    pub(super) inner: OnceLock<Waker>,
}

/// What a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TaskState {
    /// It waits for its first poll.
    NeverPolled,
    /// It is inside a poll.
    Polling,
    /// Woken, it waits for its next poll.
    Ready,
    /// It waits to be woken.
    Waiting,
}

/// A record at one moment.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "a view shows all there is, whoever asks for what")
)]
pub(crate) struct TaskView {
    /// Tells tasks apart for the life of the process, as the id does not.
    pub(crate) number: u64,
    /// Tokio's id; 0 in the instant of the spawn.
    pub(crate) id: u64,
    /// Number of the runtime in the registry; 0 if it is not known.
    pub(crate) runtime: u32,
    /// Where it was spawned.
    pub(crate) spawned_at: &'static Location<'static>,
    /// When, on the clock of `slots::monotonic`, to a look.
    pub(crate) born: Duration,
    /// What it is doing.
    pub(crate) state: TaskState,
    /// Polls begun.
    pub(crate) polls: u64,
    /// Wakes, its own included.
    pub(crate) wakes: u64,
    /// Wakes from inside its own poll.
    pub(crate) self_wakes: u64,
    /// Wakers that somebody holds; `None` where they cannot be counted.
    pub(crate) live_wakers: Option<usize>,
    /// Since when it waits for its poll, or in a poll its first wake; zero if that was while nobody looked.
    pub(crate) ready: Option<Duration>,
    /// The last wake; zero if that was while nobody looked.
    pub(crate) last_wake: Option<Duration>,
}

impl TaskState {
    /// All of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::NeverPolled, Self::Polling, Self::Ready, Self::Waiting];

    /// Its name in labels.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NeverPolled => "never-polled",
            Self::Polling => "polling",
            Self::Ready => "ready",
            Self::Waiting => "waiting",
        }
    }
}

impl TaskRecord {
    pub(super) fn new(number: u64, spawned_at: &'static Location<'static>, runtime: u32) -> Self {
        let now = Stamp::now();
        let known = now.time().filter(|time| !time.is_zero());
        Self {
            number,
            place: AtomicU32::new(u32::MAX),
            spawned_at,
            // Nobody looks at an idle process, where one spawn may read the clock.
            born: known.unwrap_or_else(slots::monotonic),
            id: AtomicU64::new(0),
            runtime: AtomicU32::new(runtime),
            seq: AtomicU64::new(0),
            self_wakes: AtomicU64::new(0),
            other_wakes: AtomicU64::new(0),
            ready: AtomicStamp::new(now),
            last_wake: AtomicStamp::new(Stamp::NEVER),
            inner: OnceLock::new(),
        }
    }

    /// Where the task was spawned.
    #[inline]
    pub(super) fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// The task's id, once it is known.
    #[inline]
    pub(super) fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    /// The task has this id.
    pub(super) fn has_id(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
    }

    /// A poll begins; gives since when the task was ready.
    #[inline]
    pub(super) fn begin_poll(&self) -> Stamp {
        let seq = self.seq.load(Ordering::Relaxed);
        if seq == 0 {
            let here = slots::current_runtime();
            self.runtime.store(here, Ordering::Relaxed);
        }
        let ready = self.ready.load();
        self.ready.store(Stamp::NEVER);
        self.seq.store(seq + 1, Ordering::Relaxed);
        ready
    }

    /// The poll ends. Woken in it, the task waits for its next poll from now on, not from the wake.
    #[inline]
    pub(super) fn end_poll(&self) {
        if self.ready.load().has_happened() {
            self.ready.store(Stamp::now());
        }
        let seq = self.seq.load(Ordering::Relaxed);
        self.seq.store(seq + 1, Ordering::Relaxed);
    }

    /// The task is woken.
    #[inline]
    pub(super) fn note_wake(&self) {
        let now = Stamp::now();
        self.last_wake.store(now);
        if !self.ready.load().has_happened() {
            self.ready.store(now);
        }
        if slots::polls_task(self.id()) {
            let wakes = self.self_wakes.load(Ordering::Relaxed);
            self.self_wakes.store(wakes + 1, Ordering::Relaxed);
        } else {
            self.other_wakes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The record now. Its parts are read one after the other, so they may be a poll apart.
    pub(super) fn view(self: &Arc<Self>) -> TaskView {
        let seq = self.seq.load(Ordering::Relaxed);
        let ready = self.ready.load();
        let self_wakes = self.self_wakes.load(Ordering::Relaxed);
        TaskView {
            number: self.number,
            id: self.id(),
            runtime: self.runtime.load(Ordering::Relaxed),
            spawned_at: self.spawned_at,
            born: self.born,
            state: match (seq, ready.has_happened()) {
                (0, _) => TaskState::NeverPolled,
                (seq, _) if seq % 2 == 1 => TaskState::Polling,
                (_, true) => TaskState::Ready,
                (_, false) => TaskState::Waiting,
            },
            polls: seq.div_ceil(2),
            wakes: self_wakes + self.other_wakes.load(Ordering::Relaxed),
            self_wakes,
            live_wakers: self.live_wakers(),
            ready: ready.time(),
            last_wake: self.last_wake.load().time(),
        }
    }

    /// Until its first poll a task has no waker of ours, only Tokio's own reference.
    fn live_wakers(self: &Arc<Self>) -> Option<usize> {
        self.inner.get()?;
        // One more is kept for the task's next poll.
        Some(Arc::strong_count(self).saturating_sub(KEEPERS + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Woken in a poll, a task waits for its next one from the end of that poll on; not woken, it waits for nothing.
    #[test]
    fn waits_from_the_end_of_its_poll() {
        let record = TaskRecord::new(1, Location::caller(), 0);
        record.begin_poll();
        record.end_poll();
        assert_eq!(record.begin_poll(), Stamp::NEVER);
        let wake = Stamp::at(2);
        record.ready.store(wake);
        record.end_poll();
        let ready = record.begin_poll();
        assert!(ready.has_happened() && ready != wake, "{ready:?}");
    }
}
