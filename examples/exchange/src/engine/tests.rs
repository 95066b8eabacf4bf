//! Tables over commands and the news they make.

use super::*;
use crate::decimal::Price;
use crate::order::Side;

struct Floor {
    engine: Engine,
}

impl Floor {
    fn new(limits: Limits) -> Self {
        Self {
            engine: Engine::new(limits),
        }
    }

    fn order(
        &mut self,
        owner: u64,
        name: &str,
        symbol: &str,
        side: Side,
        ticks: u64,
        quantity: u64,
    ) -> String {
        let kind = Price::from_ticks(ticks).map_or(Kind::Market, Kind::Limit);
        self.apply(Command::New(NewOrder {
            owner: SessionId(owner),
            client_id: name.into(),
            symbol: symbol.into(),
            side,
            kind,
            quantity,
        }))
    }

    fn cancel(&mut self, owner: u64, target: &str, symbol: &str, side: Side) -> String {
        self.apply(Command::Cancel(CancelRequest {
            owner: SessionId(owner),
            client_id: "c".into(),
            target: target.into(),
            symbol: symbol.into(),
            side,
        }))
    }

    /// The news as `owner:name what cumulative/quantity`.
    fn apply(&mut self, command: Command) -> String {
        let mut events = Vec::new();
        assert_eq!(self.engine.apply(command, &mut events), None);
        let word = |event: &Event| {
            let view = |order: &OrderView| {
                format!("{} {}/{}", order.client_id, order.filled, order.quantity)
            };
            let text = match &event.news {
                News::Accepted(order) => format!("in {}", view(order)),
                News::Refused(order, refusal) => {
                    format!("refused {} {}", view(order), refusal.label())
                }
                News::Traded {
                    order,
                    price,
                    quantity,
                } => format!("{quantity}@{} {}", price.ticks(), view(order)),
                News::Cancelled { order, request } => {
                    format!(
                        "out {}{}",
                        view(order),
                        if request.is_some() { " asked" } else { "" }
                    )
                }
                News::CancelRefused { target, .. } => format!("no {target}"),
            };
            format!("{}:{text}", event.owner.0)
        };
        events.iter().map(word).collect::<Vec<_>>().join(", ")
    }
}

use Side::{Buy, Sell};

/// A life on the floor: rest, partial fill on both sides, cancel, cancel again.
#[test]
fn day() {
    let mut floor = Floor::new(Limits::default());
    assert_eq!(floor.order(1, "a", "X", Sell, 100, 10), "1:in a 0/10");
    assert_eq!(floor.order(1, "b", "X", Sell, 90, 5), "1:in b 0/5");
    assert_eq!(
        floor.order(2, "a", "X", Buy, 100, 7),
        "2:in a 0/7, 2:5@90 a 5/7, 1:5@90 b 5/5, 2:2@100 a 7/7, 1:2@100 a 2/10"
    );
    assert_eq!(floor.cancel(2, "a", "X", Buy), "2:no a", "filled");
    assert_eq!(
        floor.cancel(2, "a", "X", Sell),
        "2:no a",
        "another session's"
    );
    assert_eq!(floor.cancel(1, "a", "X", Buy), "1:no a", "wrong side");
    assert_eq!(floor.cancel(1, "a", "Y", Sell), "1:no a", "wrong symbol");
    assert_eq!(floor.cancel(1, "a", "X", Sell), "1:out a 2/10 asked");
    assert_eq!(floor.cancel(1, "a", "X", Sell), "1:no a");
    assert_eq!(
        floor.order(2, "m", "X", Buy, 0, 3),
        "2:in m 0/3, 2:out m 0/3"
    );
    let ledger = floor.engine.ledger();
    assert_eq!(
        (
            ledger.entered,
            ledger.cancelled,
            ledger.traded,
            ledger.trades
        ),
        (25, 11, 7, 2)
    );
}

/// Symbols do not meet.
#[test]
fn symbols_are_apart() {
    let mut floor = Floor::new(Limits::default());
    floor.order(1, "a", "X", Sell, 100, 10);
    assert_eq!(floor.order(2, "a", "Y", Buy, 100, 10), "2:in a 0/10");
    assert!(floor.engine.book("X").is_some_and(|book| book.len() == 1));
    assert!(floor.engine.book("Z").is_none());
}

/// Every limit refuses with its reason and touches nothing.
#[test]
fn limits() {
    let limits = Limits {
        symbols: 1,
        orders: 3,
        orders_per_session: 2,
    };
    let mut floor = Floor::new(limits);
    floor.order(1, "a", "X", Sell, 100, 1);
    assert_eq!(
        floor.order(1, "a", "X", Sell, 100, 1),
        "1:refused a 0/1 duplicate"
    );
    assert_eq!(
        floor.order(1, "b", "Y", Sell, 100, 1),
        "1:refused b 0/1 unknown_symbol"
    );
    floor.order(1, "b", "X", Sell, 100, 1);
    assert_eq!(
        floor.order(1, "c", "X", Buy, 100, 1),
        "1:refused c 0/1 too_many_orders"
    );
    floor.order(2, "a", "X", Sell, 100, 1);
    assert_eq!(
        floor.order(3, "a", "X", Buy, 100, 1),
        "3:refused a 0/1 book_full"
    );
    assert_eq!(
        floor.order(3, "a", "X", Buy, 0, 1),
        "3:in a 0/1, 3:1@100 a 1/1, 1:1@100 a 1/1"
    );
    assert_eq!(
        floor.order(1, "a", "X", Sell, 100, 1),
        "1:in a 0/1",
        "the name is free again"
    );
    assert_eq!(floor.engine.resting_orders(), 3);
}

/// A session that goes takes its orders with it and leaves the others'.
#[test]
fn forget() {
    let mut floor = Floor::new(Limits::default());
    floor.order(1, "a", "X", Sell, 100, 1);
    floor.order(1, "b", "Y", Buy, 100, 1);
    floor.order(2, "a", "X", Sell, 100, 1);
    assert_eq!(floor.apply(Command::Forget(SessionId(1))), "");
    assert_eq!(floor.engine.resting_orders(), 1);
    assert_eq!(
        floor.order(3, "m", "X", Buy, 0, 2),
        "3:in m 0/2, 3:1@100 m 1/2, 2:1@100 a 1/1, 3:out m 1/2"
    );
}
