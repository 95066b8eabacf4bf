//! The task of one room: its state, and what it does with each command.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use super::{Asker, Card, Command, Envelope, Member, Neighbour, RoomHandle};
use crate::answer::{self, Topic};
use crate::command::Speech;
use crate::directory::ClientId;
use crate::message::Line;
use crate::meters::{Present, float};
use crate::numeric::Addressee;
use crate::outbox::Sent;
use crate::server::Shared;

/// Lines queued between two yields: some tens of microseconds of work.
const FANOUT_CHUNK: usize = 256;

/// The task's own state.
#[derive(Debug)]
pub(super) struct Room {
    /// Name, and what others may read.
    card: Arc<Card>,
    /// In the order of connection, which is also the order of NAMES.
    members: BTreeMap<ClientId, Member>,
    /// The topic, if set.
    topic: Option<Topic>,
    /// Directory, metrics, server name.
    shared: Arc<Shared>,
}

impl Room {
    /// A room that nobody is in yet.
    pub(super) fn new(card: Arc<Card>, shared: Arc<Shared>) -> Self {
        Self {
            card,
            members: BTreeMap::new(),
            topic: None,
            shared,
        }
    }

    /// Runs until the room has been empty for a while, or the server has gone.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Envelope>) {
        let _present = Present::new(&self.shared.metrics.rooms);
        loop {
            let next = if self.members.is_empty() {
                match tokio::time::timeout(self.shared.options.room_linger, queue.recv()).await {
                    Ok(next) => next,
                    Err(_) => break,
                }
            } else {
                queue.recv().await
            };
            let Some(Envelope { command, done }) = next else {
                break;
            };
            self.handle(command).await;
            self.count();
            if let Some(done) = done {
                // Whoever waited may have gone.
                let _ = done.send(());
            }
        }
        // First out of the directory, then the queue: a joiner whose command is dropped with it asks for a new room.
        let card = &self.card;
        let this = |room: &RoomHandle| Arc::ptr_eq(&room.card, card);
        self.shared.directory.retire(&card.name, this);
        drop(queue);
    }

    async fn handle(&mut self, command: Command) {
        match command {
            Command::Join { id, member } => self.join(id, member).await,
            Command::Part { id, reason } => self.part(id, reason.as_deref()).await,
            Command::Leave { id, remaining } => {
                self.members.remove(&id);
                // The connection may have given up waiting; then nobody needs the answer.
                let _ = remaining.send(self.neighbours(id));
            }
            Command::Rename {
                id,
                nick,
                mask,
                others,
            } => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.nick = nick;
                    member.mask = mask;
                }
                let _ = others.send(self.neighbours(id));
            }
            Command::Say {
                id,
                speech,
                text,
                received,
            } => self.say(id, speech, &text, received).await,
            Command::Names(asker) => self.names(&asker),
            Command::ShowTopic(asker) => {
                let to = self.addressee(&asker.nick);
                for line in answer::topic(to, &self.card.name, self.topic.as_ref()) {
                    asker.outbox.send(line, None);
                }
            }
            Command::SetTopic { id, text } => self.set_topic(id, text).await,
            Command::Roster { nicks_max, nicks } => {
                let members = self.members.values().take(nicks_max);
                let _ = nicks.send(members.map(|member| member.nick.clone()).collect());
            }
        }
    }

    async fn join(&mut self, id: ClientId, member: Member) {
        let line = Line::new(Some(&member.mask), "JOIN", &[&self.card.name], None);
        let asker = Asker {
            nick: member.nick.clone(),
            outbox: Arc::clone(&member.outbox),
        };
        self.members.insert(id, member);
        self.fan_out(&line, None, None).await;
        if self.topic.is_some() {
            let to = self.addressee(&asker.nick);
            for line in answer::topic(to, &self.card.name, self.topic.as_ref()) {
                asker.outbox.send(line, None);
            }
        }
        self.names(&asker);
    }

    async fn part(&mut self, id: ClientId, reason: Option<&str>) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        let line = Line::new(Some(&member.mask), "PART", &[&self.card.name], reason);
        self.fan_out(&line, None, None).await;
        self.members.remove(&id);
    }

    async fn say(&mut self, id: ClientId, speech: Speech, text: &str, received: Instant) {
        let Some(member) = self.members.get(&id) else {
            self.shared.metrics.dropped_not_member.increment(1);
            return;
        };
        let line = Line::new(
            Some(&member.mask),
            speech.word(),
            &[&self.card.name],
            Some(text),
        );
        let queued = self.fan_out(&line, Some(id), Some(received)).await;
        let metrics = &self.shared.metrics;
        metrics.fanout.record(received.elapsed());
        metrics.fanout_size.record(float(queued));
    }

    fn names(&self, asker: &Asker) {
        let nicks = self.members.values().map(|member| member.nick.as_str());
        for line in answer::names(self.addressee(&asker.nick), &self.card.name, nicks) {
            asker.outbox.send(line, None);
        }
    }

    async fn set_topic(&mut self, id: ClientId, text: String) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        let line = Line::new(Some(&member.mask), "TOPIC", &[&self.card.name], Some(&text));
        let at_unix_seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let by = member.mask.clone();
        self.card
            .topic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&text);
        self.topic = (!text.is_empty()).then_some(Topic {
            text,
            by,
            at_unix_seconds,
        });
        self.fan_out(&line, None, None).await;
    }

    /// Queues `line` for everybody but `except` and gives their number. Members whose connection has ended without
    /// leaving, because its task panicked, are removed on the way.
    async fn fan_out(
        &mut self,
        line: &Line,
        except: Option<ClientId>,
        received: Option<Instant>,
    ) -> usize {
        self.shared.options.faults.fan_out().await;
        let mut queued = 0;
        let mut gone = Vec::new();
        for (index, (id, member)) in self.members.iter().enumerate() {
            if Some(*id) == except {
                continue;
            }
            match member.outbox.send(line.clone(), received) {
                Sent::Queued => queued += 1,
                // It leaves by itself: its connection ends now.
                Sent::Evicted => {}
                Sent::Closed => gone.push(*id),
            }
            if index % FANOUT_CHUNK == FANOUT_CHUNK - 1 {
                tokio::task::yield_now().await;
            }
        }
        for id in gone {
            self.members.remove(&id);
        }
        queued
    }

    fn count(&self) {
        let members = self.members.len();
        self.card.members.store(members, Ordering::Relaxed);
    }

    fn neighbours(&self, of: ClientId) -> Vec<Neighbour> {
        let others = self.members.iter().filter(|(id, _)| **id != of);
        others
            .map(|(id, member)| Neighbour {
                id: *id,
                outbox: Arc::clone(&member.outbox),
            })
            .collect()
    }

    fn addressee<'a>(&'a self, nick: &'a str) -> Addressee<'a> {
        Addressee {
            server: &self.shared.options.server_name,
            nick,
        }
    }
}
