//! Every metric of the exchange, and the live handles behind them.
//!
//! Label values come from the lists of the types they describe, so a series cannot appear that was not foreseen.

use metrics::{Counter, Gauge, Histogram};
use pollscope::metrics::{Metric, Registry, Table, Unit};

use crate::ending::Ending;
use crate::engine::Violation;
use crate::event::Refusal;
use crate::fix::frame::Garbled;
use crate::fix::order::UNACCEPTABLE;
use crate::fix::reject::Reason;
use crate::order::Side;

/// Upper bounds in seconds for an order's way through the gateway and the engine.
const ACK_BOUNDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5,
];
/// Upper bounds in seconds for one command in the engine, which should take microseconds.
const MATCH_BOUNDS: &[f64] = &[
    0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.01,
    0.1,
];

/// Open sessions.
pub static SESSIONS: Metric = Metric::gauge(
    "exchange_sessions",
    &[],
    "Open FIX connections, logged on or not.",
    "More clients, or sessions that end and leave their task behind.",
);
/// Sessions opened.
pub static SESSIONS_OPENED: Metric = Metric::counter(
    "exchange_sessions_opened_total",
    &[],
    "Connections accepted.",
    "A fast rise is a reconnect storm.",
);
/// Sessions closed.
pub static SESSIONS_CLOSED: Metric = Metric::counter(
    "exchange_sessions_closed_total",
    &["reason"],
    "Connections closed, by reason.",
    "heartbeat_timeout and slow_consumer rise when either side stalls.",
);
/// Evictions.
pub static EVICTIONS: Metric = Metric::counter(
    "exchange_evictions_total",
    &["reason"],
    "Things put out to keep a limit: slow sessions, connections above the limit, remembered sequence numbers.",
    "A limit is reached; session_queue means that clients do not read or their tasks do not run.",
);
/// Accept errors.
pub static ACCEPT_ERRORS: Metric = Metric::counter(
    "exchange_accept_errors_total",
    &[],
    "Connections that could not be accepted.",
    "The process is probably out of file descriptors.",
);
/// Orders accepted.
pub static ORDERS: Metric = Metric::counter(
    "exchange_orders_total",
    &["type", "side"],
    "Orders accepted by the engine.",
    "More business.",
);
/// Cancels.
pub static CANCELS: Metric = Metric::counter(
    "exchange_cancels_total",
    &[],
    "Orders cancelled at their owner's request.",
    "More business, or clients that fear something.",
);
/// Trades.
pub static TRADES: Metric = Metric::counter(
    "exchange_trades_total",
    &[],
    "Trades, each counted once.",
    "More business.",
);
/// Traded quantity.
pub static TRADED_QUANTITY: Metric = Metric::counter(
    "exchange_traded_quantity_total",
    &[],
    "Lots traded, each counted once.",
    "More business.",
);
/// Rejected orders and cancels.
pub static REJECTS: Metric = Metric::counter(
    "exchange_rejects_total",
    &["reason"],
    "Orders, cancels and unsupported messages refused, by reason.",
    "A client is misconfigured; engine_busy means that the engine's queue is full.",
);
/// Messages in.
pub static MESSAGES_IN: Metric = Metric::counter(
    "exchange_fix_messages_in_total",
    &["type"],
    "FIX messages received whole, by type.",
    "More traffic; test_request rises when clients miss our heartbeats.",
);
/// Messages out.
pub static MESSAGES_OUT: Metric = Metric::counter(
    "exchange_fix_messages_out_total",
    &[],
    "FIX messages put on the wire.",
    "More traffic.",
);
/// Session rejects.
pub static SESSION_REJECTS: Metric = Metric::counter(
    "exchange_fix_session_rejects_total",
    &["reason"],
    "Messages answered by Reject (35=3), by SessionRejectReason.",
    "A client speaks wrong FIX.",
);
/// Garbled messages.
pub static GARBLED: Metric = Metric::counter(
    "exchange_fix_garbled_total",
    &["reason"],
    "Byte runs that are no FIX message and were skipped, by reason.",
    "A client that does not speak FIX, or bytes lost on the way.",
);
/// Sequence gaps.
pub static SEQUENCE_GAPS: Metric = Metric::counter(
    "exchange_fix_sequence_gaps_total",
    &[],
    "Gaps seen in clients' sequence numbers, each asked for with a ResendRequest.",
    "Messages are lost, garbled or skipped.",
);
/// Acknowledgement time.
pub static ORDER_ACK: Metric = Metric::histogram(
    "exchange_order_ack_seconds",
    ACK_BOUNDS,
    &[],
    "From an order or cancel read off the socket to its first answer put on the wire.",
    "Session tasks or the engine wait: compare with exchange_match_seconds.",
);
/// Matching time.
pub static MATCH: Metric = Metric::histogram(
    "exchange_match_seconds",
    MATCH_BOUNDS,
    &[],
    "Time of one command inside the matching engine.",
    "Sweeping orders or deep books; or the engine's thread lost its CPU.",
);
/// Engine queue.
pub static ENGINE_QUEUE: Metric = Metric::gauge(
    "exchange_engine_queue_depth",
    &[],
    "Requests waiting for the engine.",
    "The engine is saturated or its thread stalls.",
);
/// Engine busy time.
pub static ENGINE_BUSY: Metric = Metric::counter(
    "exchange_engine_busy_seconds_total",
    &[],
    "Time the engine's thread spent on requests; its rate is the share of one CPU.",
    "Near 1 a second the one thread is full.",
)
.in_unit(Unit::Seconds);
/// Resting orders.
pub static BOOK_ORDERS: Metric = Metric::gauge(
    "exchange_book_orders",
    &[],
    "Orders resting in all books.",
    "Orders that never trade, or a market with one side only.",
);
/// Session queues.
pub static SESSION_QUEUE: Metric = Metric::gauge(
    "exchange_session_queue_events",
    &[],
    "Events waiting in all session queues together.",
    "Slow clients or stalled session tasks; without a limit this is the memory leak.",
);
/// Broken invariants.
pub static VIOLATIONS: Metric = Metric::counter(
    "exchange_invariant_violations_total",
    &["kind"],
    "Rules of the book that were found broken.",
    "A bug in the engine: any value above zero.",
);

/// The table of the exchange.
pub static METRICS: Table = &[
    &SESSIONS,
    &SESSIONS_OPENED,
    &SESSIONS_CLOSED,
    &EVICTIONS,
    &ACCEPT_ERRORS,
    &ORDERS,
    &CANCELS,
    &TRADES,
    &TRADED_QUANTITY,
    &REJECTS,
    &MESSAGES_IN,
    &MESSAGES_OUT,
    &SESSION_REJECTS,
    &GARBLED,
    &SEQUENCE_GAPS,
    &ORDER_ACK,
    &MATCH,
    &ENGINE_QUEUE,
    &ENGINE_BUSY,
    &BOOK_ORDERS,
    &SESSION_QUEUE,
    &VIOLATIONS,
];

/// Labels of `exchange_evictions_total`.
const EVICTION_REASONS: [&str; 3] = ["session_queue", "too_many_sessions", "remembered_session"];
/// Labels of `exchange_rejects_total` beside those of the engine and the order reader.
const OTHER_REJECTS: [&str; 3] = ["unknown_order", "engine_busy", "unsupported_message"];
/// Labels of `exchange_fix_messages_in_total`, each with its MsgType.
const TYPES: [(&str, &[u8]); 9] = [
    ("logon", b"A"),
    ("heartbeat", b"0"),
    ("test_request", b"1"),
    ("resend_request", b"2"),
    ("reject", b"3"),
    ("sequence_reset", b"4"),
    ("logout", b"5"),
    ("new_order_single", b"D"),
    ("order_cancel_request", b"F"),
];

/// The label of a MsgType.
#[must_use]
pub fn type_label(kind: &[u8]) -> &'static str {
    TYPES
        .iter()
        .find(|known| known.1 == kind)
        .map_or("other", |known| known.0)
}

/// Counters of one metric by the value of its one label; made once, so that counting neither locks nor allocates.
pub(crate) struct Family(Vec<(&'static str, Counter)>);

impl Family {
    fn new(
        registry: &Registry,
        metric: &'static Metric,
        labels: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let counter = |label| (label, registry.counter(metric, &[label]));
        Self(labels.into_iter().map(counter).collect())
    }

    /// Counts one more under `label`.
    pub(crate) fn count(&self, label: &str) {
        if let Some((_, counter)) = self.0.iter().find(|known| known.0 == label) {
            counter.increment(1);
        }
    }
}

/// The live handles of the table.
pub(crate) struct Meters {
    pub(crate) sessions: Gauge,
    pub(crate) opened: Counter,
    pub(crate) closed: Family,
    pub(crate) evictions: Family,
    pub(crate) accept_errors: Counter,
    pub(crate) orders: Vec<((&'static str, &'static str), Counter)>,
    pub(crate) cancels: Counter,
    pub(crate) trades: Counter,
    pub(crate) traded_quantity: Counter,
    pub(crate) rejects: Family,
    pub(crate) messages_in: Family,
    pub(crate) messages_out: Counter,
    pub(crate) session_rejects: Family,
    pub(crate) garbled: Family,
    pub(crate) gaps: Counter,
    pub(crate) order_ack: Histogram,
    pub(crate) matching: Histogram,
    pub(crate) book_orders: Gauge,
    pub(crate) session_queue: Gauge,
    pub(crate) violations: Family,
}

impl Meters {
    /// Handles in a registry that knows [`METRICS`].
    pub(crate) fn new(registry: &Registry) -> Self {
        let family = |metric, labels: Vec<&'static str>| Family::new(registry, metric, labels);
        let refusals = Refusal::ALL.map(Refusal::label);
        let types = TYPES.iter().map(|known| known.0).chain(["other"]);
        Self {
            sessions: registry.gauge(&SESSIONS, &[]),
            opened: registry.counter(&SESSIONS_OPENED, &[]),
            closed: family(&SESSIONS_CLOSED, Ending::ALL.map(Ending::label).to_vec()),
            evictions: family(&EVICTIONS, EVICTION_REASONS.to_vec()),
            accept_errors: registry.counter(&ACCEPT_ERRORS, &[]),
            orders: order_counters(registry),
            cancels: registry.counter(&CANCELS, &[]),
            trades: registry.counter(&TRADES, &[]),
            traded_quantity: registry.counter(&TRADED_QUANTITY, &[]),
            rejects: family(
                &REJECTS,
                [&refusals[..], &UNACCEPTABLE, &OTHER_REJECTS].concat(),
            ),
            messages_in: family(&MESSAGES_IN, types.collect()),
            messages_out: registry.counter(&MESSAGES_OUT, &[]),
            session_rejects: family(&SESSION_REJECTS, Reason::ALL.map(Reason::label).to_vec()),
            garbled: family(&GARBLED, Garbled::ALL.map(Garbled::label).to_vec()),
            gaps: registry.counter(&SEQUENCE_GAPS, &[]),
            order_ack: registry.histogram(&ORDER_ACK, &[]),
            matching: registry.histogram(&MATCH, &[]),
            book_orders: registry.gauge(&BOOK_ORDERS, &[]),
            session_queue: registry.gauge(&SESSION_QUEUE, &[]),
            violations: family(&VIOLATIONS, Violation::ALL.map(Violation::label).to_vec()),
        }
    }

    /// Counts an accepted order.
    pub(crate) fn count_order(&self, kind: &'static str, side: &'static str) {
        if let Some((_, counter)) = self.orders.iter().find(|known| known.0 == (kind, side)) {
            counter.increment(1);
        }
    }
}

fn order_counters(registry: &Registry) -> Vec<((&'static str, &'static str), Counter)> {
    let mut counters = Vec::new();
    for kind in ["limit", "ioc", "market"] {
        for side in [Side::Buy.label(), Side::Sell.label()] {
            counters.push(((kind, side), registry.counter(&ORDERS, &[kind, side])));
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names carry prefix and unit, and the whole table can be registered.
    #[test]
    fn table_is_sound() {
        Registry::new().register(METRICS).unwrap();
        for metric in METRICS {
            assert!(metric.name.starts_with("exchange_"), "{}", metric.name);
            if metric.unit == Unit::Seconds {
                assert!(metric.name.contains("_seconds"), "{}", metric.name);
            }
        }
    }

    /// Message types map to a fixed set of labels.
    #[test]
    fn types_are_bounded() {
        assert_eq!(type_label(b"D"), "new_order_single");
        assert_eq!(type_label(b"anything"), "other");
    }
}
