//! Which slot is whose worker, as one look found it.
//!
//! Who watches a runtime by its workers asks for the slot of each. Looking through all slots for every worker would cost the
//! square of their number at each look, so the views that a look takes anyway are noted here. Only places are kept: a
//! capture may have taken time since, and the slot itself says what its worker does now.

use crate::runtime::slots::{self, NO_WORKER, Slot, SlotView};

/// The workers that have slots.
#[derive(Debug, Default)]
pub(super) struct Roster {
    seats: Vec<Seat>,
}

/// Ordered by runtime, worker, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seat {
    runtime: u32,
    worker: u32,
    since: u64,
    slot: usize,
}

impl Roster {
    /// Forgets all, for the next look.
    pub(super) fn clear(&mut self) {
        self.seats.clear();
    }

    /// Notes who holds a slot.
    pub(super) fn meet(&mut self, slot: usize, view: &SlotView) {
        if view.worker != NO_WORKER {
            self.seats.push(Seat {
                runtime: view.runtime,
                worker: view.worker,
                since: view.worker_since,
                slot,
            });
        }
    }

    /// All have been met: from here on they can be asked for.
    pub(super) fn settle(&mut self) {
        self.seats.sort_unstable();
    }

    /// What the slot of a worker shows now, if a probe has met it.
    pub(super) fn view_of(&self, runtime: u32, worker: usize) -> Option<SlotView> {
        let worker = u32::try_from(worker).ok()?;
        let slot = slots::claimed_slots().get(self.slot_of(runtime, worker)?);
        slot.and_then(Slot::view)
            .filter(|view| (view.runtime, view.worker) == (runtime, worker))
    }

    /// The latest thread that became this worker is it.
    fn slot_of(&self, runtime: u32, worker: u32) -> Option<usize> {
        let wanted = (runtime, worker);
        let place = |seat: &Seat| (seat.runtime, seat.worker);
        let end = self.seats.partition_point(|seat| place(seat) <= wanted);
        let last = self.seats.get(end.checked_sub(1)?)?;
        (place(last) == wanted).then_some(last.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each worker has the slot of the latest thread that became it; others have none.
    #[test]
    fn the_latest_claim_is_the_true_one() {
        let mut roster = Roster::default();
        for (slot, (runtime, worker, since)) in [
            (2, 0, 5),
            (1, 1, 9),
            (2, 1, 3),
            (1, 0, 1),
            (2, 0, 7),
            (2, 0, 6),
        ]
        .into_iter()
        .enumerate()
        {
            roster.seats.push(Seat {
                runtime,
                worker,
                since,
                slot,
            });
        }
        roster.settle();
        for (runtime, worker, slot) in [
            (1, 0, Some(3)),
            (1, 1, Some(1)),
            (2, 0, Some(4)),
            (2, 1, Some(2)),
            (0, 0, None),
            (1, 2, None),
            (3, 0, None),
        ] {
            assert_eq!(roster.slot_of(runtime, worker), slot, "{runtime} {worker}");
        }
        roster.clear();
        assert_eq!(roster.slot_of(2, 0), None);
    }
}
