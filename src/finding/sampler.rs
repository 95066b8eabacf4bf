//! The sampler: reads slots and Tokio's counters for the detector, on the watchdog's thread.
//!
//! It is called at every look and reads counters ten times a second, both only while some worker is awake. A process whose
//! workers are all parked is left alone, with two exceptions: while work waits for the blocking pool it is not idle, and a
//! process that uses `pollscope::spawn` is looked at once after each work, since it may rest because its tasks are lost.

use std::collections::BTreeMap;
use std::time::Duration;

use super::announced::Announced;
use super::detector::Detector;
use super::fact::Fact;
use super::ledger::{Change, Signal};
use super::sample::{Glance, RuntimeSample, SiteTasks, Unturned};
use super::tasks::Tasks;
use super::thresholds::Thresholds;
use super::turns::Turns;
use super::{counters, driver};
use crate::debug::Lint;
use crate::runtime::slots::SlotView;
use crate::runtime::{Runtimes, Tier, WatchedRuntime, attach, records};

/// Pause between two beats: half of the shortest threshold. A beat reads about ten counters a worker, all of them atomics.
const BEAT: Duration = Duration::from_millis(100);

/// Pause between two beats while every worker is parked and the blocking pool is not idle.
const PARKED_BEAT: Duration = Duration::from_millis(500);

/// Pause between two passes over the records of `pollscope::spawn`, which cost about 30 ns a task.
const PASS_PAUSE: Duration = Duration::from_secs(1);

/// What is known of a process whose workers were all parked at the last look.
#[derive(Debug, Clone, Copy)]
struct Rest {
    since: Duration,
    /// Sum of all heartbeats: as long as it stays, nothing has run.
    heartbeats: u64,
    /// Whether the records were gone through since.
    is_passed: bool,
}

/// What is kept between looks.
#[derive(Debug)]
pub(crate) struct Sampler {
    detector: Detector,
    thresholds: Thresholds,
    announced: Announced,
    next_beat: Duration,
    turns: BTreeMap<u32, Turns>,
    views: Vec<SlotView>,
    glances: Vec<Glance>,
    tasks: Tasks,
    next_pass: Duration,
    heartbeats: u64,
    rest: Option<Rest>,
}

impl Sampler {
    pub(crate) fn new(thresholds: Thresholds, announced: Announced) -> Self {
        Self {
            detector: Detector::new(thresholds.clone()),
            thresholds,
            announced,
            next_beat: Duration::ZERO,
            turns: BTreeMap::new(),
            views: Vec::new(),
            glances: Vec::new(),
            tasks: Tasks::default(),
            next_pass: Duration::ZERO,
            heartbeats: 0,
            rest: None,
        }
    }

    /// One slot of the look that goes on.
    pub(crate) fn meet(&mut self, index: usize, view: &SlotView) {
        self.views.push(*view);
        self.glances.push(Glance {
            runtime: view.runtime,
            slot: (index, view.generation),
            seq: view.seq,
            in_poll: view.in_poll() && view.task_id != 0,
            task: view.task_id,
            site: view.spawned_at,
        });
    }

    /// The look is over.
    pub(crate) fn look(&mut self, now: Duration, runtimes: &Runtimes) -> Vec<Change> {
        self.detector.glance(&self.glances);
        self.heartbeats = self
            .glances
            .iter()
            .fold(0, |sum: u64, glance| sum.wrapping_add(glance.seq));
        if now >= self.next_beat {
            self.next_beat = now + BEAT;
            self.beat(now, runtimes);
        }
        self.glances.clear();
        self.views.clear();
        self.detector.take_changes()
    }

    fn beat(&mut self, now: Duration, runtimes: &Runtimes) {
        let runtimes = runtimes.all();
        self.turns
            .retain(|number, _| runtimes.iter().any(|(known, _)| known == number));
        if now >= self.next_pass {
            self.next_pass = now + PASS_PAUSE;
            self.pass(now);
        }
        let samples: Vec<RuntimeSample> = runtimes
            .iter()
            .map(|(number, runtime)| self.sample(now, *number, runtime))
            .collect();
        let number_of = |name: &str| {
            let named = samples.iter().find(|sample| sample.name == name);
            named.map(|sample| sample.number)
        };
        let announced = self.announced.signals().into_iter();
        let mut others: Vec<(u32, Signal)> = announced
            .filter_map(|(name, signal)| Some((number_of(&name)?, signal)))
            .collect();
        others.extend_from_slice(self.tasks.signals());
        self.detector.beat(now, &samples, &others);
    }

    /// Goes through the records.
    fn pass(&mut self, now: Duration) {
        // Nothing has run since the workers parked, so nobody's wait has changed either.
        let rest = self
            .rest
            .as_mut()
            .filter(|rest| rest.heartbeats == self.heartbeats);
        let quiet_since = rest.map(|rest| {
            rest.is_passed = true;
            rest.since
        });
        let mut pass = self.tasks.pass(now, quiet_since, &self.thresholds);
        records::visit(|view| pass.see(view));
        pass.end();
    }

    /// A mistake that the debug mode has seen; gives what to tell.
    pub(crate) fn lint(&mut self, now: Duration, runtimes: &Runtimes, lint: Lint) -> Vec<Change> {
        let name = lint.runtime_name(|number| runtimes.name_of(number));
        self.detector.moment(now, &name, Fact::Lint(lint));
        self.detector.take_changes()
    }

    /// Every worker has parked; gives what has ended with that.
    pub(crate) fn idle(&mut self, now: Duration, runtimes: &Runtimes) -> Vec<Change> {
        self.turns.clear();
        self.detector
            .idle(now, |number| runtimes.get(number).is_some());
        let has_rested = |rest: &Rest| rest.heartbeats == self.heartbeats;
        if !self.rest.as_ref().is_some_and(has_rested) {
            self.rest = Some(Rest {
                since: now,
                heartbeats: self.heartbeats,
                is_passed: false,
            });
        }
        self.detector.take_changes()
    }

    /// The whole process stood still for so long: nobody could turn or wake anything.
    pub(crate) fn stand_still(&mut self, gap: Duration) {
        self.turns.clear();
        self.detector.stand_still(gap);
    }

    /// How long a process whose workers are all parked may be left alone; `None` for as long as it likes.
    ///
    /// When it has rested for the threshold of a lost waker, the records are gone through once: it may rest because its last
    /// task is lost.
    pub(crate) fn patience(&self, runtimes: &Runtimes) -> Option<Duration> {
        let waits_for_pool = || {
            runtimes
                .all()
                .iter()
                .filter_map(|(_, runtime)| counters::blocking_pool(&runtime.metrics))
                .any(|pool| pool.queued > 0)
        };
        if self.detector.is_waiting() || waits_for_pool() {
            return Some(PARKED_BEAT);
        }
        let is_passed = self.rest.is_some_and(|rest| rest.is_passed);
        (!is_passed && records::is_used()).then_some(self.thresholds.lost_waker)
    }

    fn sample(&mut self, now: Duration, number: u32, runtime: &WatchedRuntime) -> RuntimeSample {
        let metrics = &runtime.metrics;
        let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let site_tasks = |(site, alive)| SiteTasks { site, alive };
        RuntimeSample {
            number,
            name: runtime.name.clone(),
            workers: count(metrics.num_workers()),
            alive_tasks: count(metrics.num_alive_tasks()),
            shared_queue: count(metrics.global_queue_depth()),
            local_queues: counters::local_queues(metrics),
            sees_every_poll: runtime.tier == Tier::Hooks,
            forced_yields: counters::forced_yields(metrics),
            blocking: counters::blocking_pool(metrics),
            unturned: self.unturned(now, number, runtime),
            sites: match &runtime.sites {
                Some(sites) => sites.alive().into_iter().map(site_tasks).collect(),
                None => self.tasks.sites_of(number).map(site_tasks).collect(),
            },
            has_other_sites: runtime
                .sites
                .as_ref()
                .is_none_or(|sites| sites.unplaced() > 0),
        }
    }

    fn unturned(
        &mut self,
        now: Duration,
        number: u32,
        runtime: &WatchedRuntime,
    ) -> Option<Unturned> {
        let descriptors = counters::descriptors(&runtime.metrics)?;
        let tokens = (0..runtime.metrics.num_workers())
            .map(|worker| attach::look(runtime, worker, None).token)
            .collect();
        let own: Vec<&SlotView> = self
            .views
            .iter()
            .filter(|view| view.runtime == number)
            .collect();
        let since = self.turns.entry(number).or_default().note(
            now,
            tokens,
            self.thresholds.driver / 2,
            || driver::is_attended(&own),
        )?;
        let polling = own.iter().find(|view| view.in_poll());
        Some(Unturned {
            since,
            descriptors,
            worker: polling.and_then(|view| usize::try_from(view.worker).ok()),
            task: polling.map(|view| view.task_id).filter(|task| *task != 0),
            site: polling.and_then(|view| view.spawned_at),
        })
    }
}
