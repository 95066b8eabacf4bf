//! The watchdog's time for those who must not read a clock.
//!
//! The watchdog publishes its time at every look, so a waker stamps a wake with one load and one store. Before it sleeps
//! longer than one pause it publishes that the time is unknown: a stamp is never older than it says by more than a look.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Published while nobody looks.
const UNKNOWN: u64 = 0;

/// Nanoseconds on the clock of `slots::monotonic`, or [`UNKNOWN`].
static NOW: AtomicU64 = AtomicU64::new(UNKNOWN);

/// The watchdog looks at this time.
pub(crate) fn publish(now: Duration) {
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    NOW.store(now.max(Stamp::SOME_TIME + 1), Ordering::Relaxed);
}

/// The watchdog will not look for a while.
pub(crate) fn pause() {
    NOW.store(UNKNOWN, Ordering::Relaxed);
}

/// A moment on the coarse clock as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// It has not happened.
    pub(crate) const NEVER: Self = Self(0);

    /// It happened while nobody looked.
    const SOME_TIME: u64 = 1;

    /// At that time.
    #[cfg(test)]
    pub(crate) fn at(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Now.
    #[inline]
    pub(crate) fn now() -> Self {
        Self(NOW.load(Ordering::Relaxed).max(Self::SOME_TIME))
    }

    /// Whether it has happened.
    #[inline]
    pub(crate) fn has_happened(self) -> bool {
        self != Self::NEVER
    }

    /// When it happened; zero, which is before everything, if nobody looked at that time.
    pub(crate) fn time(self) -> Option<Duration> {
        match self.0 {
            0 => None,
            Self::SOME_TIME => Some(Duration::ZERO),
            ns => Some(Duration::from_nanos(ns)),
        }
    }
}

/// A stamp that threads share.
#[derive(Debug)]
pub(crate) struct AtomicStamp(AtomicU64);

impl AtomicStamp {
    /// Holds this stamp.
    pub(crate) const fn new(stamp: Stamp) -> Self {
        Self(AtomicU64::new(stamp.0))
    }

    /// The stamp it holds.
    #[inline]
    pub(crate) fn load(&self) -> Stamp {
        Stamp(self.0.load(Ordering::Relaxed))
    }

    /// Replaces it.
    #[inline]
    pub(crate) fn store(&self, stamp: Stamp) {
        self.0.store(stamp.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What never happened, what happened unseen, and what happened at a known time are three things.
    #[test]
    fn stamps() {
        assert_eq!(Stamp::NEVER.time(), None);
        assert!(!Stamp::NEVER.has_happened());
        assert_eq!(Stamp(Stamp::SOME_TIME).time(), Some(Duration::ZERO));
        let shared = AtomicStamp::new(Stamp::NEVER);
        shared.store(Stamp(5_000_000));
        assert_eq!(shared.load().time(), Some(Duration::from_millis(5)));
        assert!(Stamp::now().has_happened());
    }
}
