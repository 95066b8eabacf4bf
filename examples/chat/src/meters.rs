//! The live handles of the metrics, kept by those who count.
//!
//! Looking a handle up costs a lock and an allocation, so all are made once, at start; label values are fixed sets. What
//! a metric means stands in the table of `metrics`.

use metrics::{Counter, Gauge, Histogram};
use pollscope::metrics::Registry;

use crate::metrics::{
    ACCEPT_ERRORS, BYTES_IN, BYTES_OUT, CLIENTS, CLOSED, CONNECTIONS, DELIVERY, DROPPED, EVICTIONS,
    FANOUT, FANOUT_SIZE, LINE_TOO_LONG, MESSAGES_IN, MESSAGES_OUT, OPENED, OVERFLOW, PARSE_ERRORS,
    PING_RTT, REFUSED, REGISTRATION, ROOMS, SENDQ_BYTES, SENDQ_BYTES_MAX, SENDQ_MESSAGES,
    SENDQ_MESSAGES_MAX, THROTTLED,
};
use crate::protocol::message::ParseError;
use crate::protocol::verb::Verb;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    Quit,
    Eof,
    Error,
    SendQueue,
    Flood,
    BadPassword,
    RegistrationTimeout,
    PingTimeout,
    Shutdown,
    Panic,
}

impl Closed {
    const ALL: [Self; 10] = [
        Self::Quit,
        Self::Eof,
        Self::Error,
        Self::SendQueue,
        Self::Flood,
        Self::BadPassword,
        Self::RegistrationTimeout,
        Self::PingTimeout,
        Self::Shutdown,
        Self::Panic,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Eof => "eof",
            Self::Error => "error",
            Self::SendQueue => "sendq",
            Self::Flood => "flood",
            Self::BadPassword => "bad_password",
            Self::RegistrationTimeout => "registration_timeout",
            Self::PingTimeout => "ping_timeout",
            Self::Shutdown => "shutdown",
            Self::Panic => "panic",
        }
    }
}

/// The live handles, one for each metric and label value; the table says what each is.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(crate) connections: Gauge,
    pub(crate) opened: Counter,
    closed: [Counter; Closed::ALL.len()],
    pub(crate) refused: Counter,
    pub(crate) accept_file_limit: Counter,
    pub(crate) accept_aborted: Counter,
    pub(crate) accept_other: Counter,
    pub(crate) clients: Gauge,
    pub(crate) rooms: Gauge,
    pub(crate) registration: Histogram,
    messages_in: [Counter; Verb::ALL.len()],
    pub(crate) messages_out: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) fanout: Histogram,
    pub(crate) fanout_size: Histogram,
    pub(crate) delivery: Histogram,
    pub(crate) overflow: Counter,
    pub(crate) evicted_messages: Counter,
    pub(crate) evicted_bytes: Counter,
    pub(crate) dropped_evicted: Counter,
    pub(crate) dropped_closed: Counter,
    pub(crate) dropped_unwritten: Counter,
    pub(crate) dropped_not_member: Counter,
    parse_errors: [Counter; ParseError::ALL.len()],
    pub(crate) not_utf8: Counter,
    pub(crate) line_too_long: Counter,
    pub(crate) throttled: Counter,
    pub(crate) ping_rtt: Histogram,
}

impl Meters {
    /// Handles of `registry`, in which [`METRICS`](crate::METRICS) must be registered; otherwise they count nothing.
    pub(crate) fn new(registry: &Registry) -> Self {
        let counter = |metric, label| registry.counter(metric, &[label]);
        Self {
            connections: registry.gauge(&CONNECTIONS, &[]),
            opened: registry.counter(&OPENED, &[]),
            closed: Closed::ALL.map(|reason| counter(&CLOSED, reason.label())),
            refused: registry.counter(&REFUSED, &[]),
            accept_file_limit: counter(&ACCEPT_ERRORS, "file_limit"),
            accept_aborted: counter(&ACCEPT_ERRORS, "aborted"),
            accept_other: counter(&ACCEPT_ERRORS, "other"),
            clients: registry.gauge(&CLIENTS, &[]),
            rooms: registry.gauge(&ROOMS, &[]),
            registration: registry.histogram(&REGISTRATION, &[]),
            messages_in: Verb::ALL.map(|verb| counter(&MESSAGES_IN, verb.name())),
            messages_out: registry.counter(&MESSAGES_OUT, &[]),
            bytes_in: registry.counter(&BYTES_IN, &[]),
            bytes_out: registry.counter(&BYTES_OUT, &[]),
            fanout: registry.histogram(&FANOUT, &[]),
            fanout_size: registry.histogram(&FANOUT_SIZE, &[]),
            delivery: registry.histogram(&DELIVERY, &[]),
            overflow: registry.counter(&OVERFLOW, &[]),
            evicted_messages: counter(&EVICTIONS, "messages"),
            evicted_bytes: counter(&EVICTIONS, "bytes"),
            dropped_evicted: counter(&DROPPED, "evicted"),
            dropped_closed: counter(&DROPPED, "closed"),
            dropped_unwritten: counter(&DROPPED, "unwritten"),
            dropped_not_member: counter(&DROPPED, "not_member"),
            parse_errors: ParseError::ALL.map(|error| counter(&PARSE_ERRORS, error.kind())),
            not_utf8: counter(&PARSE_ERRORS, "utf8"),
            line_too_long: registry.counter(&LINE_TOO_LONG, &[]),
            throttled: registry.counter(&THROTTLED, &[]),
            ping_rtt: registry.histogram(&PING_RTT, &[]),
        }
    }

    /// Counts a message received.
    pub(crate) fn message_in(&self, verb: Verb) {
        self.messages_in[verb as usize].increment(1);
    }

    /// Counts a connection that ended.
    pub(crate) fn closed(&self, reason: Closed) {
        self.closed[reason as usize].increment(1);
    }

    /// Counts a line that is no message.
    pub(crate) fn parse_error(&self, error: ParseError) {
        self.parse_errors[error as usize].increment(1);
    }
}

/// The state of all send queues at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Of all queues together.
    pub(crate) messages: usize,
    /// Of the longest queue.
    pub(crate) messages_max: usize,
    /// Of all queues together.
    pub(crate) bytes: usize,
    /// Of the largest queue, which need not be the longest.
    pub(crate) bytes_max: usize,
}

impl Backlog {
    /// Adds one queue.
    pub(crate) fn add(&mut self, messages: usize, bytes: usize) {
        self.messages += messages;
        self.messages_max = self.messages_max.max(messages);
        self.bytes += bytes;
        self.bytes_max = self.bytes_max.max(bytes);
    }
}

/// Lets `registry` ask for the backlog at every scrape; `None` once the server is gone.
pub(crate) fn sample_backlog(
    registry: &Registry,
    backlog: impl Fn() -> Option<Backlog> + Send + Sync + 'static,
) {
    registry.sample(move |samples| {
        let Some(backlog) = backlog() else { return };
        samples.set(&SENDQ_MESSAGES, &[], float(backlog.messages));
        samples.set(&SENDQ_MESSAGES_MAX, &[], float(backlog.messages_max));
        samples.set(&SENDQ_BYTES, &[], float(backlog.bytes));
        samples.set(&SENDQ_BYTES_MAX, &[], float(backlog.bytes_max));
    });
}

/// A count as a float; past four thousand million it saturates, far above every limit of this server.
pub(crate) fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A gauge that is one higher for as long as this value lives, also when its owner panics.
#[derive(Debug)]
pub(crate) struct Present(Gauge);

impl Present {
    pub(crate) fn new(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reasons and kinds index arrays of counters, so each must sit at its own place.
    #[test]
    fn indexes_match() {
        for (index, reason) in Closed::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        for (index, error) in ParseError::ALL.into_iter().enumerate() {
            assert_eq!(error as usize, index);
        }
    }
}
