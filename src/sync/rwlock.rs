//! `std::sync::RwLock` with a memory of who holds it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::{self, LockResult, TryLockError};

use super::holder::{Hold, Holder};
use super::mutex::wrap;
use crate::debug;

/// [`std::sync::RwLock`] that tells in debug mode when it is held across an await.
///
/// A writer is told of when somebody has to wait for it or when it lets go, a reader when it lets go: who of many
/// readers is in the way is not known. Outside the debug mode a lock costs a few nanoseconds more than
/// the standard library's.
///
/// # Example
///
/// ```
/// let hosts = pollscope::sync::RwLock::new(vec!["a"]);
/// hosts.write().unwrap().push("b");
/// assert_eq!(hosts.read().unwrap().len(), 2);
/// ```
#[derive(Default)]
pub struct RwLock<T: ?Sized> {
    writer: Holder,
    inner: sync::RwLock<T>,
}

/// Gives the shared lock back when dropped.
#[must_use = "the lock is given back at once if the guard is not kept"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    hold: Option<Hold>,
    inner: sync::RwLockReadGuard<'a, T>,
}

/// Gives the exclusive lock back when dropped.
#[must_use = "the lock is given back at once if the guard is not kept"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    writer: &'a Holder,
    /// Whether the holder knows this hold.
    is_held: bool,
    inner: sync::RwLockWriteGuard<'a, T>,
}

impl<T> RwLock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self {
            writer: Holder::new(),
            inner: sync::RwLock::new(value),
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// When a writer has panicked.
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// As [`std::sync::RwLock::read`].
    ///
    /// # Errors
    ///
    /// When a writer has panicked; the error holds the guard.
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let here = Location::caller();
        let taken = self.wait(here, self.inner.try_read(), || self.inner.read());
        wrap(taken, |inner| RwLockReadGuard {
            hold: begin(here),
            inner,
        })
    }

    /// As [`std::sync::RwLock::write`].
    ///
    /// # Errors
    ///
    /// When a writer has panicked; the error holds the guard.
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let here = Location::caller();
        let taken = self.wait(here, self.inner.try_write(), || self.inner.write());
        wrap(taken, |inner| RwLockWriteGuard {
            writer: &self.writer,
            is_held: self.writer.begin(begin(here)),
            inner,
        })
    }

    /// As [`std::sync::RwLock::get_mut`].
    ///
    /// # Errors
    ///
    /// When a writer has panicked.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }

    /// Whether a writer has panicked.
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// Forgets that a writer has panicked.
    pub fn clear_poison(&self) {
        self.inner.clear_poison();
    }

    /// What was tried, or what a wait gives, told of before it.
    fn wait<G>(
        &self,
        here: &'static Location<'static>,
        tried: Result<G, TryLockError<G>>,
        wait: impl FnOnce() -> LockResult<G>,
    ) -> LockResult<G> {
        match tried {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
            Err(TryLockError::WouldBlock) => {
                if debug::is_on() {
                    self.writer.is_wanted(here);
                }
                wait()
            }
        }
    }
}

fn begin(here: &'static Location<'static>) -> Option<Hold> {
    debug::is_on().then(|| Hold::begin(here)).flatten()
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        if let Some(hold) = &self.hold {
            hold.tell(None);
        }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        if self.is_held {
            self.writer.end();
        }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many readers or one writer, as the standard library's.
    #[test]
    fn behaves_as_std() {
        let lock = RwLock::new(vec![1]);
        {
            let (first, second) = (lock.read().unwrap(), lock.read().unwrap());
            assert_eq!(*first, *second);
        }
        lock.write().unwrap().push(2);
        assert_eq!(lock.into_inner().unwrap(), [1, 2]);
    }
}
