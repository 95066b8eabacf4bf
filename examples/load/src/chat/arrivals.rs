//! What one receiver has seen of each sender in its room: in order, late, twice. Pure.
//!
//! Four bytes per sender while all goes well; only numbers that were skipped are remembered one by one.

use std::collections::HashSet;

/// Most skipped numbers remembered by one receiver. Beyond that a late message can no longer be told from a repeated one
/// and counts as repeated; by then the run has lost more than it can explain anyway.
const SKIPPED_LEN_MAX: usize = 10_000;

/// What an arrival means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Newer than everything before from this sender.
    InOrder,
    /// For the first time, but after a newer one.
    Late,
    /// Seen before.
    Duplicate,
}

/// The arrivals at one receiver.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// The highest number seen, by the sender's seat; numbers start at 1.
    last: Vec<u32>,
    /// Seat and number of what was skipped and may still come.
    skipped: HashSet<(usize, u32)>,
}

impl Arrivals {
    /// Number `number` of the sender in `seat` has arrived. The caller has checked that the seat exists.
    pub(crate) fn arrive(&mut self, seat: usize, number: u32) -> Arrival {
        if seat >= self.last.len() {
            self.last.resize(seat + 1, 0);
        }
        let last = self.last[seat];
        if number > last {
            let room = SKIPPED_LEN_MAX.saturating_sub(self.skipped.len());
            self.skipped
                .extend((last + 1..number).take(room).map(|skipped| (seat, skipped)));
            self.last[seat] = number;
            Arrival::InOrder
        } else if self.skipped.remove(&(seat, number)) {
            Arrival::Late
        } else {
            Arrival::Duplicate
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arrival::{Duplicate, InOrder, Late};
    use super::*;

    /// Goal: each sequence of arrivals is judged as a person would.
    #[test]
    fn judges_arrivals() {
        for (numbers, expect) in [
            (vec![1, 2, 3], vec![InOrder, InOrder, InOrder]),
            (vec![1, 3, 2, 4], vec![InOrder, InOrder, Late, InOrder]),
            (
                vec![1, 1, 2, 1],
                vec![InOrder, Duplicate, InOrder, Duplicate],
            ),
            (vec![3, 2, 2, 1], vec![InOrder, Late, Duplicate, Late]),
        ] {
            let mut arrivals = Arrivals::default();
            let judged: Vec<_> = numbers
                .iter()
                .map(|number| arrivals.arrive(0, *number))
                .collect();
            assert_eq!(judged, expect, "{numbers:?}");
        }
    }

    /// Goal: senders are judged each by itself.
    #[test]
    fn senders_are_apart() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.arrive(5, 1), InOrder);
        assert_eq!(arrivals.arrive(2, 1), InOrder);
        assert_eq!(arrivals.arrive(5, 1), Duplicate);
    }

    /// Goal: an absurd gap costs bounded memory.
    #[test]
    fn gaps_are_bounded() {
        let mut arrivals = Arrivals::default();
        arrivals.arrive(0, u32::MAX);
        assert_eq!(arrivals.skipped.len(), SKIPPED_LEN_MAX);
        assert_eq!(arrivals.arrive(0, 1), Late);
        assert_eq!(arrivals.arrive(0, u32::MAX), Duplicate);
    }
}
