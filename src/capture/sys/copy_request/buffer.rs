//! The memory that a stack copy passes through: one preallocated buffer, shared without a lock.
//!
//! Who may touch it is decided by the phase word of the request. Under `--cfg pollscope_model` it is loom's cell, which
//! fails a model in which two sides hold the buffer at once.

use super::COPY_BYTES_MAX;

#[cfg(not(all(test, pollscope_model)))]
use std::cell::UnsafeCell;

#[cfg(all(test, pollscope_model))]
type UnsafeCell<T> = std::sync::OnceLock<loom::cell::UnsafeCell<T>>;

/// Bytes that one side at a time may touch.
pub(super) struct CopyBuffer(UnsafeCell<[u8; COPY_BYTES_MAX]>);

// SAFETY: the buffer is touched only by the side that the phase word names: the handler between its successful CAS to
// COPYING and its store of DONE, the watchdog after it has seen DONE.
unsafe impl Sync for CopyBuffer {}

#[cfg(not(all(test, pollscope_model)))]
impl CopyBuffer {
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new([0; COPY_BYTES_MAX]))
    }

    /// Lends the bytes to the side that owns them now; what `body` does with the pointer is its own to justify.
    #[inline]
    pub(super) fn write(&self, body: impl FnOnce(*mut u8)) {
        body(self.0.get().cast());
    }
}

#[cfg(all(test, pollscope_model))]
impl CopyBuffer {
    pub(super) const fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }

    pub(super) fn write(&self, body: impl FnOnce(*mut u8)) {
        let cell = self
            .0
            .get_or_init(|| loom::cell::UnsafeCell::new([0; COPY_BYTES_MAX]));
        cell.with_mut(|bytes| body(bytes.cast()));
    }
}
