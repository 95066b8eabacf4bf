//! One connection: a reader and a writer over one socket, in one task.
//!
//! Both are plain loops, run side by side by one `select!`; whichever ends first ends the connection, so no half can be
//! left behind. The reader is dropped at once; the writer may finish what is queued, for a bounded time, because
//! the last line says why. A task of its own for the writer would cost memory and bring the leaks this shape cannot have.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Sleep, sleep_until, timeout};
use tracing::Instrument as _;

use crate::client::Client;
use crate::identity::ClientId;
use crate::meters::{Closed, Meters, Present};
use crate::moment::Moment;
use crate::outbox::Outbox;
use crate::protocol::framing::{Frame, Framing};
use crate::protocol::line::Line;
use crate::protocol::message::Message;
use crate::protocol::verb::Verb;
use crate::server::Shared;
use crate::session::flood::Pace;
use crate::session::keepalive::Due;
use crate::session::{Cause, Farewell, Flood, Keepalive};

/// Bytes of read buffer a connection holds. Two lines: it is what an idle connection costs, times ten thousand.
const READ_BUFFER: usize = 1024;

/// Free bytes below which the read buffer is made larger: less is not worth a system call.
const READ_MIN: usize = 128;

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

    /// The end that a session wants.
    fn from(farewell: Farewell) -> Self {
        let closed = match farewell.cause {
            Cause::Quit => Closed::Quit,
            Cause::BadPassword => Closed::BadPassword,
        };
        Self::new(closed, farewell.reason)
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
    let mut is_writing = true;
    let end = tokio::select! {
        end = read(&mut input, &mut client, opened, &shared) => end,
        result = &mut writer => {
            is_writing = false;
            End::new(Closed::Error, broken(result.err()))
        }
        () = outbox.evicted() => End::new(Closed::SendQueue, "SendQ exceeded"),
        () = shared.stop.cancelled() => End::new(Closed::Shutdown, "Server shutting down"),
        () = shared.options.faults.connection() => End::new(Closed::Error, "Connection reset"),
    };
    tally.closed = end.closed;
    outbox.finish(end.last_line());
    let drained = async {
        // A writer that has broken has nothing more to say, and must not be asked again.
        if is_writing {
            let _ = timeout(shared.options.drain, &mut writer).await;
        }
    };
    // At shutdown everybody goes; telling everybody about everybody would be a square of the clients.
    if end.closed != Closed::Shutdown {
        // The others are told while the last lines go out.
        let leave = client.leave(&end.farewell, Moment::now());
        tokio::join!(leave, drained);
    } else {
        drained.await;
    }
    outbox.abandon();
    linger(&mut input).await;
    shared.options.faults.session_end();
}

/// The reading side of one connection.
struct Reader<'a> {
    /// Whose words are read.
    client: &'a mut Client,
    /// Lines out of bytes.
    framing: Framing,
    /// How fast the client may send.
    flood: Flood,
    /// How long it may be silent.
    keepalive: Keepalive,
    /// Options and metrics.
    shared: &'a Shared,
}

/// Reads until the client goes, falls silent, floods or breaks.
async fn read(
    input: &mut ReadHalf<'_>,
    client: &mut Client,
    opened: Instant,
    shared: &Shared,
) -> End {
    let mut reader = Reader {
        client,
        framing: Framing::default(),
        flood: Flood::new(shared.options.flood_limits, opened),
        keepalive: Keepalive::new(shared.options.patience, opened),
        shared,
    };
    let mut buffer = BytesMut::new();
    let mut timer = pin!(sleep_until(opened.into()));
    loop {
        while let Some(frame) = reader.framing.next(&mut buffer) {
            if let ControlFlow::Break(end) = reader.frame(frame, timer.as_mut()).await {
                return end;
            }
        }
        make_room(&mut buffer);
        let read = tokio::select! {
            read = input.read_buf(&mut buffer) => read,
            () = &mut timer => match reader.look(timer.as_mut()) {
                ControlFlow::Continue(()) => continue,
                ControlFlow::Break(end) => return end,
            }
        };
        match read {
            Ok(0) => return End::new(Closed::Eof, "Connection closed"),
            Ok(bytes) => {
                let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                shared.metrics.bytes_in.increment(bytes);
            }
            Err(error) => return End::new(Closed::Error, broken(Some(error))),
        }
    }
}

/// Makes sure that a read is worth its system call, and gives back what a long line has needed.
fn make_room(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > 2 * READ_BUFFER {
        *buffer = BytesMut::new();
    }
    if buffer.capacity() - buffer.len() < READ_MIN {
        buffer.reserve(READ_BUFFER);
    }
}

impl Reader<'_> {
    /// Handles one frame, when its client may have it handled.
    async fn frame(&mut self, frame: Frame, mut timer: Pin<&mut Sleep>) -> ControlFlow<End> {
        let bytes = self.framing.take_consumed();
        match self.flood.charge(bytes, Instant::now()) {
            Pace::Go => {}
            Pace::Wait(until) => {
                self.shared.metrics.throttled.increment(1);
                sleep_until(until.into()).await;
            }
            Pace::Excess => return ControlFlow::Break(End::new(Closed::Flood, "Excess Flood")),
        }
        let now = Moment::now();
        let was_registered = self.client.registered();
        if let ControlFlow::Break(farewell) = handle(frame, self.client, now, self.shared).await {
            return ControlFlow::Break(End::from(farewell));
        }
        if let Some(answered_in) = self.keepalive.heard(now.instant) {
            self.shared.metrics.ping_rtt.record(answered_in);
        }
        if self.client.registered() != was_registered {
            // The timer stands at the registration limit; from now on silence counts.
            timer.as_mut().reset(now.instant.into());
        }
        ControlFlow::Continue(())
    }

    /// The timer has fired: asks the client, gives it up, or looks again later.
    fn look(&mut self, mut timer: Pin<&mut Sleep>) -> ControlFlow<End> {
        let registered = self.client.registered();
        let next = match self.keepalive.check(registered, Instant::now()) {
            Due::Wait(next) => next,
            Due::Ping(next) => {
                self.client.ping();
                next
            }
            Due::RegistrationTimeout => {
                let end = End::new(Closed::RegistrationTimeout, "Registration timeout");
                return ControlFlow::Break(end);
            }
            Due::PingTimeout => {
                return ControlFlow::Break(End::new(Closed::PingTimeout, "Ping timeout"));
            }
        };
        timer.as_mut().reset(next.into());
        ControlFlow::Continue(())
    }
}

/// Handles one frame; the span covers the handling and not the wait for it.
async fn handle(
    frame: Frame,
    client: &mut Client,
    now: Moment,
    shared: &Shared,
) -> ControlFlow<Farewell> {
    let text = match frame {
        Frame::TooLong => {
            client.too_long();
            return ControlFlow::Continue(());
        }
        Frame::Line { text, lossy } => {
            if lossy {
                shared.metrics.not_utf8.increment(1);
            }
            text
        }
    };
    let message = match Message::parse(&text) {
        Ok(message) => message,
        Err(error) => {
            client.malformed(error);
            return ControlFlow::Continue(());
        }
    };
    let verb = Verb::of(message.command);
    shared.metrics.message_in(verb);
    let span = tracing::info_span!(
        "irc.message",
        otel.kind = "server",
        irc.command = verb.name()
    );
    client.message(&message, now).instrument(span).await
}

/// Writes batches of lines until the outbox has ended.
async fn write(mut output: WriteHalf<'_>, outbox: &Outbox, metrics: &Meters) -> io::Result<()> {
    let mut batch = Vec::new();
    while outbox.take(&mut batch).await {
        // Made for each batch: an idle connection keeps no write buffer.
        let mut buffer = BytesMut::new();
        for queued in &batch {
            queued.line.write(queued.reader, &mut buffer);
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
