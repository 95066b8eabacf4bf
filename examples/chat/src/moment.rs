//! One reading of both clocks: the pure core is told the time and never asks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// When something was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For distances in time: it never jumps.
    pub instant: Instant,
    /// For showing: milliseconds since 1970 in UTC.
    pub unix_ms: u64,
}

impl Moment {
    /// Reads both clocks; two system calls that need no kernel.
    #[must_use]
    pub fn now() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix_ms = since_1970.map_or(0, |since| since.as_millis());
        Self {
            instant: Instant::now(),
            unix_ms: u64::try_from(unix_ms).unwrap_or(u64::MAX),
        }
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        self.unix_ms / 1000
    }
}
