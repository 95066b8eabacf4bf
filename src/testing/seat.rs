//! One guarded thread, as its own meter and the watcher share it.
//!
//! The thread only stores: an odd number while it is in a poll. The watcher looks, and holds `sight` while it takes a
//! stack, so that a poll that blocked cannot end before its stack is written down.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use crate::capture::{Captured, sys};
use crate::procfs::{SyscallState, ThreadFiles};
use crate::stall::WaitObject;

/// A thread that runs polls under a guard.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) tid: i32,
    pub(super) stack: Range<u64>,
    poll: AtomicU64,
    cpu_ns_at_begin: AtomicU64,
    /// Whether the poll is inside `allow_blocking`.
    is_allowed: AtomicBool,
    /// Whether the poll is over and only waits for the watcher.
    is_ending: AtomicBool,
    sight: Mutex<Sight>,
}

/// What the watcher has seen of one poll.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) files: ThreadFiles,
    /// The poll that it belongs to.
    pub(super) poll: u64,
    /// Where the thread slept at the last look.
    pub(super) last: Option<SyscallState>,
    pub(super) sightings: Vec<Sighting>,
}

/// One place where a poll was seen.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    pub(super) captured: Captured,
    /// Whether it slept there; otherwise it computed beyond its limit.
    pub(super) is_asleep: bool,
    /// How many waits were seen there: looks at which it had not slept, or not in this, before.
    pub(super) waits: u64,
    /// Name of the system call; `None` outside one.
    pub(super) syscall: Option<String>,
    pub(super) object: Option<WaitObject>,
}

impl Seat {
    /// The seat of the calling thread.
    pub(super) fn of_this_thread() -> Self {
        let tid = sys::current_tid();
        Self {
            tid,
            stack: sys::thread_stack().unwrap_or(0..0),
            poll: AtomicU64::new(0),
            cpu_ns_at_begin: AtomicU64::new(0),
            is_allowed: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            sight: Mutex::new(Sight {
                files: ThreadFiles::open(tid),
                poll: 0,
                last: None,
                sightings: Vec::new(),
            }),
        }
    }

    /// A poll begins; called by the seat's own thread.
    pub(super) fn begin(&self, cpu: Duration) {
        let cpu_ns = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        self.cpu_ns_at_begin.store(cpu_ns, Ordering::Relaxed);
        self.is_ending.store(false, Ordering::Relaxed);
        self.poll.fetch_add(1, Ordering::Release);
    }

    /// The poll ends; called by the seat's own thread.
    pub(super) fn end(&self) {
        self.poll.fetch_add(1, Ordering::Release);
    }

    /// What was seen of the poll that is about to end; waits for a stack that is being taken.
    ///
    /// Gives the CPU away instead of sleeping, so that the watcher cannot take this wait for the poll's own.
    pub(super) fn sightings_of_ending(&self) -> Vec<Sighting> {
        self.is_ending.store(true, Ordering::Release);
        let mut sight = loop {
            match self.sight.try_lock() {
                Ok(sight) => break sight,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        };
        if sight.poll == self.poll.load(Ordering::Relaxed) {
            std::mem::take(&mut sight.sightings)
        } else {
            Vec::new()
        }
    }

    /// Blocking is allowed from now on, or no longer.
    pub(super) fn allow(&self, is_allowed: bool) {
        self.is_allowed.store(is_allowed, Ordering::Release);
    }

    /// The number of the poll that is to be looked at, if there is one.
    pub(super) fn open_poll(&self) -> Option<u64> {
        let poll = self.poll.load(Ordering::Acquire);
        let is_open = poll % 2 == 1 && !self.is_allowed.load(Ordering::Acquire);
        is_open.then_some(poll)
    }

    /// Whether the poll is over but for the watcher.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// CPU time of the thread since the poll began.
    pub(super) fn cpu_in_poll(&self) -> Option<Duration> {
        let begin = Duration::from_nanos(self.cpu_ns_at_begin.load(Ordering::Relaxed));
        Some(sys::thread_cpu_time(self.tid)?.saturating_sub(begin))
    }

    /// What the watcher has seen, for the watcher.
    pub(super) fn sight(&self, poll: u64) -> MutexGuard<'_, Sight> {
        // A list of whole sightings, valid at every step.
        let mut sight = self.sight.lock().unwrap_or_else(PoisonError::into_inner);
        if sight.poll != poll {
            sight.poll = poll;
            sight.last = None;
            sight.sightings.clear();
        }
        sight
    }
}
