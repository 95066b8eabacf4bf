//! The bounded queue from the engine to one session.
//!
//! The engine must never wait for a client, so a full queue is a decision, not a pause: the session is evicted, because
//! an execution report may be neither dropped nor merged with another. One exception is a fault that can be switched on: the
//! queue then grows without limit, as it would if nobody had thought about it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use metrics::Gauge;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::event::Event;

/// An event on its way to its owner.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) event: Event,
    /// When the message was read that this event is the first answer to.
    pub(crate) received: Option<Instant>,
    /// Whether this is the last event of a command of the session itself.
    pub(crate) completes: bool,
}

/// Why nothing was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The queue was full: the session is evicted now.
    Full,
    /// The session has gone.
    Closed,
}

/// The queue; the engine pushes, the session takes.
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    limit: usize,
    depth: Gauge,
    filled: Notify,
    evicted: CancellationToken,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Delivery>,
    closed: bool,
}

impl Outbox {
    /// An empty queue of at most `limit` events; `depth` counts the events of all queues.
    pub(crate) fn new(limit: usize, depth: Gauge) -> Self {
        Self {
            queue: Mutex::default(),
            limit,
            depth,
            filled: Notify::new(),
            evicted: CancellationToken::new(),
        }
    }

    /// Queues an event. `unbounded` is asked only when the queue is full, whether it must grow all the same.
    pub(crate) fn push(
        &self,
        delivery: Delivery,
        unbounded: impl FnOnce() -> bool,
    ) -> Result<(), Refused> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(Refused::Closed);
        }
        if queue.events.len() >= self.limit && !unbounded() {
            drop(queue);
            self.close();
            self.evicted.cancel();
            return Err(Refused::Full);
        }
        queue.events.push_back(delivery);
        drop(queue);
        self.depth.increment(1.0);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits until there is something to take. Cancel-safe: nothing is taken here.
    pub(crate) async fn ready(&self) {
        loop {
            let filled = self.filled.notified();
            if !self.lock().events.is_empty() {
                return;
            }
            filled.await;
        }
    }

    /// Takes at most `most` events, oldest first.
    pub(crate) fn take(&self, most: usize, into: &mut Vec<Delivery>) {
        let mut queue = self.lock();
        let count = queue.events.len().min(most);
        into.extend(queue.events.drain(..count));
        drop(queue);
        self.depth.decrement(count as f64);
    }

    /// Waits until the engine has evicted this session.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Ends the queue; what is in it is gone.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        let dropped = std::mem::take(&mut queue.events);
        drop(queue);
        self.depth.decrement(dropped.len() as f64);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Held for a few instructions on a plain list, valid at every step.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::News;
    use crate::order::SessionId;

    fn delivery(number: u64) -> Delivery {
        Delivery {
            event: Event {
                owner: SessionId(1),
                number,
                news: News::CancelRefused {
                    request: "a".into(),
                    target: "b".into(),
                },
            },
            received: None,
            completes: false,
        }
    }

    fn numbers(outbox: &Outbox, most: usize) -> Vec<u64> {
        let mut taken = Vec::new();
        outbox.take(most, &mut taken);
        taken.iter().map(|delivery| delivery.event.number).collect()
    }

    /// A full queue evicts its session; what was queued is gone with it.
    #[tokio::test]
    async fn full_evicts() {
        let outbox = Outbox::new(2, Gauge::noop());
        outbox.push(delivery(1), || false).unwrap();
        outbox.push(delivery(2), || false).unwrap();
        outbox.ready().await;
        assert_eq!(outbox.push(delivery(3), || false), Err(Refused::Full));
        outbox.evicted().await;
        assert_eq!(outbox.push(delivery(4), || true), Err(Refused::Closed));
        assert_eq!(numbers(&outbox, 9), [0; 0]);
    }

    /// With the fault on, the queue grows and order is kept.
    #[tokio::test]
    async fn fault_grows() {
        let outbox = Outbox::new(1, Gauge::noop());
        for number in 1..=5 {
            outbox.push(delivery(number), || true).unwrap();
        }
        assert_eq!(numbers(&outbox, 2), [1, 2]);
        assert_eq!(numbers(&outbox, 9), [3, 4, 5]);
    }
}
