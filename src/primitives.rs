//! The atomics, locks and parking under the lock-free protocols: slots, bell, copy hand-over.
//!
//! They are the standard library's, except under `--cfg pollscope_model`, where the tests named `model` run the same
//! code over loom's, which try interleavings, all of them or up to a bound that the model names, and every value that the
//! memory model allows a load to see. A cfg of our own instead of loom's, because `--cfg loom` would change Tokio as well.

#[cfg(not(all(test, pollscope_model)))]
mod real {
    pub(crate) use std::sync::Mutex;
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, fence,
    };
    pub(crate) use std::thread::{Thread, current, park};
}

#[cfg(all(test, pollscope_model))]
mod modelled;

#[cfg(all(test, pollscope_model))]
pub(crate) use modelled::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Mutex, Thread, current,
    fence, park,
};
#[cfg(not(all(test, pollscope_model)))]
pub(crate) use real::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Mutex, Thread, current,
    fence, park,
};
