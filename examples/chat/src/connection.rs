//! One connection: a reader and a writer over one socket, in one task.
//!
//! Both are plain loops, run side by side by one `select!`; whichever ends first ends the connection, so no half can be
//! left behind. The reader is dropped at once; the writer may finish what is queued, for a bounded time, because
//! the last line says why. A task of its own for the writer would cost memory and bring the leaks this shape cannot have.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{sleep_until, timeout};
use tokio_stream::StreamExt as _;
use tokio_util::codec::{Encoder as _, FramedRead};
use tracing::Instrument as _;

use crate::client::Client;
use crate::codec::{Frame, LineCodec};
use crate::command::Verb;
use crate::directory::ClientId;
use crate::keepalive::{Due, Keepalive};
use crate::message::{Line, Message};
use crate::meters::{Closed, Meters, Present};
use crate::outbox::Outbox;
use crate::server::Shared;

/// Bytes of read buffer a connection holds. Two lines: it is what an idle connection costs, times ten thousand.
const READ_BUFFER: usize = 1024;

/// How long a closed connection goes on reading, so that unread input does not turn the last line into a reset.
const LINGER: Duration = Duration::from_millis(250);

/// Why the connection ends.
struct End {
    /// For the counter.
    closed: Closed,
    /// What others see, and the client reads in its last line.
    farewell: String,
}

impl End {
    fn new(closed: Closed, farewell: impl Into<String>) -> Self {
        Self {
            closed,
            farewell: farewell.into(),
        }
    }

    /// The client's last line.
    fn last_line(&self) -> Line {
        let text = match self.closed {
            Closed::Shutdown => self.farewell.clone(),
            _ => format!("Closing link: {}", self.farewell),
        };
        Line::new(None, "ERROR", &[], Some(&text))
    }
}

/// Serves one client until it ends; never fails, whatever the client does.
pub(crate) async fn serve(
    id: ClientId,
    mut socket: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
) {
    let opened = Instant::now();
    let mut tally = Tally::new(&shared);
    let outbox = Arc::new(Outbox::new(
        shared.options.send_limits,
        Arc::clone(&shared.options.faults),
        Arc::clone(&shared.metrics),
    ));
    let host = host(peer);
    let mut client = Client::new(id, host, Arc::clone(&outbox), opened, Arc::clone(&shared));
    let (mut input, output) = socket.split();
    let mut writer = pin!(write(output, &outbox, &shared.metrics));
    let end = tokio::select! {
        end = read(&mut input, &mut client, opened, &shared) => end,
        result = &mut writer => End::new(Closed::Error, broken(result.err())),
        () = outbox.evicted() => End::new(Closed::SendQueue, "SendQ exceeded"),
        () = shared.stop.cancelled() => End::new(Closed::Shutdown, "Server shutting down"),
        () = shared.options.faults.connection() => End::new(Closed::Error, "Connection reset"),
    };
    tally.closed = end.closed;
    outbox.finish(end.last_line());
    // At shutdown everybody goes; telling everybody about everybody would be a square of the clients.
    if end.closed != Closed::Shutdown {
        // The others are told while the last lines go out.
        let drained = timeout(shared.options.drain, &mut writer);
        let ((), _) = tokio::join!(client.leave(&end.farewell), drained);
    } else {
        let _ = timeout(shared.options.drain, &mut writer).await;
    }
    outbox.abandon();
    linger(&mut input).await;
    shared.options.faults.session_end();
}

/// Reads until the client goes, falls silent or breaks.
async fn read(
    input: &mut ReadHalf<'_>,
    client: &mut Client,
    opened: Instant,
    shared: &Shared,
) -> End {
    let mut frames = FramedRead::with_capacity(input, LineCodec::default(), READ_BUFFER);
    let mut keepalive = Keepalive::new(shared.options.patience, opened);
    let mut timer = pin!(sleep_until(opened.into()));
    loop {
        let frame = tokio::select! {
            frame = frames.next() => frame,
            () = &mut timer => {
                let next = match keepalive.check(client.registered(), Instant::now()) {
                    Due::Wait(next) => next,
                    Due::Ping(next) => {
                        client.ping();
                        next
                    }
                    Due::RegistrationTimeout => {
                        return End::new(Closed::RegistrationTimeout, "Registration timeout");
                    }
                    Due::PingTimeout => return End::new(Closed::PingTimeout, "Ping timeout"),
                };
                timer.as_mut().reset(next.into());
                continue;
            }
        };
        let received = Instant::now();
        let consumed = frames.decoder_mut().take_consumed();
        shared
            .metrics
            .bytes_in
            .increment(u64::try_from(consumed).unwrap_or(u64::MAX));
        let was_registered = client.registered();
        let flow = match frame {
            None => return End::new(Closed::Eof, "Connection closed"),
            Some(Err(error)) => return End::new(Closed::Error, broken(Some(error))),
            Some(Ok(frame)) => handle(frame, client, received, &shared.metrics).await,
        };
        if let ControlFlow::Break(farewell) = flow {
            return End::new(Closed::Quit, farewell);
        }
        keepalive.heard(received);
        if client.registered() != was_registered {
            // The timer stands at the registration limit; from now on silence counts.
            timer.as_mut().reset(received.into());
        }
    }
}

/// Handles one frame; the span covers the handling and not the wait for it.
async fn handle(
    frame: Frame,
    client: &mut Client,
    received: Instant,
    metrics: &Meters,
) -> ControlFlow<String> {
    let text = match frame {
        Frame::TooLong => {
            client.too_long();
            return ControlFlow::Continue(());
        }
        Frame::Line { text, lossy } => {
            if lossy {
                metrics.not_utf8.increment(1);
            }
            text
        }
    };
    let message = match Message::parse(&text) {
        Ok(message) => message,
        Err(error) => {
            metrics.parse_error(error);
            client.malformed(error.text());
            return ControlFlow::Continue(());
        }
    };
    let verb = Verb::of(message.command);
    metrics.message_in(verb);
    let span = tracing::info_span!(
        "irc.message",
        otel.kind = "server",
        irc.command = verb.name()
    );
    client.message(&message, received).instrument(span).await
}

/// Writes batches of lines until the outbox has ended.
async fn write(mut output: WriteHalf<'_>, outbox: &Outbox, metrics: &Meters) -> io::Result<()> {
    let mut codec = LineCodec::default();
    let mut batch = Vec::new();
    while outbox.take(&mut batch).await {
        // Made for each batch: an idle connection keeps no write buffer.
        let mut buffer = BytesMut::new();
        for queued in &batch {
            codec.encode(queued.line.clone(), &mut buffer)?;
        }
        let lines = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        if let Err(error) = output.write_all(&buffer).await {
            metrics.dropped_unwritten.increment(lines);
            return Err(error);
        }
        let written = Instant::now();
        for received in batch.drain(..).filter_map(|queued| queued.received) {
            metrics.delivery.record(written.duration_since(received));
        }
        metrics.messages_out.increment(lines);
        metrics
            .bytes_out
            .increment(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
        batch.shrink_to(BATCH_KEPT);
    }
    output.shutdown().await
}

/// Lines of batch memory kept between batches; a burst must not be paid for by the idle time after it.
const BATCH_KEPT: usize = 8;

/// Reads and forgets until the peer has closed as well, for [`LINGER`] at most.
async fn linger(input: &mut ReadHalf<'_>) {
    let mut scrap = [0; 256];
    let drained = async { while matches!(input.read(&mut scrap).await, Ok(1..)) {} };
    let _ = timeout(LINGER, drained).await;
}

fn broken(error: Option<io::Error>) -> String {
    match error {
        Some(error) => format!("Connection broke ({})", error.kind()),
        None => "Connection broke".to_owned(),
    }
}

/// The peer's address as it stands in prefixes: IPv4 plain even on an IPv6 socket, and never with a leading colon,
/// which would begin a trailing parameter.
fn host(peer: SocketAddr) -> String {
    let host = peer.ip().to_canonical().to_string();
    if host.starts_with(':') {
        format!("0{host}")
    } else {
        host
    }
}

/// Counts the connection while it lives and its end with the reason, also when its task panics.
struct Tally {
    /// The gauge.
    _present: Present,
    /// The reason; panic until another is known.
    closed: Closed,
    /// Where to count.
    metrics: Arc<Meters>,
}

impl Tally {
    fn new(shared: &Shared) -> Self {
        shared.metrics.opened.increment(1);
        Self {
            _present: Present::new(&shared.metrics.connections),
            closed: Closed::Panic,
            metrics: Arc::clone(&shared.metrics),
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.metrics.closed(self.closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hosts never begin with a colon, and IPv4 looks like IPv4.
    #[test]
    fn writes_hosts() {
        let cases = [
            ("192.0.2.1:5", "192.0.2.1"),
            ("[::1]:5", "0::1"),
            ("[::ffff:192.0.2.1]:5", "192.0.2.1"),
            ("[2001:db8::1]:5", "2001:db8::1"),
        ];
        for (peer, expect) in cases {
            assert_eq!(host(peer.parse().unwrap()), expect);
        }
    }
}
