//! A storm: clients that come by the schedule, however long the ones before them wait to be let in.
//!
//! The times of the arrivals are kept like those of messages, and being in is the answer, so a storm has the same report as
//! any run. There is no door at which clients queue: a service that is slow to let them in is what a storm is about.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::{self, Connections};
use crate::error::Error;
use crate::pacer;
use crate::session::{Event, Workload};
use crate::shared::Shared;

/// How long a client tries to get in; the longest latency that a histogram takes.
const STORM_WAIT_MAX: Duration = Duration::from_secs(60);

/// How often to look whether all have come to an end.
const POLL: Duration = Duration::from_millis(10);

/// Clients on their way in.
type Entering = Arc<AtomicUsize>;

/// Lets every client come by the schedule, after cutting the connections of `company` if there is one. Returns when all are in
/// or refused, with the time that they had.
pub(crate) async fn come_all<W: Workload>(
    shared: &Arc<Shared<W>>,
    company: Option<(Connections<W::Session>, JoinSet<()>)>,
) -> Result<(Duration, JoinSet<()>), Error> {
    if let Some((connections, tasks)) = company {
        cut(shared, connections, tasks).await;
    }
    let clock = shared.start_clock();
    let (due, mut arrivals) = mpsc::unbounded_channel();
    let pacing = Arc::clone(shared);
    thread::Builder::new()
        .name("load-pacer".to_owned())
        .spawn(move || {
            let schedule = pacing.flights.schedule();
            pacer::pace(clock, schedule.intended_ns(), &pacing.stop, |client, _| {
                // Nobody waits for arrivals any more if the run was given up.
                let _ = due.send(client);
            });
        })
        .map_err(|cause| Error::setup("cannot start the pacing thread", cause))?;
    let entering = Entering::default();
    let mut tasks = JoinSet::new();
    while let Some(client) = arrivals.recv().await {
        shared.flights.begin(client, clock.now_ns(), 1);
        shared.counters.sent.add(1);
        entering.fetch_add(1, Ordering::Relaxed);
        tasks.spawn(come(Arc::clone(shared), client, Arc::clone(&entering)));
    }
    let began = Instant::now();
    while entering.load(Ordering::Relaxed) > 0
        && began.elapsed() < STORM_WAIT_MAX
        && !shared.stop.is_set()
    {
        sleep(POLL).await;
    }
    Ok((shared.sending_time(clock), tasks))
}

/// Cuts all connections at once, without a goodbye, as a load balancer that fails does.
async fn cut<W: Workload>(
    shared: &Shared<W>,
    connections: Connections<W::Session>,
    mut tasks: JoinSet<()>,
) {
    shared.set_leaving(true);
    tasks.shutdown().await;
    drop(connections);
    shared.counters.connected.reset();
    shared.set_leaving(false);
}

/// One client comes, and stays if it is let in.
async fn come<W: Workload>(shared: Arc<Shared<W>>, client: usize, entering: Entering) {
    let mut input = BytesMut::new();
    let entered = client::enter_within(STORM_WAIT_MAX, &shared, client, &mut input).await;
    let event = match &entered {
        Ok(_) => Event::Answer {
            index: client,
            intended_ns: None,
        },
        Err(error) => Event::Fault(error.to_string()),
    };
    if entered.is_ok() {
        shared.workload.joined(client);
        shared.counters.connected.add(1);
    }
    shared.enter(client, std::iter::once(event));
    entering.fetch_sub(1, Ordering::Relaxed);
    if let Ok(connection) = entered {
        client::stay(&shared, client, &connection, &mut input).await;
    }
}
