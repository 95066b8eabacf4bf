//! The vocabulary of trading: what an order is, before any protocol and any book.

use std::sync::Arc;

use crate::decimal::Price;

/// Identity of a connected session, unique for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Identity of an order; the engine gives them out in rising order, so the smaller one came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// A client's own name for an order (ClOrdID), unique among the session's live orders.
pub type ClientId = Arc<str>;

/// The name of a traded instrument.
pub type Symbol = Arc<str>;

/// Which way an order goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Wants to buy.
    Buy,
    /// Wants to sell.
    Sell,
}

impl Side {
    /// The side this one trades with.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// The label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// How an order finds its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Trades at this price or better; what is left rests in the book.
    Limit(Price),
    /// As a limit order, but what is left is cancelled.
    ImmediateOrCancel(Price),
    /// Trades at any price; what is left is cancelled.
    Market,
}

impl Kind {
    /// The worst price this order takes, if it has one.
    #[must_use]
    pub const fn limit(self) -> Option<Price> {
        match self {
            Self::Limit(price) | Self::ImmediateOrCancel(price) => Some(price),
            Self::Market => None,
        }
    }

    /// The label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Limit(_) => "limit",
            Self::ImmediateOrCancel(_) => "ioc",
            Self::Market => "market",
        }
    }
}
