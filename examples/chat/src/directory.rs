//! Who is here and which rooms exist.
//!
//! Two maps behind one std lock, held for a lookup or an insertion and never across an await. A message to a room does
//! not come here: members keep the room's handle. The directory knows no sockets; a person is reached by its outbox.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::answer::{Census, LINES_MAX, Listed};
use crate::meters::Backlog;
use crate::name::Folded;
use crate::outbox::Outbox;
use crate::room::RoomHandle;

/// The number of a connection; never used twice while the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClientId(pub(crate) u64);

/// A registered client as others see it.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Which connection.
    pub(crate) id: ClientId,
    /// The nickname as last written.
    pub(crate) nick: String,
    /// For prefixes and WHO.
    pub(crate) user: String,
    /// Address, for prefixes and WHO.
    pub(crate) host: String,
    /// For WHO and WHOIS.
    pub(crate) realname: String,
    /// The away text, told to whoever writes to this person.
    pub(crate) away: Option<String>,
    /// Names of the rooms joined, for WHOIS.
    pub(crate) rooms: BTreeSet<String>,
    /// Where lines for this person go.
    pub(crate) outbox: Arc<Outbox>,
}

/// A nickname somebody has.
#[derive(Debug)]
enum Seat {
    /// Claimed by a connection that is not registered yet: taken, but not to be found.
    Claimed(ClientId),
    /// Somebody to talk to.
    Taken(Arc<Person>),
}

impl Seat {
    fn id(&self) -> ClientId {
        match self {
            Self::Claimed(id) => *id,
            Self::Taken(person) => person.id,
        }
    }
}

/// Somebody else has the nickname.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NickTaken;

/// Both registries.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// The maps.
    maps: Mutex<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    /// Nicknames, folded.
    seats: HashMap<Folded, Seat>,
    /// How many seats are `Taken`, for LUSERS.
    people: usize,
    /// Rooms by folded name. A room removes itself when it has been empty for a while.
    rooms: HashMap<Folded, RoomHandle>,
}

impl Directory {
    /// Gives `nick` to the connection `id`, which had `before`; nothing changes if somebody else has it.
    pub(crate) fn claim(
        &self,
        id: ClientId,
        nick: &str,
        before: Option<&str>,
    ) -> Result<(), NickTaken> {
        let key = Folded::new(nick);
        let mut maps = self.lock();
        if maps.seats.get(&key).is_some_and(|seat| seat.id() != id) {
            return Err(NickTaken);
        }
        let seat = before.and_then(|before| maps.seats.remove(&Folded::new(before)));
        let mut seat = seat.unwrap_or(Seat::Claimed(id));
        if let Seat::Taken(person) = &mut seat {
            Arc::make_mut(person).nick = nick.to_owned();
        }
        maps.seats.insert(key, seat);
        Ok(())
    }

    /// Makes the owner of a claimed nickname known.
    pub(crate) fn enter(&self, person: Person) {
        let mut maps = self.lock();
        let key = Folded::new(&person.nick);
        maps.seats.insert(key, Seat::Taken(Arc::new(person)));
        maps.people += 1;
    }

    /// Frees the nickname if the connection `id` has it.
    pub(crate) fn release(&self, id: ClientId, nick: &str) {
        let key = Folded::new(nick);
        let mut maps = self.lock();
        if maps.seats.get(&key).is_some_and(|seat| seat.id() == id)
            && let Some(Seat::Taken(_)) = maps.seats.remove(&key)
        {
            maps.people -= 1;
        }
    }

    /// The registered client of that nickname.
    pub(crate) fn person(&self, nick: &str) -> Option<Arc<Person>> {
        match self.lock().seats.get(&Folded::new(nick))? {
            Seat::Claimed(_) => None,
            Seat::Taken(person) => Some(Arc::clone(person)),
        }
    }

    /// Changes what is known about the registered client of that nickname.
    pub(crate) fn update(&self, nick: &str, change: impl FnOnce(&mut Person)) {
        if let Some(Seat::Taken(person)) = self.lock().seats.get_mut(&Folded::new(nick)) {
            change(Arc::make_mut(person));
        }
    }

    /// The room of that name if there is one.
    pub(crate) fn room(&self, name: &str) -> Option<RoomHandle> {
        self.lock().rooms.get(&Folded::new(name)).cloned()
    }

    /// The room of that name; `start` makes it if there is none that lives.
    pub(crate) fn open_room(&self, name: &str, start: impl FnOnce() -> RoomHandle) -> RoomHandle {
        let key = Folded::new(name);
        let mut maps = self.lock();
        match maps.rooms.get(&key) {
            Some(room) if !room.ended() => room.clone(),
            _ => {
                let room = start();
                maps.rooms.insert(key, room.clone());
                room
            }
        }
    }

    /// A room ends: forgets the room of that name if it is `this` one.
    pub(crate) fn retire(&self, name: &str, this: impl Fn(&RoomHandle) -> bool) {
        let key = Folded::new(name);
        let mut maps = self.lock();
        if maps.rooms.get(&key).is_some_and(this) {
            maps.rooms.remove(&key);
        }
    }

    /// Forgets all rooms, which end when the last connection has left them.
    pub(crate) fn close_rooms(&self) {
        let rooms = std::mem::take(&mut self.lock().rooms);
        drop(rooms);
    }

    /// Rooms for LIST: those of `names`, or all; never many more than an answer shows.
    pub(crate) fn list(&self, names: &[String]) -> Vec<Listed> {
        let handles: Vec<RoomHandle> = {
            let maps = self.lock();
            if names.is_empty() {
                let occupied = maps.rooms.values().filter(|room| room.members() > 0);
                occupied.take(LINES_MAX + 1).cloned().collect()
            } else {
                let found = names
                    .iter()
                    .filter_map(|name| maps.rooms.get(&Folded::new(name)));
                found.cloned().collect()
            }
        };
        handles.iter().map(RoomHandle::listed).collect()
    }

    /// Sizes, for LUSERS.
    pub(crate) fn census(&self) -> Census {
        let maps = self.lock();
        Census {
            clients: maps.people,
            rooms: maps.rooms.len(),
        }
    }

    /// The send queues of everybody who is registered.
    pub(crate) fn backlog(&self) -> Backlog {
        // Collected first: the queues have locks of their own, and two at once is how deadlocks begin.
        let outboxes: Vec<Arc<Outbox>> = {
            let maps = self.lock();
            let people = maps.seats.values().filter_map(|seat| match seat {
                Seat::Claimed(_) => None,
                Seat::Taken(person) => Some(Arc::clone(&person.outbox)),
            });
            people.collect()
        };
        let mut backlog = Backlog::default();
        for outbox in outboxes {
            let (messages, bytes) = outbox.depth();
            backlog.add(messages, bytes);
        }
        backlog
    }

    fn lock(&self) -> MutexGuard<'_, Maps> {
        // Each method leaves the maps consistent before anything that could panic.
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meters::Meters;
    use crate::outbox::SendLimits;

    fn person(id: u64, nick: &str) -> Person {
        let metrics = Arc::new(Meters::new(&pollscope::metrics::Registry::new()));
        let plan = Arc::new(faults::Plan::new("chat", crate::POINTS));
        let limits = SendLimits {
            messages: 1,
            bytes: 1,
        };
        Person {
            id: ClientId(id),
            nick: nick.to_owned(),
            user: String::new(),
            host: String::new(),
            realname: String::new(),
            away: None,
            rooms: BTreeSet::new(),
            outbox: Arc::new(Outbox::new(limits, plan, metrics)),
        }
    }

    /// A nickname has one owner under the case mapping, and is free again when released.
    #[test]
    fn nicknames_have_one_owner() {
        let directory = Directory::default();
        let (one, two) = (ClientId(1), ClientId(2));
        assert_eq!(directory.claim(one, "bob[1]", None), Ok(()));
        assert_eq!(directory.claim(two, "BOB{1}", None), Err(NickTaken));
        assert!(directory.person("bob[1]").is_none(), "not registered yet");
        directory.enter(person(1, "bob[1]"));
        assert_eq!(directory.claim(one, "BOB[1]", Some("bob[1]")), Ok(()));
        assert_eq!(directory.person("bob{1}").unwrap().nick, "BOB[1]");
        assert_eq!(directory.claim(one, "rob", Some("BOB[1]")), Ok(()));
        assert_eq!(directory.claim(two, "bob[1]", None), Ok(()));
        directory.release(two, "rob");
        assert!(directory.person("rob").is_some(), "not the owner");
        assert_eq!(directory.census().clients, 1);
        directory.release(one, "rob");
        assert!(directory.person("rob").is_none());
        assert_eq!(directory.census().clients, 0);
    }
}
