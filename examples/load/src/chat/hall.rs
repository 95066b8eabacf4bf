//! What all clients of one process know: the rooms, the turns, the roles, and what tells their names from those of other
//! processes and other runs. Pure.

use super::profile::Profile;
use super::rooms::Rooms;
use super::turns::{Turn, Turns};
use crate::session::Role;

/// The hall in which a load takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hall {
    pub(crate) rooms: Rooms,
    pub(crate) turns: Turns,
    profile: Profile,
    /// The number of the first client among those of all processes.
    first: usize,
    /// Tells the clients of one run from those of another at the same service.
    pub(crate) run: u32,
}

impl Hall {
    /// The hall of clients `first` and following, in rooms that suit the profile.
    pub(crate) fn new(profile: Profile, rooms: Rooms, first: usize, run: u32) -> Self {
        let clients = rooms.clients();
        let (others, role) = profile.others(clients);
        let talkers = clients.saturating_sub(others).max(1);
        let turns = Turns {
            talkers,
            first_mover: talkers,
            movers: if role == Role::Mover { others } else { 0 },
        };
        Self {
            rooms,
            turns,
            profile,
            first,
            run,
        }
    }

    /// The same with one talker, whom a closed loop is about.
    pub(crate) fn with_one_talker(mut self) -> Self {
        self.turns = Turns::of_talkers(1);
        self
    }

    /// The rooms that a profile asks for.
    pub(crate) fn rooms_for(profile: Profile, clients: usize, room_size: usize) -> Rooms {
        match profile {
            Profile::Zipf => Rooms::zipf(clients, room_size),
            _ => Rooms::equal(clients, room_size),
        }
    }

    pub(crate) fn role(&self, client: usize) -> Role {
        let (others, role) = self.profile.others(self.rooms.clients());
        if client + others >= self.rooms.clients() {
            role
        } else {
            Role::Member
        }
    }

    /// The client's number among those of all processes.
    pub(crate) fn number(&self, client: usize) -> usize {
        self.first + client
    }

    /// Whether clients are in rooms at all.
    pub(crate) fn has_rooms(&self) -> bool {
        self.profile.has_rooms()
    }

    /// The name of the client's room. The first client's number is more than any room of an earlier process has.
    pub(crate) fn room(&self, client: usize) -> String {
        format!("#room-{}", self.first + self.rooms.room_of(client))
    }

    /// A nickname of at most nine characters, which every IRC service takes: two letters from the run and the client's
    /// number.
    pub(crate) fn nick(&self, client: usize) -> String {
        let letter = |number: u32| char::from_digit(number % 26 + 10, 36).unwrap_or('a');
        let (run, number) = (self.run, self.number(client));
        format!("{}{}{number}", letter(run), letter(run / 26))
    }

    /// Whether `sender` talks in the room of `client` and is somebody else: our own messages do not come back to us in IRC.
    pub(crate) fn is_heard(&self, sender: usize, client: usize) -> bool {
        sender < self.turns.talkers
            && sender != client
            && self.rooms.room_of(sender) == self.rooms.room_of(client)
    }

    /// Whether message `index` is a move rather than something said.
    pub(crate) fn is_move(&self, index: usize) -> bool {
        matches!(self.turns.turn(index), Turn::Move { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hall(profile: Profile, clients: usize, first: usize, run: u32) -> Hall {
        Hall::new(profile, Rooms::equal(clients, 2), first, run)
    }

    /// Goal: nicknames fit the shortest limit, start with a letter, and differ between runs and processes.
    #[test]
    fn nicks_fit() {
        for (run, first, client) in [(0, 0, 0), (4_194_304, 225_000, 24_999), (25, 0, 1)] {
            let nick = hall(Profile::Rooms, 25_000, first, run).nick(client);
            assert!(
                nick.len() <= 9 && nick.starts_with(|c: char| c.is_ascii_lowercase()),
                "{nick}"
            );
        }
        let one = hall(Profile::Rooms, 4, 0, 25);
        assert_ne!(one.nick(1), hall(Profile::Rooms, 4, 0, 26).nick(1));
        let other_process = hall(Profile::Rooms, 4, 4, 25);
        for client in 0..4 {
            assert_ne!(one.nick(client), other_process.nick(client));
            assert_ne!(one.room(client), other_process.room(client));
        }
    }

    /// Goal: the last clients have the other role, sit in different rooms, and are not among the talkers.
    #[test]
    fn others_are_spread() {
        let hall = hall(Profile::Churn, 100, 0, 1);
        let movers: Vec<_> = (0..100)
            .filter(|client| hall.role(*client) == Role::Mover)
            .collect();
        assert_eq!(movers, (90..100).collect::<Vec<_>>());
        assert_eq!((hall.turns.talkers, hall.turns.movers), (90, 10));
        let rooms: std::collections::HashSet<_> =
            movers.iter().map(|mover| hall.room(*mover)).collect();
        assert_eq!(rooms.len(), 10);
        assert!(hall.is_move(9) && !hall.is_move(8));
        assert_eq!(hall.turns.turn(9), Turn::Move { client: 90 });
    }
}
