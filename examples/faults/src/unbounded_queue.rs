//! `unbounded-queue`: a full send queue grows instead of evicting its slow reader.
//!
//! Symptom: memory rises for as long as one client reads slower than it is sent to; nothing else is wrong until it runs out.
//! Mechanism: a queue without a limit turns a slow reader into memory, and its messages into stale ones.
//! Finding: the send-queue metrics pass the queue's limit, and the process's resident memory follows.
//!
//! There is nothing to do here but to say so: the service owns its queues and asks
//! [`Plan::queue_is_unbounded`](crate::Plan::queue_is_unbounded) when one is full.

use crate::fault::{Fault, Finding};
use crate::point::Point;

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "unbounded-queue",
    symptom: "memory rises for as long as a client reads slower than it is sent to",
    mechanism: "a full send queue keeps growing instead of evicting its slow reader",
    point: Point::SendQueue,
    finding: Finding::Metric {
        names: &[
            "chat_sendq_messages",
            "exchange_session_queue_events",
            "process_resident_memory_bytes",
        ],
    },
    block: None,
};
