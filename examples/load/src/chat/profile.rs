//! What the clients of a chat load do, by name. Pure.

use std::fmt;

use crate::session::Role;

/// One client in this many reads slowly in [`Profile::Slow`].
const SLOW_EVERY: usize = 100;
/// One client in this many never reads in [`Profile::Dead`].
const DEAD_EVERY: usize = 1000;
/// One client in this many comes and goes in [`Profile::Churn`].
const MOVER_EVERY: usize = 10;

/// What the clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Profile {
    /// All talk in rooms of equal size.
    #[default]
    Rooms,
    /// All talk in rooms whose sizes follow Zipf's law: one giant room and many small ones.
    Zipf,
    /// Nobody is in a room; each client asks the service for a sign of life in turn.
    Idle,
    /// All clients come within the run's duration, evenly; a message is an arrival.
    Storm,
    /// All clients are in, lose their connections at the same moment, and come back at once, without waiting a random time
    /// as they should.
    Reconnect,
    /// As [`Profile::Rooms`], but one in a hundred clients reads 1 kB a second.
    Slow,
    /// As [`Profile::Rooms`], but one in a thousand clients, at least one, never reads.
    Dead,
    /// As [`Profile::Rooms`], but one in ten clients leaves its room and comes back again and again.
    Churn,
}

impl Profile {
    /// All of them, in the order in which they are explained.
    pub const ALL: [Self; 8] = [
        Self::Rooms,
        Self::Zipf,
        Self::Idle,
        Self::Storm,
        Self::Reconnect,
        Self::Slow,
        Self::Dead,
        Self::Churn,
    ];

    /// The word for it on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rooms => "rooms",
            Self::Zipf => "zipf",
            Self::Idle => "idle",
            Self::Storm => "storm",
            Self::Reconnect => "reconnect",
            Self::Slow => "slow",
            Self::Dead => "dead",
            Self::Churn => "churn",
        }
    }

    /// Whether the clients' arrivals are the messages.
    #[must_use]
    pub const fn is_storm(self) -> bool {
        matches!(self, Self::Storm | Self::Reconnect)
    }

    /// Whether messages are heard by others in a room, and so are about the room's size.
    pub(crate) const fn has_rooms(self) -> bool {
        !matches!(self, Self::Idle)
    }

    /// How many of the last of `clients` have another role than to talk, and which.
    pub(crate) fn others(self, clients: usize) -> (usize, Role) {
        let one_in = |every: usize| (clients / every).max(1);
        match self {
            Self::Slow => (one_in(SLOW_EVERY), Role::Slow),
            Self::Dead => (one_in(DEAD_EVERY), Role::Dead),
            Self::Churn => (one_in(MOVER_EVERY), Role::Mover),
            _ => (0, Role::Member),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the shares are those that the names promise, and nobody is forgotten in a small load.
    #[test]
    fn shares_are_as_promised() {
        for (profile, clients, expect) in [
            (Profile::Rooms, 10_000, (0, Role::Member)),
            (Profile::Storm, 10_000, (0, Role::Member)),
            (Profile::Slow, 10_000, (100, Role::Slow)),
            (Profile::Slow, 50, (1, Role::Slow)),
            (Profile::Dead, 10_000, (10, Role::Dead)),
            (Profile::Dead, 100, (1, Role::Dead)),
            (Profile::Churn, 10_000, (1000, Role::Mover)),
        ] {
            assert_eq!(profile.others(clients), expect, "{profile} {clients}");
        }
    }

    /// Goal: each has a name of its own.
    #[test]
    fn names_differ() {
        let names = Profile::ALL.map(Profile::name);
        let different: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
    }
}
