//! One slot: what a runtime thread says of itself.
//!
//! Plain stores, since a slot has one writer, its thread; the order of these stores is what the reader in `view` relies on.
//! Which thread holds which slot is not known here.

use std::ops::Range;
use std::panic::Location;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::monotonic;
use crate::capture::sys::{self, AtomicStatic};
use crate::primitives::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, fence};

/// Stands for "no worker index": a thread inside `block_on`.
pub(crate) const NO_WORKER: u32 = u32::MAX;

/// Stands for a runtime that the slot already knows or learns elsewhere.
pub(crate) const ANY_RUNTIME: u32 = 0;

pub(super) const FREE: u8 = 0;
pub(super) const CLAIMING: u8 = 1;
pub(super) const CLAIMED: u8 = 2;

/// One runtime thread.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Slot {
    pub(super) seq: AtomicU64,
    pub(super) task_id: AtomicU64,
    pub(super) spawned_at: AtomicStatic<Location<'static>>,
    flagged_seq: AtomicU64,
    pub(super) ended_seq: AtomicU64,
    pub(super) ended_ns: AtomicU64,
    /// CPU time of the thread at that end; 0 if it could not be read.
    pub(super) ended_cpu_ns: AtomicU64,
    pub(super) stack_low: AtomicU64,
    pub(super) stack_top: AtomicU64,
    pub(super) thread_pointer: AtomicU64,
    pub(super) generation: AtomicU64,
    pub(super) worker_since: AtomicU64,
    /// Waits of at least so many nanoseconds are asked for; 0 if none are.
    pub(super) delays_asked: AtomicU64,
    pub(super) tid: AtomicI32,
    pub(super) runtime: AtomicU32,
    pub(super) worker: AtomicU32,
    nested: AtomicU32,
    pub(super) parked: AtomicBool,
    pub(super) state: AtomicU8,
}

#[cfg(not(all(test, pollscope_model)))]
const _: () = assert!(
    size_of::<Slot>() == 128,
    "a slot is two cache lines, no more"
);

/// How a task's poll began, which says how it must end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry {
    /// As the thread's only poll.
    Own,
    /// A hook, or nobody for want of a slot, tells of it.
    Told,
    /// Inside the poll of another task: its id and spawn location.
    Inside(u64, &'static Location<'static>),
}

impl Slot {
    pub(super) const fn new() -> Self {
        Self {
            seq: AtomicU64::new(0),
            task_id: AtomicU64::new(0),
            spawned_at: AtomicStatic::new(),
            flagged_seq: AtomicU64::new(0),
            ended_seq: AtomicU64::new(0),
            ended_ns: AtomicU64::new(0),
            ended_cpu_ns: AtomicU64::new(0),
            stack_low: AtomicU64::new(0),
            stack_top: AtomicU64::new(0),
            thread_pointer: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            worker_since: AtomicU64::new(0),
            delays_asked: AtomicU64::new(0),
            tid: AtomicI32::new(0),
            runtime: AtomicU32::new(0),
            worker: AtomicU32::new(NO_WORKER),
            nested: AtomicU32::new(0),
            parked: AtomicBool::new(true),
            state: AtomicU8::new(FREE),
        }
    }

    /// The hot path's first half. Plain stores: a slot has one writer, its thread.
    #[inline]
    pub(super) fn enter(&self, runtime: u32, task_id: u64, spawned_at: &'static Location<'static>) {
        if self.is_in_poll() {
            // A poll inside a poll (`block_in_place` with `block_on`): the outer one counts.
            self.nested
                .store(self.nested.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            return;
        }
        self.begin(runtime, task_id, spawned_at);
    }

    /// As [`Slot::enter`] for a task that can remember what to go back to: inside the poll of another one, such as the
    /// driver of a `LocalSet`, it counts as a poll of its own.
    #[inline]
    pub(super) fn enter_task(&self, task_id: u64, spawned_at: &'static Location<'static>) -> Entry {
        if !self.is_in_poll() {
            self.begin(ANY_RUNTIME, task_id, spawned_at);
            return Entry::Own;
        }
        let outer = self.task_id.load(Ordering::Relaxed);
        if outer == task_id {
            // A hook has told of this very poll.
            return Entry::Told;
        }
        let Some(outer_at) = self.spawned_at.load() else {
            return Entry::Told;
        };
        self.end();
        self.begin(ANY_RUNTIME, task_id, spawned_at);
        Entry::Inside(outer, outer_at)
    }

    #[inline]
    pub(super) fn leave_task(&self, entry: Entry) {
        match entry {
            Entry::Own => self.end(),
            Entry::Told => (),
            Entry::Inside(outer, outer_at) => {
                self.end();
                self.begin(ANY_RUNTIME, outer, outer_at);
            }
        }
    }

    #[inline]
    pub(super) fn is_in_poll(&self) -> bool {
        !self.seq.load(Ordering::Relaxed).is_multiple_of(2)
    }

    #[inline]
    fn begin(&self, runtime: u32, task_id: u64, spawned_at: &'static Location<'static>) {
        let seq = self.seq.load(Ordering::Relaxed);
        // Who sees this task must see that the poll before is over; costs nothing on x86-64, which keeps stores in order.
        fence(Ordering::Release);
        self.task_id.store(task_id, Ordering::Relaxed);
        self.spawned_at.store(spawned_at);
        if runtime != ANY_RUNTIME {
            self.runtime.store(runtime, Ordering::Relaxed);
        }
        // Release: who sees the odd number sees the task.
        self.seq.store(seq + 1, Ordering::Release);
    }

    /// The hot path's second half.
    #[inline]
    pub(super) fn leave(&self) {
        let nested = self.nested.load(Ordering::Relaxed);
        if nested > 0 {
            self.nested.store(nested - 1, Ordering::Relaxed);
            return;
        }
        if self.is_in_poll() {
            self.end();
        }
    }

    #[inline]
    fn end(&self) {
        let seq = self.seq.load(Ordering::Relaxed);
        self.seq.store(seq + 1, Ordering::Release);
        if self.flagged_seq.load(Ordering::Relaxed) != 0 {
            self.stamp_end(seq);
        }
    }

    #[cold]
    pub(super) fn stamp_end(&self, seq: u64) {
        if self.flagged_seq.swap(0, Ordering::Relaxed) == seq {
            let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            let cpu = sys::thread_cpu_time(self.tid.load(Ordering::Relaxed));
            self.ended_cpu_ns
                .store(cpu.map_or(0, ns), Ordering::Relaxed);
            self.ended_ns.store(ns(monotonic()), Ordering::Relaxed);
            self.ended_seq.store(seq, Ordering::Release);
        }
    }

    /// Whether the slot was free; it is the caller's to occupy then.
    pub(super) fn try_take(&self) -> bool {
        self.state
            .compare_exchange(FREE, CLAIMING, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Writes down who the slot's new thread is; [`Slot::announce`] then lets others look.
    pub(super) fn occupy(&self, tid: i32, stack: &Range<u64>, thread_pointer: u64) {
        // Who sees anything of this thread must see that the slot is no longer the old one's.
        fence(Ordering::Release);
        self.tid.store(tid, Ordering::Relaxed);
        self.stack_low.store(stack.start, Ordering::Relaxed);
        self.stack_top.store(stack.end, Ordering::Relaxed);
        self.thread_pointer.store(thread_pointer, Ordering::Relaxed);
        self.nested.store(0, Ordering::Relaxed);
        self.delays_asked.store(0, Ordering::Relaxed);
        self.parked.store(false, Ordering::Relaxed);
    }

    /// The slot is its new thread's from here on.
    pub(super) fn announce(&self) {
        // Release, both: who sees the new generation, or the slot claimed, sees whose it is.
        self.generation.fetch_add(1, Ordering::Release);
        self.state.store(CLAIMED, Ordering::Release);
    }

    /// The slot's thread has ended.
    pub(super) fn vacate(&self) {
        // A thread that ends is in no poll, whatever a leaked guard says.
        let seq = self.seq.load(Ordering::Relaxed);
        self.seq.store(seq + seq % 2, Ordering::Release);
        self.state.store(FREE, Ordering::Release);
    }

    /// From now on the slot's thread is that worker, whichever thread was it before.
    pub(super) fn become_worker(&self, runtime: u32, index: u32) {
        // Rare (a start, a move by `block_in_place`), so one shared counter is no contention.
        static CLAIMS: AtomicU64 = AtomicU64::new(1);
        self.runtime.store(runtime, Ordering::Relaxed);
        self.worker.store(index, Ordering::Relaxed);
        self.worker_since
            .store(CLAIMS.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Asks the worker to stamp the end of the poll with this sequence number.
    pub(crate) fn flag(&self, seq: u64) {
        self.flagged_seq.store(seq, Ordering::Relaxed);
    }

    /// Asks the worker to note the waits of the tasks it polls that are at least this long; zero asks for none.
    pub(crate) fn ask_for_delays(&self, least: Duration) {
        let least = u64::try_from(least.as_nanos()).unwrap_or(u64::MAX);
        if self.delays_asked.load(Ordering::Relaxed) != least {
            self.delays_asked.store(least, Ordering::Relaxed);
        }
    }
}
