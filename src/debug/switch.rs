//! Whether the debug mode is on, and what it changes in numbers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::inbox;
use crate::runtime::BELL;

/// A poll this long is told in debug mode: a tenth of the default, where a task begins to be felt by those behind it.
const RECORD: Duration = Duration::from_millis(1);

/// Stacks a second, on average and at once: a stack for practically every stall. At up to 0.3 ms each that is a tenth of
/// a core, which is the point at which looking would itself become what is seen.
pub(crate) const CAPTURES_PER_SECOND: f64 = 300.0;
pub(crate) const CAPTURES_BURST: f64 = 600.0;

static IS_ON: AtomicBool = AtomicBool::new(false);

/// Whether the debug mode is on: one relaxed load.
#[inline]
pub(crate) fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// Switches it; the watchdog goes by it from its next look on.
pub(crate) fn set(on: bool) {
    IS_ON.store(on, Ordering::Relaxed);
    inbox::clear();
    BELL.wake();
}

/// The threshold that is in force, given the configured one.
pub(crate) fn threshold(configured: Duration) -> Duration {
    if is_on() {
        configured.min(RECORD)
    } else {
        configured
    }
}
