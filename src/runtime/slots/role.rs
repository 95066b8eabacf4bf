//! Which worker of which runtime a thread is, and whether it is idle.
//!
//! `block_in_place` moves worker indices between threads, so a thread tells again when it wakes; the latest claim is the true one.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use super::slot::NO_WORKER;
use super::{CURRENT, current_or_claim};

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

/// Index of the worker that this thread is for Tokio.
pub(super) fn worker_index() -> u32 {
    tokio::runtime::worker_index()
        .and_then(|index| u32::try_from(index).ok())
        .unwrap_or(NO_WORKER)
}
