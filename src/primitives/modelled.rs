//! Loom's primitives with the constructors that statics need.
//!
//! Loom's cannot be built in a constant, so each is made at its first use. A model must therefore touch what it shares
//! before it starts threads, and must never touch a static: those outlive one run of the model.

#![expect(
    dead_code,
    reason = "all atomics have one set of methods, of which no type needs all"
)]

use std::sync::{LockResult, OnceLock};

pub(crate) use loom::sync::atomic::fence;
pub(crate) use loom::thread::{Thread, current, park};

use loom::sync::MutexGuard;
use std::sync::atomic::Ordering;

macro_rules! modelled {
    ($name:ident, $value:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name {
            initial: $value,
            inner: OnceLock<loom::sync::atomic::$name>,
        }

        impl $name {
            pub(crate) const fn new(initial: $value) -> Self {
                Self {
                    initial,
                    inner: OnceLock::new(),
                }
            }

            fn inner(&self) -> &loom::sync::atomic::$name {
                self.inner
                    .get_or_init(|| loom::sync::atomic::$name::new(self.initial))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.inner().load(order)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.inner().store(value, order);
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.inner().swap(value, order)
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.inner()
                    .compare_exchange(current, new, success, failure)
            }
        }
    };
}

macro_rules! counting {
    ($name:ident, $value:ty) => {
        impl $name {
            #[track_caller]
            pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.inner().fetch_add(value, order)
            }

            #[track_caller]
            pub(crate) fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                self.inner().fetch_max(value, order)
            }
        }
    };
}

modelled!(AtomicBool, bool);
modelled!(AtomicU8, u8);
modelled!(AtomicI32, i32);
modelled!(AtomicU32, u32);
modelled!(AtomicU64, u64);
counting!(AtomicU32, u32);
counting!(AtomicU64, u64);

/// An atomic pointer that begins with null.
#[derive(Debug)]
pub(crate) struct AtomicPtr<T> {
    inner: OnceLock<loom::sync::atomic::AtomicPtr<T>>,
}

impl<T> AtomicPtr<T> {
    pub(crate) const fn new(initial: *mut T) -> Self {
        // A place for a pointer would make this type unshareable; nobody begins with another.
        let _ = initial;
        Self {
            inner: OnceLock::new(),
        }
    }

    fn inner(&self) -> &loom::sync::atomic::AtomicPtr<T> {
        self.inner
            .get_or_init(|| loom::sync::atomic::AtomicPtr::new(std::ptr::null_mut()))
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        self.inner().load(order)
    }

    #[track_caller]
    pub(crate) fn store(&self, value: *mut T, order: Ordering) {
        self.inner().store(value, order);
    }
}

/// A mutex over loom's.
#[derive(Debug)]
pub(crate) struct Mutex<T> {
    initial: std::sync::Mutex<Option<T>>,
    inner: OnceLock<loom::sync::Mutex<T>>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(initial: T) -> Self {
        Self {
            initial: std::sync::Mutex::new(Some(initial)),
            inner: OnceLock::new(),
        }
    }

    #[track_caller]
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let make = || {
            let initial = self.initial.lock().expect("held for a moment").take();
            loom::sync::Mutex::new(initial.expect("taken once"))
        };
        self.inner.get_or_init(make).lock()
    }
}
