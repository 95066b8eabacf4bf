//! A thread drives a `current_thread` runtime for a while.
//!
//! Its worker is whichever thread stands in `block_on`, and no hook tells when that begins or ends: without this a runtime
//! that nobody drives would look busy for ever.

use super::bell::BELL;
use super::slots;

/// The calling thread is the worker until this is dropped.
#[derive(Debug)]
pub(super) struct Driving {
    /// `None` inside another poll (`block_in_place`), to which the thread belongs.
    number: Option<u32>,
}

impl Driving {
    pub(super) fn begin(number: u32) -> Self {
        if slots::in_poll() {
            return Self { number: None };
        }
        slots::drive(number);
        BELL.ring();
        Self {
            number: Some(number),
        }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            slots::park(number);
        }
    }
}
