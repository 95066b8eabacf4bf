//! The last application messages of a session, kept so that they can be sent again; PURE.

use std::collections::VecDeque;

use bytes::Bytes;

/// Most messages kept: about 250 bytes each, so 64 KB a session. Older ones are answered by a gap fill.
pub const REPLAY_MAX: usize = 256;

/// One message that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its MsgSeqNum.
    pub number: u64,
    /// Its MsgType.
    pub kind: &'static str,
    /// When, in milliseconds since 1970.
    pub unix_millis: u64,
    /// Its fields behind the header.
    pub fields: Bytes,
}

/// A bounded ring of sent messages in rising order of their numbers.
#[derive(Debug, Default)]
pub struct Replay {
    ring: VecDeque<Sent>,
}

/// One step of answering a ResendRequest.
#[derive(Debug)]
pub enum Step<'a> {
    /// Send this message again.
    Again(&'a Sent),
    /// Nothing worth repeating from `from` up to, not including, `next`.
    Gap {
        /// The number that the gap fill bears.
        from: u64,
        /// The number that comes after it.
        next: u64,
    },
}

impl Replay {
    /// Keeps a message; the oldest leaves when the ring is full.
    pub fn keep(&mut self, sent: Sent) {
        if self.ring.len() == REPLAY_MAX {
            self.ring.pop_front();
        }
        self.ring.push_back(sent);
    }

    /// Forgets everything, after a sequence reset.
    pub fn clear(&mut self) {
        self.ring.clear();
    }

    /// How to bring a peer from number `begin` through number `end`: every number is covered once, in order.
    #[must_use]
    pub fn steps(&self, begin: u64, end: u64) -> Vec<Step<'_>> {
        let mut steps = Vec::new();
        let mut next = begin;
        let wanted = |sent: &&Sent| (begin..=end).contains(&sent.number);
        for sent in self.ring.iter().filter(wanted) {
            if sent.number > next {
                steps.push(Step::Gap {
                    from: next,
                    next: sent.number,
                });
            }
            steps.push(Step::Again(sent));
            next = sent.number + 1;
        }
        if next <= end {
            steps.push(Step::Gap {
                from: next,
                next: end + 1,
            });
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(numbers: &[u64]) -> Replay {
        let mut replay = Replay::default();
        for &number in numbers {
            replay.keep(Sent {
                number,
                kind: "8",
                unix_millis: 0,
                fields: Bytes::new(),
            });
        }
        replay
    }

    fn shown(replay: &Replay, begin: u64, end: u64) -> String {
        let steps = replay.steps(begin, end);
        let words: Vec<String> = steps
            .iter()
            .map(|step| match step {
                Step::Again(sent) => sent.number.to_string(),
                Step::Gap { from, next } => format!("{from}->{next}"),
            })
            .collect();
        words.join(" ")
    }

    /// Administrative and forgotten numbers become gaps, stored ones are sent again.
    #[test]
    fn covers_every_number_once() {
        let replay = ring(&[3, 4, 7]);
        assert_eq!(shown(&replay, 1, 8), "1->3 3 4 5->7 7 8->9");
        assert_eq!(shown(&replay, 3, 4), "3 4");
        assert_eq!(shown(&replay, 5, 6), "5->7");
        assert_eq!(shown(&Replay::default(), 1, 1), "1->2");
    }

    /// The ring never grows past its limit.
    #[test]
    fn bounded() {
        let numbers: Vec<u64> = (1..=REPLAY_MAX as u64 + 10).collect();
        let replay = ring(&numbers);
        assert_eq!(replay.ring.len(), REPLAY_MAX);
        assert!(shown(&replay, 1, 11).starts_with("1->11 11"));
    }
}
