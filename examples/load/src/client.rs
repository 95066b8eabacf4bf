//! One client: connects, is let in, and then listens until its connection ends.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, timeout};

use crate::connection::Connection;
use crate::error::Error;
use crate::generator::Shared;
use crate::session::{Event, Session, Workload};

/// Clients on their way in at a time: below the usual listen queue of 128, so that no connection attempt has to be repeated
/// by the kernel a second later.
const ENTERING_LEN_MAX: usize = 100;

/// How long one client may take to connect and be let in.
const ENTER_WAIT_MAX: Duration = Duration::from_secs(15);

/// How often an idle connection is kept open; below half the heartbeat interval that sessions ask for.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);

/// A client that is in.
type Entered<S> = (usize, Arc<Connection<S>>);

/// All connections, in the order of the clients.
type Connections<S> = Arc<Vec<Arc<Connection<S>>>>;

/// Connects every client and returns when all are in, with the tasks that listen.
///
/// # Errors
///
/// The first client that could not connect or was not let in, or a cancellation meanwhile.
pub(crate) async fn connect_all<W: Workload>(
    shared: &Arc<Shared<W>>,
) -> Result<(Connections<W::Session>, JoinSet<()>), Error> {
    let len = shared.workload.clients();
    let (entered, mut entering) = mpsc::channel(ENTERING_LEN_MAX);
    let door = Arc::new(Semaphore::new(ENTERING_LEN_MAX));
    let mut tasks = JoinSet::new();
    for client in 0..len {
        tasks.spawn(live(
            Arc::clone(shared),
            client,
            Arc::clone(&door),
            entered.clone(),
        ));
    }
    drop(entered);
    let mut connections: Vec<Option<Arc<_>>> = (0..len).map(|_| None).collect();
    for _ in 0..len {
        let next = tokio::select! {
            next = entering.recv() => next,
            () = shared.stop.wait() => return Err(Error::cancelled()),
        };
        let (client, connection) = next.ok_or_else(Error::panicked)??;
        connections[client] = Some(connection);
    }
    let connections = connections.into_iter().flatten().collect();
    Ok((Arc::new(connections), tasks))
}

async fn live<W: Workload>(
    shared: Arc<Shared<W>>,
    client: usize,
    door: Arc<Semaphore>,
    entered: mpsc::Sender<Result<Entered<W::Session>, Error>>,
) {
    // The semaphore is never closed; without a permit there would be nothing to do.
    let Ok(permit) = door.acquire().await else {
        return;
    };
    let mut input = BytesMut::new();
    let result = match timeout(ENTER_WAIT_MAX, enter(&shared, client, &mut input)).await {
        Ok(result) => result,
        Err(_) => Err(Error::refused(
            shared.address,
            &format!("no answer for {} s", ENTER_WAIT_MAX.as_secs()),
        )),
    };
    drop(permit);
    let connection = result.as_ref().ok().cloned();
    if connection.is_some() {
        shared.workload.joined(client);
        shared.counters.connected.add(1);
    }
    let answer = result.map(|connection| (client, connection));
    if entered.send(answer).await.is_err() {
        return;
    }
    drop(entered);
    if let Some(connection) = connection {
        let reason = listen(&shared, &connection, &mut input).await;
        connection.close();
        shared.lost(client, &reason);
    }
}

async fn enter<W: Workload>(
    shared: &Shared<W>,
    client: usize,
    input: &mut BytesMut,
) -> Result<Arc<Connection<W::Session>>, Error> {
    let failed =
        |cause: io::Error| Error::connect(shared.address, shared.workload.clients(), cause);
    let stream = TcpStream::connect(shared.address).await.map_err(failed)?;
    // Waiting to fill packets would add to every latency.
    stream.set_nodelay(true).map_err(failed)?;
    let connection = Arc::new(Connection::new(stream, shared.workload.session(client)));
    connection.send(|session, out| session.open(out, SystemTime::now()));
    let mut events = Vec::new();
    while !events.contains(&Event::Ready) {
        step(&connection, input, &mut events)
            .await
            .map_err(|reason| Error::refused(shared.address, &reason))?;
    }
    shared.enter(events.into_iter());
    Ok(connection)
}

/// Listens until the connection ends; returns why.
async fn listen<W: Workload>(
    shared: &Shared<W>,
    connection: &Connection<W::Session>,
    input: &mut BytesMut,
) -> String {
    let mut events = Vec::new();
    let mut keep_alive = interval_at(Instant::now() + KEEP_ALIVE_EVERY, KEEP_ALIVE_EVERY);
    loop {
        tokio::select! {
            result = step(connection, input, &mut events) => {
                shared.enter(events.drain(..));
                if let Err(reason) = result {
                    return reason;
                }
            }
            _ = keep_alive.tick() => {
                connection.send(|session, out| session.keep_alive(out, SystemTime::now()));
            }
        }
    }
}

/// Reads once, or sends what is left to send; what the session makes of it goes to `events`. Safe to drop while it waits.
async fn step<S: Session>(
    connection: &Connection<S>,
    input: &mut BytesMut,
    events: &mut Vec<Event>,
) -> Result<(), String> {
    let read = tokio::select! {
        read = connection.read(input) => read,
        () = connection.flush() => return Ok(()),
    };
    match read {
        Ok(0) => Err("the service closed the connection".to_owned()),
        Ok(_) => connection
            .receive(|session, out| session.receive(input, out, events, SystemTime::now())),
        Err(cause) => Err(format!("the connection broke: {cause}")),
    }
}
