//! The accept loop, and the order in which things stop.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine_thread::{self, Request};
use crate::fix::session::LOGOUT_WAIT;
use crate::gateway::{self, House};
use crate::logons::Logons;
use crate::metrics::{METRICS, Meters};
use crate::options::Options;
use crate::order::SessionId;

/// Pause after a failed accept: out of file descriptors, trying again at once would only burn a CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time for all sessions to say goodbye: their own wait and some time for busy runtimes.
const GOODBYE_WAIT: Duration = Duration::from_secs(LOGOUT_WAIT.as_secs() + 3);

/// Runs the exchange on `listener` until `shutdown` completes; then logs every session out and stops the engine.
///
/// One run a registry at a time: the engine's gauges have no label to tell two of them apart.
///
/// # Errors
///
/// When the metrics cannot be registered, the engine's thread cannot be started, or it stops by itself.
pub async fn run(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    options
        .registry
        .register(METRICS)
        .map_err(io::Error::other)?;
    let meters = Arc::new(Meters::new(&options.registry));
    let (engine, thread) = engine_thread::start(
        options.limits,
        options.engine_queue,
        Arc::clone(&options.faults),
        Arc::clone(&meters),
        &options.registry,
    )?;
    let server = Server {
        listener,
        sessions_max: options.sessions_max,
        tasks: TaskTracker::new(),
        engine,
        house: Arc::new(House {
            comp_id: options.comp_id,
            session_queue: options.session_queue,
            faults: options.faults,
            meters,
            logons: Arc::new(Logons::default()),
            closing: CancellationToken::new(),
        }),
    };
    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        () = server.accept() => Ok(()),
        () = server.engine.closed() => Err(io::Error::other("the matching engine stopped by itself")),
    };
    server.close().await;
    join(thread).await?;
    outcome
}

struct Server {
    listener: TcpListener,
    sessions_max: usize,
    tasks: TaskTracker,
    engine: mpsc::Sender<Request>,
    house: Arc<House>,
}

impl Server {
    async fn accept(&self) {
        let mut last = 0;
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    last += 1;
                    self.admit(stream, SessionId(last));
                }
                Err(error) => {
                    self.house.meters.accept_errors.increment(1);
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, id: SessionId) {
        if self.tasks.len() >= self.sessions_max {
            self.house.meters.evictions.count("too_many_sessions");
            return;
        }
        let house = Arc::clone(&self.house);
        let serve = gateway::serve(stream, id, house, self.engine.clone());
        pollscope::spawn(self.tasks.track_future(serve));
    }

    /// Logs everybody out and waits for them, but not for ever. Dropping `self` lets the engine go.
    async fn close(self) {
        self.house.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(GOODBYE_WAIT, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                sessions = self.tasks.len(),
                "sessions did not end in time and are left behind"
            );
        }
    }
}

/// Joins the engine's thread, which ends when the last session has let go of its queue.
async fn join(thread: std::thread::JoinHandle<()>) -> io::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "on the blocking pool, and waited for a bounded time"
    )]
    let joined = tokio::task::spawn_blocking(move || thread.join());
    match tokio::time::timeout(GOODBYE_WAIT, joined).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(_) => Err(io::Error::other("the matching engine panicked")),
        Err(_) => Err(io::Error::other("the matching engine did not stop in time")),
    }
}
