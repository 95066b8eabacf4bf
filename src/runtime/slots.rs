//! The heartbeat: one slot a runtime thread, bumped at every poll without reading a clock.
//!
//! The worker only stores: task id, spawn location, then an odd sequence number at the begin of a poll and an even
//! one at its end. Another thread, the watchdog, compares and owns time. When the watchdog has flagged a poll, the
//! worker stamps its end itself, so a stall's total is exact and healthy polls are never timed.
//!
//! Slots are static and claimed by a thread at its first poll or park, freed when the thread ends; a reader that meets
//! a freed or re-used slot sees another generation. A slot fills its own cache lines, so that two workers never share
//! one.

use std::cell::Cell;
use std::ops::Range;
use std::panic::Location;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::bell::BELL;
use crate::capture::sys::{self, AtomicStatic};
use crate::primitives::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, fence};

#[cfg(all(test, pollscope_model))]
mod model;

/// Threads watched at once: sixteen runtimes of 64 workers. More threads run unwatched, which is counted.
pub(crate) const SLOTS_LEN_MAX: usize = 1024;

/// Attempts at one consistent look; a poll under a microsecond can spoil a few.
const VIEW_ATTEMPTS_MAX: usize = 4;

/// Stands for "no worker index": a thread inside `block_on`.
pub(crate) const NO_WORKER: u32 = u32::MAX;

/// Stands for a runtime that the slot already knows or learns elsewhere.
pub(crate) const ANY_RUNTIME: u32 = 0;

const FREE: u8 = 0;
const CLAIMING: u8 = 1;
const CLAIMED: u8 = 2;

static SLOTS: [Slot; SLOTS_LEN_MAX] = [const { Slot::new() }; SLOTS_LEN_MAX];

/// Threads that found no free slot.
static UNWATCHED: AtomicU64 = AtomicU64::new(0);

/// Highest slot ever claimed plus one, so that the watchdog looks no further.
static CLAIMED_LEN: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static CURRENT: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    /// Whether this thread has found no free slot: it must not search again at every poll.
    static GAVE_UP: Cell<bool> = const { Cell::new(false) };
    /// The runtime whose pool this thread belongs to, for a claim that does not know it.
    static HOME: Cell<u32> = const { Cell::new(ANY_RUNTIME) };
    static RELEASE: Cell<Release> = const { Cell::new(Release(None)) };
}

/// One runtime thread.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Slot {
    seq: AtomicU64,
    task_id: AtomicU64,
    spawned_at: AtomicStatic<Location<'static>>,
    flagged_seq: AtomicU64,
    ended_seq: AtomicU64,
    ended_ns: AtomicU64,
    stack_low: AtomicU64,
    stack_top: AtomicU64,
    thread_pointer: AtomicU64,
    generation: AtomicU64,
    worker_since: AtomicU64,
    /// Waits of at least so many nanoseconds are asked for; 0 if none are.
    delays_asked: AtomicU64,
    tid: AtomicI32,
    runtime: AtomicU32,
    worker: AtomicU32,
    nested: AtomicU32,
    parked: AtomicBool,
    state: AtomicU8,
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
    /// Worker index or [`NO_WORKER`].
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
    is_consistent: bool,
    /// End of the flagged poll, if it was stamped: (its odd sequence number, monotonic time).
    pub(crate) ended: (u64, Duration),
}

impl SlotView {
    /// Whether a poll was running.
    pub(crate) fn in_poll(&self) -> bool {
        self.seq % 2 == 1
    }
}

impl Slot {
    const fn new() -> Self {
        Self {
            seq: AtomicU64::new(0),
            task_id: AtomicU64::new(0),
            spawned_at: AtomicStatic::new(),
            flagged_seq: AtomicU64::new(0),
            ended_seq: AtomicU64::new(0),
            ended_ns: AtomicU64::new(0),
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
    fn enter(&self, runtime: u32, task_id: u64, spawned_at: &'static Location<'static>) {
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
    fn enter_task(&self, task_id: u64, spawned_at: &'static Location<'static>) -> Entry {
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
    fn leave_task(&self, entry: Entry) {
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
    fn is_in_poll(&self) -> bool {
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
    fn leave(&self) {
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
    fn stamp_end(&self, seq: u64) {
        if self.flagged_seq.swap(0, Ordering::Relaxed) == seq {
            let now = u64::try_from(monotonic().as_nanos()).unwrap_or(u64::MAX);
            self.ended_ns.store(now, Ordering::Relaxed);
            self.ended_seq.store(seq, Ordering::Release);
        }
    }

    /// Writes down who the slot's new thread is; [`Slot::announce`] then lets others look.
    fn occupy(&self, tid: i32, stack: &Range<u64>, thread_pointer: u64) {
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
    fn announce(&self) {
        // Release, both: who sees the new generation, or the slot claimed, sees whose it is.
        self.generation.fetch_add(1, Ordering::Release);
        self.state.store(CLAIMED, Ordering::Release);
    }

    /// The slot's thread has ended.
    fn vacate(&self) {
        // A thread that ends is in no poll, whatever a leaked guard says.
        let seq = self.seq.load(Ordering::Relaxed);
        self.seq.store(seq + seq % 2, Ordering::Release);
        self.state.store(FREE, Ordering::Release);
    }

    /// From now on the slot's thread is that worker, whichever thread was it before.
    fn become_worker(&self, runtime: u32, index: u32) {
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

    fn attempt(&self) -> Option<SlotView> {
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

/// Frees a thread's slot when the thread ends.
struct Release(Option<&'static Slot>);

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            CURRENT.with(|current| current.set(None));
            slot.vacate();
        }
    }
}

/// The slots that may be in use.
pub(crate) fn claimed_slots() -> &'static [Slot] {
    let len = usize::try_from(CLAIMED_LEN.load(Ordering::Acquire)).unwrap_or(SLOTS_LEN_MAX);
    &SLOTS[..len.min(SLOTS_LEN_MAX)]
}

/// The last stamped end of a slot, also when its thread is gone: (odd sequence number, monotonic time).
pub(crate) fn last_end(index: usize) -> Option<(u64, Duration)> {
    let slot = SLOTS.get(index)?;
    let seq = slot.ended_seq.load(Ordering::Acquire);
    (seq != 0).then(|| {
        (
            seq,
            Duration::from_nanos(slot.ended_ns.load(Ordering::Relaxed)),
        )
    })
}

/// Threads that run unwatched because all slots were taken.
pub(crate) fn unwatched_threads() -> u64 {
    UNWATCHED.load(Ordering::Relaxed)
}

/// This thread was started by that runtime.
pub(crate) fn belongs_to(runtime: u32) {
    HOME.with(|home| home.set(runtime));
}

/// A poll begins on this thread.
#[inline]
pub(crate) fn enter(runtime: u32, task_id: u64, spawned_at: &'static Location<'static>) {
    if let Some(slot) = current_or_claim(runtime) {
        slot.enter(runtime, task_id, spawned_at);
    }
}

/// The poll ends.
#[inline]
pub(crate) fn leave() {
    if let Some(slot) = CURRENT.with(Cell::get) {
        slot.leave();
    }
}

/// A poll of a task of `pollscope::spawn` begins on this thread.
#[inline]
pub(crate) fn enter_task(task_id: u64, spawned_at: &'static Location<'static>) -> Entry {
    match current_or_claim(ANY_RUNTIME) {
        Some(slot) => slot.enter_task(task_id, spawned_at),
        None => Entry::Told,
    }
}

/// It ends.
#[inline]
pub(crate) fn leave_task(entry: Entry) {
    if let Some(slot) = CURRENT.with(Cell::get) {
        slot.leave_task(entry);
    }
}

/// Whether this thread is inside a watched poll.
pub(crate) fn in_poll() -> bool {
    CURRENT.with(Cell::get).is_some_and(Slot::is_in_poll)
}

/// Whether this thread polls that task.
#[inline]
pub(crate) fn polls_task(task_id: u64) -> bool {
    let polls = |slot: &Slot| slot.is_in_poll() && slot.task_id.load(Ordering::Relaxed) == task_id;
    CURRENT.with(Cell::get).is_some_and(polls)
}

/// The shortest wait that this thread is asked to note, if it is asked.
#[inline]
pub(crate) fn delays_asked() -> Option<Duration> {
    let asked = |slot: &Slot| slot.delays_asked.load(Ordering::Relaxed);
    let least = CURRENT.with(Cell::get).map_or(0, asked);
    (least != 0).then(|| Duration::from_nanos(least))
}

/// A thread and the runtime it works for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whereabouts {
    /// Number of the runtime; 0 if it is not known.
    pub(crate) runtime: u32,
    /// Thread id.
    pub(crate) tid: i32,
}

/// Where the calling thread is; `None` if it has no slot.
pub(crate) fn whereabouts() -> Option<Whereabouts> {
    CURRENT.with(Cell::get).map(|slot| Whereabouts {
        runtime: slot.runtime.load(Ordering::Relaxed),
        tid: slot.tid.load(Ordering::Relaxed),
    })
}

/// A poll of this thread, recognised for as long as it lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollMark {
    slot: &'static Slot,
    seq: u64,
    generation: u64,
    /// Number of its runtime.
    pub(crate) runtime: u32,
    /// Its task; 0 for the future of `block_on`.
    pub(crate) task: u64,
    /// Where that was spawned.
    pub(crate) spawned_at: Option<&'static Location<'static>>,
}

/// The poll that this thread is in, if it is watched.
pub(crate) fn current_poll() -> Option<PollMark> {
    let slot = CURRENT.with(Cell::get)?;
    let seq = slot.seq.load(Ordering::Relaxed);
    (seq % 2 == 1).then(|| PollMark {
        slot,
        seq,
        generation: slot.generation.load(Ordering::Relaxed),
        runtime: slot.runtime.load(Ordering::Relaxed),
        task: slot.task_id.load(Ordering::Relaxed),
        spawned_at: slot.spawned_at.load(),
    })
}

impl PollMark {
    /// Whether that poll is over, seen from any thread.
    pub(crate) fn is_over(&self) -> bool {
        self.slot.seq.load(Ordering::Relaxed) != self.seq
            || self.slot.generation.load(Ordering::Relaxed) != self.generation
    }
}

/// The runtime that this thread works for.
#[inline]
pub(crate) fn current_runtime() -> u32 {
    let of_slot = |slot: &Slot| slot.runtime.load(Ordering::Relaxed);
    CURRENT.with(Cell::get).map_or_else(|| HOME.get(), of_slot)
}

/// This worker goes idle.
pub(crate) fn park(runtime: u32) {
    if let Some(slot) = current_or_claim(runtime) {
        slot.runtime.store(runtime, Ordering::Relaxed);
        slot.parked.store(true, Ordering::Release);
    }
}

/// This worker wakes up; also tells who it is now, since `block_in_place` moves worker indices between threads.
pub(crate) fn unpark(runtime: u32) {
    if let Some(slot) = current_or_claim(runtime) {
        let index = worker_index();
        let stays = slot.runtime.load(Ordering::Relaxed) == runtime
            && slot.worker.load(Ordering::Relaxed) == index;
        if !stays {
            slot.become_worker(runtime, index);
        }
        slot.parked.store(false, Ordering::Release);
    }
}

/// A probe has met this worker, which another thread may have been before.
pub(crate) fn take_over(runtime: u32) {
    become_awake(runtime, worker_index());
}

/// This thread enters `block_on` of a `current_thread` runtime. Whether it is the one that drives it is known once Tokio
/// has set its index, at the first poll of its root future.
pub(crate) fn drive(runtime: u32) {
    become_awake(runtime, NO_WORKER);
}

/// Whether this thread drives the runtime whose root future it is about to poll: of several in `block_on` one does.
pub(crate) fn is_driver(runtime: u32) -> bool {
    let Some(slot) = CURRENT.with(Cell::get) else {
        return true;
    };
    if slot.worker.load(Ordering::Relaxed) == NO_WORKER {
        let index = worker_index();
        if index == NO_WORKER {
            return false;
        }
        slot.become_worker(runtime, index);
    }
    true
}

/// Which worker a thread is, and since when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Role {
    runtime: u32,
    worker: u32,
    worker_since: u64,
}

/// Which worker this thread is.
pub(crate) fn role() -> Option<Role> {
    CURRENT.with(Cell::get).map(|slot| Role {
        runtime: slot.runtime.load(Ordering::Relaxed),
        worker: slot.worker.load(Ordering::Relaxed),
        worker_since: slot.worker_since.load(Ordering::Relaxed),
    })
}

/// This thread is again what it was, and no newer than it was: another thread may have become that worker since.
pub(crate) fn resume(role: Role) {
    if let Some(slot) = CURRENT.with(Cell::get) {
        slot.runtime.store(role.runtime, Ordering::Relaxed);
        slot.worker.store(role.worker, Ordering::Relaxed);
        slot.worker_since
            .store(role.worker_since, Ordering::Relaxed);
        slot.parked.store(false, Ordering::Release);
    }
}

fn become_awake(runtime: u32, index: u32) {
    if let Some(slot) = current_or_claim(runtime) {
        slot.become_worker(runtime, index);
        slot.parked.store(false, Ordering::Release);
    }
}

#[inline]
fn current_or_claim(runtime: u32) -> Option<&'static Slot> {
    CURRENT
        .with(Cell::get)
        .or_else(|| if GAVE_UP.get() { None } else { claim(runtime) })
}

/// Takes a free slot for this thread. Once a thread; allocates.
#[cold]
fn claim(runtime: u32) -> Option<&'static Slot> {
    let free = |slot: &&Slot| {
        slot.state
            .compare_exchange(FREE, CLAIMING, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    };
    // A thread whose locals are being torn down has polled its last.
    let current = RELEASE
        .try_with(|_| ())
        .ok()
        .and_then(|()| SLOTS.iter().enumerate().find(|(_, slot)| free(slot)));
    let Some((index, slot)) = current else {
        GAVE_UP.set(true);
        UNWATCHED.fetch_add(1, Ordering::Relaxed);
        return None;
    };
    let stack = sys::thread_stack().unwrap_or(0..0);
    slot.occupy(sys::current_tid(), &stack, sys::thread_pointer());
    let home = if runtime == ANY_RUNTIME {
        HOME.get()
    } else {
        runtime
    };
    slot.become_worker(home, worker_index());
    CURRENT.with(|current| current.set(Some(slot)));
    RELEASE.with(|release| release.set(Release(Some(slot))));
    CLAIMED_LEN.fetch_max(
        u32::try_from(index + 1).unwrap_or(u32::MAX),
        Ordering::AcqRel,
    );
    slot.announce();
    // A fresh worker polls before it has ever parked, so no unpark hook rings for it.
    BELL.ring();
    Some(slot)
}

fn worker_index() -> u32 {
    tokio::runtime::worker_index()
        .and_then(|index| u32::try_from(index).ok())
        .unwrap_or(NO_WORKER)
}

/// Time since the first call in this process; the clock of all stall times.
pub(crate) fn monotonic() -> Duration {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    EPOCH.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test waits for its thread")]
    fn on_own_thread(body: fn()) {
        std::thread::spawn(body).join().unwrap();
    }

    fn view_of_this_thread() -> SlotView {
        CURRENT.with(Cell::get).and_then(Slot::view).unwrap()
    }

    /// Begin and end of a poll move the sequence; the task is visible inside; a flagged poll stamps its end.
    #[test]
    fn one_poll() {
        on_own_thread(|| {
            let here = Location::caller();
            enter(3, 77, here);
            let inside = view_of_this_thread();
            assert!(inside.in_poll());
            assert_eq!(
                (inside.task_id, inside.runtime, inside.tid),
                (77, 3, sys::current_tid())
            );
            assert_eq!(inside.spawned_at, Some(here));
            let before = monotonic();
            CURRENT.with(Cell::get).unwrap().flag(inside.seq);
            leave();
            let after = view_of_this_thread();
            assert!(!after.in_poll());
            assert_eq!(after.ended.0, inside.seq);
            assert!(after.ended.1 >= before);
        });
    }

    /// An inner poll belongs to the outer one, and a flag of a poll that is over stamps nothing.
    #[test]
    fn nested_and_stale() {
        on_own_thread(|| {
            let here = Location::caller();
            enter(0, 1, here);
            let outer = view_of_this_thread();
            enter(0, 2, here);
            assert_eq!(
                (view_of_this_thread().seq, view_of_this_thread().task_id),
                (outer.seq, 1)
            );
            leave();
            assert!(view_of_this_thread().in_poll());
            leave();
            CURRENT.with(Cell::get).unwrap().flag(outer.seq);
            let stamped = view_of_this_thread().ended.0;
            enter(0, 3, here);
            leave();
            assert_eq!(view_of_this_thread().ended.0, stamped);
        });
    }

    /// Two threads that were the same worker one after the other: the later claim is told apart.
    #[test]
    fn the_latest_claim_is_newer() {
        let (tell, told) = std::sync::mpsc::channel();
        for _ in 0..2 {
            let tell = tell.clone();
            let claim = move || {
                take_over(9);
                tell.send(view_of_this_thread().worker_since).unwrap();
            };
            #[expect(clippy::disallowed_methods, reason = "a test waits for its thread")]
            std::thread::spawn(claim).join().unwrap();
        }
        let (first, second) = (told.try_recv().unwrap(), told.try_recv().unwrap());
        assert!(second > first);
    }

    /// Threads that come and go use the same few slots again.
    #[test]
    fn slots_are_released() {
        let before = claimed_slots().len();
        for _ in 0..SLOTS_LEN_MAX {
            on_own_thread(|| enter(0, 1, Location::caller()));
        }
        // Other tests claim slots at the same time, but far fewer than the threads above.
        assert!(
            claimed_slots().len() < before + 100,
            "{} slots",
            claimed_slots().len()
        );
        assert_eq!(unwatched_threads(), 0);
    }
}
