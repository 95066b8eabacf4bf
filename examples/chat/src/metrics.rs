//! The metrics of the chat, as a table: name, type, labels, help, and what it means when it rises.
//!
//! Only data; who counts uses the live handles of `meters`. Every metric here can be moved by a client or by a fault.

use pollscope::metrics::{Metric, Table, Unit};

/// From ten microseconds to ten seconds: below is noise of the clock, above is an outage.
const SECONDS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Members of a room, in powers of about three.
const SIZES: &[f64] = &[1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0];

pub(crate) static CONNECTIONS: Metric = Metric::gauge(
    "chat_connections",
    &[],
    "Open client connections.",
    "More clients, or connections that are not ended: compare with chat_clients.",
);
pub(crate) static OPENED: Metric = Metric::counter(
    "chat_connections_opened_total",
    &[],
    "Connections accepted.",
    "New clients; a jump without as many more chat_connections is a reconnect storm.",
);
pub(crate) static CLOSED: Metric = Metric::counter(
    "chat_connections_closed_total",
    &["reason"],
    "Connections ended, by reason.",
    "The reason says whose doing: quit and eof the client's, sendq a slow reader's, the timeouts silence, flood a client that never stops, bad_password a stranger, error the network's, panic ours.",
);
pub(crate) static REFUSED: Metric = Metric::counter(
    "chat_connections_refused_total",
    &[],
    "Connections turned away because the server was full.",
    "The limit of connections is reached: raise it or add a server.",
);
pub(crate) static ACCEPT_ERRORS: Metric = Metric::counter(
    "chat_accept_errors_total",
    &["kind"],
    "Failures to accept a connection, by kind.",
    "file_limit: the process has run out of file descriptors and new clients wait; aborted: clients give up before they are served.",
);
pub(crate) static CLIENTS: Metric = Metric::gauge(
    "chat_clients",
    &[],
    "Registered clients.",
    "More people; if it stays far below chat_connections, registration is slow or abused.",
);
pub(crate) static ROOMS: Metric = Metric::gauge(
    "chat_rooms",
    &[],
    "Rooms, each of them a task.",
    "More rooms in use; each costs a task and a queue.",
);
pub(crate) static REGISTRATION: Metric = Metric::histogram(
    "chat_registration_seconds",
    SECONDS,
    &[],
    "Time from accepting a connection to its complete registration.",
    "Handshakes are slow: slow clients, or a server that is late to read them.",
);
pub(crate) static MESSAGES_IN: Metric = Metric::counter(
    "chat_messages_in_total",
    &["command"],
    "Messages received, by command.",
    "More traffic from clients; `other` rising is a foreign protocol or abuse.",
);
pub(crate) static MESSAGES_OUT: Metric = Metric::counter(
    "chat_messages_out_total",
    &[],
    "Messages written to sockets.",
    "More deliveries; divided by messages in it is the amplification of the rooms.",
);
pub(crate) static BYTES_IN: Metric = Metric::counter(
    "chat_bytes_in_total",
    &[],
    "Bytes received.",
    "More traffic from clients; without more messages it is over-long lines.",
)
.in_unit(Unit::Bytes);
pub(crate) static BYTES_OUT: Metric = Metric::counter(
    "chat_bytes_out_total",
    &[],
    "Bytes written to sockets.",
    "More deliveries or longer ones.",
)
.in_unit(Unit::Bytes);
pub(crate) static FANOUT: Metric = Metric::histogram(
    "chat_fanout_seconds",
    SECONDS,
    &[],
    "Time from receiving a message for a room to its last member's send queue.",
    "Rooms are behind: a stalled worker, a giant room, or a room whose queue is full.",
);
pub(crate) static FANOUT_SIZE: Metric = Metric::histogram(
    "chat_fanout_size",
    SIZES,
    &[],
    "Members a room message was queued for.",
    "Rooms grow; the cost of one message grows with them.",
)
.in_unit(Unit::Count);
pub(crate) static DELIVERY: Metric = Metric::histogram(
    "chat_delivery_seconds",
    SECONDS,
    &[],
    "Time from receiving a message to having written it to a recipient's socket.",
    "Clients see the delay: rising with chat_fanout_seconds it is the runtime, alone it is slow readers.",
);
pub(crate) static SENDQ_MESSAGES: Metric = Metric::gauge(
    "chat_sendq_messages",
    &[],
    "Messages waiting in all send queues.",
    "Readers are slower than the rooms, or the runtime is late to write; the leading indicator of evictions.",
);
pub(crate) static SENDQ_MESSAGES_MAX: Metric = Metric::gauge(
    "chat_sendq_messages_max",
    &[],
    "Messages waiting in the longest send queue.",
    "One reader falls behind; at the limit it is evicted.",
);
pub(crate) static SENDQ_BYTES: Metric = Metric::gauge(
    "chat_sendq_bytes",
    &[],
    "Bytes waiting in all send queues.",
    "Memory held for slow readers.",
)
.in_unit(Unit::Bytes);
pub(crate) static SENDQ_BYTES_MAX: Metric = Metric::gauge(
    "chat_sendq_max_bytes",
    &[],
    "Bytes waiting in the largest send queue.",
    "One reader falls behind; at the limit it is evicted.",
)
.in_unit(Unit::Bytes);
pub(crate) static OVERFLOW: Metric = Metric::counter(
    "chat_sendq_overflow_total",
    &[],
    "Messages queued beyond the bound of a send queue.",
    "The bound is switched off (fault unbounded-queue): memory grows with the slowest reader.",
);
pub(crate) static EVICTIONS: Metric = Metric::counter(
    "chat_evictions_total",
    &["reason"],
    "Slow readers disconnected, by the bound of the send queue they broke.",
    "Clients do not read fast enough; many at once point at the server or the network.",
);
pub(crate) static DROPPED: Metric = Metric::counter(
    "chat_messages_dropped_total",
    &["reason"],
    "Messages that were queued or addressed and never written, by reason.",
    "evicted: what a slow reader lost; closed: addressed to a connection that was ending; unwritten: the connection broke first; not_member: said to a room by somebody who may not speak there, and refused.",
);
pub(crate) static PARSE_ERRORS: Metric = Metric::counter(
    "chat_parse_errors_total",
    &["kind"],
    "Lines that are no message, by kind.",
    "A broken or foreign client; utf8 is an old one and its line was read with replacements.",
);
pub(crate) static LINE_TOO_LONG: Metric = Metric::counter(
    "chat_line_too_long_total",
    &[],
    "Lines over the length limit, skipped.",
    "A broken client or abuse.",
);

pub(crate) static THROTTLED: Metric = Metric::counter(
    "chat_input_throttled_total",
    &[],
    "Lines that had to wait because their client sends too fast.",
    "Scripts, pastes or abuse; those who never stop end as chat_connections_closed_total with the reason flood.",
);
pub(crate) static PING_RTT: Metric = Metric::histogram(
    "chat_ping_rtt_seconds",
    SECONDS,
    &[],
    "Time from a PING to the next line of its client.",
    "Silent clients are far away or busy, or the server is late to write and read: compare with chat_delivery_seconds.",
);

/// Every metric of the chat.
pub static METRICS: Table = &[
    &CONNECTIONS,
    &OPENED,
    &CLOSED,
    &REFUSED,
    &ACCEPT_ERRORS,
    &CLIENTS,
    &ROOMS,
    &REGISTRATION,
    &MESSAGES_IN,
    &MESSAGES_OUT,
    &BYTES_IN,
    &BYTES_OUT,
    &FANOUT,
    &FANOUT_SIZE,
    &DELIVERY,
    &SENDQ_MESSAGES,
    &SENDQ_MESSAGES_MAX,
    &SENDQ_BYTES,
    &SENDQ_BYTES_MAX,
    &OVERFLOW,
    &EVICTIONS,
    &DROPPED,
    &PARSE_ERRORS,
    &LINE_TOO_LONG,
    &THROTTLED,
    &PING_RTT,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The table obeys its own conventions: unique names, suffixes by type and unit, sentences.
    #[test]
    fn table_keeps_the_conventions() {
        use pollscope::metrics::Kind;
        for (index, metric) in METRICS.iter().enumerate() {
            let name = metric.name;
            assert!(METRICS[..index].iter().all(|other| other.name != name));
            assert!(name.starts_with("chat_"), "{name}");
            assert_eq!(metric.kind == Kind::Counter, name.ends_with("_total"));
            assert_eq!(metric.unit == Unit::Bytes, name.contains("bytes"), "{name}");
            assert_eq!(metric.unit == Unit::Seconds, name.contains("seconds"));
            assert!(metric.help.ends_with('.') && metric.rises.ends_with('.'));
        }
    }
}
