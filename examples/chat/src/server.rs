//! The accept loop and the shutdown.
//!
//! One task a connection. A failing `accept` is never fatal: when the process is out of file descriptors the loop backs
//! off instead of spinning, and goes on when connections have ended. Shutdown stops accepting, tells every client,
//! and waits for a bounded time.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection;
use crate::identity::ClientId;
use crate::meters::{self, Meters};
use crate::metrics::METRICS;
use crate::options::Options;
use crate::protocol::isupport::Limits;
use crate::protocol::line::Line;
use crate::protocol::motd::Motd;
use crate::session::Policy;
use crate::shared_directory::SharedDirectory;

/// First and longest pause after a failed accept; doubled in between. A second is short for a waiting client and
/// long for a loop that would otherwise spin.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What connections still need after their own drain time: to leave rooms and to linger.
const DRAIN_SLACK: Duration = Duration::from_secs(1);

/// Linux error numbers: too many open files, in this process and in the system.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// What all tasks of one server share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// As given by the caller.
    pub(crate) options: Options,
    /// What is told to and asked of every client.
    pub(crate) policy: Arc<Policy>,
    /// Live handles.
    pub(crate) metrics: Arc<Meters>,
    /// Nicknames and rooms.
    pub(crate) directory: SharedDirectory,
    /// Cancelled at shutdown; every connection listens.
    pub(crate) stop: CancellationToken,
    /// Tasks of rooms, which end after the connections.
    pub(crate) room_tasks: TaskTracker,
}

/// Serves IRC on `listener` until `shutdown` completes, then tells the clients and ends within the drain time.
///
/// # Errors
///
/// When the metrics cannot be registered, because another owner has one of their names, or the message of the day cannot be
/// read. Nothing a client or the network does ends the server.
pub async fn run(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    options
        .registry
        .register(METRICS)
        .map_err(io::Error::other)?;
    let shared = Arc::new(Shared {
        policy: Arc::new(policy(&options).await?),
        metrics: Arc::new(Meters::new(&options.registry)),
        directory: SharedDirectory::new(options.case_mapping),
        stop: CancellationToken::new(),
        room_tasks: TaskTracker::new(),
        options,
    });
    // Weak: the registry outlives the server and must not keep it.
    let weak = Arc::downgrade(&shared);
    meters::sample_backlog(&shared.options.registry, move || {
        Some(weak.upgrade()?.directory.backlog())
    });

    let connections = TaskTracker::new();
    tokio::select! {
        () = shutdown => {}
        () = accept_all(&listener, &shared, &connections) => {}
    }
    drop(listener);
    stop(&shared, &connections).await;
    Ok(())
}

async fn policy(options: &Options) -> io::Result<Policy> {
    let motd = match &options.motd_file {
        None => Motd::default(),
        Some(path) => {
            let bytes = tokio::fs::read(path).await.map_err(|error| {
                let path = path.display();
                let text = format!("cannot read the message of the day from {path}: {error}");
                io::Error::new(error.kind(), text)
            })?;
            Motd::new(&String::from_utf8_lossy(&bytes))
        }
    };
    Ok(Policy {
        server: Arc::clone(&options.server_name),
        limits: Limits {
            case_mapping: options.case_mapping,
            rooms_per_client_max: options.rooms_per_client_max,
        },
        password: options.password.clone(),
        motd,
    })
}

/// Accepts for ever.
async fn accept_all(listener: &TcpListener, shared: &Arc<Shared>, connections: &TaskTracker) {
    let mut pause = BACKOFF.0;
    let mut next = 0;
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                pause = BACKOFF.0;
                next += 1;
                admit(ClientId(next), socket, peer, shared, connections);
            }
            Err(error) => {
                count(&error, &shared.metrics);
                tracing::warn!(%error, ?pause, "accept failed, pausing");
                sleep(pause).await;
                pause = (pause * 2).min(BACKOFF.1);
            }
        }
    }
}

fn admit(
    id: ClientId,
    socket: TcpStream,
    peer: SocketAddr,
    shared: &Arc<Shared>,
    connections: &TaskTracker,
) {
    if connections.len() >= shared.options.connections_max {
        shared.metrics.refused.increment(1);
        let line = Line::new(None, "ERROR", &[], Some("Server is full, try later"));
        // The buffer of a new socket is empty: the line fits, or the client is gone.
        let _ = socket.try_write(line.as_bytes());
        return;
    }
    // Lines are small and wanted now; without this they wait for the acknowledgement of the one before.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "nodelay refused");
    }
    let client = connection::serve(id, socket, peer, Arc::clone(shared));
    pollscope::spawn(connections.track_future(client));
}

fn count(error: &io::Error, metrics: &Meters) {
    let counter = match (error.raw_os_error(), error.kind()) {
        (Some(EMFILE | ENFILE), _) => &metrics.accept_file_limit,
        (_, io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            &metrics.accept_aborted
        }
        _ => &metrics.accept_other,
    };
    counter.increment(1);
}

async fn stop(shared: &Shared, connections: &TaskTracker) {
    let limit = shared.options.drain + DRAIN_SLACK;
    shared.stop.cancel();
    connections.close();
    if timeout(limit, connections.wait()).await.is_err() {
        let left = connections.len();
        tracing::warn!(left, "connections did not end within the drain time");
    }
    shared.directory.close_rooms();
    shared.room_tasks.close();
    if timeout(DRAIN_SLACK, shared.room_tasks.wait())
        .await
        .is_err()
    {
        let left = shared.room_tasks.len();
        tracing::warn!(left, "rooms did not end within the drain time");
    }
}
