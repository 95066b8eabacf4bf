//! The task of one room: takes commands from its queue, lets the room decide, and carries out what follows.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::identity::ClientId;
use crate::meters::{Present, float};
use crate::outbox::Sent;
use crate::protocol::line::Line;
use crate::room::{Effect, Request, Room};
use crate::room_handle::{Card, Command, Envelope, RoomHandle};
use crate::server::Shared;
use crate::shared_directory::Way;

/// Lines queued between two yields: some tens of microseconds of work.
const FANOUT_CHUNK: usize = 256;

/// The task's own state.
#[derive(Debug)]
pub(crate) struct RoomTask {
    /// Who is in it, and what they may.
    room: Room<Way>,
    /// What others may read.
    card: Arc<Card>,
    /// Directory, metrics, options.
    shared: Arc<Shared>,
}

impl RoomTask {
    /// A room that nobody is in yet.
    pub(crate) fn new(card: Arc<Card>, shared: Arc<Shared>) -> Self {
        Self {
            room: Room::new(card.name(), shared.policy.house()),
            card,
            shared,
        }
    }

    /// Runs until the room has been empty for a while, or the server has gone.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Envelope>) {
        let _present = Present::new(&self.shared.metrics.rooms);
        loop {
            let next = if self.room.members().is_empty() {
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
            let members = self.room.members().len();
            self.card.publish(members, self.room.topic_text());
            if let Some(done) = done {
                // Whoever waited may have gone.
                let _ = done.send(());
            }
        }
        // First out of the directory, then the queue: a joiner whose command is dropped with it asks for a new room.
        let this = |room: &RoomHandle| room.has_card(&self.card);
        let directory = &self.shared.directory;
        directory.with(|directory| directory.retire(self.card.name(), this));
        drop(queue);
    }

    async fn handle(&mut self, command: Command) {
        match command {
            Command::Ask {
                asker,
                request: request @ Request::Say { .. },
                now,
            } => {
                let effects = self.room.handle(&asker, request, now);
                self.spread(effects, now.instant).await;
            }
            Command::Ask {
                asker,
                request,
                now,
            } => {
                let effects = self.room.handle(&asker, request, now);
                self.carry_out(effects, None).await;
            }
            Command::Invite { asker, guest, now } => {
                let effects = self.room.invite(&asker, &guest, now);
                self.carry_out(effects, None).await;
            }
            Command::Leave { id, remaining } => {
                let (others, effects) = self.room.leave(id);
                self.carry_out(effects, None).await;
                // The connection may have given up waiting; then nobody needs the answer.
                let _ = remaining.send(others);
            }
            Command::Present {
                id,
                identity,
                others,
            } => {
                let _ = others.send(self.room.present(id, identity));
            }
            Command::Roster {
                asker,
                members_max,
                roster,
            } => {
                let _ = roster.send(self.room.roster(asker, members_max));
            }
        }
    }

    /// Carries out what follows from something that was said, and measures it.
    async fn spread(&mut self, effects: Vec<Effect<Way>>, received: Instant) {
        let is_heard = |effect: &Effect<Way>| matches!(effect, Effect::Fan { .. });
        let was_refused = !effects.iter().any(is_heard);
        let queued = self.carry_out(effects, Some(received)).await;
        let metrics = &self.shared.metrics;
        if was_refused {
            metrics.dropped_not_member.increment(1);
            return;
        }
        metrics.fanout.record(received.elapsed());
        metrics.fanout_size.record(float(queued));
    }

    /// Does what the room wants done, in order; gives for how many members lines were queued.
    async fn carry_out(&mut self, effects: Vec<Effect<Way>>, received: Option<Instant>) -> usize {
        let mut queued = 0;
        for effect in effects {
            match effect {
                Effect::Send { to, line } => {
                    to.send(line, received);
                }
                Effect::Fan { except, line } => {
                    queued += self.fan_out(&line, except, received).await;
                }
                Effect::Standing { id, standing } => {
                    let name = self.room.name();
                    let directory = &self.shared.directory;
                    directory.with(|directory| directory.stand(id, name, standing));
                }
            }
        }
        queued
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
        for (index, (id, member)) in self.room.members().iter().enumerate() {
            if Some(*id) == except {
                continue;
            }
            match member.way.send(line.clone(), received) {
                Sent::Queued => queued += 1,
                // Those whose connection ends now leave by themselves.
                Sent::Unwanted | Sent::Evicted | Sent::Closed => {}
                Sent::Gone => gone.push(*id),
            }
            if index % FANOUT_CHUNK == FANOUT_CHUNK - 1 {
                tokio::task::yield_now().await;
            }
        }
        for id in gone {
            // Its connection has taken itself out of the directory.
            let _ = self.room.leave(id);
        }
        queued
    }
}
