//! The engine's book against a book so naive that it cannot be wrong.

use exchange::command::{CancelRequest, Command, NewOrder};
use exchange::decimal::Price;
use exchange::engine::{Engine, Limits};
use exchange::event::{Event, News};
use exchange::order::{Kind, SessionId, Side};

/// Numbers that look random and are the same every time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }
}

struct Resting {
    name: u64,
    side: Side,
    ticks: u64,
    left: u64,
}

/// Orders in a list in order of arrival; everything is searched for.
#[derive(Default)]
struct Naive {
    orders: Vec<Resting>,
}

impl Naive {
    /// The news of an order as (maker, ticks, lots), and what is left of it.
    fn submit(
        &mut self,
        name: u64,
        side: Side,
        limit: Option<u64>,
        rests: bool,
        quantity: u64,
    ) -> (Vec<(u64, u64, u64)>, u64) {
        let mut left = quantity;
        let mut fills = Vec::new();
        while left > 0 {
            let acceptable = |ticks: u64| match (side, limit) {
                (_, None) => true,
                (Side::Buy, Some(limit)) => ticks <= limit,
                (Side::Sell, Some(limit)) => ticks >= limit,
            };
            let mut best: Option<usize> = None;
            for (index, order) in self.orders.iter().enumerate() {
                let better = |than: u64| match side {
                    Side::Buy => order.ticks < than,
                    Side::Sell => order.ticks > than,
                };
                if order.side != side
                    && acceptable(order.ticks)
                    && best.is_none_or(|best| better(self.orders[best].ticks))
                {
                    best = Some(index);
                }
            }
            let Some(index) = best else { break };
            let maker = &mut self.orders[index];
            let lots = left.min(maker.left);
            left -= lots;
            maker.left -= lots;
            fills.push((maker.name, maker.ticks, lots));
            if maker.left == 0 {
                self.orders.remove(index);
            }
        }
        if let (true, Some(ticks), true) = (rests, limit, left > 0) {
            self.orders.push(Resting {
                name,
                side,
                ticks,
                left,
            });
        }
        (fills, left)
    }

    fn cancel(&mut self, name: u64) -> Option<Resting> {
        let index = self.orders.iter().position(|order| order.name == name)?;
        Some(self.orders.remove(index))
    }
}

/// Both books, side by side, and the lots that went through them.
struct Pair {
    seed: u64,
    dice: Dice,
    naive: Naive,
    engine: Engine,
    entered: u64,
    traded: u64,
    cancelled: u64,
}

const OWNER: SessionId = SessionId(1);

impl Pair {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            dice: Dice(seed),
            naive: Naive::default(),
            engine: Engine::new(Limits::default()),
            entered: 0,
            traded: 0,
            cancelled: 0,
        }
    }

    fn side(&mut self) -> Side {
        if self.dice.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    fn apply(&mut self, command: Command) -> Vec<Event> {
        let mut events = Vec::new();
        assert_eq!(self.engine.apply(command, &mut events), None);
        events
    }

    /// Cancels one of the orders so far, which may be gone already.
    fn cancel(&mut self, names: u64) {
        let target = 1 + self.dice.below(names);
        let gone = self.naive.cancel(target);
        let side = match &gone {
            Some(order) => order.side,
            None => self.side(),
        };
        let events = self.apply(Command::Cancel(CancelRequest {
            owner: OWNER,
            client_id: "c".into(),
            target: target.to_string().into(),
            symbol: "X".into(),
            side,
        }));
        let left = match &events[..] {
            [
                Event {
                    news: News::Cancelled { order, .. },
                    ..
                },
            ] => Some(order.left()),
            _ => None,
        };
        let expected = gone.map(|order| order.left);
        assert_eq!(left, expected, "seed {} cancel {target}", self.seed);
        self.cancelled += left.unwrap_or(0);
    }

    /// Enters an order at one of `width` prices.
    fn enter(&mut self, name: u64, width: u64) {
        let side = self.side();
        let ticks = 1_000 + self.dice.below(width);
        let quantity = 1 + self.dice.below(50);
        let price = Price::from_ticks(ticks).unwrap();
        let (kind, limit, rests) = match self.dice.below(10) {
            0 => (Kind::Market, None, false),
            1 => (Kind::ImmediateOrCancel(price), Some(ticks), false),
            _ => (Kind::Limit(price), Some(ticks), true),
        };
        let (fills, left) = self.naive.submit(name, side, limit, rests, quantity);
        let events = self.apply(Command::New(NewOrder {
            owner: OWNER,
            client_id: name.to_string().into(),
            symbol: "X".into(),
            side,
            kind,
            quantity,
        }));
        assert_eq!(
            makers(&events, name),
            fills,
            "seed {} order {name}",
            self.seed
        );
        self.entered += quantity;
        self.traded += fills.iter().map(|fill| fill.2).sum::<u64>();
        self.cancelled += if rests { 0 } else { left };
    }

    /// No lot appears or vanishes, and the book is never crossed.
    fn check(&self, step: u64) {
        let seed = self.seed;
        let resting: u64 = self.naive.orders.iter().map(|order| order.left).sum();
        let accounted = resting + self.cancelled + 2 * self.traded;
        assert_eq!(self.entered, accounted, "seed {seed} step {step}");
        let Some(book) = self.engine.book("X") else {
            return;
        };
        assert!(!book.is_crossed(), "seed {seed} step {step}");
        assert_eq!(
            book.resting_quantity(),
            u128::from(resting),
            "seed {seed} step {step}"
        );
        assert_eq!(
            book.len(),
            self.naive.orders.len(),
            "seed {seed} step {step}"
        );
    }
}

/// Runs `steps` random commands through both and compares every outcome.
fn compare(seed: u64, steps: u64, width: u64) {
    let mut pair = Pair::new(seed);
    for step in 1..=steps {
        if pair.dice.below(10) < 3 {
            pair.cancel(step);
        } else {
            pair.enter(step, width);
        }
        pair.check(step);
    }
    assert!(pair.traded > 0, "seed {seed} never traded");
}

/// The fills of an order as its makers saw them.
fn makers(events: &[Event], taker: u64) -> Vec<(u64, u64, u64)> {
    let mut fills = Vec::new();
    for event in events {
        if let News::Traded {
            order,
            price,
            quantity,
        } = &event.news
        {
            let name: u64 = order.client_id.parse().unwrap();
            if name != taker {
                fills.push((name, price.ticks(), *quantity));
            }
        }
    }
    fills
}

/// Narrow books trade at every step, wide ones grow deep; both give what the naive book gives.
#[test]
fn engine_is_the_naive_book() {
    for seed in 1..=20 {
        compare(seed, 800, 5);
        compare(seed * 7_919, 800, 200);
    }
}
