//! The OS thread that owns the matching engine.
//!
//! One thread and one queue give every order its place in time; that is what makes matching deterministic without a lock
//! around the books. It is not a task, because matching is CPU work and must neither stall a runtime nor wait for one. Requests come
//! through a bounded channel; events go into each session's [`Outbox`], and this thread never waits for a session.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pollscope::metrics::Registry;
use tokio::sync::mpsc;

use crate::command::Command;
use crate::engine::{Engine, Ledger, Limits};
use crate::event::{Event, News};
use crate::metrics::{ENGINE_BUSY, ENGINE_QUEUE, Meters};
use crate::order::SessionId;
use crate::outbox::{Delivery, Outbox, Refused};

/// A request to the engine's thread.
pub(crate) enum Request {
    /// A session that wants to hear of its orders.
    Open(SessionId, Arc<Outbox>),
    /// A command, and when its message was read.
    Command(Command, Instant),
    /// A session that has gone; its orders are cancelled.
    Close(SessionId),
}

/// Starts the thread; it ends when every clone of the sender is gone.
pub(crate) fn start(
    limits: Limits,
    queue: usize,
    faults: Arc<faults::Plan>,
    meters: Arc<Meters>,
    registry: &Registry,
) -> io::Result<(mpsc::Sender<Request>, JoinHandle<()>)> {
    let (sender, receiver) = mpsc::channel(queue);
    let busy = Arc::new(AtomicU64::new(0));
    observe(registry, &sender, &busy);
    let mut desk = Desk {
        engine: Engine::new(limits),
        outboxes: HashMap::new(),
        events: Vec::new(),
        counted: Ledger::default(),
        faults,
        meters,
    };
    let thread = std::thread::Builder::new()
        .name("matching".to_owned())
        .spawn(move || desk.run(receiver, &busy))?;
    Ok((sender, thread))
}

/// Queue depth and busy time are read when somebody scrapes; weakly, so that a scrape never keeps the thread alive.
fn observe(registry: &Registry, sender: &mpsc::Sender<Request>, busy: &Arc<AtomicU64>) {
    let sender = sender.downgrade();
    let busy = Arc::downgrade(busy);
    registry.sample(move |samples| {
        let (Some(sender), Some(busy)) = (sender.upgrade(), busy.upgrade()) else {
            return;
        };
        let depth = sender.max_capacity() - sender.capacity();
        samples.set(&ENGINE_QUEUE, &[], depth as f64);
        let busy = Duration::from_nanos(busy.load(Ordering::Relaxed));
        samples.set(&ENGINE_BUSY, &[], busy.as_secs_f64());
    });
}

struct Desk {
    engine: Engine,
    outboxes: HashMap<SessionId, Arc<Outbox>>,
    events: Vec<Event>,
    counted: Ledger,
    faults: Arc<faults::Plan>,
    meters: Arc<Meters>,
}

impl Desk {
    fn run(&mut self, mut requests: mpsc::Receiver<Request>, busy: &AtomicU64) {
        while let Some(request) = requests.blocking_recv() {
            let begin = Instant::now();
            self.handle(request);
            let nanos = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
            busy.fetch_add(nanos, Ordering::Relaxed);
        }
    }

    fn handle(&mut self, request: Request) {
        match request {
            Request::Open(session, outbox) => {
                self.outboxes.insert(session, outbox);
            }
            Request::Close(session) => self.close(session),
            Request::Command(command, received) => {
                let sender = match &command {
                    Command::New(order) => order.owner,
                    Command::Cancel(request) => request.owner,
                    Command::Forget(owner) => *owner,
                };
                // An evicted session may have commands under way; nobody would hear of such an order.
                if self.outboxes.contains_key(&sender) {
                    self.apply(command);
                    self.deliver(sender, received);
                }
            }
        }
        self.meters
            .book_orders
            .set(self.engine.resting_orders() as f64);
    }

    fn apply(&mut self, command: Command) {
        let begin = Instant::now();
        let violation = self.engine.apply(command, &mut self.events);
        self.meters.matching.record(begin.elapsed());
        if let Some(violation) = violation {
            self.meters.violations.count(violation.label());
            tracing::error!(kind = violation.label(), "the engine broke an invariant");
        }
        let ledger = self.engine.ledger();
        self.meters
            .trades
            .increment(ledger.trades - self.counted.trades);
        let traded = ledger.traded - self.counted.traded;
        self.meters
            .traded_quantity
            .increment(u64::try_from(traded).unwrap_or(u64::MAX));
        self.counted = ledger;
    }

    /// Hands out the events; the first one for `sender` answers the message that was read at `received`.
    fn deliver(&mut self, sender: SessionId, received: Instant) {
        let mut received = Some(received);
        let mut lost = Vec::new();
        let last = self.events.iter().rposition(|event| event.owner == sender);
        for (index, event) in self.events.drain(..).enumerate() {
            count(&self.meters, &event.news);
            let owner = event.owner;
            let Some(outbox) = self.outboxes.get(&owner) else {
                continue;
            };
            let delivery = Delivery {
                event,
                received: if owner == sender {
                    received.take()
                } else {
                    None
                },
                completes: last == Some(index),
            };
            match outbox.push(delivery, || self.faults.queue_is_unbounded()) {
                Ok(()) => {}
                Err(refused) => {
                    if refused == Refused::Full {
                        self.meters.evictions.count("session_queue");
                    }
                    lost.push(owner);
                }
            }
        }
        for session in lost {
            self.close(session);
        }
    }

    fn close(&mut self, session: SessionId) {
        if self.outboxes.remove(&session).is_some() {
            self.apply(Command::Forget(session));
        }
    }
}

fn count(meters: &Meters, news: &News) {
    match news {
        News::Accepted(order) => meters.count_order(order.kind.label(), order.side.label()),
        News::Refused(_, refusal) => meters.rejects.count(refusal.label()),
        News::Cancelled {
            request: Some(_), ..
        } => meters.cancels.increment(1),
        News::CancelRefused { .. } => meters.rejects.count("unknown_order"),
        News::Traded { .. } | News::Cancelled { request: None, .. } => {}
    }
}
