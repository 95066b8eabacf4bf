//! Who holds a lock, in debug mode: where it was taken and in which poll.

use std::panic::Location;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::debug::{self, Lint};
use crate::runtime::slots::{self, PollMark};

/// One hold of a lock; `None` outside a watched poll and outside the debug mode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    taken_at: &'static Location<'static>,
    poll: PollMark,
}

impl Hold {
    /// The calling thread has taken a lock.
    pub(super) fn begin(taken_at: &'static Location<'static>) -> Option<Self> {
        let poll = slots::current_poll()?;
        Some(Self { taken_at, poll })
    }

    /// Tells that it lived across an await, if it did.
    pub(super) fn tell(&self, wanted_at: Option<&'static Location<'static>>) -> bool {
        let is_across = self.poll.is_over();
        if is_across {
            debug::tell(Lint::LockAcrossAwait {
                runtime: self.poll.runtime,
                task: self.poll.task,
                spawned_at: self.poll.spawned_at,
                taken_at: self.taken_at,
                wanted_at,
            });
        }
        is_across
    }
}

/// The one who holds a lock alone, for those who have to wait for it.
#[derive(Debug, Default)]
pub(super) struct Holder(Mutex<Option<Hold>>);

impl Holder {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The lock was taken; `true` if [`Holder::end`] is to be called.
    pub(super) fn begin(&self, hold: Option<Hold>) -> bool {
        let is_held = hold.is_some();
        if is_held {
            *self.hold() = hold;
        }
        is_held
    }

    /// Somebody has to wait at `wanted_at`. Told before the wait, because it may never end.
    pub(super) fn is_wanted(&self, wanted_at: &'static Location<'static>) {
        let mut hold = self.hold();
        if hold.is_some_and(|hold| hold.tell(Some(wanted_at))) {
            // Once a hold.
            *hold = None;
        }
    }

    /// The lock is let go.
    #[cold]
    pub(super) fn end(&self) {
        let hold = self.hold().take();
        if let Some(hold) = hold {
            hold.tell(None);
        }
    }

    fn hold(&self) -> MutexGuard<'_, Option<Hold>> {
        // One word, valid at every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
