//! What the engine can be asked to do.

use crate::order::{ClientId, Kind, SessionId, Side, Symbol};

/// One request to the engine.
#[derive(Debug, Clone)]
pub enum Command {
    /// Enter an order.
    New(NewOrder),
    /// Take a resting order out.
    Cancel(CancelRequest),
    /// Take out every order of a session that has gone; nobody is told.
    Forget(SessionId),
}

/// A new order.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// The session that is told what happens to it.
    pub owner: SessionId,
    /// The client's name for it.
    pub client_id: ClientId,
    /// What is traded.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// Price condition.
    pub kind: Kind,
    /// Lots, above zero.
    pub quantity: u64,
}

/// A request to cancel.
#[derive(Debug, Clone)]
pub struct CancelRequest {
    /// The session that asks; it can cancel its own orders only.
    pub owner: SessionId,
    /// The client's name for this request.
    pub client_id: ClientId,
    /// The client's name for the order.
    pub target: ClientId,
    /// Must be the order's symbol.
    pub symbol: Symbol,
    /// Must be the order's side.
    pub side: Side,
}
