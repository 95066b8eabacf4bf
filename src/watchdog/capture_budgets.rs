//! How many stacks may be taken a second.

use std::time::Duration;

use crate::debug;
use crate::stall::Bucket;

/// Stacks captured a second, on average and at once: at up to 0.3 ms each they stay under a hundredth of a core; a
/// service with more stalls than that has shown its culprits already.
const CAPTURES_PER_SECOND: f64 = 20.0;
const CAPTURES_BURST: f64 = 40.0;

/// First stacks, of suspected polls, a second and at once: most of those polls never become a stall, so they have a
/// smaller budget of their own.
const SAMPLES_PER_SECOND: f64 = 10.0;
const SAMPLES_BURST: f64 = 20.0;

/// The budgets.
#[derive(Debug)]
pub(crate) struct CaptureBudgets {
    captures: Bucket,
    samples: Bucket,
    in_debug: Bucket,
}

impl CaptureBudgets {
    pub(crate) fn new() -> Self {
        Self {
            captures: Bucket::new(CAPTURES_PER_SECOND, CAPTURES_BURST),
            samples: Bucket::new(SAMPLES_PER_SECOND, SAMPLES_BURST),
            in_debug: Bucket::new(debug::CAPTURES_PER_SECOND, debug::CAPTURES_BURST),
        }
    }

    /// Whether the stack of a stall may be taken.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        if debug::is_on() {
            return self.in_debug.take(now);
        }
        self.captures.take(now)
    }

    /// Whether the stack of what may become a stall may be taken.
    pub(crate) fn take_sample(&mut self, now: Duration) -> bool {
        if debug::is_on() {
            return self.in_debug.take(now);
        }
        self.samples.take(now)
    }
}
