//! One connection: the task that reads, runs the session rules, and writes.
//!
//! A single task owns socket, session and buffers, so nothing is shared and nothing is locked. Every wait is a branch of one
//! `select!`, and every branch is cancel-safe; a slow reader therefore never keeps the task from noticing a timer, an eviction
//! or the shutdown. Back-pressure is a closed gate: while [`WIRE_MAX`] bytes wait for the socket, neither the
//! client nor the engine is listened to, TCP slows the client, and the engine's queue fills up to its own limit.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::ending::Ending;
use crate::engine_thread::Request;
use crate::fix::Now;
use crate::fix::frame::{self, Garbled, Scan};
use crate::fix::logon::Identity;
use crate::fix::message::Message;
use crate::fix::order::{self, Problem};
use crate::fix::session::{Note, Output, Session, Verdict};
use crate::logons::{Claim, Logons};
use crate::metrics::{Meters, type_label};
use crate::order::SessionId;
use crate::outbox::{Delivery, Outbox};

/// Bytes waiting for the socket above which nothing new is taken on.
const WIRE_MAX: usize = 64 * 1024;
/// Room made for each read.
const READ_CHUNK: usize = 4 * 1024;
/// Messages or events handled before other tasks get a turn.
const BATCH: usize = 32;
/// Time for the engine to answer what was sent before a Logout.
const SETTLE_WAIT: Duration = Duration::from_secs(2);
/// Time for the last bytes to leave.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// What all connections share.
pub(crate) struct House {
    pub(crate) comp_id: String,
    pub(crate) session_queue: usize,
    pub(crate) faults: Arc<faults::Plan>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) logons: Arc<Logons>,
    pub(crate) closing: CancellationToken,
}

/// Serves one connection until it ends.
pub(crate) async fn serve(
    stream: TcpStream,
    id: SessionId,
    house: Arc<House>,
    engine: mpsc::Sender<Request>,
) {
    let _open = Open::new(Arc::clone(&house.meters));
    let mut connection = Connection::new(id, Arc::clone(&house), engine);
    let ending = match connection.drive(stream).await {
        Ok(ending) => ending,
        Err(error) => {
            tracing::debug!(session = id.0, %error, "connection failed");
            Ending::Error
        }
    };
    connection.finish().await;
    house.meters.closed.count(ending.label());
    house.faults.session_end();
}

/// Keeps the gauge of open sessions right even if the task is dropped in the middle.
struct Open(Arc<Meters>);

impl Open {
    fn new(meters: Arc<Meters>) -> Self {
        meters.opened.increment(1);
        meters.sessions.increment(1.0);
        Self(meters)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.sessions.decrement(1.0);
    }
}

struct Connection {
    id: SessionId,
    house: Arc<House>,
    engine: mpsc::Sender<Request>,
    session: Session,
    claim: Option<Claim>,
    /// Whether the engine knows this session.
    listed: bool,
    outbox: Arc<Outbox>,
    input: BytesMut,
    output: Output,
    deliveries: Vec<Delivery>,
    refused: u64,
    /// Whether whole messages may be left in `input` because the wire was full.
    backlog: bool,
    /// Commands that the engine has not finished with.
    unanswered: u64,
}

impl Connection {
    fn new(id: SessionId, house: Arc<House>, engine: mpsc::Sender<Request>) -> Self {
        let outbox = Outbox::new(house.session_queue, house.meters.session_queue.clone());
        Self {
            id,
            session: Session::new(&house.comp_id, now()),
            house,
            engine,
            claim: None,
            listed: false,
            outbox: Arc::new(outbox),
            input: BytesMut::new(),
            output: Output::default(),
            deliveries: Vec::with_capacity(BATCH),
            refused: 0,
            backlog: false,
            unanswered: 0,
        }
    }

    async fn drive(&mut self, mut stream: TcpStream) -> io::Result<Ending> {
        // An answer is one small write; waiting to fill a segment would add up to 40 ms to it.
        stream.set_nodelay(true)?;
        let ending = self.exchange(&mut stream).await?;
        if ending != Ending::SlowConsumer {
            // Best effort: the peer may be gone, and the session is over either way.
            let _ = timeout(FLUSH_WAIT, async {
                stream.write_all_buf(&mut self.output.wire).await?;
                stream.shutdown().await
            })
            .await;
        }
        Ok(ending)
    }

    async fn exchange(&mut self, stream: &mut TcpStream) -> io::Result<Ending> {
        let closing = self.house.closing.clone();
        let (mut reader, mut writer) = stream.split();
        let mut timer = Box::pin(sleep_until(self.session.deadline().into()));
        let mut told_to_close = false;
        loop {
            self.wind(&mut timer);
            self.input.reserve(READ_CHUNK);
            let open = self.output.wire.len() < WIRE_MAX;
            let verdict = tokio::select! {
                read = reader.read_buf(&mut self.input), if open => match read? {
                    0 => Verdict::Close(Ending::Disconnected),
                    _ => self.digest().await,
                },
                () = std::future::ready(()), if open && self.backlog => self.digest().await,
                written = writer.write_buf(&mut self.output.wire), if !self.output.wire.is_empty() => {
                    written?;
                    Verdict::Handled
                }
                () = self.outbox.ready(), if open => self.report(),
                () = self.outbox.evicted() => Verdict::Close(Ending::SlowConsumer),
                () = &mut timer => self.tick(),
                () = closing.cancelled(), if !told_to_close => {
                    told_to_close = true;
                    self.say_goodbye()
                }
            };
            self.count();
            if let Verdict::Close(ending) = verdict {
                return Ok(ending);
            }
        }
    }

    /// Moves the timer when it has fired or is later than the session wants; an early timer only ticks in vain.
    fn wind(&self, timer: &mut Pin<Box<Sleep>>) {
        let wanted = self.session.deadline().into();
        if timer.is_elapsed() || wanted < timer.deadline() {
            timer.as_mut().reset(wanted);
        }
    }

    /// Handles every whole message in the buffer, as long as there is room for the answers: one short ResendRequest can
    /// ask for 64 KB.
    async fn digest(&mut self) -> Verdict {
        let mut handled = 0;
        self.backlog = false;
        while !self.input.is_empty() {
            if self.output.wire.len() >= WIRE_MAX {
                self.backlog = true;
                break;
            }
            let verdict = match frame::next(&mut self.input) {
                Scan::Incomplete => return Verdict::Handled,
                Scan::Garbled(reason) => self.garbled(reason),
                Scan::Frame(frame) => match Message::parse(frame) {
                    Some(message) => {
                        if message.kind() == b"5" {
                            self.settle().await;
                        }
                        self.handle(&message)
                    }
                    None => self.garbled(Garbled::BodyLength),
                },
            };
            if let Verdict::Close(_) = verdict {
                return verdict;
            }
            if self.session.is_active() && !self.listed {
                self.list().await;
            }
            handled += 1;
            if handled % BATCH == 0 {
                tokio::task::yield_now().await;
            }
        }
        Verdict::Handled
    }

    fn garbled(&self, reason: Garbled) -> Verdict {
        self.house.meters.garbled.count(reason.label());
        if self.session.awaits_logon() {
            return Verdict::Close(Ending::NotFix);
        }
        Verdict::Handled
    }

    fn handle(&mut self, message: &Message) -> Verdict {
        let now = now();
        let kind = type_label(message.kind());
        self.house.meters.messages_in.count(kind);
        if self.session.awaits_logon() && message.kind() == b"A" && !self.identify(message) {
            let text = "this SenderCompID is logged on already";
            return self.session.refuse(text, now, &mut self.output);
        }
        match self.session.receive(message, now, &mut self.output) {
            Verdict::Application => {
                self.application(message, now);
                Verdict::Handled
            }
            verdict => verdict,
        }
    }

    /// Takes the identity that a Logon names; false while another connection has it.
    fn identify(&mut self, message: &Message) -> bool {
        let Ok(identity) = Identity::of(message) else {
            // The session refuses it, and says what is wrong.
            return true;
        };
        let claimed = self.house.logons.claim(identity.clone());
        let free = claimed.is_some();
        let (claim, state) = claimed.unzip();
        self.claim = claim;
        self.session.resume(identity, state.unwrap_or_default());
        free
    }

    /// Hands an order or a cancel to the engine, or refuses it.
    fn application(&mut self, message: &Message, now: Now) {
        let kind = String::from_utf8_lossy(message.kind());
        let span = tracing::info_span!("fix.message", otel.kind = "server", fix.msg_type = &*kind);
        let _entered = span.enter();
        self.house.faults.handler();
        match order::read(message, self.id) {
            Ok(command) => {
                let request = Request::Command(command, now.instant);
                if self.engine.try_send(request).is_ok() {
                    self.unanswered += 1;
                } else {
                    self.house.meters.rejects.count("engine_busy");
                    let text = "the matching engine is busy";
                    self.session
                        .unavailable(message, text, now, &mut self.output);
                }
            }
            Err(Problem::Fault(fault)) => {
                self.session.reject(message, &fault, now, &mut self.output);
            }
            Err(Problem::Unacceptable { code, label, text }) => {
                self.house.meters.rejects.count(label);
                self.refused += 1;
                let draft = order::refuse(message, code, &text, self.id, self.refused, now);
                self.session.send(&draft, now, &mut self.output);
            }
        }
    }

    /// Makes this session known to the engine, before its first order can get there.
    async fn list(&mut self) {
        let request = Request::Open(self.id, Arc::clone(&self.outbox));
        // A closed channel means that the engine has stopped, and the server with it.
        let _ = self.engine.send(request).await;
        self.listed = true;
    }

    /// Before a Logout: reports what became of the orders that were sent before it.
    async fn settle(&mut self) {
        let answers = async {
            while self.unanswered > 0 {
                self.outbox.ready().await;
                let _ = self.report();
            }
        };
        // If it takes longer, the client hears no more of them, as with any order it leaves behind.
        let _ = timeout(SETTLE_WAIT, answers).await;
    }

    /// Turns waiting events into reports.
    fn report(&mut self) -> Verdict {
        let now = now();
        self.outbox.take(BATCH, &mut self.deliveries);
        for delivery in self.deliveries.drain(..) {
            let draft = order::report(&delivery.event, now);
            self.session.send(&draft, now, &mut self.output);
            self.unanswered -= u64::from(delivery.completes);
            if let Some(received) = delivery.received {
                self.house.meters.order_ack.record(received.elapsed());
            }
        }
        Verdict::Handled
    }

    fn tick(&mut self) -> Verdict {
        self.session.tick(now(), &mut self.output)
    }

    fn say_goodbye(&mut self) -> Verdict {
        if self.session.awaits_logon() {
            return Verdict::Close(Ending::Shutdown);
        }
        let text = "the exchange is closing";
        self.session
            .leave(text, Ending::Shutdown, now(), &mut self.output);
        Verdict::Handled
    }

    /// Counts what the session rules noted.
    fn count(&mut self) {
        let meters = &self.house.meters;
        for note in self.output.notes.drain(..) {
            match note {
                Note::Sent => meters.messages_out.increment(1),
                Note::Gap => meters.gaps.increment(1),
                Note::Rejected(reason) => meters.session_rejects.count(reason.label()),
                Note::BusinessRejected => meters.rejects.count("unsupported_message"),
            }
        }
    }

    /// Cancels the session's orders and leaves its sequence numbers for the next connection.
    async fn finish(mut self) {
        self.count();
        self.outbox.close();
        if self.listed {
            let _ = self.engine.send(Request::Close(self.id)).await;
        }
        // A stranger whose first Logon was refused is not worth remembering; a known client keeps its numbers.
        if let Some(claim) = self.claim
            && (self.listed || claim.is_known())
            && claim.release(self.session.into_continuity())
        {
            self.house.meters.evictions.count("remembered_session");
        }
    }
}

/// The clock, read here and nowhere below.
fn now() -> Now {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Now {
        instant: Instant::now(),
        unix_millis: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
    }
}
