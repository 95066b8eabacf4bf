//! One client's actions carried out: the bridge from its session to the directory and the rooms.
//!
//! The session decides, this file does. It waits only where waiting is right: for a place in a room's queue, which
//! makes a talker feel the pace of the room. It knows no sockets; lines go into the outbox.

mod inquiry;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::answer;
use crate::command::{Speech, Verb};
use crate::directory::{ClientId, Person};
use crate::message::{Line, Message};
use crate::meters::Present;
use crate::name::{self, Folded};
use crate::numeric::Numeric;
use crate::outbox::Outbox;
use crate::room::{Command, Member, Neighbour, RoomHandle};
use crate::server::Shared;
use crate::session::{Action, Session};

/// Attempts to join a room that may be ending at that moment; a second one nearly always meets a fresh room.
const JOIN_ATTEMPTS: usize = 3;

/// Lines queued to neighbours between two yields, as in the rooms' own fan-out.
const FANOUT_CHUNK: usize = 256;

/// The reason others see when the client leaves.
pub(crate) type Farewell = String;

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    /// Number of the connection.
    id: ClientId,
    /// The conversation.
    session: Session,
    /// Rooms this client is in; the way to each without asking the directory.
    joined: HashMap<Folded, RoomHandle>,
    /// Lines for this client.
    outbox: Arc<Outbox>,
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
        let server = Arc::clone(&shared.options.server_name);
        Self {
            id,
            session: Session::new(server, host),
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
        self.reply(Numeric::InputTooLong, &[]);
    }

    /// Asks the client whether it is still there.
    pub(crate) fn ping(&self) {
        let server = &self.shared.options.server_name;
        self.send(Line::new(None, "PING", &[], Some(server)));
    }

    /// Handles one message received at `received`; breaks when the client wants to go.
    pub(crate) async fn message(
        &mut self,
        message: &Message<'_>,
        received: Instant,
    ) -> ControlFlow<Farewell> {
        if Verb::of(message.command) == Verb::Privmsg {
            self.shared.options.faults.handler();
        }
        let mut actions: VecDeque<Action> = self.session.message(message).into();
        while let Some(action) = actions.pop_front() {
            match action {
                Action::ClaimNick(nick) => actions.extend(self.claim(nick)),
                Action::Quit(reason) => return ControlFlow::Break(reason),
                action => self.act(action, received).await,
            }
        }
        ControlFlow::Continue(())
    }

    /// Leaves all rooms, tells everybody who shared one, once each, and frees the nickname.
    pub(crate) async fn leave(&mut self, farewell: &str) {
        let line = Line::new(Some(&self.session.mask()), "QUIT", &[], Some(farewell));
        let mut everybody = BTreeMap::new();
        for room in std::mem::take(&mut self.joined).into_values() {
            let (remaining, answer) = oneshot::channel();
            let id = self.id;
            room.send(Command::Leave { id, remaining }).await;
            collect(&mut everybody, answer.await.unwrap_or_default());
        }
        self.shared.directory.release(self.id, self.session.nick());
        self.present = None;
        tell(everybody.values(), &line).await;
    }

    async fn act(&mut self, action: Action, received: Instant) {
        match action {
            Action::Send(line) => self.send(line),
            Action::Register => self.register(),
            Action::Renamed { before } => self.renamed(&before).await,
            Action::Away(text) => self.away(text),
            Action::IsOn(nicks) => self.is_on(&nicks),
            Action::Join(room) => self.join(&room).await,
            Action::PartAll => {
                let rooms: Vec<String> =
                    self.joined.values().map(|r| r.name().to_owned()).collect();
                for room in rooms {
                    self.part(&room, None).await;
                }
            }
            Action::Part { room, reason } => self.part(&room, reason).await,
            Action::Say {
                speech,
                target,
                text,
            } => self.say(speech, &target, text, received).await,
            Action::List(rooms) => self.list(&rooms),
            Action::Lusers => self.lusers(),
            Action::Names(room) => self.names(&room).await,
            Action::RoomMode { room, change } => self.room_mode(&room, change.as_deref()),
            Action::Topic { room, text } => self.topic(&room, text).await,
            Action::UserHost(nicks) => self.user_host(&nicks),
            Action::Who(mask) => self.who(&mask).await,
            Action::Whois(nick) => self.whois(&nick),
            // Handled where the actions come from.
            Action::ClaimNick(_) | Action::Quit(_) => {}
        }
    }

    fn claim(&mut self, nick: String) -> Vec<Action> {
        let before = Some(self.session.nick()).filter(|nick| *nick != "*");
        match self.shared.directory.claim(self.id, &nick, before) {
            Ok(()) => self.session.granted(nick),
            Err(_) => self.session.taken(&nick),
        }
    }

    fn register(&mut self) {
        let (user, realname) = self.session.user();
        self.shared.directory.enter(Person {
            id: self.id,
            nick: self.session.nick().to_owned(),
            user: user.to_owned(),
            host: self.session.host().to_owned(),
            realname: realname.to_owned(),
            away: None,
            rooms: BTreeSet::new(),
            outbox: Arc::clone(&self.outbox),
        });
        let metrics = &self.shared.metrics;
        self.present = Some(Present::new(&metrics.clients));
        metrics.registration.record(self.opened.elapsed());
        self.send_all(answer::welcome(
            self.session.addressee(),
            &self.session.mask(),
            self.shared.options.rooms_per_client_max,
            self.shared.directory.census(),
        ));
    }

    async fn renamed(&mut self, before: &str) {
        let mask = self.session.mask();
        let nick = self.session.nick().to_owned();
        // The line comes from the old name.
        let (_, address) = mask.split_once('!').unwrap_or_default();
        let prefix = format!("{before}!{address}");
        let line = Line::new(Some(&prefix), "NICK", &[&nick], None);
        self.send(line.clone());
        let mut everybody = BTreeMap::new();
        for room in self.joined.values() {
            let (others, answer) = oneshot::channel();
            let rename = Command::Rename {
                id: self.id,
                nick: nick.clone(),
                mask: mask.clone(),
                others,
            };
            room.send(rename).await;
            collect(&mut everybody, answer.await.unwrap_or_default());
        }
        tell(everybody.values(), &line).await;
    }

    async fn join(&mut self, name: &str) {
        let key = Folded::new(name);
        if self.joined.contains_key(&key) {
            return;
        }
        if self.joined.len() >= self.shared.options.rooms_per_client_max {
            return self.reply(Numeric::TooManyChannels, &[name]);
        }
        for _ in 0..JOIN_ATTEMPTS {
            let start = || RoomHandle::start(name, &self.shared);
            let room = self.shared.directory.open_room(name, start);
            // Before the room knows: should the connection end while we wait, it still knows what to leave.
            self.joined.insert(key.clone(), room.clone());
            let join = Command::Join {
                id: self.id,
                member: Member {
                    nick: self.session.nick().to_owned(),
                    mask: self.session.mask(),
                    outbox: Arc::clone(&self.outbox),
                },
            };
            if room.settle(join).await {
                let name = room.name().to_owned();
                let nick = self.session.nick();
                return self.shared.directory.update(nick, |person| {
                    person.rooms.insert(name);
                });
            }
            self.joined.remove(&key);
        }
        self.reply(Numeric::UnavailableResource, &[name]);
    }

    async fn part(&mut self, name: &str, reason: Option<String>) {
        let key = Folded::new(name);
        let Some(room) = self.joined.get(&key) else {
            return self.reply(self.absent(name), &[name]);
        };
        let id = self.id;
        room.settle(Command::Part { id, reason }).await;
        let nick = self.session.nick();
        self.shared.directory.update(nick, |person| {
            person.rooms.remove(room.name());
        });
        // Last: should the connection end while we wait for the room, it still knows what to leave.
        self.joined.remove(&key);
    }

    /// Why a room that was not joined cannot be used.
    fn absent(&self, name: &str) -> Numeric {
        match self.shared.directory.room(name) {
            Some(_) => Numeric::NotOnChannel,
            None => Numeric::NoSuchChannel,
        }
    }

    async fn say(&self, speech: Speech, target: &str, text: String, received: Instant) {
        let refuse = |numeric| {
            // A NOTICE is never answered.
            if speech == Speech::Privmsg {
                self.reply(numeric, &[target]);
            }
        };
        if !name::looks_like_room(target) {
            return self.whisper(speech, target, &text, received);
        }
        self.shared.options.faults.room_lookup(target).await;
        let Some(room) = self.joined.get(&Folded::new(target)) else {
            return refuse(match self.absent(target) {
                Numeric::NotOnChannel => Numeric::CannotSendToChannel,
                other => other,
            });
        };
        let say = Command::Say {
            id: self.id,
            speech,
            text,
            received,
        };
        room.send(say).await;
    }

    fn whisper(&self, speech: Speech, nick: &str, text: &str, received: Instant) {
        let Some(person) = self.shared.directory.person(nick) else {
            if speech == Speech::Privmsg {
                self.reply(Numeric::NoSuchNick, &[nick]);
            }
            return;
        };
        let mask = self.session.mask();
        let line = Line::new(Some(&mask), speech.word(), &[&person.nick], Some(text));
        person.outbox.send(line, Some(received));
        if let (Speech::Privmsg, Some(away)) = (speech, &person.away) {
            let to = self.session.addressee();
            self.send(to.filled(Numeric::Away, &[&person.nick], away));
        }
    }

    fn away(&self, text: Option<String>) {
        let numeric = match text {
            Some(_) => Numeric::NowAway,
            None => Numeric::UnAway,
        };
        let set = |person: &mut Person| person.away = text;
        self.shared.directory.update(self.session.nick(), set);
        self.reply(numeric, &[]);
    }

    fn reply(&self, numeric: Numeric, about: &[&str]) {
        self.send(self.session.addressee().fixed(numeric, about));
    }

    /// A line that is no message: tells the client why.
    pub(crate) fn malformed(&self, why: &str) {
        let to = self.session.addressee();
        self.send(to.filled(Numeric::UnknownCommand, &["*"], why));
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
        self.shared.directory.release(self.id, self.session.nick());
        self.outbox.abandon();
    }
}

fn collect(everybody: &mut BTreeMap<ClientId, Neighbour>, neighbours: Vec<Neighbour>) {
    for neighbour in neighbours {
        everybody.insert(neighbour.id, neighbour);
    }
}

async fn tell<'a>(neighbours: impl Iterator<Item = &'a Neighbour>, line: &Line) {
    for (index, neighbour) in neighbours.enumerate() {
        neighbour.outbox.send(line.clone(), None);
        if index % FANOUT_CHUNK == FANOUT_CHUNK - 1 {
            tokio::task::yield_now().await;
        }
    }
}
