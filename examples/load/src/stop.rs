//! A flag that ends a run early, seen by threads and by tasks.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Set once, by a cancelled caller or by a service that has gone.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    is_set: AtomicBool,
    changed: Notify,
}

impl Stop {
    /// Ends the run; more than once is the same as once.
    pub(crate) fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Whether the run is to end.
    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    /// Waits until the run is to end.
    pub(crate) async fn wait(&self) {
        let changed = self.changed.notified();
        // `changed` hears of every change from its creation on, so looking at the flag after it cannot miss one.
        if !self.is_set() {
            changed.await;
        }
    }
}
