//! What a session wants done by whoever can reach the others; plain values; PURE.

use crate::directory::{Question, Whisper};
use crate::protocol::capability::Capabilities;
use crate::protocol::line::Line;
use crate::protocol::listing::Filter;
use crate::room::Request;

/// Something that must be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send this line to this client.
    Send(Line),
    /// Lines queued from now on are for a reader with these capabilities.
    Capabilities(Capabilities),
    /// Ask the directory for this nickname, then call [`Session::granted`](super::Session::granted) or
    /// [`Session::taken`](super::Session::taken).
    ClaimNick(String),
    /// Registration is complete: enter the directory.
    Register,
    /// The client's identity has changed: replace it in the directory and in its rooms.
    Present {
        /// What everybody who shares a room with it is told, once each.
        line: Option<Line>,
    },
    /// Ask the directory and send the answer.
    Ask(Question),
    /// Say which rooms there are.
    List(Filter),
    /// One message to one person.
    Whisper(Whisper),
    /// Go into a room, which is opened if there is none.
    Join {
        /// Its name, a valid one.
        room: String,
        /// The word that was given for it.
        key: Option<String>,
    },
    /// Leave every room.
    PartAll,
    /// Ask a room that exists; else reply with [`Request::without_room`].
    Room {
        /// Its name.
        room: String,
        /// What is asked.
        request: Request,
    },
    /// Invite somebody into a room.
    Invite {
        /// Whom.
        nick: String,
        /// Where to.
        room: String,
    },
    /// Say who is in a room.
    WhoRoom(String),
    /// End the connection.
    End(Farewell),
}

/// How a session ends by what its client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// What others see, and the client reads in its last line.
    pub reason: String,
    /// Whose doing it is.
    pub cause: Cause,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The client said QUIT.
    Quit,
    /// The server has a password and the client has not.
    BadPassword,
}
