//! The order book of one symbol; PURE.
//!
//! Price-time priority is a *sort order*: each side is one ordered map whose key is (how good the price is, order id).
//! Ids rise with arrival, so the first entry of a side is always the order that must trade next, and there is no
//! level structure to keep in step. The book knows prices and quantities; who owns an order is the engine's business.

use std::collections::{BTreeMap, HashMap};

use crate::decimal::Price;
use crate::order::{Kind, OrderId, Side};

/// An order on its way into the book.
#[derive(Debug, Clone, Copy)]
pub struct Incoming {
    /// Must be higher than every id this book has seen: it is the time priority.
    pub id: OrderId,
    /// Which way it goes.
    pub side: Side,
    /// Its price condition.
    pub kind: Kind,
    /// Lots wanted, above zero.
    pub quantity: u64,
}

/// One match between the incoming order (taker) and a resting one (maker), at the maker's price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The resting order.
    pub maker: OrderId,
    /// The price, always the maker's.
    pub price: Price,
    /// Lots traded.
    pub quantity: u64,
    /// Lots the maker has left in the book; zero means it is gone.
    pub maker_left: u64,
}

/// What became of the part of an incoming order that did not trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remainder {
    /// Nothing was left.
    Nothing,
    /// This many lots now rest in the book.
    Resting(u64),
    /// This many lots found nobody and the order may not rest.
    Unfilled(u64),
}

/// How good a price is for whoever trades against it: smaller is better, on both sides.
type Rank = (u64, OrderId);

#[derive(Debug, Clone, Copy)]
struct Resting {
    price: Price,
    quantity: u64,
}

/// All resting orders of one symbol.
#[derive(Debug, Default)]
pub struct Book {
    bids: BTreeMap<Rank, Resting>,
    asks: BTreeMap<Rank, Resting>,
    places: HashMap<OrderId, (Side, u64)>,
    resting: u128,
}

impl Book {
    /// Matches an order, then lets what is left of it rest if its kind allows; fills are appended in order of priority.
    pub fn submit(&mut self, order: Incoming, fills: &mut Vec<Fill>) -> Remainder {
        let left = self.match_order(order, fills);
        match order.kind {
            _ if left == 0 => Remainder::Nothing,
            Kind::Limit(price) => {
                self.rest(order.id, order.side, price, left);
                Remainder::Resting(left)
            }
            Kind::ImmediateOrCancel(_) | Kind::Market => Remainder::Unfilled(left),
        }
    }

    /// Trades `order` against the opposite side, best price first, then first come; returns the lots left over.
    ///
    /// Never inlined, so that a profile of the engine shows matching under its own name.
    #[inline(never)]
    pub fn match_order(&mut self, order: Incoming, fills: &mut Vec<Fill>) -> u64 {
        let worst = order
            .kind
            .limit()
            .map_or(u64::MAX, |limit| rank(order.side.opposite(), limit));
        let makers = match order.side {
            Side::Buy => &mut self.asks,
            Side::Sell => &mut self.bids,
        };
        let mut left = order.quantity;
        while left > 0 {
            let Some(mut best) = makers.first_entry() else {
                break;
            };
            let (goodness, maker) = *best.key();
            if goodness > worst {
                break;
            }
            let resting = best.get_mut();
            let quantity = left.min(resting.quantity);
            left -= quantity;
            resting.quantity -= quantity;
            self.resting -= u128::from(quantity);
            fills.push(Fill {
                maker,
                price: resting.price,
                quantity,
                maker_left: resting.quantity,
            });
            if resting.quantity == 0 {
                best.remove();
                self.places.remove(&maker);
            }
        }
        left
    }

    /// Takes an order out; returns the lots that were still resting, or `None` if it is not in the book.
    pub fn cancel(&mut self, id: OrderId) -> Option<u64> {
        let (side, goodness) = self.places.remove(&id)?;
        let resting = self.side_mut(side).remove(&(goodness, id))?;
        self.resting -= u128::from(resting.quantity);
        Some(resting.quantity)
    }

    /// The best price of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Price> {
        let orders = match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        };
        orders.first_key_value().map(|(_, resting)| resting.price)
    }

    /// Whether somebody bids at least what somebody asks: must never be true between two orders.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!((self.best(Side::Buy), self.best(Side::Sell)), (Some(bid), Some(ask)) if bid >= ask)
    }

    /// Number of resting orders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no order rests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Lots resting on both sides together.
    #[must_use]
    pub const fn resting_quantity(&self) -> u128 {
        self.resting
    }

    fn rest(&mut self, id: OrderId, side: Side, price: Price, quantity: u64) {
        let goodness = rank(side, price);
        self.places.insert(id, (side, goodness));
        self.side_mut(side)
            .insert((goodness, id), Resting { price, quantity });
        self.resting += u128::from(quantity);
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Rank, Resting> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

/// The price part of a resting order's key: low asks first, high bids first.
fn rank(side: Side, price: Price) -> u64 {
    match side {
        Side::Sell => price.ticks(),
        Side::Buy => u64::MAX - price.ticks(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Side::{Buy, Sell};

    struct Desk {
        book: Book,
        next: u64,
    }

    impl Desk {
        fn new() -> Self {
            Self {
                book: Book::default(),
                next: 0,
            }
        }

        fn submit(
            &mut self,
            side: Side,
            kind: Kind,
            quantity: u64,
        ) -> (Vec<(u64, u64, u64)>, Remainder) {
            self.next += 1;
            let mut fills = Vec::new();
            let order = Incoming {
                id: OrderId(self.next),
                side,
                kind,
                quantity,
            };
            let remainder = self.book.submit(order, &mut fills);
            let fills = fills
                .iter()
                .map(|fill| (fill.maker.0, fill.price.ticks(), fill.quantity))
                .collect();
            (fills, remainder)
        }

        fn limit(
            &mut self,
            side: Side,
            ticks: u64,
            quantity: u64,
        ) -> (Vec<(u64, u64, u64)>, Remainder) {
            self.submit(
                side,
                Kind::Limit(Price::from_ticks(ticks).unwrap()),
                quantity,
            )
        }
    }

    /// Better prices trade first, then earlier orders, always at the maker's price.
    #[test]
    fn price_then_time() {
        let mut desk = Desk::new();
        desk.limit(Sell, 102, 5);
        desk.limit(Sell, 101, 5);
        desk.limit(Sell, 101, 5);
        desk.limit(Sell, 104, 5);
        let (fills, rest) = desk.limit(Buy, 103, 18);
        assert_eq!(fills, [(2, 101, 5), (3, 101, 5), (1, 102, 5)]);
        assert_eq!(rest, Remainder::Resting(3));
        assert_eq!(desk.book.best(Buy).map(Price::ticks), Some(103));
        assert_eq!(desk.book.best(Sell).map(Price::ticks), Some(104));
        assert!(!desk.book.is_crossed());
    }

    /// The bid side mirrors the ask side.
    #[test]
    fn sells_meet_the_highest_bid() {
        let mut desk = Desk::new();
        desk.limit(Buy, 98, 5);
        desk.limit(Buy, 99, 5);
        let (fills, rest) = desk.limit(Sell, 98, 7);
        assert_eq!(fills, [(2, 99, 5), (1, 98, 2)]);
        assert_eq!(rest, Remainder::Nothing);
        assert_eq!(desk.book.resting_quantity(), 3);
    }

    /// A partly filled maker keeps its place.
    #[test]
    fn partial_fill_keeps_priority() {
        let mut desk = Desk::new();
        desk.limit(Sell, 100, 10);
        desk.limit(Sell, 100, 10);
        assert_eq!(desk.limit(Buy, 100, 4).0, [(1, 100, 4)]);
        assert_eq!(desk.limit(Buy, 100, 8).0, [(1, 100, 6), (2, 100, 2)]);
    }

    /// Market and immediate orders never rest.
    #[test]
    fn what_may_not_rest() {
        let mut desk = Desk::new();
        assert_eq!(
            desk.submit(Buy, Kind::Market, 5),
            (vec![], Remainder::Unfilled(5))
        );
        desk.limit(Sell, 1_000_000, 2);
        assert_eq!(
            desk.submit(Buy, Kind::Market, 5),
            (vec![(2, 1_000_000, 2)], Remainder::Unfilled(3))
        );
        let now = Kind::ImmediateOrCancel(Price::from_ticks(9).unwrap());
        assert_eq!(desk.submit(Buy, now, 5), (vec![], Remainder::Unfilled(5)));
        assert!(desk.book.is_empty());
    }

    /// A cancelled order is gone, once.
    #[test]
    fn cancels_once() {
        let mut desk = Desk::new();
        desk.limit(Sell, 100, 10);
        desk.limit(Buy, 100, 4);
        assert_eq!(desk.book.cancel(OrderId(1)), Some(6));
        assert_eq!(desk.book.cancel(OrderId(1)), None);
        assert_eq!(desk.book.cancel(OrderId(2)), None);
        assert_eq!(desk.book.resting_quantity(), 0);
        assert_eq!(desk.limit(Buy, 100, 4).1, Remainder::Resting(4));
    }
}
