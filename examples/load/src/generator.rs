//! Runs a workload: connects its sessions, sends by the schedule, listens, waits for the rest, and gives the account.
//!
//! Two threads of its own, so that neither the caller's runtime nor each other delays them: one paces and writes, one runs a
//! `current_thread` runtime that reads all sockets. The caller's task only waits, shows progress, keeps the seconds that have
//! ended and passes a cancellation on. Two threads are enough for some 100,000 messages a second, where the system calls are
//! what costs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::account::Account;
use crate::client::{self, Connections};
use crate::clock::Clock;
use crate::connection::{Connection, Sent};
use crate::error::Error;
use crate::ledger::Begins;
use crate::pacer;
use crate::progress::Progress;
use crate::schedule::Schedule;
use crate::seconds::Seconds;
use crate::server::{Meter, ServerSecond, ServerUse};
use crate::session::{Role, Session, Workload};
use crate::shared::Shared;
use crate::storm;
use crate::usage::ThreadUsage;

/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// How long missing answers are waited for after the last message: longer than most stalls, short enough for a script.
const REST_WAIT_MAX: Duration = Duration::from_secs(5);
/// The same after a cancellation: what is in flight on this machine arrives, and a person does not notice.
const REST_WAIT_CANCELLED: Duration = Duration::from_millis(100);
/// How often to look whether answers are still missing.
const REST_POLL: Duration = Duration::from_millis(10);

/// How long the service has to close the connections after the clients said goodbye.
const GOODBYE_WAIT_MAX: Duration = Duration::from_millis(500);

/// When and how a workload is run.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) address: SocketAddr,
    pub(crate) schedule: Schedule,
    /// The first part of the schedule, which makes no figure.
    pub(crate) warm_up: Duration,
    /// Where a response time begins; from the sending only in a closed loop.
    pub(crate) begins: Begins,
    pub(crate) arrival: Arrival,
    pub(crate) server_pid: Option<i32>,
}

/// How the clients come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A few at a time, before the first message.
    Calm,
    /// By the schedule, which is all they do: each arrival is a message, and being in is its answer.
    Storm,
    /// Calmly first; then all connections are cut and the clients come again by the schedule.
    Reconnect,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) account: Account,
    pub(crate) server: Option<(ServerUse, Vec<ServerSecond>)>,
    /// When the first message was due, by the wall clock.
    pub(crate) started: SystemTime,
}

/// Ends the run when the caller's future is dropped.
struct StopOnDrop<W>(Arc<Shared<W>>);

impl<W> Drop for StopOnDrop<W> {
    fn drop(&mut self) {
        self.0.stop.set();
    }
}

/// Runs `workload`, until the schedule ends, `cancel` completes or every connection is lost. The first message is sent when
/// all clients are in and `go` has completed.
pub(crate) async fn run<W: Workload>(
    workload: W,
    mut course: Course,
    go: impl Future<Output = ()>,
    cancel: impl Future<Output = ()>,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Outcome, Error> {
    let shared = Arc::new(Shared::new(workload, &mut course));
    let _stop = StopOnDrop(Arc::clone(&shared));
    let (done, mut result) = oneshot::channel();
    let generator = Arc::clone(&shared);
    thread::Builder::new()
        .name("load-sockets".to_owned())
        .spawn(move || {
            // Nobody listens any more if the caller's future was dropped.
            let _ = done.send(generate(&generator, &course));
        })
        .map_err(|cause| Error::setup("cannot start the generator's thread", cause))?;

    let mut seconds = Seconds::default();
    let (mut go, mut cancel) = (std::pin::pin!(go), std::pin::pin!(cancel));
    let mut tick = interval(PROGRESS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut outcome = loop {
        tokio::select! {
            outcome = &mut result => break outcome.unwrap_or_else(|_| Err(Error::panicked()))?,
            () = &mut go, if !shared.go.is_set() => shared.go.set(),
            () = &mut cancel, if !shared.stop.is_set() => {
                shared.is_cancelled.store(true, Ordering::Release);
                shared.stop.set();
            }
            _ = tick.tick() => {
                let ended = shared.ledger().take_seconds();
                ended.iter().for_each(|(second, response)| seconds.push(*second, response));
                on_progress(&shared.progress());
            }
        }
    };
    let ended = shared.ledger().take_all_seconds();
    ended
        .iter()
        .for_each(|(second, response)| seconds.push(*second, response));
    outcome.account.seconds = seconds;
    Ok(outcome)
}

fn generate<W: Workload>(shared: &Arc<Shared<W>>, course: &Course) -> Result<Outcome, Error> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::setup("cannot start the generator's runtime", cause))?;
    runtime.block_on(conduct(shared, course))
}

async fn conduct<W: Workload>(shared: &Arc<Shared<W>>, course: &Course) -> Result<Outcome, Error> {
    let mut meter = course.server_pid.and_then(Meter::new);
    let began = Instant::now();
    let company = match course.arrival {
        Arrival::Calm | Arrival::Reconnect => Some(client::connect_all(shared).await?),
        Arrival::Storm => None,
    };
    let connecting = began.elapsed();
    shared.wait_for_go().await?;
    if let Some(meter) = &mut meter {
        meter.start();
    }
    let usage = ThreadUsage::begin();
    let (sending, clients) = match (course.arrival, company) {
        (Arrival::Calm, Some((connections, clients))) => {
            let sending = send_all(shared, Arc::clone(&connections)).await?;
            (sending, Company::Sending(connections, clients))
        }
        (_, company) => {
            let (sending, clients) = storm::come_all(shared, company).await?;
            (sending, Company::Listening(clients))
        }
    };
    let reading_cpu_pct = usage.pct();
    let server = meter.and_then(|meter| meter.end(shared.workload.clients()));
    wait_for_the_rest(shared).await;
    let account = account(shared, sending, connecting, reading_cpu_pct);
    shared.set_leaving(true);
    clients.leave().await;
    let started = SystemTime::now() - shared.start_clock().elapsed();
    Ok(Outcome {
        account,
        server,
        started,
    })
}

/// The clients of a run, to be sent home.
enum Company<S: Session> {
    Sending(Connections<S>, tokio::task::JoinSet<()>),
    Listening(tokio::task::JoinSet<()>),
}

impl<S: Session> Company<S> {
    /// Says goodbye. A service that does not close is left alone: dropping the tasks closes from this side.
    async fn leave(self) {
        let (connections, mut clients) = match self {
            Self::Sending(connections, clients) => (connections, clients),
            Self::Listening(clients) => return drop(clients),
        };
        for connection in connections.iter() {
            connection.send(|session, out| session.close(out, SystemTime::now()));
        }
        let _ = timeout(GOODBYE_WAIT_MAX, async {
            while clients.join_next().await.is_some() {}
        })
        .await;
    }
}

/// Lets the pacing thread send everything; returns for how long messages were due.
async fn send_all<W: Workload>(
    shared: &Arc<Shared<W>>,
    connections: Connections<W::Session>,
) -> Result<Duration, Error> {
    let clock = shared.start_clock();
    shared.stop_if_deserted();
    let (done, ended) = oneshot::channel();
    let pacing = Arc::clone(shared);
    thread::Builder::new()
        .name("load-pacer".to_owned())
        .spawn(move || {
            pace(&pacing, clock, &connections);
            let _ = done.send(());
        })
        .map_err(|cause| Error::setup("cannot start the pacing thread", cause))?;
    ended.await.map_err(|_| Error::panicked())?;
    Ok(shared.sending_time(clock))
}

/// Sends every message when it is due, on the thread that calls.
fn pace<W: Workload>(
    shared: &Shared<W>,
    clock: Clock,
    connections: &[Arc<Connection<W::Session>>],
) {
    let schedule = shared.flights.schedule();
    let send = |index, intended_ns| send(shared, clock, connections, index, intended_ns);
    match shared.begins {
        Begins::Intended => pacer::pace(clock, schedule.intended_ns(), &shared.stop, send),
        Begins::Sent => {
            let end = clock.at(0) + schedule.duration();
            let is_answered = || shared.ledger().is_complete() || Instant::now() >= end;
            pacer::pace_closed(
                clock,
                schedule.intended_ns(),
                &shared.stop,
                is_answered,
                send,
            );
        }
    }
    pacer::wait_until(clock.at(0) + schedule.duration(), &shared.stop);
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
    let begin_ns = clock.now_ns();
    shared.flights.begin(index, begin_ns, expected);
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
    shared
        .counters
        .pacing_ns
        .add(clock.now_ns().saturating_sub(begin_ns));
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

fn account<W: Workload>(
    shared: &Shared<W>,
    sending: Duration,
    connecting: Duration,
    reading_cpu_pct: Option<f64>,
) -> Account {
    let (workload, counters) = (&shared.workload, &shared.counters);
    let balance = shared
        .ledger()
        .balance(sending, |index| workload.is_headline(index));
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let pacing_s = counters.pacing_ns.get() as f64 / 1e9;
    let is_apart = |client: &usize| workload.role(*client) != Role::Member;
    Account {
        processes: 1,
        clients: workload.clients(),
        offered: count(balance.offered),
        completed: count(balance.completed),
        measured_s: sending
            .saturating_sub(shared.flights.warm_up())
            .as_secs_f64(),
        last_s: balance.last.as_secs_f64(),
        connect_s: connecting.as_secs_f64(),
        sent: counters.sent.get(),
        received: counters.received.get(),
        held_up: counters.held_up.get(),
        lost: balance.lost,
        duplicated: balance.duplicated,
        reordered: balance.reordered,
        errors: counters.errors.get(),
        first_error: balance.first_error,
        cancelled: shared.is_cancelled.load(Ordering::Acquire),
        apart_clients: (0..workload.clients()).filter(is_apart).count(),
        apart_closed: counters.apart_closed.get(),
        response: balance.response,
        service: balance.service,
        send_lag: balance.send_lag,
        apart: balance.apart,
        seconds: Seconds::default(),
        reading_cpu_pct,
        pacing_cpu_pct: Some(100.0 * pacing_s / sending.as_secs_f64().max(f64::MIN_POSITIVE)),
    }
}
