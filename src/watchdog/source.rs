//! Where the signs of life of one worker come from: its slot, or Tokio's counters for an attached runtime.

use std::sync::Arc;

use crate::runtime::attach;
use crate::runtime::slots::{Slot, SlotView};
use crate::runtime::{Tier, WatchedRuntime};
use crate::stall::Look;

/// Names a worker between looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// Slot and generation.
    Slot(usize, u64),
    /// Runtime number, worker index, and the thread that is this worker: its id and the generation of its slot.
    Attached(u32, usize, i32, u64),
}

/// One worker's signs of life.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// Heartbeats.
    Slot(&'static Slot),
    /// Loop turns.
    Attached(Arc<WatchedRuntime>, usize),
}

impl Source {
    /// What `view` says at this moment.
    pub(crate) fn look(&self, view: &SlotView) -> Look {
        match self {
            Self::Slot(_) => Look {
                token: view.seq,
                busy: view.in_poll(),
                ended: (view.ended.0 != 0).then_some(view.ended),
            },
            Self::Attached(runtime, worker) => {
                let look = attach::look(runtime, *worker, Some(view));
                let hooks_say_parked = runtime.tier == Tier::Built && view.parked;
                // A watched task's own heartbeat is the better witness.
                Look {
                    token: look.token,
                    busy: look.busy && !view.in_poll() && !hooks_say_parked,
                    ended: None,
                }
            }
        }
    }

    /// Whether the poll of `look` is still going on.
    pub(crate) fn is_still(&self, look: Look, view: &SlotView) -> bool {
        match self {
            Self::Slot(slot) => slot.view().is_some_and(|after| after.seq == look.token),
            Self::Attached(..) => {
                let after = self.look(view);
                after.busy && after.token == look.token
            }
        }
    }

    /// Asks for a stamp at the end of the poll, where there is somebody to stamp it.
    pub(crate) fn flag(&self, look: Look) {
        if let Self::Slot(slot) = self {
            slot.flag(look.token);
        }
    }

    /// Whether single polls can be told apart.
    pub(crate) fn sees_polls(&self) -> bool {
        matches!(self, Self::Slot(_))
    }
}
