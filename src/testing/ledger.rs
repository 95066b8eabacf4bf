//! What one guard has found, before it is made readable.
//!
//! Workers write here only when a poll has broken a rule, so a clean test never meets this lock inside a poll.

use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::seat::{Seat, Sighting};
use super::violation::ViolationKind;

/// Findings kept by one guard: a test that breaks the rule in a loop is told by its first polls; about 2 KiB each.
const FOUND_LEN_MAX: usize = 256;

/// The books of one guard.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// CPU time that one poll may take; `None` for any.
    pub(super) cpu_limit: Option<Duration>,
    seats: Mutex<Vec<Arc<Seat>>>,
    found: Mutex<Found>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) polls: Vec<FoundPoll>,
    /// Those beyond [`FOUND_LEN_MAX`].
    pub(super) dropped: u64,
}

/// A poll that broke a rule.
#[derive(Debug)]
pub(super) struct FoundPoll {
    pub(super) kind: ViolationKind,
    pub(super) subject: PollSubject,
    pub(super) switches: u64,
    pub(super) cpu: Option<Duration>,
    pub(super) sightings: Vec<Sighting>,
}

/// Whose poll it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct PollSubject {
    /// `None` for the future given to the guard.
    pub(super) task: Option<tokio::task::Id>,
    pub(super) spawned_at: &'static Location<'static>,
    /// The future's type, where the spawn told it.
    pub(super) future: Option<&'static str>,
}

impl Ledger {
    pub(super) fn new(cpu_limit: Option<Duration>) -> Self {
        Self {
            cpu_limit,
            ..Self::default()
        }
    }

    /// A thread polls under this guard from now on.
    pub(super) fn seat(&self, seat: Arc<Seat>) {
        self.lock_seats().push(seat);
    }

    /// The guarded threads.
    pub(super) fn seats(&self) -> Vec<Arc<Seat>> {
        self.lock_seats().clone()
    }

    /// A poll broke a rule.
    pub(super) fn find(&self, poll: FoundPoll) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.polls.len() < FOUND_LEN_MAX {
            found.polls.push(poll);
        } else {
            found.dropped += 1;
        }
    }

    /// Everything found; leaves nothing.
    pub(super) fn take(&self) -> Found {
        std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock_seats(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        // A list of whole seats, valid at every step.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
