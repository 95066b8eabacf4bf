//! Wakes the watchdog when work begins after everything was idle.
//!
//! While all workers are parked the watchdog sleeps without a timer, so an idle process has no wake-ups of ours. The
//! order matters: the worker first shows that it is awake, then looks at `asleep`; the watchdog first says `asleep`,
//! then looks at the workers. Sequentially consistent fences on both sides leave no interleaving in which both miss
//! the other. A worker pays one load while the watchdog is awake.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::primitives::{AtomicBool, Mutex, Thread, current, fence, park};

#[cfg(all(test, pollscope_model))]
mod model;

/// The process's bell; static as the slots are, so that a thread's first poll can ring it.
pub(crate) static BELL: Bell = Bell::new();

/// The bell beside the watchdog's bed.
#[derive(Debug)]
pub(crate) struct Bell {
    asleep: AtomicBool,
    watchdog: Mutex<Option<Thread>>,
}

impl Bell {
    const fn new() -> Self {
        Self {
            asleep: AtomicBool::new(false),
            watchdog: Mutex::new(None),
        }
    }

    /// The calling thread is the one to wake.
    pub(crate) fn belongs_to_this_thread(&self) {
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        *watchdog = Some(current());
    }

    /// Wakes the watchdog if it sleeps. Called by workers after they have shown that they are awake.
    #[inline]
    pub(crate) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Wakes the watchdog in any case, for shutdown.
    #[cold]
    pub(crate) fn wake(&self) {
        if self.asleep.swap(false, Ordering::AcqRel) {
            let watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
            watchdog.iter().for_each(Thread::unpark);
        }
    }

    /// Sleeps until rung or `limit` has passed, unless `is_idle` finds, after the bell is armed, that somebody is awake.
    pub(crate) fn sleep_while(&self, limit: Option<Duration>, is_idle: impl Fn() -> bool) {
        // A swap has its place in the order of all swaps, that of a worker which is about to ring included.
        self.asleep.swap(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        match limit {
            Some(limit) if is_idle() => std::thread::park_timeout(limit),
            Some(_) => (),
            None => {
                while is_idle() && self.asleep.load(Ordering::Acquire) {
                    park();
                }
            }
        }
        self.asleep.swap(false, Ordering::Relaxed);
    }
}
