//! One look at all workers, and what follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::captures::Captures;
use super::locks::Locks;
use super::observe::Observed;
use super::pace;
use super::probing::Probing;
use super::roster::Roster;
use super::source::{Key, Source};
use super::stats::Stats;
use super::victims::VictimLedger;
use super::worker::Worker;
use crate::config::Config;
use crate::debug;
use crate::finding::{Sampler, Told};
use crate::procfs::Environment;
use crate::report::Message;
use crate::runtime::attach;
use crate::runtime::coarse_clock;
use crate::runtime::slots::{self, SlotView};
use crate::runtime::{Runtimes, Tier};
use crate::stall::{Look, Span, Step};

mod findings;
mod lock_waits;
mod reports;
mod rounds;
mod telling;

/// What the watchdog remembers between looks, and whom it tells.
pub(crate) struct Watch {
    config: Arc<Config>,
    runtimes: Runtimes,
    stats: Arc<Stats>,
    outbox: SyncSender<Message>,
    captures: Captures,
    environment: Environment,
    workers: BTreeMap<Key, Worker>,
    /// Those met in this look.
    alive: Vec<Key>,
    roster: Roster,
    next_id: u64,
    last_move: Duration,
    probing: Probing,
    late_closes: Vec<Observed>,
    /// CPUs that the process may use.
    cpus: u32,
    locks: Locks,
    victims: VictimLedger,
    /// Whether the last look left a poll suspected.
    has_suspects: bool,
    /// Whether a close was lost since the reporter was last told what is open.
    owes_list: bool,
    sampler: Sampler,
    task_pass: debug::TaskPass,
    late_findings: Vec<Told>,
}

impl Watch {
    pub(crate) fn new(
        config: Arc<Config>,
        runtimes: Runtimes,
        stats: Arc<Stats>,
        outbox: SyncSender<Message>,
        sampler: Sampler,
    ) -> Self {
        let captures = Captures::new(config.signal, Arc::clone(&stats));
        let victims = VictimLedger::new(pace::pause(config.record));
        Self {
            config,
            runtimes,
            stats,
            outbox,
            captures,
            environment: Environment::open(slots::monotonic),
            workers: BTreeMap::new(),
            alive: Vec::new(),
            roster: Roster::default(),
            next_id: 1,
            last_move: Duration::ZERO,
            probing: Probing::default(),
            late_closes: Vec::new(),
            cpus: std::thread::available_parallelism()
                .map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX)),
            locks: Locks::new(),
            victims,
            has_suspects: false,
            owes_list: false,
            sampler,
            task_pass: debug::TaskPass::default(),
            late_findings: Vec::new(),
        }
    }

    /// A poll this long is a stall, now.
    pub(crate) fn threshold(&self) -> Duration {
        debug::threshold(self.config.record)
    }

    /// How long to leave them alone until the next look.
    pub(crate) fn pause(&self) -> Duration {
        if self.has_suspects {
            pace::pause_while_suspected(self.threshold())
        } else {
            pace::pause(self.threshold())
        }
    }

    /// Looks at every worker.
    pub(crate) fn look(&mut self, now: Duration) {
        self.stats.looks.fetch_add(1, Ordering::Relaxed);
        self.captures.begin_look(now);
        coarse_clock::publish(now);
        self.tell_late_closes();
        self.victims.look(now, &self.runtimes);
        let mut alive = std::mem::take(&mut self.alive);
        self.roster.clear();
        self.has_suspects = false;
        for (index, slot) in slots::claimed_slots().iter().enumerate() {
            let Some(view) = slot.view() else { continue };
            let key = Key::Slot(index, view.generation);
            alive.push(key);
            self.sampler.meet(index, &view);
            self.roster.meet(index, &view);
            self.look_at(now, key, &Source::Slot(slot), &view);
        }
        self.roster.settle();
        let watched = self.runtimes.all();
        for &(number, ref runtime) in watched.iter() {
            if runtime.tier == Tier::Hooks {
                // Its slots have told everything.
                continue;
            }
            for worker in 0..runtime.metrics.num_workers() {
                match self.roster.view_of(number, worker) {
                    Some(view) => {
                        let key = Key::Attached(number, worker, view.tid, view.generation);
                        alive.push(key);
                        let source = Source::Attached(Arc::clone(runtime), worker);
                        self.look_at(now, key, &source, &view);
                        self.probing.ask_the_driver(now, number, runtime);
                    }
                    None => {
                        let is_awake = attach::is_awake(runtime, worker);
                        self.probing
                            .meet(now, number, runtime, is_awake, &self.runtimes);
                    }
                }
            }
        }
        self.probing
            .keep(|number| watched.iter().any(|(watched, _)| *watched == number));
        if self.workers.len() > alive.len() {
            self.bury(now, &alive);
        }
        alive.clear();
        self.alive = alive;
        let settled = self.victims.settled(&self.runtimes);
        settled.into_iter().for_each(|close| self.tell(close));
        self.victims.ask(slots::claimed_slots());
        let changes = self.sampler.look(now, &self.runtimes);
        self.tell_findings(now, changes);
        if debug::is_on() {
            self.tell_lints(now);
        }
    }

    /// Forgets workers whose threads are gone; a stall that was reported ends with its thread at the latest.
    fn bury(&mut self, now: Duration, alive: &[Key]) {
        let gone: Vec<Key> = self
            .workers
            .keys()
            .filter(|key| !alive.contains(key))
            .copied()
            .collect();
        for key in gone {
            let ended = match key {
                Key::Slot(index, _) => slots::last_end(index),
                Key::Attached(..) => None,
            };
            let look = Look {
                token: 0,
                busy: false,
                ended,
            };
            let threshold = self.threshold();
            let over = self
                .workers
                .get_mut(&key)
                .map(|worker| worker.episode.step(now, look, threshold));
            if let Some(Step::Over(span)) = over {
                self.close(key, span, false, None);
            }
            self.victims.forget(key);
            self.workers.remove(&key);
        }
    }

    /// Nobody looked because everybody was parked, until now.
    pub(crate) fn idle_until(&mut self, now: Duration) {
        self.last_move = now;
        self.workers
            .values_mut()
            .for_each(|worker| worker.episode.idle_until(now));
    }

    /// When a worker last began or ended something.
    pub(crate) fn last_move(&self) -> Duration {
        self.last_move
    }

    /// Whether a reported stall has not ended.
    pub(crate) fn has_open_stalls(&self) -> bool {
        self.workers.values().any(|worker| worker.open.is_some())
            || self.victims.is_settling()
            || self.owes_list
            || !self.late_closes.is_empty()
    }

    /// Whether some runtime can only be watched by looking again and again.
    pub(crate) fn has_attached(&self) -> bool {
        self.runtimes
            .all()
            .iter()
            .any(|(_, runtime)| runtime.tier == Tier::Attached)
    }

    fn look_at(&mut self, now: Duration, key: Key, source: &Source, view: &SlotView) {
        let look = source.look(view);
        let threshold = self.threshold();
        let worker = self
            .workers
            .entry(key)
            .or_insert_with(|| Worker::new(now, view));
        match worker.episode.step(now, look, threshold) {
            Step::Quiet => {
                worker.note_state(now);
                if look.busy {
                    self.take_sample(now, key, source, look, view);
                } else {
                    self.victims.forget(key);
                }
            }
            Step::Begun => {
                self.last_move = now;
                worker.begin();
                self.victims.forget(key);
            }
            Step::Suspect => {
                self.victims.suspect(key, view, worker.episode.started());
                source.flag(look);
                worker.suspected_view = Some(*view);
                worker.suspect(&self.environment);
                // Turns of an attached worker's loop are told late, so a busy one would be asked for its stack all the time.
                worker.wants_sample = source.sees_polls() || worker.is_asleep();
                self.take_sample(now, key, source, look, view);
                self.look_for_holders(now, key);
            }
            Step::Due(span) => {
                // Again, because a poll can be due at its second look already, without having been suspected.
                self.victims.suspect(key, view, span.started);
                source.flag(look);
                worker.suspected_view = Some(*view);
                worker.suspect(&self.environment);
                worker.note_state(now);
                self.report(now, key, source, look, view, span);
            }
            Step::Over(span) => {
                self.last_move = now;
                self.close(key, span, look.busy, ended_cpu(view, span));
            }
            Step::Missed(span) => {
                self.last_move = now;
                let ended_cpu = ended_cpu(view, span);
                self.report_ended(now, key, source, span, ended_cpu);
                self.close(key, span, look.busy, ended_cpu);
            }
        }
        self.has_suspects |= look.busy
            && self
                .workers
                .get(&key)
                .is_some_and(|worker| worker.episode.is_suspect(threshold));
    }

    /// The first stack of a poll that is suspected, unless there was one or none is wanted.
    fn take_sample(
        &mut self,
        now: Duration,
        key: Key,
        source: &Source,
        look: Look,
        view: &SlotView,
    ) {
        let worker = self.workers.get_mut(&key);
        let Some(worker) = worker.filter(|worker| worker.wants_sample) else {
            return;
        };
        let sample = self.captures.first(now, worker);
        if sample.is_some() {
            worker.sample = sample.filter(|_| source.is_still(look, view));
        }
    }
}

/// CPU time of the worker's thread at the end of this poll, if that was stamped.
fn ended_cpu(view: &SlotView, span: Span) -> Option<Duration> {
    view.ended_cpu.filter(|_| view.ended.0 == span.token)
}
