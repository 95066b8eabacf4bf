//! The core: looks and beats in, findings that open and close out; PURE.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fact::{Fact, Site, Subject};
use super::judges::{self, signal};
use super::kind::FindingKind;
use super::ledger::{Change, Ledger, Level, Signal};
use super::sample::{Glance, RuntimeSample};
use super::thresholds::Thresholds;
use super::trend::Trend;
use super::window::Window;

/// What is remembered about one runtime.
#[derive(Debug, Default)]
struct Memory {
    window: Window,
    hog: Option<Signal>,
    /// By spawn site; `None` is all tasks together.
    trends: BTreeMap<Option<Site>, Trend>,
}

/// Every judge and what it remembers.
#[derive(Debug)]
pub(crate) struct Detector {
    thresholds: Thresholds,
    runtimes: BTreeMap<u32, Memory>,
    ledger: Ledger,
}

impl Detector {
    pub(crate) fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            runtimes: BTreeMap::new(),
            ledger: Ledger::default(),
        }
    }

    /// One look at all workers; cheap, since there are hundreds a second.
    pub(crate) fn glance(&mut self, glances: &[Glance]) {
        for memory in self.runtimes.values_mut() {
            memory.window.look();
        }
        for glance in glances {
            if let Some(memory) = self.runtimes.get_mut(&glance.runtime) {
                memory.window.note(glance);
            }
        }
    }

    /// One beat: every runtime as it is now, those that are missing are gone; `others` are signals of other judges, by
    /// runtime.
    pub(crate) fn beat(
        &mut self,
        now: Duration,
        samples: &[RuntimeSample],
        others: &[(u32, Signal)],
    ) {
        let is_gone = |number: u32| samples.iter().all(|sample| sample.number != number);
        self.runtimes.retain(|number, _| !is_gone(*number));
        self.ledger.end_all(now, |number, _| is_gone(number));
        for sample in samples {
            let memory = self.runtimes.entry(sample.number).or_default();
            let mut signals = memory.judge(now, sample, &self.thresholds);
            let own = others.iter().filter(|(number, _)| *number == sample.number);
            signals.extend(own.map(|(_, signal)| signal.clone()));
            for kind in FindingKind::ALL {
                let of_kind = |signal: &&Signal| signal.fact.kind() == kind;
                self.ledger.book(
                    now,
                    (sample.number, &sample.name),
                    kind,
                    judges::patience(kind, &self.thresholds),
                    signals.iter().filter(of_kind).cloned().collect(),
                );
            }
        }
    }

    /// What was seen in one moment.
    pub(crate) fn moment(&mut self, now: Duration, runtime: &str, fact: Fact) {
        self.ledger.moment(now, runtime, fact);
    }

    /// Every worker has gone idle: what consists of work is over, and what belongs to a runtime that is gone.
    pub(crate) fn idle(&mut self, now: Duration, is_alive: impl Fn(u32) -> bool) {
        for memory in self.runtimes.values_mut() {
            memory.window.interrupt();
            memory.hog = None;
        }
        self.ledger
            .end_all(now, |number, kind| kind.needs_work() || !is_alive(number));
    }

    /// The whole process stood still for so long: that is no part of any condition.
    pub(crate) fn stand_still(&mut self, gap: Duration) {
        for memory in self.runtimes.values_mut() {
            memory.window.interrupt();
        }
        self.ledger.excuse(gap);
    }

    /// Whether some condition can change while every worker is idle, so that somebody must look again.
    pub(crate) fn is_waiting(&self) -> bool {
        self.ledger.has_any(|kind| {
            matches!(
                kind,
                FindingKind::BlockingPoolExhausted | FindingKind::BlockInPlace
            )
        })
    }

    /// What has opened and closed since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        self.ledger.take_changes()
    }
}

impl Memory {
    fn judge(
        &mut self,
        now: Duration,
        sample: &RuntimeSample,
        thresholds: &Thresholds,
    ) -> Vec<Signal> {
        if let Some(seen) = self.window.beat(now, sample) {
            self.hog = judges::hog(sample, &seen);
        }
        let mut signals = self.leaks(now, sample, thresholds);
        signals.extend(judges::blocking_pool(sample));
        signals.extend(judges::backlog(sample, &self.window, thresholds));
        signals.extend(judges::driver(sample));
        signals.extend(self.hog.clone());
        signals
    }

    /// Growing spawn sites, or the growing total where sites are not counted.
    fn leaks(
        &mut self,
        now: Duration,
        sample: &RuntimeSample,
        thresholds: &Thresholds,
    ) -> Vec<Signal> {
        let sites = sample.sites.iter();
        let mut counts: Vec<(Option<Site>, u64)> =
            sites.map(|tasks| (Some(tasks.site), tasks.alive)).collect();
        if sample.has_other_sites {
            counts.push((None, sample.alive_tasks));
        }
        self.trends
            .retain(|site, _| counts.iter().any(|(counted, _)| counted == site));
        let mut leaks: Vec<Signal> = counts
            .into_iter()
            .map(|(site, alive)| {
                let trend = self
                    .trends
                    .entry(site)
                    .or_insert_with(|| Trend::new(now, thresholds.leak_window));
                trend.note(now, alive);
                let (level, growth) = trend.judge(thresholds.leak_tasks);
                leak(site, level, alive, growth, trend.window())
            })
            .collect();
        // The total grows with the site that leaks, and says less.
        let is_site =
            |signal: &Signal| signal.level == Level::Above && signal.subject != Subject::Runtime;
        if leaks.iter().any(is_site) {
            leaks.retain(|signal| signal.subject != Subject::Runtime);
        }
        leaks
    }
}

fn leak(site: Option<Site>, level: Level, alive: u64, growth: u64, window: Duration) -> Signal {
    let fact = Fact::Leak {
        site,
        alive,
        growth,
        window,
    };
    signal(site.map_or(Subject::Runtime, Subject::Site), level, fact)
}
