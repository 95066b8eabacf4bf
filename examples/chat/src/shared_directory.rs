//! The directory, shared by all tasks of one server.
//!
//! One std lock, held for a lookup, an insertion or a formatted answer, and never across an await. A message to a room does
//! not come here: members keep the room's handle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::directory::Directory;
use crate::meters::Backlog;
use crate::outbox::Outbox;
use crate::protocol::name::CaseMapping;
use crate::room_handle::RoomHandle;

/// How a client is reached in this model: by its send queue.
pub(crate) type Way = Arc<Outbox>;

/// People by their send queues, rooms by their handles.
type People = Directory<Way, RoomHandle>;

/// The directory behind its lock.
#[derive(Debug)]
pub(crate) struct SharedDirectory(Mutex<People>);

impl SharedDirectory {
    pub(crate) fn new(mapping: CaseMapping) -> Self {
        Self(Mutex::new(Directory::new(mapping)))
    }

    /// Gives `work` the directory. It must be short and must not touch another lock of this crate.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut People) -> T) -> T {
        work(&mut self.lock())
    }

    /// Forgets all rooms, which end when the last connection has left them.
    pub(crate) fn close_rooms(&self) {
        let rooms = self.lock().take_rooms();
        drop(rooms);
    }

    /// The send queues of everybody who is registered.
    pub(crate) fn backlog(&self) -> Backlog {
        // Collected first: the queues have locks of their own, and two at once is how deadlocks begin.
        let outboxes: Vec<Way> = {
            let people = self.lock();
            people
                .people()
                .map(|person| Arc::clone(&person.way))
                .collect()
        };
        let mut backlog = Backlog::default();
        for outbox in outboxes {
            let (messages, bytes) = outbox.depth();
            backlog.add(messages, bytes);
        }
        backlog
    }

    fn lock(&self) -> MutexGuard<'_, People> {
        // Each method leaves the maps consistent before anything that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
