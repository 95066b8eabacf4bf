//! What the engine has to tell: events, each for the owner of one order.

use std::fmt;

use crate::book::Fill;
use crate::decimal::Price;
use crate::order::{ClientId, Kind, OrderId, SessionId, Side, Symbol};

/// An order as an execution report shows it, right after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// The engine's name.
    pub id: OrderId,
    /// The client's name.
    pub client_id: ClientId,
    /// What is traded.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// Price condition.
    pub kind: Kind,
    /// Lots ordered.
    pub quantity: u64,
    /// Lots traded so far.
    pub filled: u64,
    /// Sum of price × lots over all fills, in ticks × lots.
    pub notional: u128,
}

/// What happened to one order, for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who must be told.
    pub owner: SessionId,
    /// Unique number of this event, rising.
    pub number: u64,
    /// The news.
    pub news: News,
}

/// The news of an [`Event`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The order is in.
    Accepted(OrderView),
    /// The order was refused; no book was touched.
    Refused(OrderView, Refusal),
    /// Part of the order traded.
    Traded {
        /// The order after the trade.
        order: OrderView,
        /// Price of this trade.
        price: Price,
        /// Lots of this trade.
        quantity: u64,
    },
    /// What was left of the order is out of the market.
    Cancelled {
        /// The order after it.
        order: OrderView,
        /// The name of the cancel request, or `None` when the order could not rest.
        request: Option<ClientId>,
    },
    /// A cancel request was refused: no live order of its session has that name, symbol and side.
    CancelRefused {
        /// The name of the cancel request.
        request: ClientId,
        /// The order it named.
        target: ClientId,
    },
}

/// Why an order was refused by the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// All symbols that may exist exist already.
    UnknownSymbol,
    /// The session has a live order of this name.
    Duplicate,
    /// The session has as many live orders as it may.
    TooManyOrders,
    /// The books are full.
    BookFull,
}

impl OrderView {
    /// Lots that can still trade, unless the order was cancelled.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.quantity.saturating_sub(self.filled)
    }

    /// Counts a fill of this order in.
    pub(crate) fn add(&mut self, fill: Fill) {
        self.filled += fill.quantity;
        self.notional += u128::from(fill.price.ticks()) * u128::from(fill.quantity);
    }
}

impl Refusal {
    /// Every refusal, for the metrics.
    pub const ALL: [Self; 4] = [
        Self::UnknownSymbol,
        Self::Duplicate,
        Self::TooManyOrders,
        Self::BookFull,
    ];

    /// The label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::UnknownSymbol => "unknown_symbol",
            Self::Duplicate => "duplicate",
            Self::TooManyOrders => "too_many_orders",
            Self::BookFull => "book_full",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownSymbol => "unknown symbol, and no new one can be listed",
            Self::Duplicate => "ClOrdID names a live order of this session",
            Self::TooManyOrders => "too many live orders of this session",
            Self::BookFull => "the books are full",
        })
    }
}
