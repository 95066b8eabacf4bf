//! Which part of a run one process has. Pure.
//!
//! A process may open only so many files, so a run of many clients is divided. Each part has rooms of its own: whoever hears a
//! message is in the process that sent it and reads the same clock.

use crate::schedule::Schedule;

/// Part `index` of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Number of the part, from 0.
    pub index: usize,
    /// Number of parts.
    pub of: usize,
    /// Tells the clients of this run from those of another at the same service: the same for all parts.
    pub run: u32,
}

impl Part {
    /// Part `index` of `of` of run `run`.
    #[must_use]
    pub const fn new(index: usize, of: usize, run: u32) -> Self {
        Self { index, of, run }
    }

    /// The only part of a run of this process alone.
    #[must_use]
    pub fn whole() -> Self {
        Self::new(0, 1, std::process::id())
    }

    /// Whether there is such a part.
    pub(crate) fn is_one(self) -> bool {
        self.index < self.of
    }

    /// How many of `clients` it has: what is left over goes to the first parts.
    pub(crate) fn len(self, clients: usize) -> usize {
        let (each, rest) = self.shares(clients);
        each + usize::from(self.index < rest)
    }

    /// The first of its clients.
    pub(crate) fn first(self, clients: usize) -> usize {
        let (each, rest) = self.shares(clients);
        self.index * each + self.index.min(rest)
    }

    /// Its messages of the whole run's.
    pub(crate) fn schedule(self, whole: &Schedule) -> Schedule {
        whole.part(self.index, self.of)
    }

    fn shares(self, clients: usize) -> (usize, usize) {
        let of = self.of.max(1);
        (clients / of, clients % of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the parts follow one another without a gap and hold everybody.
    #[test]
    fn parts_hold_everybody() {
        for (clients, of) in [(10, 1), (10, 3), (11, 3), (3, 3), (20_000, 7)] {
            let mut next = 0;
            for index in 0..of {
                let part = Part::new(index, of, 1);
                assert_eq!(part.first(clients), next, "{clients} in {of}");
                next += part.len(clients);
            }
            assert_eq!(next, clients);
        }
        assert!(Part::new(2, 3, 1).is_one() && !Part::new(3, 3, 1).is_one());
    }
}
