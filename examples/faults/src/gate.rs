//! A gate that threads wait at, for a time or until it is opened.
//!
//! Switching a fault off opens the gate for everybody who stands there or is on the way, and for nobody who comes later.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The gate.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// How often it was opened.
    openings: Mutex<u64>,
    opened: Condvar,
}

/// A place before the gate: the next opening lets its owner through, also one that comes before the wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(u64);

impl Gate {
    /// A place before the gate.
    pub(crate) fn place(&self) -> Place {
        Place(*self.lock())
    }

    /// Blocks the calling thread for `at_most`; whether the gate was opened.
    pub(crate) fn wait(&self, place: Place, at_most: Duration) -> bool {
        let is_shut = |openings: &mut u64| *openings == place.0;
        let (mut openings, _) = self
            .opened
            .wait_timeout_while(self.lock(), at_most, is_shut)
            .unwrap_or_else(PoisonError::into_inner);
        !is_shut(&mut openings)
    }

    /// Lets everybody through who has a place.
    pub(crate) fn open(&self) {
        *self.lock() += 1;
        self.opened.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        // A number is valid at every step, so a panicked holder left nothing half done.
        self.openings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    const LONG: Duration = Duration::from_secs(3600);

    /// Goal: an opening lets through who waits and who is on the way, but nobody who comes later.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test waits for its thread")]
    fn opens_for_those_before_it() {
        let gate = Arc::new(Gate::default());
        let place = gate.place();
        let waiting = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.wait(place, LONG)
        });
        gate.open();
        assert!(waiting.join().unwrap());
        assert!(gate.wait(place, LONG), "opened before the wait");
        assert!(!gate.wait(gate.place(), Duration::from_millis(1)));
    }
}
