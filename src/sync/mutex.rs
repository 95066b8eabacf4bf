//! `std::sync::Mutex` with a memory of who holds it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::{self, LockResult, PoisonError, TryLockError, TryLockResult};

use super::holder::{Hold, Holder};
use crate::debug;

/// [`std::sync::Mutex`] that tells in debug mode when it is held across an await.
///
/// Outside the debug mode a lock costs about 3 ns more than the standard library's. It has no
/// [`Condvar`](std::sync::Condvar), which takes the standard library's guards only.
///
/// # Example
///
/// ```
/// let count = pollscope::sync::Mutex::new(1);
/// *count.lock().unwrap() += 1;
/// assert_eq!(count.into_inner().unwrap(), 2);
/// ```
#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    holder: Holder,
    inner: sync::Mutex<T>,
}

/// Gives the lock back when dropped.
#[must_use = "the lock is given back at once if the guard is not kept"]
pub struct MutexGuard<'a, T: ?Sized> {
    holder: &'a Holder,
    /// Whether the holder knows this hold.
    is_held: bool,
    inner: sync::MutexGuard<'a, T>,
}

impl<T> Mutex<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self {
            holder: Holder::new(),
            inner: sync::Mutex::new(value),
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// As [`std::sync::Mutex::into_inner`].
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// As [`std::sync::Mutex::lock`].
    ///
    /// # Errors
    ///
    /// When a holder has panicked; the error holds the guard.
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        if !debug::is_on() {
            return wrap(self.inner.lock(), |inner| self.guard(inner, None));
        }
        let here = Location::caller();
        let taken = match self.inner.try_lock() {
            Ok(inner) => Ok(inner),
            Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
            Err(TryLockError::WouldBlock) => {
                self.holder.is_wanted(here);
                self.inner.lock()
            }
        };
        wrap(taken, |inner| self.guard(inner, Hold::begin(here)))
    }

    /// As [`std::sync::Mutex::try_lock`].
    ///
    /// # Errors
    ///
    /// When it is held, and as [`Mutex::lock`].
    #[track_caller]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let hold = || {
            let here = Location::caller();
            debug::is_on().then(|| Hold::begin(here)).flatten()
        };
        match self.inner.try_lock() {
            Ok(inner) => Ok(self.guard(inner, hold())),
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
            Err(TryLockError::Poisoned(poisoned)) => Err(TryLockError::Poisoned(PoisonError::new(
                self.guard(poisoned.into_inner(), hold()),
            ))),
        }
    }

    /// As [`std::sync::Mutex::get_mut`].
    ///
    /// # Errors
    ///
    /// When a holder has panicked.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }

    /// Whether a holder has panicked.
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// Forgets that a holder has panicked.
    pub fn clear_poison(&self) {
        self.inner.clear_poison();
    }

    fn guard<'a>(
        &'a self,
        inner: sync::MutexGuard<'a, T>,
        hold: Option<Hold>,
    ) -> MutexGuard<'a, T> {
        MutexGuard {
            holder: &self.holder,
            is_held: self.holder.begin(hold),
            inner,
        }
    }
}

/// The same result with another guard.
pub(super) fn wrap<G, W>(taken: LockResult<G>, guard: impl FnOnce(G) -> W) -> LockResult<W> {
    match taken {
        Ok(inner) => Ok(guard(inner)),
        Err(poisoned) => Err(PoisonError::new(guard(poisoned.into_inner()))),
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.is_held {
            self.holder.end();
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It behaves as the standard library's: exclusion, poison, recovery.
    #[test]
    fn behaves_as_std() {
        let lock = Mutex::new(1);
        let guard = lock.lock().unwrap();
        assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        assert_eq!((*guard, guard.to_string().as_str()), (1, "1"));
        drop(guard);
        let panics = std::panic::AssertUnwindSafe(|| {
            let _guard = lock.lock();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(lock.is_poisoned());
        let Err(poisoned) = lock.lock() else {
            panic!("not poisoned");
        };
        *poisoned.into_inner() += 1;
        lock.clear_poison();
        assert_eq!(lock.into_inner().unwrap(), 2);
    }
}
