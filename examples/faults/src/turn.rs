//! At most one blocking fault at a time in a process.
//!
//! Without this, every worker of a runtime would run into the same fault at once, and the service would stand still
//! instead of limping. The flag belongs to the process, not to a plan: two services in one process share the workers' CPUs.

use std::sync::atomic::{AtomicBool, Ordering};

static TAKEN: AtomicBool = AtomicBool::new(false);

/// The right to block, given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn(());

impl Turn {
    /// The turn, if nobody has it. Never waits.
    pub(crate) fn take() -> Option<Self> {
        (!TAKEN.swap(true, Ordering::Acquire)).then_some(Self(()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::Release);
    }
}
