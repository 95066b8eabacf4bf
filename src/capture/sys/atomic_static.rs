//! An atomic place for a `&'static T`.
//!
//! The slot of a worker holds the spawn location of the task it polls; a store of the pointer is all that a poll may
//! cost, and the standard library has atomics for raw pointers only.

use std::sync::atomic::Ordering;

use crate::primitives::AtomicPtr;

/// `Option<&'static T>` that threads can swap without a lock.
#[derive(Debug)]
pub(crate) struct AtomicStatic<T: 'static>(AtomicPtr<T>);

impl<T: Sync + 'static> AtomicStatic<T> {
    /// Holds nothing.
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// Replaces what is held; one relaxed store, the caller's release orders it.
    #[inline]
    pub(crate) fn store(&self, value: &'static T) {
        self.0
            .store(std::ptr::from_ref(value).cast_mut(), Ordering::Relaxed);
    }

    /// What is held.
    #[inline]
    pub(crate) fn load(&self) -> Option<&'static T> {
        let pointer = self.0.load(Ordering::Relaxed);
        // SAFETY: the pointer is null or came from a `&'static T` in `store`, the only writer; nothing writes through
        // it, and `T: Sync` lets any thread share it.
        unsafe { pointer.as_ref() }
    }
}
