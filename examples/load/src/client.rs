//! One client: connects, is let in, and then listens in the manner of its role until its connection ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, timeout};

use crate::connection::Connection;
use crate::error::Error;
use crate::session::{Event, Role, Session, Workload};
use crate::shared::Shared;
use crate::source;

/// Clients on their way in at a time: below the usual listen queue of 128, so that no connection attempt has to be repeated
/// by the kernel a second later.
const ENTERING_LEN_MAX: usize = 100;

/// How long one client may take to connect and be let in.
const ENTER_WAIT_MAX: Duration = Duration::from_secs(15);

/// How often an idle connection is kept open; below half the heartbeat interval that sessions ask for.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);

/// What a slow client reads, and how often: 1 kB a second, as over a bad mobile link.
const SLOW_READ_LEN: usize = 100;
const SLOW_READ_EVERY: Duration = Duration::from_millis(100);

/// What the kernel may keep for a client that does not read: the smallest it allows is near. Otherwise it would take in
/// megabytes, and the service would notice nothing for minutes.
const SLOW_RECEIVE_BUFFER: u32 = 4096;

/// A client that is in.
type Entered<S> = (usize, Arc<Connection<S>>);

/// All connections, in the order of the clients.
pub(crate) type Connections<S> = Arc<Vec<Arc<Connection<S>>>>;

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
    let result = enter_within(ENTER_WAIT_MAX, &shared, client, &mut input).await;
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
        stay(&shared, client, &connection, &mut input).await;
    }
}

/// Listens in the manner of the client's role until the connection ends.
pub(crate) async fn stay<W: Workload>(
    shared: &Shared<W>,
    client: usize,
    connection: &Connection<W::Session>,
    input: &mut BytesMut,
) {
    let reason = match shared.workload.role(client) {
        Role::Member | Role::Mover => listen(shared, client, connection, input).await,
        Role::Slow => listen_slowly(shared, client, connection, input).await,
        // Not even the end of the connection is noticed: that would need reading.
        Role::Dead => std::future::pending().await,
    };
    connection.close();
    shared.lost(client, &reason);
}

/// Connects a client and waits until it is let in, `patience` at most.
///
/// # Errors
///
/// Why it was not.
pub(crate) async fn enter_within<W: Workload>(
    patience: Duration,
    shared: &Shared<W>,
    client: usize,
    input: &mut BytesMut,
) -> Result<Arc<Connection<W::Session>>, Error> {
    match timeout(patience, enter(shared, client, input)).await {
        Ok(result) => result,
        Err(_) => Err(Error::refused(
            shared.address,
            &format!("no answer for {} s", patience.as_secs()),
        )),
    }
}

async fn enter<W: Workload>(
    shared: &Shared<W>,
    client: usize,
    input: &mut BytesMut,
) -> Result<Arc<Connection<W::Session>>, Error> {
    let failed =
        |cause: io::Error| Error::connect(shared.address, shared.workload.clients(), cause);
    let (role, number) = (shared.workload.role(client), shared.workload.number(client));
    let stream = connect(shared.address, role, number)
        .await
        .map_err(failed)?;
    let connection = Arc::new(Connection::new(stream, shared.workload.session(client)));
    connection.send(|session, out| session.open(out, SystemTime::now()));
    let mut events = Vec::new();
    while !events.contains(&Event::Ready) {
        step(&connection, input, &mut events)
            .await
            .map_err(|reason| Error::refused(shared.address, &reason))?;
    }
    shared.enter(client, events.into_iter());
    Ok(connection)
}

async fn connect(address: SocketAddr, role: Role, number: usize) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(source) = source::address_of(address, number) {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    if matches!(role, Role::Slow | Role::Dead) {
        socket.set_recv_buffer_size(SLOW_RECEIVE_BUFFER)?;
    }
    let stream = socket.connect(address).await?;
    // Waiting to fill packets would add to every latency.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Listens until the connection ends; returns why.
async fn listen<W: Workload>(
    shared: &Shared<W>,
    client: usize,
    connection: &Connection<W::Session>,
    input: &mut BytesMut,
) -> String {
    let mut events = Vec::new();
    let mut keep_alive = interval_at(Instant::now() + KEEP_ALIVE_EVERY, KEEP_ALIVE_EVERY);
    loop {
        tokio::select! {
            result = step(connection, input, &mut events) => {
                shared.enter(client, events.drain(..));
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

/// As [`listen`], but takes a little at a time.
async fn listen_slowly<W: Workload>(
    shared: &Shared<W>,
    client: usize,
    connection: &Connection<W::Session>,
    input: &mut BytesMut,
) -> String {
    let mut events = Vec::new();
    let mut next = interval(SLOW_READ_EVERY);
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = next.tick() => {}
            () = connection.flush() => continue,
        }
        let result = match connection.read_some(input, SLOW_READ_LEN) {
            Ok(None) => continue,
            Ok(Some(read)) => Ok(read),
            Err(cause) => Err(cause),
        };
        let result = take(result, connection, input, &mut events);
        shared.enter(client, events.drain(..));
        if let Err(reason) = result {
            return reason;
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
    take(read, connection, input, events)
}

/// Lets the session have what was read.
fn take<S: Session>(
    read: io::Result<usize>,
    connection: &Connection<S>,
    input: &mut BytesMut,
    events: &mut Vec<Event>,
) -> Result<(), String> {
    match read {
        Ok(0) => Err("the service closed the connection".to_owned()),
        Ok(_) => connection
            .receive(|session, out| session.receive(input, out, events, SystemTime::now())),
        Err(cause) => Err(format!("the connection broke: {cause}")),
    }
}
