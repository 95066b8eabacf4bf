//! The thread of the admin server: its socket, its runtime, its connections, its end.
//!
//! hyper is driven directly instead of through `axum::serve`, which has no limits to set. The socket is bound before
//! [`start`] returns, so a taken port is the caller's error and not a line in some log.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::patience::Patient;
use super::router::{Core, Place, Places, Shared, router};
use super::{State, table};
use crate::Error;

/// Connections at a time: scrapers, pages and followers of one process; bounds the memory of clients that misbehave.
pub(super) const CONNECTIONS_MAX: usize = 64;

/// Longest request line and headers together; a token and a browser's headers are about 2 KiB. hyper's least is 8 KiB.
const HEADERS_LEN_MAX: usize = 16 * 1024;

/// Most header lines of a request; browsers send about 20.
const HEADERS_MAX: usize = 64;

/// Longest wait for a complete request, idle keep-alive included; above the usual scrape intervals of 15 and 30 s.
const REQUEST_PATIENCE: Duration = Duration::from_secs(35);

/// Longest wait for a client to take a byte of its answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);

/// Pause after a failed accept (no file descriptor left): trying again at once would only burn the CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Longest wait of a drop for the thread to end; it ends within milliseconds unless a foreign route blocks it.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// A running admin server; dropping it closes the socket and all connections.
#[derive(Debug)]
pub(crate) struct AdminServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    // Locked never; the lock only makes the server shareable.
    ended: Mutex<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Binds `address` and serves on a thread of its own; `routes` are served beside pollscope's own, behind the same token check.
///
/// # Errors
///
/// When the address is open to others and there is no token, when it cannot be bound, or when the thread cannot start.
pub(crate) fn start(
    address: SocketAddr,
    state: State,
    routes: Router,
) -> Result<AdminServer, Error> {
    if !address.ip().is_loopback() && state.token.is_none() {
        return Err(Error::configuration(format!(
            "admin address {address} is not loopback, expected a token in POLLSCOPE_ADMIN_TOKEN before it is opened to others"
        )));
    }
    state.registry.register(table::TABLE)?;
    let listener = bind(address)?;
    let address = listener
        .local_addr()
        .map_err(|source| Error::setup("the admin socket has no address").because(source))?;
    let (stop, stopped) = oneshot::channel();
    let (ready, started) = mpsc::sync_channel(1);
    let (end, ended) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name("pollscope-admin".to_owned())
        .spawn(move || {
            // The runtime is built and dropped here: dropping one inside the caller's own runtime would panic.
            match runtime_with(listener) {
                Ok((runtime, listener)) => {
                    let _ = ready.send(Ok(()));
                    runtime.block_on(serve(listener, Core::new(state), routes, stopped));
                    runtime.shutdown_background();
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
            let _ = end.send(());
        })
        .map_err(|source| Error::setup("the admin thread cannot start").because(source))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "set-up, once; the thread answers as soon as its runtime is built"
    )]
    started
        .recv()
        .unwrap_or_else(|_| Err(Error::setup("the admin thread ended before it served")))?;
    Ok(AdminServer {
        address,
        stop: Some(stop),
        ended: Mutex::new(ended),
        thread: Some(thread),
    })
}

impl AdminServer {
    /// The address it listens on, with the real port where 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        // An error means that the thread has ended without saying so, by a panic; then there is nothing to wait for.
        let late = self
            .ended
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .recv_timeout(STOP_PATIENCE)
            == Err(mpsc::RecvTimeoutError::Timeout);
        if let Some(thread) = self.thread.take().filter(|_| !late) {
            #[expect(
                clippy::disallowed_methods,
                reason = "the thread has sent its last word and is returning"
            )]
            let _ = thread.join();
        }
    }
}

fn bind(address: SocketAddr) -> Result<StdListener, Error> {
    #[expect(clippy::disallowed_methods, reason = "set-up, once; no name is resolved")]
    let listener = StdListener::bind(address).map_err(|source| {
        Error::unavailable(format!(
            "admin address {address} cannot be bound, expected a free ip:port in POLLSCOPE_ADMIN, or off"
        ))
        .because(source)
    })?;
    listener.set_nonblocking(true).map_err(|source| {
        Error::setup("the admin socket cannot be made asynchronous").because(source)
    })?;
    Ok(listener)
}

fn runtime_with(listener: StdListener) -> Result<(Runtime, TcpListener), Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .thread_name("pollscope-admin")
        .build()
        .map_err(|source| Error::setup("the admin runtime cannot be built").because(source))?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)
            .map_err(|source| Error::setup("the admin socket cannot be watched").because(source))?
    };
    Ok((runtime, listener))
}

/// Accepts until `stopped` resolves; connections are tasks and end with the runtime.
async fn serve(
    listener: TcpListener,
    shared: Shared,
    routes: Router,
    mut stopped: oneshot::Receiver<()>,
) {
    let app = router(Shared::clone(&shared), routes);
    let gauge = shared.state.registry.gauge(&table::CONNECTIONS, &[]);
    let places = Places::new(CONNECTIONS_MAX, gauge);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => return,
        };
        match accepted {
            Ok((stream, _)) => match places.take() {
                Some(place) => {
                    tokio::spawn(converse(stream, app.clone(), place));
                }
                None => {
                    shared.refused("connections");
                    turn_away(&stream);
                }
            },
            Err(_) => {
                shared.refused("accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection to its end, whatever the end is: a client that hangs up concerns nobody else.
async fn converse(stream: TcpStream, app: Router, place: Place) {
    // Answers are written whole, so waiting for more to send only adds delay.
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(Patient::new(stream, ANSWER_PATIENCE));
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_PATIENCE)
        .max_buf_size(HEADERS_LEN_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(stream, TowerToHyperService::new(app))
        .await;
    drop(place);
}

/// One line for a client that found no place. It is written as far as the empty socket buffer takes it, which is wholly.
fn turn_away(stream: &TcpStream) {
    let _ = stream.try_write(
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 44\r\n\r\ntoo many connections, try again in a moment\n",
    );
}
