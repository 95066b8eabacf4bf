//! A thread drives a `current_thread` runtime for a while.
//!
//! Its worker is whichever thread stands in `block_on`, and no hook tells when that begins or ends: without this a runtime
//! that nobody drives would look busy for ever.

use super::bell::BELL;
use super::slots::{self, Role};

/// The calling thread is the worker until this is dropped.
#[derive(Debug)]
pub(super) struct Driving {
    number: u32,
    /// What the thread was before, inside another poll: `block_in_place` has given its worker to another thread.
    before: Option<Role>,
}

impl Driving {
    pub(super) fn begin(number: u32) -> Self {
        let before = slots::in_poll().then(slots::role).flatten();
        slots::drive(number);
        BELL.ring();
        Self { number, before }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        match self.before {
            Some(before) => slots::resume(before),
            None => slots::park(self.number),
        }
    }
}
