//! `unbounded-queue`: a full send queue grows instead of evicting its slow reader.
//!
//! Symptom: memory rises for as long as one client reads slower than it is sent to; nothing else is wrong until it runs out.
//! Mechanism: a queue without a limit turns a slow reader into memory, and its messages into stale ones.
//! Finding: messages are queued beyond the queue's limit; the send-queue metrics and the resident memory follow.
//!
//! There is nothing to do here but to say so: the service owns its queues and asks
//! [`Plan::queue_is_unbounded`](crate::Plan::queue_is_unbounded) when one is full.

use crate::fault::Fault;
use crate::finding::Finding;
use crate::parameter::Parameters;
use crate::point::Point;

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "unbounded-queue",
    symptom: "memory rises for as long as a client reads slower than it is sent to",
    mechanism: "a full send queue keeps growing instead of evicting its slow reader",
    point: Point::SendQueue,
    parameters: Parameters::NONE,
    finding: Finding::Metric {
        names: &["chat_sendq_overflow_total", "exchange_session_queue_events"],
        by: 100,
    },
    block: None,
};
