//! Who is here and which rooms exist; PURE.
//!
//! Maps with a few rules: a nickname has one owner under the case mapping, a claimed one is taken but not to be found, who goes
//! frees everything. A message to a room does not come here. Whoever shares a directory between threads locks it; each
//! method is short and leaves it consistent. [`inquiry`] answers the questions about people.

mod inquiry;
mod person;

use std::collections::HashMap;
use std::sync::Arc;

pub use inquiry::{Question, Whisper};
pub use person::{Person, Place};

use crate::identity::{Asker, ClientId, Identity};
use crate::protocol::answer::{Census, LINES_MAX};
use crate::protocol::listing::Filter;
use crate::protocol::name::{CaseMapping, Folded};
use crate::room::Standing;

/// Somebody else has the nickname.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NickTaken;

/// People and rooms. `W` is the way to a client, `R` the way to a room, or the room itself.
#[derive(Debug)]
pub struct Directory<W, R> {
    /// How names are compared.
    mapping: CaseMapping,
    /// Who has which nickname, registered or not.
    nicks: HashMap<Folded, ClientId>,
    /// Who is registered.
    people: HashMap<ClientId, Person<W>>,
    /// Most people at once.
    people_max: usize,
    /// How many of them are invisible.
    invisible: usize,
    /// Rooms.
    rooms: HashMap<Folded, R>,
}

impl<W: Clone, R> Directory<W, R> {
    /// Nobody and nothing.
    #[must_use]
    pub fn new(mapping: CaseMapping) -> Self {
        Self {
            mapping,
            nicks: HashMap::new(),
            people: HashMap::new(),
            people_max: 0,
            invisible: 0,
            rooms: HashMap::new(),
        }
    }

    /// How names are compared.
    #[must_use]
    pub fn mapping(&self) -> CaseMapping {
        self.mapping
    }

    // ---- people

    /// Gives `nick` to the connection `id`, which had `before`; nothing changes if somebody else has it.
    ///
    /// # Errors
    ///
    /// [`NickTaken`]: somebody else has it.
    pub fn claim(
        &mut self,
        id: ClientId,
        nick: &str,
        before: Option<&str>,
    ) -> Result<(), NickTaken> {
        let key = self.mapping.fold(nick);
        if self.nicks.get(&key).is_some_and(|owner| *owner != id) {
            return Err(NickTaken);
        }
        if let Some(before) = before {
            self.free(id, before);
        }
        self.nicks.insert(key, id);
        Ok(())
    }

    /// A client is registered: it can be found from now on. It must have claimed its nickname.
    pub fn enter(&mut self, asker: &Asker<W>) {
        let person = Person::new(Arc::clone(&asker.identity), asker.way.clone());
        self.invisible += usize::from(asker.identity.invisible);
        self.people.insert(asker.id, person);
        self.people_max = self.people_max.max(self.people.len());
    }

    /// The connection `id` has gone; `nick` is what it had claimed.
    pub fn release(&mut self, id: ClientId, nick: &str) {
        if let Some(person) = self.people.remove(&id) {
            self.invisible -= usize::from(person.identity.invisible);
        }
        self.free(id, nick);
    }

    /// Replaces the identity of a registered client, whose nickname it has claimed.
    pub fn present(&mut self, id: ClientId, identity: Arc<Identity>) {
        if let Some(person) = self.people.get_mut(&id) {
            self.invisible -= usize::from(person.identity.invisible);
            self.invisible += usize::from(identity.invisible);
            person.identity = identity;
        }
    }

    /// A client is in a room with this standing, or (`None`) no longer in it.
    pub fn stand(&mut self, id: ClientId, room: &Arc<str>, standing: Option<Standing>) {
        let key = self.mapping.fold(room);
        if let Some(person) = self.people.get_mut(&id) {
            person.stand(key, room, standing);
        }
    }

    /// Whether a client is in a room.
    #[must_use]
    pub fn is_in(&self, id: ClientId, room: &Folded) -> bool {
        let person = self.people.get(&id);
        person.is_some_and(|person| person.places.contains_key(room))
    }

    /// The registered client of that nickname.
    #[must_use]
    pub fn find(&self, nick: &str) -> Option<(ClientId, &Person<W>)> {
        let id = *self.nicks.get(&self.mapping.fold(nick))?;
        Some((id, self.people.get(&id)?))
    }

    /// A registered client.
    #[must_use]
    pub fn person(&self, id: ClientId) -> Option<&Person<W>> {
        self.people.get(&id)
    }

    /// Everybody who is registered, in no order.
    pub fn people(&self) -> impl Iterator<Item = &Person<W>> {
        self.people.values()
    }

    fn free(&mut self, id: ClientId, nick: &str) {
        let key = self.mapping.fold(nick);
        if self.nicks.get(&key) == Some(&id) {
            self.nicks.remove(&key);
        }
    }

    // ---- rooms

    /// The room of that name if there is one.
    #[must_use]
    pub fn room(&self, name: &str) -> Option<&R> {
        self.rooms.get(&self.mapping.fold(name))
    }

    /// As [`Directory::room`], to change it.
    #[must_use]
    pub fn room_mut(&mut self, name: &str) -> Option<&mut R> {
        self.rooms.get_mut(&self.mapping.fold(name))
    }

    /// The room of that name; `open` makes it if there is none, or none that `lives`.
    pub fn open_room(
        &mut self,
        name: &str,
        lives: impl Fn(&R) -> bool,
        open: impl FnOnce() -> R,
    ) -> &mut R {
        let key = self.mapping.fold(name);
        if self.rooms.get(&key).is_some_and(|room| !lives(room)) {
            self.rooms.remove(&key);
        }
        self.rooms.entry(key).or_insert_with(open)
    }

    /// Forgets the room of that name if it is `this` one.
    pub fn retire(&mut self, name: &str, this: impl Fn(&R) -> bool) {
        let key = self.mapping.fold(name);
        if self.rooms.get(&key).is_some_and(this) {
            self.rooms.remove(&key);
        }
    }

    /// Takes all rooms away.
    pub fn take_rooms(&mut self) -> Vec<R> {
        self.rooms.drain().map(|(_, room)| room).collect()
    }

    /// The rooms that a LIST asks for, never many more than an answer has lines. `size` gives name and members of a room.
    #[must_use]
    pub fn select<'a>(
        &'a self,
        filter: &Filter,
        size: impl Fn(&'a R) -> (&'a str, usize),
    ) -> Vec<&'a R> {
        let admits = |room: &&'a R| {
            let (name, members) = size(room);
            filter.admits(self.mapping, name, members)
        };
        let admitted = self.rooms.values().filter(admits);
        admitted.take(LINES_MAX + 1).collect()
    }

    /// Sizes, for LUSERS.
    #[must_use]
    pub fn census(&self) -> Census {
        Census {
            clients: self.people.len(),
            invisible: self.invisible,
            clients_max: self.people_max,
            unregistered: self.nicks.len().saturating_sub(self.people.len()),
            rooms: self.rooms.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::capability::Capabilities;

    fn asker(id: u64, nick: &str) -> Asker<()> {
        Asker {
            id: ClientId(id),
            identity: Arc::new(Identity::new(nick, "u", "h", "Real")),
            capabilities: Capabilities::NONE,
            way: (),
        }
    }

    /// A nickname has one owner under the case mapping, and is free again when released.
    #[test]
    fn nicknames_have_one_owner() {
        let mut directory = Directory::<(), ()>::new(CaseMapping::Rfc1459);
        let (one, two) = (ClientId(1), ClientId(2));
        assert_eq!(directory.claim(one, "bob[1]", None), Ok(()));
        assert_eq!(directory.claim(two, "BOB{1}", None), Err(NickTaken));
        assert!(directory.find("bob[1]").is_none(), "not registered yet");
        assert_eq!(directory.census().unregistered, 1);
        let bob = asker(1, "bob[1]");
        directory.enter(&bob);
        assert_eq!(directory.claim(one, "BOB[1]", Some("bob[1]")), Ok(()));
        directory.present(one, Arc::new(bob.identity.renamed("BOB[1]")));
        assert_eq!(directory.find("bob{1}").unwrap().1.identity.nick, "BOB[1]");
        assert_eq!(directory.claim(one, "rob", Some("BOB[1]")), Ok(()));
        assert_eq!(directory.claim(two, "bob[1]", None), Ok(()));
        directory.release(two, "rob");
        assert!(directory.find("rob").is_some(), "not the owner");
        assert_eq!(directory.census().clients, 1);
        directory.release(one, "rob");
        assert!(directory.find("rob").is_none());
        let census = directory.census();
        assert_eq!((census.clients, census.clients_max), (0, 1));
    }

    /// Under the ascii mapping brackets are not braces.
    #[test]
    fn the_mapping_is_a_choice() {
        let mut directory = Directory::<(), ()>::new(CaseMapping::Ascii);
        assert_eq!(directory.claim(ClientId(1), "bob[", None), Ok(()));
        assert_eq!(directory.claim(ClientId(2), "bob{", None), Ok(()));
        assert_eq!(
            directory.claim(ClientId(2), "BOB[", Some("bob{")),
            Err(NickTaken)
        );
    }

    /// A dead room is replaced, a living one kept, and only the room itself retires.
    #[test]
    fn rooms_are_opened_once() {
        let mut directory = Directory::<(), u32>::new(CaseMapping::Rfc1459);
        assert_eq!(*directory.open_room("#A", |_| true, || 1), 1);
        assert_eq!(*directory.open_room("#a", |_| true, || 2), 1);
        assert_eq!(*directory.open_room("#a", |room| *room != 1, || 3), 3);
        directory.retire("#a", |room| *room == 1);
        assert_eq!(directory.room("#A"), Some(&3));
        directory.retire("#a", |room| *room == 3);
        assert_eq!(directory.room("#A"), None);
    }
}
