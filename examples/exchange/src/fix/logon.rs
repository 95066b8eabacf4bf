//! What a Logon says: who speaks to whom, and on which terms; PURE.

use std::time::Duration;

use super::message::{BEGIN_STRING, Draft, Message};
use super::reject::{Fault, Reason};
use super::rules::form_fault;
use super::tag;

/// Longest heartbeat interval accepted, in seconds: a dead peer is noticed after about 2.4 intervals. Zero, which
/// would switch that off, is refused.
pub const HEARTBEAT_MAX: u64 = 300;
/// Longest SenderCompID or TargetCompID.
pub const COMP_ID_MAX: usize = 64;

/// The two names of a session, as the client gave them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The client's SenderCompID.
    pub client: String,
    /// The client's TargetCompID: the name under which it knows this exchange.
    pub exchange: String,
}

impl Identity {
    /// The names in a message.
    ///
    /// # Errors
    ///
    /// When one is missing, longer than [`COMP_ID_MAX`] or not printable ASCII.
    pub fn of(message: &Message) -> Result<Self, Fault> {
        let name = |tag| {
            let bytes = message.require(tag)?;
            let plain = bytes.len() <= COMP_ID_MAX && bytes.iter().all(u8::is_ascii_graphic);
            match std::str::from_utf8(bytes) {
                Ok(text) if plain => Ok(text.to_owned()),
                _ => Err(Fault::new(
                    Reason::CompIdProblem,
                    tag,
                    "expected at most 64 printable ASCII characters",
                )),
            }
        };
        Ok(Self {
            client: name(tag::SENDER_COMP_ID)?,
            exchange: name(tag::TARGET_COMP_ID)?,
        })
    }
}

/// What a Logon asks for.
pub(super) struct Terms {
    pub(super) number: u64,
    pub(super) heartbeat: Duration,
    pub(super) reset: bool,
}

impl Terms {
    /// Reads a Logon.
    pub(super) fn of(message: &Message) -> Result<Self, Fault> {
        if message.begin() != BEGIN_STRING.as_bytes() {
            return Err(Fault::new(Reason::ValueIncorrect, 8, "expected FIX.4.4"));
        }
        Identity::of(message)?;
        if let Some(fault) = form_fault(message) {
            return Err(fault);
        }
        let number = message.require_integer(tag::MSG_SEQ_NUM)?;
        let reset = message.is_set(tag::RESET_SEQ_NUM_FLAG);
        if number == 0 || (reset && number != 1) {
            return Err(Fault::new(
                Reason::ValueIncorrect,
                tag::MSG_SEQ_NUM,
                "expected 1 with ResetSeqNumFlag=Y, never 0",
            ));
        }
        if message.require(tag::ENCRYPT_METHOD)? != b"0" {
            let text = "expected 0, encryption is not supported";
            return Err(Fault::new(
                Reason::ValueIncorrect,
                tag::ENCRYPT_METHOD,
                text,
            ));
        }
        let seconds = message.require_integer(tag::HEART_BT_INT)?;
        if !(1..=HEARTBEAT_MAX).contains(&seconds) {
            let text = format!("expected 1..={HEARTBEAT_MAX} seconds");
            return Err(Fault::new(Reason::ValueIncorrect, tag::HEART_BT_INT, text));
        }
        Ok(Self {
            number,
            heartbeat: Duration::from_secs(seconds),
            reset,
        })
    }

    /// Our Logon in return.
    pub(super) fn answer(&self) -> Draft {
        Draft::new("A")
            .with(tag::ENCRYPT_METHOD, 0)
            .with(tag::HEART_BT_INT, self.heartbeat.as_secs())
            .maybe(tag::RESET_SEQ_NUM_FLAG, self.reset.then_some("Y"))
    }
}
