//! One monotonic clock for everything in a run: nanoseconds since its start.

use std::time::{Duration, Instant};

use crate::schedule::nanoseconds;

/// The start of a run, from which intended, sent and answered times are counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// A clock that reads zero at `start`.
    pub(crate) fn starting_at(start: Instant) -> Self {
        Self(start)
    }

    /// Nanoseconds since the start; zero before it.
    pub(crate) fn now_ns(self) -> u64 {
        nanoseconds(self.0.elapsed())
    }

    /// The moment `ns` nanoseconds after the start.
    pub(crate) fn at(self, ns: u64) -> Instant {
        self.0 + Duration::from_nanos(ns)
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
