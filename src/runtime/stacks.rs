//! Where the stacks of runtimes' threads lie, those of the blocking pool included, which have no slot.
//!
//! A running thread can only copy its stack if its bounds are known, and only the thread itself can ask for them. Threads of
//! runtimes that pollscope has built say so when they start; once a thread, a microsecond.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::capture::sys;

static STACKS: Mutex<BTreeMap<i32, Range<u64>>> = Mutex::new(BTreeMap::new());

thread_local! {
    static RELEASE: Cell<Option<Release>> = const { Cell::new(None) };
}

/// Forgets the stack of a thread that ends.
struct Release(i32);

impl Drop for Release {
    fn drop(&mut self) {
        stacks().remove(&self.0);
    }
}

/// The calling thread tells where its stack lies.
pub(crate) fn register() {
    let tid = sys::current_tid();
    if let Some(stack) = sys::thread_stack() {
        stacks().insert(tid, stack);
        // Dropped at once where the thread's locals are being torn down already.
        let _ = RELEASE.try_with(|release| release.set(Some(Release(tid))));
    }
}

/// The stack of a thread that has told it and is alive.
pub(crate) fn stack_of(tid: i32) -> Option<Range<u64>> {
    stacks().get(&tid).cloned()
}

fn stacks() -> MutexGuard<'static, BTreeMap<i32, Range<u64>>> {
    // A plain map, valid at every step.
    STACKS.lock().unwrap_or_else(PoisonError::into_inner)
}

// The twin without capture cannot ask the system.
#[cfg(test)]
#[cfg(not(pollscope_no_capture))]
mod tests {
    use super::*;

    /// A thread's stack is known from its word to its end.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test waits for its thread")]
    fn known_while_alive() {
        let (tid, here) = std::thread::spawn(|| {
            register();
            let local = 0_u8;
            let address = std::ptr::from_ref(&local).expose_provenance() as u64;
            let tid = sys::current_tid();
            (tid, stack_of(tid).unwrap().contains(&address))
        })
        .join()
        .unwrap();
        assert!(here);
        assert_eq!(stack_of(tid), None);
    }
}
