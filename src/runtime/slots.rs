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
use std::panic::Location;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use self::role::worker_index;
use super::bell::BELL;
use crate::capture::sys;
use crate::primitives::{AtomicU32, AtomicU64};

#[cfg(all(test, pollscope_model))]
mod model;
mod role;
mod slot;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use role::{Role, drive, is_driver, park, resume, role, take_over, unpark};
pub(crate) use slot::{ANY_RUNTIME, Entry, NO_WORKER, Slot};
pub(crate) use view::SlotView;

/// Threads watched at once: sixteen runtimes of 64 workers. More threads run unwatched, which is counted.
pub(crate) const SLOTS_LEN_MAX: usize = 1024;

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
    SLOTS.get(index).and_then(Slot::last_end)
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

#[inline]
fn current_or_claim(runtime: u32) -> Option<&'static Slot> {
    CURRENT
        .with(Cell::get)
        .or_else(|| if GAVE_UP.get() { None } else { claim(runtime) })
}

/// Takes a free slot for this thread. Once a thread; allocates.
#[cold]
fn claim(runtime: u32) -> Option<&'static Slot> {
    // A thread whose locals are being torn down has polled its last.
    let current = RELEASE
        .try_with(|_| ())
        .ok()
        .and_then(|()| SLOTS.iter().enumerate().find(|(_, slot)| slot.try_take()));
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

/// Time since the first call in this process; the clock of all stall times.
pub(crate) fn monotonic() -> Duration {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    EPOCH.get_or_init(Instant::now).elapsed()
}
