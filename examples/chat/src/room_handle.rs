//! A room as a task: how it is started and talked to.
//!
//! The task owns the [`Room`](crate::room::Room), and everybody talks to it through a bounded queue. So nothing about a room needs a
//! lock, and the order of its messages is the order of its queue. Senders wait when the queue is full, which slows the
//! talkers and nobody else. The room itself never waits for a member: a line is put into the member's send queue or the
//! member is evicted (see `outbox`). A big fan-out yields now and then, so that one giant room cannot hold a worker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::identity::{Asker, ClientId, Identity, Neighbour};
use crate::moment::Moment;
use crate::protocol::listing::Listed;
use crate::room::admission::Guest;
use crate::room::{Request, Standing};
use crate::room_task::RoomTask;
use crate::server::Shared;
use crate::shared_directory::Way;

/// Commands waiting for a room. Enough to ride out a scheduling hiccup, few enough that a talker feels the room's pace.
const QUEUE_LEN: usize = 256;

/// What a room can be asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// A request of a client, received at `now`.
    Ask {
        asker: Asker<Way>,
        request: Request,
        now: Moment,
    },
    /// An invitation.
    Invite {
        asker: Asker<Way>,
        guest: Guest<Way>,
        now: Moment,
    },
    /// Go out silently; the connection tells those who remain, once each.
    Leave {
        id: ClientId,
        remaining: oneshot::Sender<Vec<Neighbour<Way>>>,
    },
    /// Be somebody else: another nickname, away, visible; the connection tells the others, once each.
    Present {
        id: ClientId,
        identity: Arc<Identity>,
        others: oneshot::Sender<Vec<Neighbour<Way>>>,
    },
    /// Who is here, for WHO; at most as many as asked for.
    Roster {
        asker: ClientId,
        members_max: usize,
        roster: oneshot::Sender<Vec<(ClientId, Standing)>>,
    },
}

/// A command on its way.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// What to do.
    pub(crate) command: Command,
    /// Told when it is done; for those who must not go on before.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

/// The way to a room.
#[derive(Debug, Clone)]
pub(crate) struct RoomHandle {
    /// Its queue.
    queue: mpsc::Sender<Envelope>,
    /// What LIST shows without asking the task.
    card: Arc<Card>,
}

/// What is known about a room from outside. Written by its task only.
#[derive(Debug)]
pub(crate) struct Card {
    /// The name as first written.
    name: String,
    /// How many are in it.
    members: AtomicUsize,
    /// Text of the topic.
    topic: Mutex<String>,
}

impl Card {
    /// Shows the room as it is now.
    pub(crate) fn publish(&self, members: usize, topic: &str) {
        self.members.store(members, Ordering::Relaxed);
        let mut shown = self.topic.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown != topic {
            topic.clone_into(&mut shown);
        }
    }

    /// The name as first written.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl RoomHandle {
    /// Starts a room that nobody is in yet.
    pub(crate) fn start(name: &str, shared: &Arc<Shared>) -> Self {
        let (queue, commands) = mpsc::channel(QUEUE_LEN);
        let card = Arc::new(Card {
            name: name.to_owned(),
            members: AtomicUsize::new(0),
            topic: Mutex::new(String::new()),
        });
        let room = RoomTask::new(Arc::clone(&card), Arc::clone(shared));
        let handle = Self { queue, card };
        pollscope::spawn(shared.room_tasks.track_future(room.run(commands)));
        handle
    }

    /// Waits for a place in the room's queue and leaves the command there; `false` if the room has ended, which it does
    /// only when nobody is in it.
    pub(crate) async fn send(&self, command: Command) -> bool {
        let done = None;
        self.queue.send(Envelope { command, done }).await.is_ok()
    }

    /// Waits until the room has carried the command out; so replies keep the order of the questions. `false` if the
    /// room ended first: it has not been carried out.
    pub(crate) async fn settle(&self, command: Command) -> bool {
        let (done, answer) = oneshot::channel();
        let done = Some(done);
        self.queue.send(Envelope { command, done }).await.is_ok() && answer.await.is_ok()
    }

    /// The name as first written.
    pub(crate) fn name(&self) -> &str {
        self.card.name()
    }

    /// The name, and how many are in it.
    pub(crate) fn size(&self) -> (&str, usize) {
        (self.name(), self.card.members.load(Ordering::Relaxed))
    }

    /// Whether its task has ended, which a panic does without a word to the directory.
    pub(crate) fn ended(&self) -> bool {
        self.queue.is_closed()
    }

    /// Whether this is the room with that card.
    pub(crate) fn has_card(&self, card: &Arc<Card>) -> bool {
        Arc::ptr_eq(&self.card, card)
    }

    /// What LIST shows of it.
    pub(crate) fn listed(&self) -> Listed {
        let (name, members) = self.size();
        let topic = self
            .card
            .topic
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Listed {
            name: name.to_owned(),
            members,
            topic: topic.clone(),
        }
    }
}
