//! Runs a workload: connects its sessions, sends by the schedule, listens, waits for the rest, and reports.
//!
//! Two threads of its own, so that neither the caller's runtime nor each other delays them: one paces and writes, one runs a
//! `current_thread` runtime that reads all sockets. The caller's task only waits, shows progress and passes a cancellation
//! on. Two threads are enough for some 100,000 messages a second, where the system calls are what costs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::client;
use crate::clock::Clock;
use crate::connection::{Connection, Sent};
use crate::error::Error;
use crate::ledger::{Balance, Entry, Flights, Ledger};
use crate::machine::Machine;
use crate::pacer;
use crate::progress::{Counters, Progress};
use crate::report::Report;
use crate::schedule::Schedule;
use crate::server::{Meter, ServerUse};
use crate::session::{Event, Session, Workload};
use crate::stamp::Stamp;
use crate::stop::Stop;

/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// From the last client's arrival to the first message: the threads are up and the service has digested the arrivals.
const LEAD: Duration = Duration::from_millis(50);

/// How long missing answers are waited for after the last message: longer than most stalls, short enough for a script.
const REST_WAIT_MAX: Duration = Duration::from_secs(5);
/// The same after a cancellation: what is in flight on this machine arrives, and a person does not notice.
const REST_WAIT_CANCELLED: Duration = Duration::from_millis(100);
/// How often to look whether answers are still missing.
const REST_POLL: Duration = Duration::from_millis(10);

/// How long the service has to close the connections after the clients said goodbye.
const GOODBYE_WAIT_MAX: Duration = Duration::from_millis(500);

/// What the threads of one run share.
pub(crate) struct Shared<W> {
    pub(crate) workload: W,
    pub(crate) address: SocketAddr,
    pub(crate) counters: Counters,
    pub(crate) stop: Stop,
    flights: Arc<Flights>,
    ledger: Mutex<Ledger>,
    /// Set when the first message's time is known.
    clock: OnceLock<Clock>,
    is_cancelled: AtomicBool,
    is_leaving: AtomicBool,
}

impl<W: Workload> Shared<W> {
    fn new(workload: W, address: SocketAddr, schedule: Schedule) -> Self {
        let flights = Arc::new(Flights::new(schedule));
        Self {
            workload,
            address,
            counters: Counters::default(),
            stop: Stop::default(),
            ledger: Mutex::new(Ledger::new(Arc::clone(&flights))),
            flights,
            clock: OnceLock::new(),
            is_cancelled: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
        }
    }

    /// Enters what a session saw just now.
    pub(crate) fn enter(&self, events: impl Iterator<Item = Event>) {
        let now_ns = self.clock.get().map_or(0, |clock| clock.now_ns());
        let mut ledger = self.ledger();
        for event in events {
            match ledger.enter(event, now_ns) {
                Entry::Received => self.counters.received.add(1),
                Entry::Error => self.counters.errors.add(1),
                Entry::Other => {}
            }
        }
    }

    /// A client that was in has lost its connection. After the goodbye that is as it should be; before, it is an error, and
    /// the last one ends the run.
    pub(crate) fn lost(&self, client: usize, reason: &str) {
        if self.is_leaving.load(Ordering::Acquire) {
            return;
        }
        self.workload.left(client);
        self.counters.connected.remove_one();
        self.enter(std::iter::once(Event::Fault(format!(
            "client {client}: {reason}"
        ))));
        self.stop_if_deserted();
    }

    /// Ends the run if it has begun and no client is left. Before that, those still on their way in decide.
    fn stop_if_deserted(&self) {
        if self.clock.get().is_some() && self.counters.connected.get() == 0 {
            self.stop.set();
        }
    }

    fn progress(&self) -> Progress {
        let duration = self.flights.schedule().duration();
        let elapsed = self
            .clock
            .get()
            .map_or(Duration::ZERO, |clock| clock.elapsed());
        self.counters
            .look(self.workload.clients(), elapsed.min(duration), duration)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the run when the caller's future is dropped.
struct StopOnDrop<W>(Arc<Shared<W>>);

impl<W> Drop for StopOnDrop<W> {
    fn drop(&mut self) {
        self.0.stop.set();
    }
}

/// Runs `workload` against `address`, until the schedule ends, `cancel` completes or every connection is lost.
pub(crate) async fn run<W: Workload>(
    workload: W,
    address: SocketAddr,
    schedule: Schedule,
    server_pid: Option<i32>,
    cancel: impl Future<Output = ()>,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Report, Error> {
    let shared = Arc::new(Shared::new(workload, address, schedule));
    let _stop = StopOnDrop(Arc::clone(&shared));
    let (done, mut result) = oneshot::channel();
    let generator = Arc::clone(&shared);
    thread::Builder::new()
        .name("load-sockets".to_owned())
        .spawn(move || {
            // Nobody listens any more if the caller's future was dropped.
            let _ = done.send(generate(&generator, server_pid));
        })
        .map_err(|cause| Error::setup("cannot start the generator's thread", cause))?;

    let mut cancel = std::pin::pin!(cancel);
    let mut tick = interval(PROGRESS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            report = &mut result => return report.unwrap_or_else(|_| Err(Error::panicked())),
            () = &mut cancel, if !shared.stop.is_set() => {
                shared.is_cancelled.store(true, Ordering::Release);
                shared.stop.set();
            }
            _ = tick.tick() => on_progress(&shared.progress()),
        }
    }
}

fn generate<W: Workload>(
    shared: &Arc<Shared<W>>,
    server_pid: Option<i32>,
) -> Result<Report, Error> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::setup("cannot start the generator's runtime", cause))?;
    runtime.block_on(conduct(shared, server_pid))
}

async fn conduct<W: Workload>(
    shared: &Arc<Shared<W>>,
    server_pid: Option<i32>,
) -> Result<Report, Error> {
    let mut meter = server_pid.and_then(Meter::new);
    let (connections, mut clients) = client::connect_all(shared).await?;
    if let Some(meter) = &mut meter {
        meter.start();
    }
    let sending = send_all(shared, Arc::clone(&connections)).await?;
    let server = meter.and_then(|meter| meter.end(shared.workload.clients()));
    wait_for_the_rest(shared).await;
    let balance = shared.ledger().balance(sending);
    let report = report(shared, sending, server, &balance);

    shared.is_leaving.store(true, Ordering::Release);
    for connection in connections.iter() {
        connection.send(|session, out| session.close(out, SystemTime::now()));
    }
    // A service that does not close is left alone: dropping the tasks closes from this side.
    let _ = timeout(GOODBYE_WAIT_MAX, async {
        while clients.join_next().await.is_some() {}
    })
    .await;
    Ok(report)
}

/// Lets the pacing thread send everything; returns for how long messages were due.
async fn send_all<W: Workload>(
    shared: &Arc<Shared<W>>,
    connections: Arc<Vec<Arc<Connection<W::Session>>>>,
) -> Result<Duration, Error> {
    let clock = *shared
        .clock
        .get_or_init(|| Clock::starting_at(Instant::now() + LEAD));
    shared.stop_if_deserted();
    let (done, ended) = oneshot::channel();
    let pacing = Arc::clone(shared);
    thread::Builder::new()
        .name("load-pacer".to_owned())
        .spawn(move || {
            let schedule = pacing.flights.schedule();
            pacer::pace(
                clock,
                schedule.intended_ns(),
                &pacing.stop,
                |index, intended_ns| {
                    send(&pacing, clock, &connections, index, intended_ns);
                },
            );
            pacer::wait_until(clock.at(0) + schedule.duration(), &pacing.stop);
            let _ = done.send(());
        })
        .map_err(|cause| Error::setup("cannot start the pacing thread", cause))?;
    ended.await.map_err(|_| Error::panicked())?;
    let duration = shared.flights.schedule().duration();
    // A service that went away early is held against the whole schedule; a caller who cancelled is not.
    if shared.is_cancelled.load(Ordering::Acquire) {
        Ok(clock.elapsed().min(duration))
    } else {
        Ok(duration)
    }
}

fn send<W: Workload>(
    shared: &Shared<W>,
    clock: Clock,
    connections: &[Arc<Connection<W::Session>>],
    index: usize,
    intended_ns: u64,
) {
    let connection = &connections[shared.workload.sender(index)];
    let expected = shared.workload.expected(index);
    shared.flights.begin(index, clock.now_ns(), expected);
    let sent =
        connection.send(|session, out| session.send(index, intended_ns, out, SystemTime::now()));
    match sent {
        Sent::Now => shared.counters.sent.add(1),
        Sent::Later => {
            shared.counters.sent.add(1);
            shared.counters.held_up.add(1);
        }
        Sent::Never => {
            shared.flights.revoke(index);
            shared.counters.errors.add(1);
        }
    }
}

/// Waits until nothing is missing any more, or it is not worth waiting.
async fn wait_for_the_rest<W: Workload>(shared: &Shared<W>) {
    let began = Instant::now();
    loop {
        let patience = if shared.stop.is_set() {
            REST_WAIT_CANCELLED
        } else {
            REST_WAIT_MAX
        };
        if began.elapsed() >= patience || shared.ledger().is_complete() {
            return;
        }
        sleep(REST_POLL).await;
    }
}

fn report<W: Workload>(
    shared: &Shared<W>,
    sending: Duration,
    server: Option<ServerUse>,
    balance: &Balance,
) -> Report {
    let schedule = shared.flights.schedule();
    let seconds = sending.as_secs_f64().max(f64::MIN_POSITIVE);
    let offered_per_s = schedule.len_before(sending) as f64 / seconds;
    let achieved_per_s = balance.completed as f64 / seconds;
    let response_ms = balance.response.percentiles();
    let send_lag_ms = balance.send_lag.percentiles();
    Report {
        stamp: Stamp::judge(
            offered_per_s,
            achieved_per_s,
            send_lag_ms.p99,
            response_ms.p99,
        ),
        workload: W::NAME,
        offered_per_s,
        achieved_per_s,
        response_ms,
        service_ms: balance.service.percentiles(),
        send_lag_ms,
        lost: balance.lost,
        duplicated: balance.duplicated,
        reordered: balance.reordered,
        errors: shared.counters.errors.get(),
        first_error: balance.first_error.clone(),
        server,
        clients: shared.workload.clients(),
        sent: shared.counters.sent.get(),
        received: shared.counters.received.get(),
        held_up: shared.counters.held_up.get(),
        duration_s: sending.as_secs_f64(),
        cancelled: shared.is_cancelled.load(Ordering::Acquire),
        schedule_hash: schedule.hash(),
        command: std::env::args().collect::<Vec<_>>().join(" "),
        machine: Machine::here(),
    }
}
