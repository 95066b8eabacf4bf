//! One client's actions carried out: the bridge from its session to the directory and the rooms.
//!
//! The session decides, this file does. It waits only where waiting is right: for a place in a room's queue, which
//! makes a talker feel the pace of the room, and for a room's answer, so that replies keep the order of the questions. It
//! knows no sockets; lines go into the outbox.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::identity::{Asker, ClientId, Identity, Neighbour};
use crate::meters::Present;
use crate::moment::Moment;
use crate::outbox::Outbox;
use crate::protocol::answer::{self, LINES_MAX};
use crate::protocol::line::Line;
use crate::protocol::listing::Filter;
use crate::protocol::message::{Message, ParseError};
use crate::protocol::name::Folded;
use crate::protocol::numeric::{Addressee, Numeric};
use crate::protocol::verb::Verb;
use crate::room::admission::Guest;
use crate::room::{Effect, Request};
use crate::room_handle::{Command, RoomHandle};
use crate::server::Shared;
use crate::session::{Action, Farewell, Session};
use crate::shared_directory::Way;

/// Attempts to join a room that may be ending at that moment; a second one nearly always meets a fresh room.
const JOIN_ATTEMPTS: usize = 3;

/// Lines queued to neighbours between two yields, as in the rooms' own fan-out.
const FANOUT_CHUNK: usize = 256;

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    /// Number of the connection.
    id: ClientId,
    /// The conversation.
    session: Session,
    /// Rooms this client has asked to come into: the way to each without asking the directory. Those it was refused or
    /// thrown out of may linger here; the room decides.
    joined: HashMap<Folded, RoomHandle>,
    /// Lines for this client.
    outbox: Way,
    /// When the connection was accepted, for the time registration took.
    opened: Instant,
    /// Counted as registered while this is here.
    present: Option<Present>,
    /// Directory, options, metrics.
    shared: Arc<Shared>,
}

impl Client {
    pub(crate) fn new(
        id: ClientId,
        host: String,
        outbox: Arc<Outbox>,
        opened: Instant,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            id,
            session: Session::new(Arc::clone(&shared.policy), host),
            joined: HashMap::new(),
            outbox,
            opened,
            present: None,
            shared,
        }
    }

    pub(crate) fn registered(&self) -> bool {
        self.session.registered()
    }

    /// A line was too long and has been skipped.
    pub(crate) fn too_long(&self) {
        self.shared.metrics.line_too_long.increment(1);
        self.send(self.session.too_long());
    }

    /// A line is no message: tells the client why.
    pub(crate) fn malformed(&self, error: ParseError) {
        self.shared.metrics.parse_error(error);
        if error == ParseError::TooLong {
            self.shared.metrics.line_too_long.increment(1);
        }
        self.send(self.session.malformed(error));
    }

    /// Asks the client whether it is still there.
    pub(crate) fn ping(&self) {
        let server = &self.shared.policy.server;
        self.send(Line::new(None, "PING", &[], Some(server)));
    }

    /// Handles one message received at `now`; breaks when the client wants to go, or must.
    pub(crate) async fn message(
        &mut self,
        message: &Message<'_>,
        now: Moment,
    ) -> ControlFlow<Farewell> {
        if Verb::of(message.command) == Verb::Privmsg {
            self.shared.options.faults.handler();
        }
        let mut actions: VecDeque<Action> = self.session.message(message, now).into();
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Send(line) => self.send(line),
                Action::Capabilities(capabilities) => self.outbox.negotiated(capabilities),
                Action::ClaimNick(nick) => actions.extend(self.claim(nick, now)),
                Action::End(farewell) => return ControlFlow::Break(farewell),
                action => {
                    // Everything else is asked by registered clients only.
                    if let Some(identity) = self.session.identity() {
                        let asker = self.asker(Arc::clone(identity));
                        // Boxed: what waits for rooms is large, and most of the time a connection waits for its client.
                        Box::pin(self.act(&asker, action, now)).await;
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Leaves all rooms, tells everybody who shared one, once each, and frees the nickname.
    pub(crate) async fn leave(&mut self, farewell: &str, now: Moment) {
        let mut everybody = BTreeMap::new();
        for room in std::mem::take(&mut self.joined).into_values() {
            let (remaining, answer) = oneshot::channel();
            let id = self.id;
            room.send(Command::Leave { id, remaining }).await;
            collect(&mut everybody, answer.await.unwrap_or_default());
        }
        self.release();
        self.present = None;
        if let Some(identity) = self.session.identity() {
            let line = Line::new(Some(&identity.address), "QUIT", &[], Some(farewell));
            tell(everybody, &line.at(now.unix_ms)).await;
        }
    }

    async fn act(&mut self, asker: &Asker<Way>, action: Action, now: Moment) {
        let shared = Arc::clone(&self.shared);
        let (directory, to) = (&shared.directory, asker.addressee(&shared.policy.server));
        match action {
            Action::Register => self.register(asker),
            Action::Present { line } => self.present(asker, line).await,
            Action::Ask(question) => {
                self.send_all(directory.with(|people| people.answer(asker, to, &question)));
            }
            Action::List(filter) => self.list(to, &filter),
            Action::Whisper(whisper) => {
                let effects = directory.with(|people| people.whisper(asker, to, whisper, now));
                for effect in effects {
                    if let Effect::Send { to, line } = effect {
                        to.send(line, Some(now.instant));
                    }
                }
            }
            Action::Join { room, key } => self.join(asker, &room, key.as_deref(), now).await,
            Action::PartAll => {
                self.forget_left();
                let rooms: Vec<String> =
                    self.joined.values().map(|r| r.name().to_owned()).collect();
                for room in rooms {
                    let part = Request::Part { reason: None };
                    self.ask(asker, &room, part, now).await;
                }
            }
            Action::Room { room, request } => self.ask(asker, &room, request, now).await,
            Action::Invite { nick, room } => self.invite(asker, &nick, &room, now).await,
            Action::WhoRoom(room) => self.who_in_room(asker, &room).await,
            // Handled where the actions come from.
            Action::Send(_) | Action::Capabilities(_) | Action::ClaimNick(_) | Action::End(_) => {}
        }
    }

    fn asker(&self, identity: Arc<Identity>) -> Asker<Way> {
        Asker {
            id: self.id,
            identity,
            capabilities: self.session.capabilities(),
            way: Arc::clone(&self.outbox),
        }
    }

    fn claim(&mut self, nick: String, now: Moment) -> Vec<Action> {
        let before = Some(self.session.nick()).filter(|nick| *nick != "*");
        let directory = &self.shared.directory;
        match directory.with(|people| people.claim(self.id, &nick, before)) {
            Ok(()) => self.session.granted(nick, now),
            Err(_) => self.session.taken(&nick),
        }
    }

    fn register(&mut self, asker: &Asker<Way>) {
        self.shared.directory.with(|people| people.enter(asker));
        let metrics = &self.shared.metrics;
        self.present = Some(Present::new(&metrics.clients));
        metrics.registration.record(self.opened.elapsed());
    }

    async fn present(&mut self, asker: &Asker<Way>, line: Option<Line>) {
        let (id, identity) = (self.id, &asker.identity);
        let directory = &self.shared.directory;
        directory.with(|people| people.present(id, Arc::clone(identity)));
        let mut everybody = BTreeMap::new();
        for room in self.joined.values() {
            let (others, answer) = oneshot::channel();
            let present = Command::Present {
                id,
                identity: Arc::clone(identity),
                others,
            };
            room.send(present).await;
            collect(&mut everybody, answer.await.unwrap_or_default());
        }
        if let Some(line) = line {
            tell(everybody, &line).await;
        }
    }

    async fn join(&mut self, asker: &Asker<Way>, name: &str, key: Option<&str>, now: Moment) {
        let folded = self.fold(name);
        if self.is_in(&folded) && self.living(&folded).is_some() {
            return;
        }
        let rooms_max = self.shared.policy.limits.rooms_per_client_max;
        if self.joined.len() >= rooms_max {
            self.forget_left();
            if self.joined.len() >= rooms_max {
                return self.refuse(Numeric::TooManyChannels, name);
            }
        }
        for _ in 0..JOIN_ATTEMPTS {
            let start = || RoomHandle::start(name, &self.shared);
            let lives = |room: &RoomHandle| !room.ended();
            let directory = &self.shared.directory;
            let room = directory.with(|people| people.open_room(name, lives, start).clone());
            // Before the room knows: should the connection end while we wait, it still knows what to leave.
            self.joined.insert(folded.clone(), room.clone());
            let key = key.map(str::to_owned);
            let join = Command::Ask {
                asker: asker.clone(),
                request: Request::Join { key },
                now,
            };
            let settled = room.settle(join).await;
            if !self.is_in(&folded) {
                self.joined.remove(&folded);
            }
            if settled {
                return;
            }
        }
        self.refuse(Numeric::UnavailableResource, name);
    }

    /// Asks a room that exists, or says why not.
    async fn ask(&mut self, asker: &Asker<Way>, name: &str, request: Request, now: Moment) {
        let folded = self.fold(name);
        let without_room = request.without_room();
        let is_part = matches!(request, Request::Part { .. });
        let is_speech = matches!(request, Request::Say { .. });
        let command = Command::Ask {
            asker: asker.clone(),
            request,
            now,
        };
        if is_speech {
            self.shared.options.faults.room_lookup(name).await;
        }
        let was_asked = match self.living(&folded).or_else(|| self.known(name)) {
            // A talker does not wait for the room to get to it, only for a place in its queue.
            Some(room) if is_speech => room.send(command).await,
            Some(room) => room.settle(command).await,
            None => false,
        };
        if let (false, Some(numeric)) = (was_asked, without_room) {
            self.refuse(numeric, name);
        }
        // Last: should the connection end while we wait for the room, it still knows what to leave.
        if is_part && !self.is_in(&folded) {
            self.joined.remove(&folded);
        }
    }

    async fn invite(&mut self, asker: &Asker<Way>, nick: &str, name: &str, now: Moment) {
        let found = self.shared.directory.with(|people| {
            let (id, person) = people.find(nick)?;
            Some(Guest {
                id,
                identity: Arc::clone(&person.identity),
                way: Arc::clone(&person.way),
            })
        });
        let Some(guest) = found else {
            return self.refuse(Numeric::NoSuchNick, nick);
        };
        let invite = Command::Invite {
            asker: asker.clone(),
            guest,
            now,
        };
        let was_asked = match self.known(name) {
            Some(room) => room.settle(invite).await,
            None => false,
        };
        if !was_asked {
            self.refuse(Numeric::NoSuchChannel, name);
        }
    }

    async fn who_in_room(&self, asker: &Asker<Way>, name: &str) {
        let roster = match self.known(name) {
            None => Vec::new(),
            Some(room) => {
                let (roster, answer) = oneshot::channel();
                let question = Command::Roster {
                    asker: self.id,
                    // One more than fits, so that the answer can say it was cut.
                    members_max: LINES_MAX + 1,
                    roster,
                };
                room.send(question).await;
                answer.await.unwrap_or_default()
            }
        };
        let to = asker.addressee(&self.shared.policy.server);
        let directory = &self.shared.directory;
        let reader = asker.capabilities;
        self.send_all(directory.with(|people| people.who_in_room(reader, to, name, &roster)));
    }

    fn list(&self, to: Addressee<'_>, filter: &Filter) {
        // The handles first: each room's topic has a lock of its own.
        let rooms: Vec<RoomHandle> = self.shared.directory.with(|people| {
            let rooms = people.select(filter, RoomHandle::size);
            rooms.into_iter().cloned().collect()
        });
        let listed: Vec<_> = rooms.iter().map(RoomHandle::listed).collect();
        self.send_all(answer::list(to, &listed));
    }

    fn fold(&self, name: &str) -> Folded {
        self.shared.policy.limits.case_mapping.fold(name)
    }

    /// Whether the room says that this client is in it.
    fn is_in(&self, room: &Folded) -> bool {
        let directory = &self.shared.directory;
        directory.with(|people| people.is_in(self.id, room))
    }

    /// The way to a room this client has joined, unless that room has ended: another may have its name by now.
    fn living(&self, room: &Folded) -> Option<RoomHandle> {
        let room = self.joined.get(room)?;
        (!room.ended()).then(|| room.clone())
    }

    fn known(&self, name: &str) -> Option<RoomHandle> {
        let directory = &self.shared.directory;
        directory.with(|people| people.room(name).cloned())
    }

    /// Forgets the ways to rooms that have thrown this client out.
    fn forget_left(&mut self) {
        let (id, directory) = (self.id, &self.shared.directory);
        let joined = &mut self.joined;
        directory.with(|people| joined.retain(|room, _| people.is_in(id, room)));
    }

    fn release(&self) {
        let (id, nick) = (self.id, self.session.nick());
        self.shared
            .directory
            .with(|people| people.release(id, nick));
    }

    fn refuse(&self, numeric: Numeric, about: &str) {
        self.send(self.session.addressee().fixed(numeric, &[about]));
    }

    fn send_all(&self, lines: Vec<Line>) {
        for line in lines {
            self.send(line);
        }
    }

    fn send(&self, line: Line) {
        // A client that asks more than it reads is evicted here like any other slow reader; the outbox says so itself.
        self.outbox.send(line, None);
    }
}

impl Drop for Client {
    /// Also when the connection's task panics: a dead client must not keep its name, nor collect lines for ever.
    fn drop(&mut self) {
        self.release();
        self.outbox.abandon();
    }
}

fn collect(everybody: &mut BTreeMap<ClientId, Way>, neighbours: Vec<Neighbour<Way>>) {
    everybody.extend(neighbours.into_iter().map(|one| (one.id, one.way)));
}

async fn tell(everybody: BTreeMap<ClientId, Way>, line: &Line) {
    for (index, way) in everybody.into_values().enumerate() {
        way.send(line.clone(), None);
        if index % FANOUT_CHUNK == FANOUT_CHUNK - 1 {
            tokio::task::yield_now().await;
        }
    }
}
