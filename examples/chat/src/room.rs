//! A room is a task: it owns its members and topic, and everybody talks to it through a bounded queue.
//!
//! So nothing about a room needs a lock, and the order of its messages is the order of its queue. Senders wait when the
//! queue is full, which slows the talkers and nobody else. The room itself never waits for a member: a line is put
//! into the member's send queue or the member is evicted (see `outbox`). A big fan-out yields now and then, so that
//! one giant room cannot hold a worker.

mod task;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::answer::Listed;
use crate::command::Speech;
use crate::directory::ClientId;
use crate::outbox::Outbox;
use crate::server::Shared;
use task::Room;

/// Commands waiting for a room. Enough to ride out a scheduling hiccup, few enough that a talker feels the room's pace.
const QUEUE_LEN: usize = 256;

/// Somebody who is in the room.
#[derive(Debug)]
pub(crate) struct Member {
    /// For NAMES.
    pub(crate) nick: String,
    /// `nick!user@host`: the prefix of every line this member causes, made once.
    pub(crate) mask: String,
    /// Where lines for this member go.
    pub(crate) outbox: Arc<Outbox>,
}

/// Somebody who can be told something once, whatever number of rooms tells it.
#[derive(Debug, Clone)]
pub(crate) struct Neighbour {
    /// To recognise duplicates.
    pub(crate) id: ClientId,
    /// Where to tell.
    pub(crate) outbox: Arc<Outbox>,
}

/// Somebody who asks, member or not.
#[derive(Debug)]
pub(crate) struct Asker {
    /// Replies are addressed by nickname.
    pub(crate) nick: String,
    /// Replies go here.
    pub(crate) outbox: Arc<Outbox>,
}

/// What a room can be asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Come in: JOIN to everybody, topic and names to the newcomer.
    Join { id: ClientId, member: Member },
    /// Go out, and tell everybody, the leaver included.
    Part {
        id: ClientId,
        reason: Option<String>,
    },
    /// Go out silently; the connection tells those who remain, once each.
    Leave {
        id: ClientId,
        remaining: oneshot::Sender<Vec<Neighbour>>,
    },
    /// Take another nickname; the connection tells the others, once each.
    Rename {
        id: ClientId,
        nick: String,
        mask: String,
        others: oneshot::Sender<Vec<Neighbour>>,
    },
    /// Say something to everybody else.
    Say {
        id: ClientId,
        speech: Speech,
        text: String,
        received: Instant,
    },
    /// Answer NAMES.
    Names(Asker),
    /// Show the topic.
    ShowTopic(Asker),
    /// Set the topic, or clear it with an empty text.
    SetTopic { id: ClientId, text: String },
    /// Nicknames of the members, for WHO; at most as many as asked for.
    Roster {
        nicks_max: usize,
        nicks: oneshot::Sender<Vec<String>>,
    },
}

/// A command on its way.
#[derive(Debug)]
struct Envelope {
    /// What to do.
    command: Command,
    /// Told when it is done; for those who must not go on before.
    done: Option<oneshot::Sender<()>>,
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
struct Card {
    /// The name as first written.
    name: String,
    /// How many are in it.
    members: AtomicUsize,
    /// Text of the topic.
    topic: Mutex<String>,
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
        let room = Room::new(Arc::clone(&card), Arc::clone(shared));
        let handle = Self { queue, card };
        pollscope::spawn(shared.room_tasks.track_future(room.run(commands)));
        handle
    }

    /// Waits for a place in the room's queue and leaves the command there. Lost if the room ends before it gets to it.
    pub(crate) async fn send(&self, command: Command) {
        let done = None;
        // An error means that the room has ended, and so that nobody is in it to be told.
        let _ = self.queue.send(Envelope { command, done }).await;
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
        &self.card.name
    }

    /// How many are in it.
    pub(crate) fn members(&self) -> usize {
        self.card.members.load(Ordering::Relaxed)
    }

    /// Whether its task has ended, which a panic does without a word to the directory.
    pub(crate) fn ended(&self) -> bool {
        self.queue.is_closed()
    }

    /// What LIST shows of it.
    pub(crate) fn listed(&self) -> Listed {
        let topic = self
            .card
            .topic
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Listed {
            name: self.card.name.clone(),
            members: self.members(),
            topic: topic.clone(),
        }
    }
}
