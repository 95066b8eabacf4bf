//! The FIX session rules as a state machine; PURE.
//!
//! Messages and the time go in; bytes to send come out in [`Output`], and a [`Verdict`] says what the caller must do. Sequence
//! numbers are the heart of it: each side counts, so that a lost message is noticed and asked for again, and nothing is
//! executed twice. The caller owns socket, clock and engine; a test needs none of them.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::logon::{HEARTBEAT_MAX, Identity, Terms};
use super::message::{BEGIN_STRING, Draft, Message, encode};
use super::reject::{Fault, Reason};
use super::replay::{Replay, Sent, Step};
use super::rules::{form_fault, is_fix44};
use super::timestamp::Timestamp;
use super::{Now, tag};
use crate::ending::Ending;

/// Time for the first message to arrive: a socket that says nothing holds a place.
pub const LOGON_WAIT: Duration = Duration::from_secs(10);
/// Time for the other side to answer our Logout.
pub const LOGOUT_WAIT: Duration = Duration::from_secs(2);
/// Time for a gap to be filled after it was asked for.
pub const GAP_WAIT: Duration = Duration::from_secs(30);
/// Longest piece of a peer's text repeated in an answer.
const ECHO_MAX: usize = 64;
/// BusinessRejectReason 3.
const UNSUPPORTED_MESSAGE_TYPE: u32 = 3;
/// BusinessRejectReason 4.
const APPLICATION_NOT_AVAILABLE: u32 = 4;

/// What outlives a connection: the next connection of the same client goes on with it.
#[derive(Debug)]
pub struct Continuity {
    /// Number expected in the client's next message.
    pub next_in: u64,
    /// Number of our next message.
    pub next_out: u64,
    /// Messages that may be asked for again.
    pub replay: Replay,
}

impl Default for Continuity {
    fn default() -> Self {
        Self {
            next_in: 1,
            next_out: 1,
            replay: Replay::default(),
        }
    }
}

/// What the session wants sent, and what happened on the way; the caller empties it.
#[derive(Debug, Default)]
pub struct Output {
    /// Bytes for the socket.
    pub wire: BytesMut,
    /// Things to count.
    pub notes: Vec<Note>,
}

/// Something to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A message was put on the wire.
    Sent,
    /// A gap in the client's numbers was seen.
    Gap,
    /// A message was rejected at session level.
    Rejected(Reason),
    /// An application message was refused as not supported or not possible now.
    BusinessRejected,
}

/// What the caller must do after a message or a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Nothing but send the output.
    Handled,
    /// Hand the message to order entry: it is a NewOrderSingle or OrderCancelRequest in its right place.
    Application,
    /// Send the output and close the connection.
    Close(Ending),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    AwaitingLogon { until: Instant },
    Active,
    Leaving { until: Instant, ending: Ending },
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    /// The highest number seen above the hole.
    highest: u64,
    until: Instant,
}

/// One FIX session on one connection, acceptor side.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    identity: Identity,
    state: Continuity,
    heartbeat: Duration,
    last_sent: Instant,
    last_received: Instant,
    tested: Option<Instant>,
    gap: Option<Gap>,
}

impl Session {
    /// A session waiting for its Logon; `exchange` is our name until the client says what it calls us.
    #[must_use]
    pub fn new(exchange: &str, now: Now) -> Self {
        Self {
            phase: Phase::AwaitingLogon {
                until: now.instant + LOGON_WAIT,
            },
            identity: Identity {
                client: "UNKNOWN".to_owned(),
                exchange: exchange.to_owned(),
            },
            state: Continuity::default(),
            heartbeat: Duration::from_secs(HEARTBEAT_MAX),
            last_sent: now.instant,
            last_received: now.instant,
            tested: None,
            gap: None,
        }
    }

    /// Goes on where an earlier connection of this client stopped; before the Logon is given to [`Session::receive`].
    pub fn resume(&mut self, identity: Identity, state: Continuity) {
        self.identity = identity;
        self.state = state;
    }

    /// What the next connection of this client needs.
    #[must_use]
    pub fn into_continuity(self) -> Continuity {
        self.state
    }

    /// Whether the next message must be a Logon.
    #[must_use]
    pub const fn awaits_logon(&self) -> bool {
        matches!(self.phase, Phase::AwaitingLogon { .. })
    }

    /// Whether the client is logged on and nobody is logging out.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }

    /// Handles one whole message.
    pub fn receive(&mut self, message: &Message, now: Now, out: &mut Output) -> Verdict {
        match self.phase {
            Phase::AwaitingLogon { .. } => self.logon(message, now, out),
            Phase::Active | Phase::Leaving { .. } => self.running(message, now, out),
        }
    }

    /// When [`Session::tick`] wants to be called next.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        match self.phase {
            Phase::AwaitingLogon { until } | Phase::Leaving { until, .. } => until,
            Phase::Active => {
                let silence = self.tested.unwrap_or(self.last_received) + self.patience();
                let timers = silence.min(self.last_sent + self.heartbeat);
                self.gap.map_or(timers, |gap| timers.min(gap.until))
            }
        }
    }

    /// Does what time demands: heartbeats, test requests, giving up.
    pub fn tick(&mut self, now: Now, out: &mut Output) -> Verdict {
        match self.phase {
            Phase::AwaitingLogon { until } if now.instant >= until => {
                Verdict::Close(Ending::LogonTimeout)
            }
            Phase::Leaving { until, ending } if now.instant >= until => Verdict::Close(ending),
            Phase::Active => self.watch(now, out),
            Phase::AwaitingLogon { .. } | Phase::Leaving { .. } => Verdict::Handled,
        }
    }

    /// Sends an application message and keeps it for a ResendRequest.
    pub fn send(&mut self, draft: &Draft, now: Now, out: &mut Output) {
        self.state.replay.keep(Sent {
            number: self.state.next_out,
            kind: draft.kind,
            unix_millis: now.unix_millis,
            fields: Bytes::copy_from_slice(draft.fields()),
        });
        self.emit(draft, now, out);
    }

    /// Says Logout and waits a bounded time for the answer; the connection then closes with `ending`.
    pub fn leave(&mut self, text: &str, ending: Ending, now: Now, out: &mut Output) {
        self.emit(&Draft::new("5").with(tag::TEXT, text), now, out);
        self.phase = Phase::Leaving {
            until: now.instant + LOGOUT_WAIT,
            ending,
        };
    }

    /// Refuses a Logon, saying why.
    pub fn refuse(&mut self, text: &str, now: Now, out: &mut Output) -> Verdict {
        self.quit(text, Ending::LogonRefused, now, out)
    }

    /// Answers a message that breaks the rules of its type with Reject.
    pub fn reject(&mut self, message: &Message, fault: &Fault, now: Now, out: &mut Output) {
        out.notes.push(Note::Rejected(fault.reason));
        let draft = Draft::new("3")
            .with(tag::REF_SEQ_NUM, echo(message.get(tag::MSG_SEQ_NUM)))
            .with(tag::TEXT, &fault.text)
            .maybe(tag::REF_TAG_ID, (fault.tag != 0).then_some(fault.tag))
            .with(tag::REF_MSG_TYPE, echo(Some(message.kind())))
            .with(tag::SESSION_REJECT_REASON, fault.reason.code());
        self.emit(&draft, now, out);
    }

    /// Answers an application message that cannot be handled now with BusinessMessageReject.
    pub fn unavailable(&mut self, message: &Message, text: &str, now: Now, out: &mut Output) {
        self.business_reject(message, APPLICATION_NOT_AVAILABLE, text, now, out);
    }

    fn logon(&mut self, message: &Message, now: Now, out: &mut Output) -> Verdict {
        if message.kind() != b"A" {
            return Verdict::Close(Ending::NotFix);
        }
        self.last_received = now.instant;
        let terms = match Terms::of(message) {
            Ok(terms) => terms,
            Err(fault) => {
                let text = format!("tag {}: {}", fault.tag, fault.text);
                return self.refuse(&text, now, out);
            }
        };
        if terms.reset {
            self.state = Continuity::default();
        }
        if terms.number < self.state.next_in && !message.is_set(tag::POSS_DUP_FLAG) {
            let text = too_low(self.state.next_in, terms.number);
            return self.quit(&text, Ending::Sequence, now, out);
        }
        self.heartbeat = terms.heartbeat;
        self.phase = Phase::Active;
        self.emit(&terms.answer(), now, out);
        self.take_number(terms.number, now, out);
        Verdict::Handled
    }

    fn running(&mut self, message: &Message, now: Now, out: &mut Output) -> Verdict {
        self.last_received = now.instant;
        self.tested = None;
        if message.begin() != BEGIN_STRING.as_bytes() {
            return self.quit(
                "incorrect BeginString, expected FIX.4.4",
                Ending::Protocol,
                now,
                out,
            );
        }
        let Ok(number) = message.require_integer(tag::MSG_SEQ_NUM) else {
            return self.quit(
                "MsgSeqNum missing or not a number",
                Ending::Protocol,
                now,
                out,
            );
        };
        if Identity::of(message).as_ref() != Ok(&self.identity) {
            let fault = Fault::new(
                Reason::CompIdProblem,
                0,
                "SenderCompID or TargetCompID differ from the Logon's",
            );
            self.reject(message, &fault, now, out);
            return self.quit("CompID problem", Ending::Protocol, now, out);
        }
        match message.kind() {
            b"4" if !message.is_set(tag::GAP_FILL_FLAG) => {
                return self.reset_sequence(message, self.state.next_in, now, out);
            }
            b"A" if message.is_set(tag::RESET_SEQ_NUM_FLAG) => {
                return self.logon_again(message, now, out);
            }
            _ => {}
        }
        if number < self.state.next_in {
            if message.is_set(tag::POSS_DUP_FLAG) {
                return Verdict::Handled;
            }
            let text = too_low(self.state.next_in, number);
            return self.quit(&text, Ending::Sequence, now, out);
        }
        if !self.take_number(number, now, out) {
            return self.above_gap(message, now, out);
        }
        match form_fault(message) {
            Some(fault) => {
                self.reject(message, &fault, now, out);
                Verdict::Handled
            }
            None => self.dispatch(message, number, now, out),
        }
    }

    /// Whether `number` is the expected one; if it is higher, asks for what is missing, once a gap.
    fn take_number(&mut self, number: u64, now: Now, out: &mut Output) -> bool {
        let expected = self.state.next_in;
        if number <= expected {
            self.state.next_in = expected.max(number + 1);
            self.gap = self.gap.filter(|gap| gap.highest >= self.state.next_in);
            return true;
        }
        match &mut self.gap {
            Some(gap) => gap.highest = gap.highest.max(number),
            None => {
                out.notes.push(Note::Gap);
                self.gap = Some(Gap {
                    highest: number,
                    until: now.instant + GAP_WAIT,
                });
                let request = Draft::new("2")
                    .with(tag::BEGIN_SEQ_NO, expected)
                    .with(tag::END_SEQ_NO, 0);
                self.emit(&request, now, out);
            }
        }
        false
    }

    /// A message from beyond a gap comes again with the resend; only these two cannot wait.
    fn above_gap(&mut self, message: &Message, now: Now, out: &mut Output) -> Verdict {
        match message.kind() {
            b"2" => self.resend(message, now, out),
            b"5" => self.logged_out(now, out),
            _ => Verdict::Handled,
        }
    }

    fn dispatch(&mut self, message: &Message, number: u64, now: Now, out: &mut Output) -> Verdict {
        let leaving = !self.is_active();
        match message.kind() {
            b"0" | b"3" | b"j" => Verdict::Handled,
            b"1" => match message.require(tag::TEST_REQ_ID) {
                Ok(id) => {
                    let answer = Draft::new("0").with(tag::TEST_REQ_ID, echo(Some(id)));
                    self.emit(&answer, now, out);
                    Verdict::Handled
                }
                Err(fault) => self.reject_and_go_on(message, &fault, now, out),
            },
            b"2" => self.resend(message, now, out),
            b"4" => self.reset_sequence(message, number + 1, now, out),
            b"5" => self.logged_out(now, out),
            b"A" => {
                let fault = Fault::new(Reason::InvalidMsgType, tag::MSG_TYPE, "already logged on");
                self.reject_and_go_on(message, &fault, now, out)
            }
            b"D" | b"F" if leaving => {
                self.unavailable(message, "logging out", now, out);
                Verdict::Handled
            }
            b"D" | b"F" => Verdict::Application,
            kind if is_fix44(kind) => {
                let text = "message type not supported";
                self.business_reject(message, UNSUPPORTED_MESSAGE_TYPE, text, now, out);
                Verdict::Handled
            }
            _ => {
                let fault = Fault::new(
                    Reason::InvalidMsgType,
                    tag::MSG_TYPE,
                    "no message of FIX 4.4",
                );
                self.reject_and_go_on(message, &fault, now, out)
            }
        }
    }

    /// Sends again what the client says it missed.
    fn resend(&mut self, message: &Message, now: Now, out: &mut Output) -> Verdict {
        let last = self.state.next_out - 1;
        let range = message
            .require_integer(tag::BEGIN_SEQ_NO)
            .and_then(|begin| {
                let end = match message.require_integer(tag::END_SEQ_NO)? {
                    0 => last,
                    end => end.min(last),
                };
                let sound = begin >= 1 && begin <= end;
                sound.then_some((begin, end)).ok_or_else(|| {
                    Fault::new(
                        Reason::ValueIncorrect,
                        tag::BEGIN_SEQ_NO,
                        format!("expected 1..={last}, not above EndSeqNo"),
                    )
                })
            });
        let (begin, end) = match range {
            Ok(range) => range,
            Err(fault) => return self.reject_and_go_on(message, &fault, now, out),
        };
        for step in self.state.replay.steps(begin, end) {
            let (kind, number, first_sent, fields) = match step {
                Step::Again(sent) => (
                    sent.kind,
                    sent.number,
                    sent.unix_millis,
                    sent.fields.clone(),
                ),
                Step::Gap { from, next } => {
                    let draft = Draft::new("4")
                        .with(tag::NEW_SEQ_NO, next)
                        .with(tag::GAP_FILL_FLAG, "Y");
                    let fields = Bytes::copy_from_slice(draft.fields());
                    (draft.kind, from, now.unix_millis, fields)
                }
            };
            let header = header(&self.identity, number, now, Some(first_sent));
            encode(kind, header.fields(), &fields, &mut out.wire);
            out.notes.push(Note::Sent);
        }
        self.last_sent = now.instant;
        Verdict::Handled
    }

    /// SequenceReset: the client's next number is at least `floor`.
    fn reset_sequence(
        &mut self,
        message: &Message,
        floor: u64,
        now: Now,
        out: &mut Output,
    ) -> Verdict {
        let next = message.require_integer(tag::NEW_SEQ_NO).and_then(|next| {
            (next >= floor).then_some(next).ok_or_else(|| {
                Fault::new(
                    Reason::ValueIncorrect,
                    tag::NEW_SEQ_NO,
                    format!("expected at least {floor}"),
                )
            })
        });
        match next {
            Ok(next) => {
                self.state.next_in = next;
                self.gap = self.gap.filter(|gap| gap.highest >= next);
                Verdict::Handled
            }
            Err(fault) => self.reject_and_go_on(message, &fault, now, out),
        }
    }

    /// A Logon with ResetSeqNumFlag inside a running session: both sides count from 1 again.
    fn logon_again(&mut self, message: &Message, now: Now, out: &mut Output) -> Verdict {
        match Terms::of(message) {
            Ok(terms) => {
                self.state = Continuity::default();
                self.gap = None;
                self.heartbeat = terms.heartbeat;
                self.emit(&terms.answer(), now, out);
                self.state.next_in = 2;
                Verdict::Handled
            }
            Err(fault) => self.reject_and_go_on(message, &fault, now, out),
        }
    }

    fn logged_out(&mut self, now: Now, out: &mut Output) -> Verdict {
        match self.phase {
            Phase::Leaving { ending, .. } => Verdict::Close(ending),
            _ => self.quit("goodbye", Ending::Logout, now, out),
        }
    }

    /// Heartbeats, test requests, and giving up on a silent peer.
    fn watch(&mut self, now: Now, out: &mut Output) -> Verdict {
        if self.gap.is_some_and(|gap| now.instant >= gap.until) {
            return self.quit("gap not filled", Ending::Sequence, now, out);
        }
        let silent = |since: Instant| now.instant >= since + self.patience();
        match self.tested {
            Some(asked) if silent(asked) => {
                return self.quit(
                    "no answer to TestRequest",
                    Ending::HeartbeatTimeout,
                    now,
                    out,
                );
            }
            None if silent(self.last_received) => {
                self.tested = Some(now.instant);
                let request = Draft::new("1").with(tag::TEST_REQ_ID, now.unix_millis);
                self.emit(&request, now, out);
            }
            Some(_) | None => {}
        }
        if now.instant >= self.last_sent + self.heartbeat {
            self.emit(&Draft::new("0"), now, out);
        }
        Verdict::Handled
    }

    /// How long silence lasts before it means something: the interval and a fifth, for the way.
    fn patience(&self) -> Duration {
        self.heartbeat + self.heartbeat / 5
    }

    /// Says Logout and closes without waiting.
    fn quit(&mut self, text: &str, ending: Ending, now: Now, out: &mut Output) -> Verdict {
        self.leave(text, ending, now, out);
        Verdict::Close(ending)
    }

    fn reject_and_go_on(
        &mut self,
        message: &Message,
        fault: &Fault,
        now: Now,
        out: &mut Output,
    ) -> Verdict {
        self.reject(message, fault, now, out);
        Verdict::Handled
    }

    fn business_reject(
        &mut self,
        message: &Message,
        code: u32,
        text: &str,
        now: Now,
        out: &mut Output,
    ) {
        out.notes.push(Note::BusinessRejected);
        let draft = Draft::new("j")
            .with(tag::REF_SEQ_NUM, echo(message.get(tag::MSG_SEQ_NUM)))
            .with(tag::TEXT, text)
            .with(tag::REF_MSG_TYPE, echo(Some(message.kind())))
            .with(tag::BUSINESS_REJECT_REASON, code);
        self.send(&draft, now, out);
    }

    fn emit(&mut self, draft: &Draft, now: Now, out: &mut Output) {
        let header = header(&self.identity, self.state.next_out, now, None);
        encode(draft.kind, header.fields(), draft.fields(), &mut out.wire);
        out.notes.push(Note::Sent);
        self.state.next_out += 1;
        self.last_sent = now.instant;
    }
}

/// The standard header behind MsgType, in tag order; `first_sent` marks a message that is sent again.
fn header(identity: &Identity, number: u64, now: Now, first_sent: Option<u64>) -> Draft {
    Draft::new("")
        .with(tag::MSG_SEQ_NUM, number)
        .maybe(tag::POSS_DUP_FLAG, first_sent.map(|_| "Y"))
        .with(tag::SENDER_COMP_ID, &identity.exchange)
        .with(tag::SENDING_TIME, Timestamp(now.unix_millis))
        .with(tag::TARGET_COMP_ID, &identity.client)
        .maybe(tag::ORIG_SENDING_TIME, first_sent.map(Timestamp))
}

fn too_low(expected: u64, received: u64) -> String {
    format!("MsgSeqNum too low, expecting {expected} but received {received}")
}

/// A peer's bytes as text for an answer, bounded.
fn echo(bytes: Option<&[u8]>) -> String {
    let bytes = bytes.unwrap_or_default();
    String::from_utf8_lossy(&bytes[..bytes.len().min(ECHO_MAX)]).into_owned()
}

#[cfg(test)]
mod tests;
