//! One look at all workers, and what follows from it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::captures::Captures;
use super::locks::Locks;
use super::observe::{Observed, Subject};
use super::pace;
use super::probing::Probing;
use super::source::{Key, Source};
use super::stats::Stats;
use super::victims::VictimLedger;
use super::worker::{OpenReport, Worker};
use crate::capture::Captured;
use crate::config::Config;
use crate::debug;
use crate::finding::{Sampler, Told};
use crate::procfs::{Environment, ready_threads};
use crate::report::Message;
use crate::runtime::attach;
use crate::runtime::coarse_clock;
use crate::runtime::slots::{self, NO_WORKER, SlotView};
use crate::runtime::{Runtimes, Tier};
use crate::stall::{Confidence, Crowd, Evidence, Judgement, Look, Phase, Span, Step, Wait, judge};

mod findings;
mod lock_waits;
mod rounds;

/// CPU time that an attached worker must burn before it is called a stall. Its counters are published every 61 turns
/// of its loop (tokio's `event_interval`) of up to four polls: 244 polls of half a millisecond look like one of 122 ms.
const ATTACHED_CPU_MIN: Duration = Duration::from_millis(150);

/// Closes kept while the reporter has no room: one for each stall that can be open at once.
const LATE_CLOSES_MAX: usize = 1024;

/// Findings kept meanwhile, their opens and closes.
const LATE_FINDINGS_MAX: usize = 256;

/// What the watchdog remembers between looks, and whom it tells.
pub(crate) struct Watch {
    config: Arc<Config>,
    runtimes: Runtimes,
    stats: Arc<Stats>,
    outbox: SyncSender<Message>,
    captures: Captures,
    environment: Environment,
    workers: HashMap<Key, Worker>,
    next_id: u64,
    last_move: Duration,
    probing: Probing,
    late_closes: Vec<Observed>,
    /// CPUs that the process may use.
    cpus: u32,
    locks: Locks,
    victims: VictimLedger,
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
            environment: Environment::open(),
            workers: HashMap::new(),
            next_id: 1,
            last_move: Duration::ZERO,
            probing: Probing::default(),
            late_closes: Vec::new(),
            cpus: std::thread::available_parallelism()
                .map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX)),
            locks: Locks::new(),
            victims,
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

    /// Looks at every worker.
    pub(crate) fn look(&mut self, now: Duration) {
        self.stats.looks.fetch_add(1, Ordering::Relaxed);
        self.captures.begin_look(now);
        coarse_clock::publish(now);
        self.tell_late_closes();
        self.victims.look(now, &self.runtimes);
        let mut alive = Vec::with_capacity(self.workers.len());
        for (index, slot) in slots::claimed_slots().iter().enumerate() {
            let Some(view) = slot.view() else { continue };
            let key = Key::Slot(index, view.generation);
            alive.push(key);
            self.sampler.meet(index, &view);
            self.look_at(now, key, &Source::Slot(slot), &view);
        }
        let watched = self.runtimes.all();
        for (number, runtime) in &watched {
            let number = *number;
            if runtime.tier == Tier::Hooks {
                // Its slots have told everything.
                continue;
            }
            for worker in 0..runtime.metrics.num_workers() {
                match attach::slot_of(number, worker) {
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
                self.close(key, span, false);
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

    /// Tells the reporter something; a full inbox is counted and forgotten.
    pub(crate) fn tell(&mut self, message: Message) {
        match self.outbox.try_send(message) {
            Ok(()) => (),
            // Without its close a stall would count as open for ever, so that is kept and sent later.
            Err(TrySendError::Full(Message::Observed(observed)))
                if observed.phase == Phase::Close && self.late_closes.len() < LATE_CLOSES_MAX =>
            {
                self.late_closes.push(*observed);
            }
            Err(TrySendError::Full(Message::Finding(told)))
                if self.late_findings.len() < LATE_FINDINGS_MAX =>
            {
                self.late_findings.push(*told);
            }
            Err(lost) => {
                self.owes_list |= matches!(lost, TrySendError::Full(_));
                self.stats.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn tell_late_closes(&mut self) {
        for observed in std::mem::take(&mut self.late_closes) {
            self.tell(Message::Observed(Box::new(observed)));
        }
        if self.owes_list {
            let lasting = Message::Lasting(self.next_id - 1, self.untold());
            self.owes_list = matches!(self.outbox.try_send(lasting), Err(TrySendError::Full(_)));
        }
    }

    /// Stalls whose closes the reporter is still to be told.
    fn untold(&self) -> BTreeSet<u64> {
        let open = self
            .workers
            .values()
            .filter_map(|worker| worker.open.as_ref());
        let late = self.late_closes.iter().map(|close| close.id);
        let held = self.victims.held();
        open.map(|open| open.id).chain(late).chain(held).collect()
    }

    /// The last look: closes are told as they are.
    pub(crate) fn finish(&mut self) {
        let held = self.victims.all_settled(&self.runtimes);
        held.into_iter().for_each(|close| self.tell(close));
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
                worker.note_state();
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
                worker.suspect(&self.environment);
                worker.note_state();
                self.report(now, key, source, look, view, span);
            }
            Step::Over(span) => {
                self.last_move = now;
                self.close(key, span, look.busy);
            }
        }
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

    /// A stall is due: judge it, and tell if the evidence decides.
    fn report(
        &mut self,
        now: Duration,
        key: Key,
        source: &Source,
        look: Look,
        view: &SlotView,
        span: Span,
    ) {
        let threshold = self.threshold();
        let Some(worker) = self.workers.get(&key) else {
            return;
        };
        let mut evidence = worker.evidence(span, &self.environment);
        let judgement = judged(&mut evidence, threshold, self.cpus)
            .and_then(|judged| self.judged_with_holders(now, key, &mut evidence, judged));
        let (Some(mut judgement), Some(worker)) = (judgement, self.workers.get_mut(&key)) else {
            return;
        };
        if !source.sees_polls() && !decides_without_polls(&mut judgement, &evidence.cpu) {
            return;
        }
        let Some(captured) = self.captures.of_stall(now, worker, judgement.verdict) else {
            // Due again at the next look.
            return;
        };
        // A stack that was taken while the next poll already ran would blame the innocent.
        let captured = if source.is_still(look, view) {
            captured
        } else {
            Captured::none("the poll ended while its stack was taken")
        };
        let earlier = worker.sample.take();
        worker.sample = Some(captured.clone()).filter(|sample| !sample.addresses.is_empty());
        worker.episode.reported(now);
        let phase = if worker.open.is_some() {
            Phase::Again
        } else {
            Phase::Open
        };
        let (id, started_at_unix_ms) = match &worker.open {
            Some(open) => (open.id, open.started_at_unix_ms),
            None => (self.next_id, unix_ms_before(span.length)),
        };
        self.next_id = self.next_id.max(id + 1);
        let subject = subject(&self.runtimes, source, view);
        let victims = self.victims.so_far(key, subject.task_id.unwrap_or(0), now);
        let before = self.victims.settled_of(subject.tid, &self.runtimes);
        let wait = main_wait(&evidence, &judgement);
        worker.open = Some(OpenReport {
            id,
            started_at_unix_ms,
            judgement: judgement.clone(),
            subject: subject.clone(),
            parts: evidence.parts(),
        });
        let lock = self.look_at_lock(now, key, span, judgement.verdict, wait.as_ref());
        before.into_iter().for_each(|close| self.tell(close));
        self.tell(Message::Observed(Box::new(Observed {
            id,
            phase,
            subject,
            started_at_unix_ms,
            span,
            threshold,
            parts: evidence.parts(),
            lock,
            judgement,
            captured: Some(captured),
            earlier,
            wait,
            victims,
        })));
    }

    fn close(&mut self, key: Key, span: Span, busy_again: bool) {
        let threshold = self.threshold();
        let Some(worker) = self.workers.get_mut(&key) else {
            return;
        };
        let open = worker.open.take();
        let parts = open
            .as_ref()
            .map(|open| worker.final_parts(span, open.parts));
        if busy_again {
            worker.begin();
        }
        let (Some(open), Some(parts)) = (open, parts) else {
            return;
        };
        self.locks.leave(open.id);
        let close = Box::new(Observed {
            id: open.id,
            phase: Phase::Close,
            subject: open.subject,
            started_at_unix_ms: open.started_at_unix_ms,
            span,
            threshold,
            parts,
            judgement: open.judgement,
            captured: None,
            earlier: None,
            wait: None,
            lock: None,
            victims: None,
        });
        if let Some(close) = self.victims.close(key, close) {
            self.tell(Message::Observed(close));
        }
    }
}

/// Where the thread slept most, unless it computed.
fn main_wait(evidence: &Evidence, judgement: &Judgement) -> Option<Wait> {
    let (wait, _) = evidence.tally.main_wait()?;
    (!judgement.verdict.is_cpu()).then(|| wait.clone())
}

/// The judgement; who else wants a CPU is asked only when the machine is about to be named, since that takes a while.
fn judged(evidence: &mut Evidence, threshold: Duration, cpus: u32) -> Option<Judgement> {
    let judgement = judge(evidence, threshold)?;
    if !judgement.verdict.is_machine() {
        return Some(judgement);
    }
    evidence.machine.crowd = Some(Crowd {
        ready: ready_threads(),
        cpus,
    });
    judge(evidence, threshold)
}

/// Whether a verdict on an attached worker holds although its polls cannot be told apart: sleeping inside one turn of
/// the loop is always a stall, computing only when no number of short polls would look the same.
fn decides_without_polls(judgement: &mut Judgement, cpu: &Option<Duration>) -> bool {
    // Which thread runs a worker was learnt earlier and may have changed since.
    judgement.confidence = judgement.confidence.min(Confidence::Likely);
    if !judgement.verdict.is_cpu() {
        return true;
    }
    judgement.evidence.push("attached runtime: its loop has not turned and its task has not changed, single polls cannot be seen".to_owned());
    cpu.is_some_and(|cpu| cpu >= ATTACHED_CPU_MIN)
}

fn subject(runtimes: &Runtimes, source: &Source, view: &SlotView) -> Subject {
    let task_id = match source {
        Source::Slot(_) => Some(view.task_id),
        Source::Attached(runtime, worker) => attach::look(runtime, *worker, Some(view)).task_id,
    };
    Subject {
        runtime: runtimes.get(view.runtime),
        worker: (view.worker != NO_WORKER)
            .then(|| usize::try_from(view.worker).unwrap_or(usize::MAX)),
        tid: view.tid,
        task_id: task_id.filter(|id| *id != 0),
        spawned_at: view.spawned_at.filter(|_| source.sees_polls()),
    }
}

fn unix_ms_before(length: Duration) -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.saturating_sub(length).as_millis()).unwrap_or(u64::MAX)
}
