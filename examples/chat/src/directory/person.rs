//! A registered client in the directory: who it is, where it is, how it is reached; PURE.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::identity::Identity;
use crate::protocol::name::Folded;
use crate::room::Standing;

/// A registered client.
#[derive(Debug)]
pub struct Person<W> {
    /// Who it is to others.
    pub identity: Arc<Identity>,
    /// The rooms it is in, told by these rooms.
    pub(super) places: BTreeMap<Folded, Place>,
    /// How it is reached.
    pub way: W,
}

/// A room somebody is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the room as first written.
    pub room: Arc<str>,
    /// What the client is there.
    pub standing: Standing,
}

impl<W> Person<W> {
    pub(super) fn new(identity: Arc<Identity>, way: W) -> Self {
        Self {
            identity,
            places: BTreeMap::new(),
            way,
        }
    }

    /// The rooms it is in, by name.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.values()
    }

    pub(super) fn stand(&mut self, key: Folded, room: &Arc<str>, standing: Option<Standing>) {
        match standing {
            Some(standing) => {
                let room = Arc::clone(room);
                self.places.insert(key, Place { room, standing });
            }
            None => {
                self.places.remove(&key);
            }
        }
    }

    /// Whether there is a room that both are in.
    pub(super) fn shares_a_room_with(&self, other: &Self) -> bool {
        self.places
            .keys()
            .any(|room| other.places.contains_key(room))
    }
}
