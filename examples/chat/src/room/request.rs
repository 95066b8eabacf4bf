//! What a room can be asked for by a client; plain values, so that they fit into any queue; PURE.

use crate::protocol::command::Speech;
use crate::protocol::mode::Changes;
use crate::protocol::numeric::Numeric;
use crate::protocol::tags::ClientTags;

/// A request; who asks travels beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Come in: JOIN to everybody, topic and names to the newcomer.
    Join {
        /// The word that was given for a room with a key.
        key: Option<String>,
    },
    /// Go out, and tell everybody, the leaver included.
    Part {
        /// Why, if a reason was given.
        reason: Option<String>,
    },
    /// Say something to everybody else.
    Say {
        /// PRIVMSG, NOTICE or TAGMSG.
        speech: Speech,
        /// What is said; empty for TAGMSG.
        text: String,
        /// Tags that go with it.
        tags: ClientTags,
    },
    /// Answer NAMES.
    Names,
    /// Show the topic.
    ShowTopic,
    /// Set the topic, or clear it with an empty text.
    SetTopic(String),
    /// Show the modes.
    ShowModes,
    /// Change modes, or show the ban list.
    Change(Changes),
    /// Throw somebody out.
    Kick {
        /// Who.
        nicks: Vec<String>,
        /// Why; the nickname of the one who does it if nothing is said.
        comment: Option<String>,
    },
}

impl Request {
    /// The reply when there is no such room; `None` if nothing may be answered.
    #[must_use]
    pub fn without_room(&self) -> Option<Numeric> {
        match self {
            Self::Names => Some(Numeric::EndOfNames),
            Self::Say {
                speech: Speech::Notice | Speech::Tagmsg,
                ..
            } => None,
            _ => Some(Numeric::NoSuchChannel),
        }
    }
}
