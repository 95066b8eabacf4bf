//! A whole server as one value: sessions, directory and rooms together; PURE.
//!
//! One message in, everything that follows out, in order. So the behaviour of the server is one function, which tests read
//! as a conversation and a fuzzer can drive; behind a mutex it is a server for threads. The tasks of this crate carry out
//! the same actions on the same rooms, with a queue in front of each room instead.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::directory::Directory;
use crate::identity::{Asker, ClientId, Neighbour};
use crate::moment::Moment;
use crate::protocol::answer::{self, LINES_MAX};
use crate::protocol::capability::Capabilities;
use crate::protocol::line::Line;
use crate::protocol::message::Message;
use crate::protocol::numeric::Numeric;
use crate::room::admission::Guest;
use crate::room::{Effect, Request, Room};
use crate::session::{Action, Farewell, Policy, Session};

/// What follows from a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<W> {
    /// A line for a client.
    Line(W, Line),
    /// Lines for this client from now on are for a reader with these capabilities.
    Capabilities(W, Capabilities),
    /// The client wants to go, or must: tell it and call [`Hall::disconnect`].
    End(W, Farewell),
}

/// Somebody who is connected.
#[derive(Debug)]
struct Seat<W> {
    /// Which connection.
    id: ClientId,
    /// The conversation.
    session: Session,
    /// How it is reached.
    way: W,
}

impl<W: Clone> Seat<W> {
    /// The client as one that asks; `None` before its registration.
    fn asker(&self) -> Option<Asker<W>> {
        Some(Asker {
            id: self.id,
            identity: Arc::clone(self.session.identity()?),
            capabilities: self.session.capabilities(),
            way: self.way.clone(),
        })
    }
}

/// The server. `W` is the way to a client, see [`Asker`].
#[derive(Debug)]
pub struct Hall<W> {
    /// What is told to and asked of every client.
    policy: Arc<Policy>,
    /// People and rooms.
    directory: Directory<W, Room<W>>,
    /// Everybody who is connected.
    seats: HashMap<ClientId, Seat<W>>,
}

impl<W: Clone> Hall<W> {
    /// A server that nobody has come to yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            directory: Directory::new(policy.limits.case_mapping),
            policy: Arc::new(policy),
            seats: HashMap::new(),
        }
    }

    /// People and rooms.
    #[must_use]
    pub fn directory(&self) -> &Directory<W, Room<W>> {
        &self.directory
    }

    /// A client has connected. `id` must never have been used before.
    pub fn connect(&mut self, id: ClientId, host: String, way: W) {
        let session = Session::new(Arc::clone(&self.policy), host);
        self.seats.insert(id, Seat { id, session, way });
    }

    /// A client has said something.
    #[must_use]
    pub fn message(&mut self, id: ClientId, message: &Message<'_>, now: Moment) -> Vec<Outcome<W>> {
        let mut outcomes = Vec::new();
        let Some(mut seat) = self.seats.remove(&id) else {
            return outcomes;
        };
        let mut actions: VecDeque<Action> = seat.session.message(message, now).into();
        while let Some(action) = actions.pop_front() {
            match action {
                Action::ClaimNick(nick) => actions.extend(self.claim(&mut seat, nick, now)),
                action => self.act(&seat, action, now, &mut outcomes),
            }
        }
        self.seats.insert(id, seat);
        outcomes
    }

    /// A client has gone: leaves its rooms, tells everybody who shared one, once each, and frees its nickname.
    #[must_use]
    pub fn disconnect(&mut self, id: ClientId, farewell: &str, now: Moment) -> Vec<Outcome<W>> {
        let mut outcomes = Vec::new();
        let Some(seat) = self.seats.remove(&id) else {
            return outcomes;
        };
        let mut everybody = BTreeMap::new();
        for room in self.rooms_of(id) {
            let Some(found) = self.directory.room_mut(&room) else {
                continue;
            };
            let (others, effects) = found.leave(id);
            collect(&mut everybody, others);
            self.carry_out(&room, effects, &mut outcomes);
        }
        if let Some(identity) = seat.session.identity() {
            let line = Line::new(Some(&identity.address), "QUIT", &[], Some(farewell));
            tell(everybody, &line.at(now.unix_ms), &mut outcomes);
        }
        self.directory.release(id, seat.session.nick());
        outcomes
    }

    fn claim(&mut self, seat: &mut Seat<W>, nick: String, now: Moment) -> Vec<Action> {
        let before = Some(seat.session.nick()).filter(|nick| *nick != "*");
        match self.directory.claim(seat.id, &nick, before) {
            Ok(()) => seat.session.granted(nick, now),
            Err(_) => seat.session.taken(&nick),
        }
    }

    fn act(&mut self, seat: &Seat<W>, action: Action, now: Moment, outcomes: &mut Vec<Outcome<W>>) {
        let action = match action {
            Action::Send(line) => return outcomes.push(Outcome::Line(seat.way.clone(), line)),
            Action::Capabilities(capabilities) => {
                return outcomes.push(Outcome::Capabilities(seat.way.clone(), capabilities));
            }
            Action::End(farewell) => {
                return outcomes.push(Outcome::End(seat.way.clone(), farewell));
            }
            action => action,
        };
        // Everything else is asked by registered clients only.
        let Some(asker) = seat.asker() else { return };
        let server = Arc::clone(&self.policy.server);
        let to = asker.addressee(&server);
        let lines = match action {
            Action::Register => return self.directory.enter(&asker),
            Action::Present { line } => return self.present(&asker, line.as_ref(), outcomes),
            Action::Ask(question) => self.directory.answer(&asker, to, &question),
            Action::List(filter) => {
                let rooms = self.directory.select(&filter, Room::size);
                let listed: Vec<_> = rooms.into_iter().map(Room::listed).collect();
                answer::list(to, &listed)
            }
            Action::Whisper(whisper) => {
                let effects = self.directory.whisper(&asker, to, whisper, now);
                return self.carry_out("", effects, outcomes);
            }
            Action::Join { room, key } => return self.join(&asker, &room, key, now, outcomes),
            Action::PartAll => {
                for room in self.rooms_of(asker.id) {
                    self.ask(&asker, &room, Request::Part { reason: None }, now, outcomes);
                }
                return;
            }
            Action::Room { room, request } => {
                return self.ask(&asker, &room, request, now, outcomes);
            }
            Action::Invite { nick, room } => {
                return self.invite(&asker, &nick, &room, now, outcomes);
            }
            Action::WhoRoom(room) => {
                let found = self.directory.room(&room);
                let roster = found.map(|room| room.roster(asker.id, LINES_MAX + 1));
                let roster = roster.unwrap_or_default();
                let reader = asker.capabilities;
                self.directory.who_in_room(reader, to, &room, &roster)
            }
            // Handled before.
            Action::Send(_) | Action::Capabilities(_) | Action::End(_) | Action::ClaimNick(_) => {
                return;
            }
        };
        let line = |line| Outcome::Line(seat.way.clone(), line);
        outcomes.extend(lines.into_iter().map(line));
    }

    fn present(&mut self, asker: &Asker<W>, line: Option<&Line>, outcomes: &mut Vec<Outcome<W>>) {
        let id = asker.id;
        self.directory.present(id, Arc::clone(&asker.identity));
        let mut everybody = BTreeMap::new();
        for room in self.rooms_of(id) {
            if let Some(room) = self.directory.room_mut(&room) {
                let others = room.present(id, Arc::clone(&asker.identity));
                collect(&mut everybody, others);
            }
        }
        if let Some(line) = line {
            tell(everybody, line, outcomes);
        }
    }

    fn join(
        &mut self,
        asker: &Asker<W>,
        name: &str,
        key: Option<String>,
        now: Moment,
        outcomes: &mut Vec<Outcome<W>>,
    ) {
        let is_in = self
            .directory
            .room(name)
            .is_some_and(|room| room.has(asker.id));
        let rooms_max = self.policy.limits.rooms_per_client_max;
        if !is_in && self.rooms_of(asker.id).len() >= rooms_max {
            return self.refuse(asker, Numeric::TooManyChannels, name, outcomes);
        }
        let open = || Room::new(name, self.policy.house());
        let room = self.directory.open_room(name, |_| true, open);
        let effects = room.handle(asker, Request::Join { key }, now);
        self.carry_out(name, effects, outcomes);
    }

    fn ask(
        &mut self,
        asker: &Asker<W>,
        name: &str,
        request: Request,
        now: Moment,
        outcomes: &mut Vec<Outcome<W>>,
    ) {
        match self.directory.room_mut(name) {
            Some(room) => {
                let effects = room.handle(asker, request, now);
                self.carry_out(name, effects, outcomes);
            }
            None => {
                if let Some(numeric) = request.without_room() {
                    self.refuse(asker, numeric, name, outcomes);
                }
            }
        }
    }

    fn invite(
        &mut self,
        asker: &Asker<W>,
        nick: &str,
        name: &str,
        now: Moment,
        outcomes: &mut Vec<Outcome<W>>,
    ) {
        let Some((id, person)) = self.directory.find(nick) else {
            return self.refuse(asker, Numeric::NoSuchNick, nick, outcomes);
        };
        let guest = Guest {
            id,
            identity: Arc::clone(&person.identity),
            way: person.way.clone(),
        };
        let Some(room) = self.directory.room_mut(name) else {
            return self.refuse(asker, Numeric::NoSuchChannel, name, outcomes);
        };
        let effects = room.invite(asker, &guest, now);
        self.carry_out(name, effects, outcomes);
    }

    fn refuse(
        &self,
        asker: &Asker<W>,
        numeric: Numeric,
        about: &str,
        outcomes: &mut Vec<Outcome<W>>,
    ) {
        let line = asker
            .addressee(&self.policy.server)
            .fixed(numeric, &[about]);
        outcomes.push(Outcome::Line(asker.way.clone(), line));
    }

    /// Carries out what a room wants, and forgets the room when nobody is left in it.
    fn carry_out(&mut self, room: &str, effects: Vec<Effect<W>>, outcomes: &mut Vec<Outcome<W>>) {
        for effect in effects {
            match effect {
                Effect::Send { to, line } => outcomes.push(Outcome::Line(to, line)),
                Effect::Fan { except, line } => {
                    let members = self.directory.room(room).map(Room::members);
                    for (id, member) in members.into_iter().flatten() {
                        if Some(*id) != except {
                            outcomes.push(Outcome::Line(member.way.clone(), line.clone()));
                        }
                    }
                }
                Effect::Standing { id, standing } => {
                    if let Some(name) = self.directory.room(room).map(Room::name).cloned() {
                        self.directory.stand(id, &name, standing);
                    }
                }
            }
        }
        self.directory
            .retire(room, |room| room.members().is_empty());
    }

    fn rooms_of(&self, id: ClientId) -> Vec<Arc<str>> {
        let person = self.directory.person(id);
        let places = person.into_iter().flat_map(|person| person.places());
        places.map(|place| Arc::clone(&place.room)).collect()
    }
}

/// Those to be told something once, however many rooms they share.
fn collect<W>(everybody: &mut BTreeMap<ClientId, W>, neighbours: Vec<Neighbour<W>>) {
    everybody.extend(neighbours.into_iter().map(|one| (one.id, one.way)));
}

fn tell<W>(everybody: BTreeMap<ClientId, W>, line: &Line, outcomes: &mut Vec<Outcome<W>>) {
    let ways = everybody.into_values();
    outcomes.extend(ways.map(|way| Outcome::Line(way, line.clone())));
}

#[cfg(test)]
mod tests;
