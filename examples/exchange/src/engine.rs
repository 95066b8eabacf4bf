//! The matching engine: commands in, events out; PURE and deterministic.
//!
//! The same commands always give the same events: no clock, no thread, no socket, no random order. That is why it can
//! run on one thread without locks, be replayed, and be tested against a naive book. It owns every live order's
//! history (what traded, at which prices), because an execution report repeats it; books know only what rests.

use std::collections::HashMap;

use crate::book::{Book, Fill, Incoming, Remainder};
use crate::command::{CancelRequest, Command, NewOrder};
use crate::event::{Event, News, OrderView, Refusal};
use crate::order::{ClientId, Kind, OrderId, SessionId, Symbol};

/// Most symbols that are ever created; a client that invents names must not fill the memory.
pub const SYMBOLS_MAX: usize = 1_000;
/// Most orders resting in all books together: about 250 bytes each, so 500 MB at the worst.
pub const ORDERS_MAX: usize = 2_000_000;
/// Most live orders of one session; bounds the burst of cancels when it disconnects.
pub const ORDERS_PER_SESSION_MAX: usize = 50_000;

/// What the engine refuses to exceed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// See [`SYMBOLS_MAX`].
    pub symbols: usize,
    /// See [`ORDERS_MAX`].
    pub orders: usize,
    /// See [`ORDERS_PER_SESSION_MAX`].
    pub orders_per_session: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            symbols: SYMBOLS_MAX,
            orders: ORDERS_MAX,
            orders_per_session: ORDERS_PER_SESSION_MAX,
        }
    }
}

/// A rule that no sequence of commands may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A book's best bid is not below its best ask.
    Crossed,
    /// Lots entered are not lots resting + cancelled + traded on both sides.
    Quantity,
    /// A book filled an order that the engine does not know.
    UnknownOrder,
}

impl Violation {
    /// Every violation, for the metrics.
    pub const ALL: [Self; 3] = [Self::Crossed, Self::Quantity, Self::UnknownOrder];

    /// The label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Crossed => "crossed",
            Self::Quantity => "quantity",
            Self::UnknownOrder => "unknown_order",
        }
    }
}

/// Lots by fate; `entered == resting + cancelled + 2 × traded` always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Lots of all accepted orders.
    pub entered: u128,
    /// Lots cancelled, asked for or not.
    pub cancelled: u128,
    /// Lots traded, each counted once.
    pub traded: u128,
    /// Number of trades.
    pub trades: u64,
}

#[derive(Debug)]
struct Live {
    owner: SessionId,
    book: usize,
    view: OrderView,
}

/// All books and all live orders.
#[derive(Debug, Default)]
pub struct Engine {
    limits: Limits,
    symbols: HashMap<Symbol, usize>,
    books: Vec<Book>,
    orders: HashMap<OrderId, Live>,
    names: HashMap<SessionId, HashMap<ClientId, OrderId>>,
    ledger: Ledger,
    resting: u128,
    last_order: u64,
    last_event: u64,
    fills: Vec<Fill>,
    violation: Option<Violation>,
}

impl Engine {
    /// An empty exchange.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Carries out one command; what happened is appended to `events`, in order.
    ///
    /// Returns the rule it broke, which is always `None` unless the engine has a bug: count it and say so.
    ///
    /// Never inlined, so that a profile shows the engine under its own name.
    #[inline(never)]
    pub fn apply(&mut self, command: Command, events: &mut Vec<Event>) -> Option<Violation> {
        self.violation = None;
        match command {
            Command::New(order) => self.enter(order, events),
            Command::Cancel(request) => self.cancel(request, events),
            Command::Forget(owner) => self.forget(owner),
        }
        let Ledger {
            entered,
            cancelled,
            traded,
            ..
        } = self.ledger;
        if entered != self.resting + cancelled + 2 * traded {
            self.violation = Some(Violation::Quantity);
        }
        self.violation
    }

    /// Number of orders resting in all books.
    #[must_use]
    pub fn resting_orders(&self) -> usize {
        self.orders.len()
    }

    /// What became of all lots so far.
    #[must_use]
    pub const fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// The book of a symbol, if an order ever named it.
    #[must_use]
    pub fn book(&self, symbol: &str) -> Option<&Book> {
        self.symbols
            .get(symbol)
            .and_then(|&index| self.books.get(index))
    }

    fn enter(&mut self, order: NewOrder, events: &mut Vec<Event>) {
        let owner = order.owner;
        let mut view = OrderView {
            id: OrderId(self.last_order + 1),
            client_id: order.client_id,
            symbol: order.symbol,
            side: order.side,
            kind: order.kind,
            quantity: order.quantity,
            filled: 0,
            notional: 0,
        };
        let index = match self.admit(owner, &view) {
            Ok(index) => index,
            Err(refusal) => return self.tell(owner, News::Refused(view, refusal), events),
        };
        self.last_order += 1;
        self.ledger.entered += u128::from(view.quantity);
        self.tell(owner, News::Accepted(view.clone()), events);

        let incoming = Incoming {
            id: view.id,
            side: view.side,
            kind: view.kind,
            quantity: view.quantity,
        };
        let mut fills = std::mem::take(&mut self.fills);
        let before = self.books[index].resting_quantity();
        let remainder = self.books[index].submit(incoming, &mut fills);
        self.settle_resting(before, index);
        for fill in fills.drain(..) {
            self.trade(owner, &mut view, fill, events);
        }
        self.fills = fills;
        match remainder {
            Remainder::Nothing => {}
            Remainder::Resting(_) => self.keep(owner, index, view),
            Remainder::Unfilled(left) => {
                self.ledger.cancelled += u128::from(left);
                let news = News::Cancelled {
                    order: view,
                    request: None,
                };
                self.tell(owner, news, events);
            }
        }
        if self.books[index].is_crossed() {
            self.violation = Some(Violation::Crossed);
        }
    }

    /// Checks an order against every limit before anything changes; gives the index of its book.
    fn admit(&mut self, owner: SessionId, view: &OrderView) -> Result<usize, Refusal> {
        let mine = self.names.get(&owner);
        if mine.is_some_and(|names| names.contains_key(&view.client_id)) {
            return Err(Refusal::Duplicate);
        }
        if mine.is_some_and(|names| names.len() >= self.limits.orders_per_session) {
            return Err(Refusal::TooManyOrders);
        }
        if self.orders.len() >= self.limits.orders && matches!(view.kind, Kind::Limit(_)) {
            return Err(Refusal::BookFull);
        }
        if let Some(&index) = self.symbols.get(&view.symbol) {
            return Ok(index);
        }
        if self.books.len() >= self.limits.symbols {
            return Err(Refusal::UnknownSymbol);
        }
        self.books.push(Book::default());
        self.symbols
            .insert(Symbol::clone(&view.symbol), self.books.len() - 1);
        Ok(self.books.len() - 1)
    }

    /// Tells both sides of one fill.
    fn trade(
        &mut self,
        taker: SessionId,
        view: &mut OrderView,
        fill: Fill,
        events: &mut Vec<Event>,
    ) {
        self.ledger.traded += u128::from(fill.quantity);
        self.ledger.trades += 1;
        view.add(fill);
        let news = |order: &OrderView| News::Traded {
            order: order.clone(),
            price: fill.price,
            quantity: fill.quantity,
        };
        self.tell(taker, news(view), events);
        let Some(maker) = self.orders.get_mut(&fill.maker) else {
            self.violation = Some(Violation::UnknownOrder);
            return;
        };
        maker.view.add(fill);
        let owner = maker.owner;
        let told = news(&maker.view);
        if fill.maker_left == 0 {
            self.drop_order(fill.maker);
        }
        self.tell(owner, told, events);
    }

    fn cancel(&mut self, request: CancelRequest, events: &mut Vec<Event>) {
        let owner = request.owner;
        let found = self.find(&request).and_then(|id| self.take_out(id));
        let news = match found {
            Some(live) => News::Cancelled {
                order: live.view,
                request: Some(request.client_id),
            },
            None => News::CancelRefused {
                request: request.client_id,
                target: request.target,
            },
        };
        self.tell(owner, news, events);
    }

    /// The live order that a cancel request means.
    fn find(&self, request: &CancelRequest) -> Option<OrderId> {
        let names = self.names.get(&request.owner)?;
        let id = *names.get(&request.target)?;
        let view = &self.orders.get(&id)?.view;
        (view.symbol == request.symbol && view.side == request.side).then_some(id)
    }

    fn forget(&mut self, owner: SessionId) {
        let names = self.names.remove(&owner).unwrap_or_default();
        for id in names.into_values() {
            self.take_out(id);
        }
    }

    /// Removes an order from its book and from the list of live orders.
    fn take_out(&mut self, id: OrderId) -> Option<Live> {
        let live = self.drop_order(id)?;
        let before = self.books[live.book].resting_quantity();
        match self.books[live.book].cancel(id) {
            Some(left) => self.ledger.cancelled += u128::from(left),
            None => self.violation = Some(Violation::UnknownOrder),
        }
        self.settle_resting(before, live.book);
        Some(live)
    }

    fn keep(&mut self, owner: SessionId, book: usize, view: OrderView) {
        self.names
            .entry(owner)
            .or_default()
            .insert(ClientId::clone(&view.client_id), view.id);
        self.orders.insert(view.id, Live { owner, book, view });
    }

    fn drop_order(&mut self, id: OrderId) -> Option<Live> {
        let live = self.orders.remove(&id)?;
        if let Some(names) = self.names.get_mut(&live.owner) {
            names.remove(&live.view.client_id);
            if names.is_empty() {
                self.names.remove(&live.owner);
            }
        }
        Some(live)
    }

    /// Carries a change of one book's resting lots into the total of all books.
    fn settle_resting(&mut self, before: u128, book: usize) {
        self.resting = self.resting - before + self.books[book].resting_quantity();
    }

    fn tell(&mut self, owner: SessionId, news: News, events: &mut Vec<Event>) {
        self.last_event += 1;
        events.push(Event {
            owner,
            number: self.last_event,
            news,
        });
    }
}

#[cfg(test)]
mod tests;
