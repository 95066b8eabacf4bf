//! What a run has done so far: counters written by the generator, read once a second by whoever shows them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A look at a run while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Clients that are connected and let in.
    pub connected: u64,
    /// Clients of the plan.
    pub clients: u64,
    /// Time since the first message was due; zero while still connecting.
    pub elapsed: Duration,
    /// How long messages are to be sent.
    pub duration: Duration,
    /// Messages sent.
    pub sent: u64,
    /// Answers or deliveries received.
    pub received: u64,
    /// What went wrong so far.
    pub errors: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} of {:.0} s · {} of {} clients · sent {} · received {} · errors {}",
            self.elapsed.as_secs_f64(),
            self.duration.as_secs_f64(),
            self.connected,
            self.clients,
            self.sent,
            self.received,
            self.errors
        )
    }
}

/// The counters behind [`Progress`]. Relaxed: they are shown, nothing is decided by their order.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connected: Counter,
    pub(crate) sent: Counter,
    pub(crate) received: Counter,
    pub(crate) errors: Counter,
    /// Messages that had to wait for room in their socket.
    pub(crate) held_up: Counter,
    /// Connections of clients that are told apart, closed by the service.
    pub(crate) apart_closed: Counter,
    /// Nanoseconds that the pacing thread was at work rather than waiting.
    pub(crate) pacing_ns: Counter,
}

impl Counters {
    /// The counters at this moment, `elapsed` after the start of a run of `duration`.
    pub(crate) fn look(&self, clients: usize, elapsed: Duration, duration: Duration) -> Progress {
        Progress {
            connected: self.connected.get(),
            clients: u64::try_from(clients).unwrap_or(u64::MAX),
            elapsed,
            duration,
            sent: self.sent.get(),
            received: self.received.get(),
            errors: self.errors.get(),
        }
    }
}

/// A number that threads share.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Takes one away; the caller has added it before.
    pub(crate) fn remove_one(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Begins anew.
    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: one line tells a person where the run is.
    #[test]
    fn shows_one_line() {
        let counters = Counters::default();
        counters.connected.add(10);
        counters.connected.remove_one();
        counters.sent.add(200);
        let progress = counters.look(10, Duration::from_secs(2), Duration::from_secs(30));
        assert_eq!(
            progress.to_string(),
            "2 of 30 s · 9 of 10 clients · sent 200 · received 0 · errors 0"
        );
    }
}
