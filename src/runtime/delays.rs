//! How long tasks waited for their polls, told by the workers while somebody asks.
//!
//! Nobody times a healthy poll: a worker looks at one word of its own slot, which is zero unless a thread of its runtime is
//! suspected of a stall. While it is asked, it reads the clock for the tasks that waited long enough to be victims and
//! leaves a note; notes beyond the maximum are counted.

use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::coarse_clock::Stamp;
use super::slots::{self, Whereabouts};

/// Notes between two looks of the watchdog: more tasks than a worker polls in that time, at 64 bytes each.
const NOTES_LEN_MAX: usize = 8192;

static NOTES: Mutex<Vec<Delay>> = Mutex::new(Vec::new());
static LOST: AtomicU64 = AtomicU64::new(0);

/// One task's wait for its poll.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delay {
    /// The thread that polls it.
    pub(crate) here: Whereabouts,
    /// The task.
    pub(crate) task: u64,
    /// Where it was spawned.
    pub(crate) spawned_at: &'static Location<'static>,
    /// Since when it was ready; zero if that was before anybody looked.
    pub(crate) ready: Duration,
    /// When the poll began.
    pub(crate) polled: Duration,
}

/// A task that became ready at `ready` is polled now; called only while the slot asks for waits of at least `least`.
#[cold]
pub(super) fn note_ready(
    task: u64,
    spawned_at: &'static Location<'static>,
    ready: Stamp,
    least: Duration,
) {
    let Some((ready, now)) = ready.time().zip(Stamp::now().time()) else {
        return;
    };
    // The coarse clock sorts out the many that did not wait, without reading the true one.
    if now.saturating_sub(ready) >= least {
        note(task, spawned_at, |_| ready);
    }
}

/// As [`note_ready`] for a task whose wait Tokio has measured.
#[cfg(all(tokio_unstable, feature = "schedule-latency"))]
#[cold]
pub(super) fn note_latency(
    task: u64,
    spawned_at: &'static Location<'static>,
    latency: Duration,
    least: Duration,
) {
    if latency >= least {
        note(task, spawned_at, |now| now.saturating_sub(latency));
    }
}

fn note(
    task: u64,
    spawned_at: &'static Location<'static>,
    ready: impl FnOnce(Duration) -> Duration,
) {
    let Some(here) = slots::whereabouts() else {
        return;
    };
    let polled = slots::monotonic();
    let delay = Delay {
        here,
        task,
        spawned_at,
        ready: ready(polled),
        polled,
    };
    let mut notes = lock();
    if notes.len() < NOTES_LEN_MAX {
        notes.push(delay);
    } else {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes the notes since the last call.
pub(crate) fn take() -> Vec<Delay> {
    std::mem::take(&mut *lock())
}

/// Waits that were not noted because there were too many.
pub(crate) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

fn lock() -> MutexGuard<'static, Vec<Delay>> {
    // A list; no code of others runs while it is changed.
    NOTES.lock().unwrap_or_else(PoisonError::into_inner)
}
