//! Which order or cancel each message is. Pure: decided by the seed and the index alone, never by what the service answers.
//!
//! Each session repeats four steps, so that some orders trade, some rest, and the book does not grow:
//!
//! 1. an order off the middle price, which rests;
//! 2. an order at the middle price;
//! 3. the opposite order at the middle price, for the same quantity;
//! 4. a cancel of the first.
//!
//! Sessions with an odd number sell where the others buy, so that orders meet those of other sessions, which exchanges with
//! self-trade prevention insist on.

use crate::schedule::Random;

/// Middle price, in hundredths.
const MIDDLE: u64 = 10_000;
/// How far off the middle a resting order may be, in hundredths.
const OFF_MAX: u64 = 50;
/// Largest quantity of an order.
const QUANTITY_MAX: u64 = 100;

/// The orders of a run.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    seed: u64,
    sessions: usize,
    symbols: usize,
}

/// Buy or sell, as FIX writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Buy,
    Sell,
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) symbol: String,
    pub(crate) side: Side,
    pub(crate) quantity: u64,
    pub(crate) what: What,
}

/// A new order or the end of an old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A limit order at this price, as decimal text.
    New { price: String },
    /// The end of the order that message `index` placed.
    Cancel { index: usize },
}

impl Side {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Buy => "1",
            Self::Sell => "2",
        }
    }

    const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

impl Flow {
    pub(crate) fn new(seed: u64, sessions: usize, symbols: usize) -> Self {
        Self {
            seed,
            sessions,
            symbols,
        }
    }

    /// Number of sessions that take turns.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions
    }

    /// Message `index` of the run; sessions take turns.
    pub(crate) fn order(&self, index: usize) -> Order {
        let (session, turn) = (index % self.sessions, index / self.sessions);
        let (round, step) = (turn / 4, turn % 4);
        let mut random = self.random(session, round);
        let symbol = format!("SYM{}", random.below(number(self.symbols)) + 1);
        let quantity = random.below(QUANTITY_MAX) + 1;
        let off = random.below(OFF_MAX) + 1;
        let turned = (session + round) % 2 == 1;
        let side = if turned { Side::Sell } else { Side::Buy };
        let resting = match side {
            Side::Buy => MIDDLE - off,
            Side::Sell => MIDDLE + off,
        };
        let at = |price: u64| What::New {
            price: format!("{}.{:02}", price / 100, price % 100),
        };
        let (side, what) = match step {
            0 => (side, at(resting)),
            1 => (side, at(MIDDLE)),
            2 => (side.opposite(), at(MIDDLE)),
            _ => (
                side,
                What::Cancel {
                    index: index - 3 * self.sessions,
                },
            ),
        };
        Order {
            symbol,
            side,
            quantity,
            what,
        }
    }

    /// The same random numbers for the four messages of one round of one session.
    fn random(&self, session: usize, round: usize) -> Random {
        let mut random = Random::new(self.seed);
        let mixed = random.bits() ^ number(session).rotate_left(32) ^ number(round);
        Random::new(mixed)
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: in each round what was bought at the middle is sold there again, and what rests is cancelled as it was placed.
    #[test]
    fn rounds_balance() {
        let flow = Flow::new(3, 5, 4);
        for session in 0..5 {
            for round in 0..50 {
                let index = |step: usize| session + 5 * (4 * round + step);
                let [rests, first, second, cancel] =
                    [0, 1, 2, 3].map(|step| flow.order(index(step)));
                assert_eq!(
                    (first.side, &first.what),
                    (second.side.opposite(), &second.what)
                );
                assert_eq!(
                    (first.quantity, &first.symbol),
                    (second.quantity, &second.symbol)
                );
                assert_eq!(cancel.what, What::Cancel { index: index(0) });
                assert_eq!(
                    (cancel.side, &cancel.symbol, cancel.quantity),
                    (rests.side, &rests.symbol, rests.quantity)
                );
            }
        }
    }

    /// Goal: resting orders never cross the middle, on either side, and both sides occur.
    #[test]
    fn resting_orders_rest() {
        let flow = Flow::new(1, 2, 4);
        let mut sides = [0, 0];
        for round in 0..100 {
            let order = flow.order(round * 8);
            let What::New { price } = order.what else {
                panic!("the first step is an order")
            };
            let price: f64 = price.parse().unwrap();
            match order.side {
                Side::Buy => assert!((99.5..100.0).contains(&price), "{price}"),
                Side::Sell => assert!(price > 100.0 && price <= 100.5, "{price}"),
            }
            sides[usize::from(order.side == Side::Buy)] += 1;
        }
        assert_eq!(sides, [50, 50]);
    }

    /// Goal: orders at the middle meet those of the neighbouring session, not the own ones.
    #[test]
    fn neighbours_meet() {
        let flow = Flow::new(1, 2, 1);
        let even = flow.order(2);
        let odd = flow.order(3);
        assert_eq!(even.side, odd.side.opposite());
    }

    /// Goal: the seed decides, every symbol is used, no other is.
    #[test]
    fn seed_and_symbols() {
        let orders = |seed| {
            (0..400)
                .map(|index| Flow::new(seed, 4, 3).order(index))
                .collect::<Vec<_>>()
        };
        assert_eq!(orders(1), orders(1));
        assert_ne!(orders(1), orders(2));
        let symbols: std::collections::BTreeSet<_> =
            orders(1).into_iter().map(|order| order.symbol).collect();
        assert_eq!(
            symbols.into_iter().collect::<Vec<_>>(),
            ["SYM1", "SYM2", "SYM3"]
        );
    }
}
