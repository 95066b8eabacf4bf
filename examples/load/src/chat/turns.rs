//! Who does what with each message of the schedule: arithmetic both ways, so that no table has to be kept. Pure.
//!
//! The talkers take turns. Where some clients come and go, each tenth message is a move of the next of them.

/// One message in this many is a move, if there are movers.
const MOVE_EVERY: usize = 10;

/// What message a message of the schedule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A talker says its message with this number, counted from 1.
    Talk { client: usize, number: u32 },
    /// A mover leaves its room or comes back.
    Move { client: usize },
}

impl Turn {
    /// Who does it.
    pub(crate) fn client(self) -> usize {
        match self {
            Self::Talk { client, .. } | Self::Move { client } => client,
        }
    }
}

/// The order of turns among the clients of one process: talkers first, movers last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turns {
    /// Clients that talk, 0 and following; at least 1.
    pub(crate) talkers: usize,
    /// The first of the movers.
    pub(crate) first_mover: usize,
    /// Number of movers.
    pub(crate) movers: usize,
}

impl Turns {
    /// Only talkers.
    pub(crate) fn of_talkers(talkers: usize) -> Self {
        Self {
            talkers,
            first_mover: talkers,
            movers: 0,
        }
    }

    /// What message `index` is.
    pub(crate) fn turn(&self, index: usize) -> Turn {
        let (round, place) = (index / MOVE_EVERY, index % MOVE_EVERY);
        if self.movers > 0 && place == MOVE_EVERY - 1 {
            return Turn::Move {
                client: self.first_mover + round % self.movers,
            };
        }
        let talk = if self.movers > 0 {
            round * (MOVE_EVERY - 1) + place
        } else {
            index
        };
        Turn::Talk {
            client: talk % self.talkers,
            number: u32::try_from(talk / self.talkers + 1).unwrap_or(u32::MAX),
        }
    }

    /// The index in the schedule of a talker's message. A number that was never said gives an index beyond the schedule or
    /// of a message not sent yet, not a wrong one.
    pub(crate) fn index_of(&self, talker: usize, number: u32) -> usize {
        let earlier = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let talk = earlier.saturating_mul(self.talkers).saturating_add(talker);
        if self.movers == 0 {
            return talk;
        }
        let talks = MOVE_EVERY - 1;
        (talk / talks)
            .saturating_mul(MOVE_EVERY)
            .saturating_add(talk % talks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: index and number lead to each other, with movers and without; a hostile number does not overflow.
    #[test]
    fn turns_and_indexes_agree() {
        let with_movers = Turns {
            talkers: 7,
            first_mover: 8,
            movers: 2,
        };
        for turns in [Turns::of_talkers(7), with_movers, Turns::of_talkers(1)] {
            let mut moves = Vec::new();
            for index in 0..200 {
                match turns.turn(index) {
                    Turn::Talk { client, number } => {
                        assert_eq!(turns.index_of(client, number), index, "{turns:?}");
                        assert!(client < turns.talkers && number > 0);
                    }
                    Turn::Move { client } => moves.push(client),
                }
            }
            assert_eq!(moves.len(), if turns.movers == 0 { 0 } else { 20 });
            assert!(
                moves
                    .iter()
                    .enumerate()
                    .all(|(at, mover)| *mover == 8 + at % 2)
            );
            assert!(turns.index_of(0, 0) < 7);
            assert!(turns.index_of(turns.talkers - 1, u32::MAX) > 1_000_000);
        }
    }
}
