//! What the faults of one plan have begun and not undone yet: tasks, calls, descriptors, waits.
//!
//! A fault that blocks leaves nothing behind and has no effect here. Each of the others keeps its own state in its own
//! file; this is where the plan finds it, so that switching off undoes everything and the status can say what is left.

use crate::await_in_fanout::{self, SlowMember};
use crate::blocking_pool::{self, Calls};
use crate::fault::{CATALOGUE, Fault};
use crate::fd_exhausted::{self, Descriptors};
use crate::lock_across_await::{self, RoomTable};
use crate::settings::Settings;
use crate::task_leak::{self, Leak};
use crate::timer_storm::{self, Ticks};

/// The state of one fault that does more than block.
pub(crate) trait Effect {
    /// The fault is on, with these settings; for what acts by itself, without being called by the service.
    ///
    /// # Errors
    ///
    /// Why it cannot act.
    fn begin(&self, _settings: &Settings) -> Result<(), String> {
        Ok(())
    }

    /// The fault is off: ends what is under way. Called also when nothing is.
    fn undo(&self) {}

    /// How many things it has made that are still there.
    fn left(&self) -> usize {
        0
    }

    /// How often it acted without the plan's knowledge.
    fn acts(&self) -> u64 {
        0
    }
}

/// The effects of one plan.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) leak: Leak,
    pub(crate) calls: Calls,
    pub(crate) rooms: RoomTable,
    pub(crate) member: SlowMember,
    pub(crate) ticks: Ticks,
    pub(crate) descriptors: Descriptors,
}

impl Effects {
    /// The effect of a fault, if it has one.
    pub(crate) fn of(&self, fault: &Fault) -> Option<&dyn Effect> {
        let all: [(&Fault, &dyn Effect); 6] = [
            (&task_leak::FAULT, &self.leak),
            (&blocking_pool::FAULT, &self.calls),
            (&lock_across_await::FAULT, &self.rooms),
            (&await_in_fanout::FAULT, &self.member),
            (&timer_storm::FAULT, &self.ticks),
            (&fd_exhausted::FAULT, &self.descriptors),
        ];
        all.into_iter()
            .find_map(|(of, effect)| of.is(fault).then_some(effect))
    }
}

impl Drop for Effects {
    /// A service that is shut down but whose runtime or process lives on must not keep what its faults left.
    fn drop(&mut self) {
        for effect in CATALOGUE.into_iter().filter_map(|fault| self.of(fault)) {
            effect.undo();
        }
    }
}
