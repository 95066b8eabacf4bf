//! What a workload is to the generator: sessions that speak a protocol without ever touching a socket or a clock.
//!
//! The generator owns time, threads and sockets; a session turns bytes into events and messages into bytes. So both
//! protocols share one generator, and both are tested by tables.

use std::time::SystemTime;

use bytes::BytesMut;

/// A load for one kind of service.
pub(crate) trait Workload: Send + Sync + 'static {
    /// The client's side of one connection.
    type Session: Session;

    /// Name in the report.
    const NAME: &'static str;

    /// Number of clients, each with a connection of its own; at least 1.
    fn clients(&self) -> usize;

    /// A fresh session of one client, counted from 0.
    fn session(&self, client: usize) -> Self::Session;

    /// The client that sends message `index`: all take turns, so that each sends at the same rate.
    fn sender(&self, index: usize) -> usize {
        index % self.clients()
    }

    /// How many answers or deliveries message `index` should have if it were sent now.
    fn expected(&self, index: usize) -> u32;

    /// Whether message `index` is of the kind that the headline is about.
    fn is_headline(&self, _index: usize) -> bool {
        true
    }

    /// What the client does beside sending and reading, if anything.
    fn role(&self, _client: usize) -> Role {
        Role::Member
    }

    /// The client's number among those of all processes of the run; decides its address where one has too few ports.
    fn number(&self, client: usize) -> usize {
        client
    }

    /// A client is in; called once for each.
    fn joined(&self, client: usize);

    /// A client that was in has lost its connection; called at most once for each.
    fn left(&self, client: usize);
}

/// How a client behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends in turn and reads at once; its answers make the headline.
    Member,
    /// Reads slowly and sends nothing. What it sees is told apart.
    Slow,
    /// Never reads again once it is in, and sends nothing.
    Dead,
    /// Comes and goes. What it waits for is told apart.
    Mover,
}

impl Role {
    /// Whether its answers make the headline, and its leaving is an error.
    pub(crate) fn is_headline(self) -> bool {
        self == Self::Member
    }
}

/// The client's side of one connection. Everything it wants to send goes to `out`; `clock` is for protocols whose messages
/// carry the time of day.
pub(crate) trait Session: Send + 'static {
    /// The first bytes after connecting.
    fn open(&mut self, out: &mut Vec<u8>, clock: SystemTime);

    /// Takes every complete message off the front of `input`.
    ///
    /// # Errors
    ///
    /// Why the connection is of no more use, in the service's own words if it gave any.
    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
        clock: SystemTime,
    ) -> Result<(), String>;

    /// Message `index` of the schedule, intended at `intended_ns`.
    fn send(&mut self, index: usize, intended_ns: u64, out: &mut Vec<u8>, clock: SystemTime);

    /// What keeps an idle connection open, if anything; called every ten seconds.
    fn keep_alive(&mut self, out: &mut Vec<u8>, clock: SystemTime);

    /// The last bytes, after which the service closes the connection.
    fn close(&mut self, out: &mut Vec<u8>, clock: SystemTime);
}

/// What a session saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The service has let the client in; messages may flow.
    Ready,
    /// Message `index` was answered or delivered, for the first time as far as this session knows. What the message itself
    /// carried as its intended time is checked against the schedule.
    Answer {
        index: usize,
        intended_ns: Option<u64>,
    },
    /// As `Answer`, but a message that should have come later was here already.
    Late {
        index: usize,
        intended_ns: Option<u64>,
    },
    /// Something came a second time.
    Duplicate,
    /// Something came out of order that answers no message.
    Reordered,
    /// The service complained or made no sense; the connection goes on.
    Fault(String),
}
