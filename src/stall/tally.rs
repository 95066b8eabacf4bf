//! What the looks at one suspected thread have seen so far; PURE.
//!
//! A single look can fall on the moment of waking up, or on a short call between two long ones. The kinds of waits are
//! therefore counted, and judgement goes by the one that was seen most. What a wait is for is asked once for each kind,
//! when it is first met, because that costs a few more reads.

use super::waiting::WaitObject;

/// Kinds of waits kept for one poll; a poll that alternates between more is told by its most frequent ones all the same.
const WAITS_LEN_MAX: usize = 8;

/// Where a sleeping thread was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this system call with this first argument (a descriptor, a futex address, a process).
    Call {
        /// System call number.
        number: i64,
        /// First argument.
        first: u64,
    },
    /// Asleep outside a system call: a page fault.
    Outside,
    /// The kernel does not tell.
    Unreadable,
}

/// One kind of wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Where.
    pub(crate) place: Place,
    /// Name of the system call, if it is one.
    pub(crate) syscall: Option<String>,
    /// Kernel function it sleeps in.
    pub(crate) wchan: Option<String>,
    /// Whether it sleeps uninterruptibly.
    pub(crate) uninterruptible: bool,
    /// What it waits for.
    pub(crate) object: Option<WaitObject>,
}

impl Wait {
    /// The address of the futex that is waited for.
    pub(crate) fn futex(&self) -> Option<u64> {
        match self.place {
            Place::Call { first, .. } if self.syscall.as_deref() == Some("futex") => Some(first),
            _ => None,
        }
    }
}

/// Looks counted by what they saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    awake: u32,
    waits: Vec<(Wait, u32)>,
    elsewhere: u32,
}

impl Tally {
    /// A look that found the thread awake.
    pub(crate) fn awake(&mut self) {
        self.awake += 1;
    }

    /// A look that found it asleep; `describe` is asked only for a place that is new.
    pub(crate) fn asleep(&mut self, place: Place, describe: impl FnOnce() -> Wait) {
        if let Some((_, looks)) = self.waits.iter_mut().find(|(wait, _)| wait.place == place) {
            *looks += 1;
        } else if self.waits.len() < WAITS_LEN_MAX {
            self.waits.push((describe(), 1));
        } else {
            self.elsewhere += 1;
        }
    }

    /// Looks that found it asleep.
    pub(crate) fn asleep_looks(&self) -> u32 {
        self.elsewhere + self.waits.iter().map(|(_, looks)| looks).sum::<u32>()
    }

    /// All looks.
    pub(crate) fn looks(&self) -> u32 {
        self.awake + self.asleep_looks()
    }

    /// The wait that was seen most, and how often; the earlier of two equal ones.
    pub(crate) fn main_wait(&self) -> Option<(&Wait, u32)> {
        let mut best: Option<&(Wait, u32)> = None;
        for candidate in &self.waits {
            if best.is_none_or(|best| candidate.1 > best.1) {
                best = Some(candidate);
            }
        }
        best.map(|(wait, looks)| (wait, *looks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(place: Place) -> Wait {
        Wait {
            place,
            syscall: None,
            wchan: None,
            uninterruptible: false,
            object: None,
        }
    }

    fn call(number: i64) -> Place {
        Place::Call { number, first: 0 }
    }

    /// One look at another call, or at the moment of waking, does not outvote the others.
    #[test]
    fn the_most_frequent_wins() {
        let mut tally = Tally::default();
        assert_eq!(tally.main_wait(), None);
        for place in [call(1), call(230), call(230), Place::Outside] {
            tally.asleep(place, || wait(place));
        }
        tally.awake();
        assert_eq!(tally.main_wait(), Some((&wait(call(230)), 2)));
        assert_eq!((tally.asleep_looks(), tally.looks()), (4, 5));
    }

    /// Places are described once, and their number is bounded.
    #[test]
    fn is_bounded() {
        let mut tally = Tally::default();
        let mut described = 0;
        for round in 0..2 {
            for number in 0..100 {
                tally.asleep(call(number), || {
                    described += 1;
                    wait(call(number))
                });
            }
            assert_eq!(described, WAITS_LEN_MAX, "round {round}");
        }
        assert_eq!(tally.asleep_looks(), 200);
    }
}
