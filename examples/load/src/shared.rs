//! What the threads of one run share: the counters, the account of the messages, the clock, and the words "go" and "stop".

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::error::Error;
use crate::generator::{Arrival, Course};
use crate::ledger::{Begins, Entry, Flights, Ledger};
use crate::progress::{Counters, Progress};
use crate::session::{Event, Workload};
use crate::stop::Stop;

/// From the last client's arrival to the first message: the threads are up and the service has digested the arrivals.
const LEAD: Duration = Duration::from_millis(50);

/// What the threads of one run share.
pub(crate) struct Shared<W> {
    pub(crate) workload: W,
    pub(crate) address: SocketAddr,
    pub(crate) counters: Counters,
    /// Set when the run is to begin, if all are in.
    pub(crate) go: Stop,
    pub(crate) stop: Stop,
    pub(crate) flights: Arc<Flights>,
    pub(crate) begins: Begins,
    arrival: Arrival,
    ledger: Mutex<Ledger>,
    /// Set when the first message's time is known.
    clock: OnceLock<Clock>,
    pub(crate) is_cancelled: AtomicBool,
    is_leaving: AtomicBool,
}

impl<W: Workload> Shared<W> {
    pub(crate) fn new(workload: W, course: &mut Course) -> Self {
        let schedule = std::mem::take(&mut course.schedule);
        let flights = Arc::new(Flights::new(schedule, course.warm_up, course.begins));
        Self {
            workload,
            address: course.address,
            counters: Counters::default(),
            go: Stop::default(),
            stop: Stop::default(),
            begins: course.begins,
            arrival: course.arrival,
            ledger: Mutex::new(Ledger::new(Arc::clone(&flights))),
            flights,
            clock: OnceLock::new(),
            is_cancelled: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
        }
    }

    /// Enters what a client's session saw just now.
    pub(crate) fn enter(&self, client: usize, events: impl Iterator<Item = Event>) {
        let now_ns = self.clock.get().map_or(0, |clock| clock.now_ns());
        let role = self.workload.role(client);
        let mut ledger = self.ledger();
        for event in events {
            match ledger.enter(event, role, now_ns) {
                Entry::Received => self.counters.received.add(1),
                Entry::Error => self.counters.errors.add(1),
                Entry::Other => {}
            }
        }
    }

    /// A client that was in has lost its connection. After the goodbye that is as it should be; before, it is an error, and
    /// the last one ends the run. A client that is told apart is only counted: to throw it out may be the service's policy.
    pub(crate) fn lost(&self, client: usize, reason: &str) {
        if self.is_leaving.load(Ordering::Acquire) {
            return;
        }
        self.workload.left(client);
        self.counters.connected.remove_one();
        if self.workload.role(client).is_headline() {
            let fault = Event::Fault(format!("client {client}: {reason}"));
            self.enter(client, std::iter::once(fault));
        } else {
            self.counters.apart_closed.add(1);
        }
        self.stop_if_deserted();
    }

    /// The clock of the run, which starts now if it has not.
    pub(crate) fn start_clock(&self) -> Clock {
        *self
            .clock
            .get_or_init(|| Clock::starting_at(Instant::now() + LEAD))
    }

    /// From now on the ends of connections are as they should be.
    pub(crate) fn set_leaving(&self, is_leaving: bool) {
        self.is_leaving.store(is_leaving, Ordering::Release);
    }

    /// For how long messages were due: a service that went away early is held against the whole schedule, a caller who
    /// cancelled is not.
    pub(crate) fn sending_time(&self, clock: Clock) -> Duration {
        let duration = self.flights.schedule().duration();
        if self.is_cancelled.load(Ordering::Acquire) {
            clock.elapsed().min(duration)
        } else {
            duration
        }
    }

    /// Ends the run if it has begun and no client is left. Before that, and in a storm, those still on their way in decide.
    pub(crate) fn stop_if_deserted(&self) {
        let is_calm = self.arrival == Arrival::Calm;
        if is_calm && self.clock.get().is_some() && self.counters.connected.get() == 0 {
            self.stop.set();
        }
    }

    /// Waits until the run is to begin.
    pub(crate) async fn wait_for_go(&self) -> Result<(), Error> {
        tokio::select! {
            () = self.go.wait() => Ok(()),
            () = self.stop.wait() => Err(Error::cancelled()),
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        let duration = self.flights.schedule().duration();
        let elapsed = self
            .clock
            .get()
            .map_or(Duration::ZERO, |clock| clock.elapsed());
        self.counters
            .look(self.workload.clients(), elapsed.min(duration), duration)
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
