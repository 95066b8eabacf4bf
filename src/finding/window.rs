//! What the looks of about a second have seen of one runtime; PURE.

use std::collections::VecDeque;
use std::time::Duration;

use super::fact::{Site, TaskShare};
use super::frequent::Frequent;
use super::sample::{Glance, RuntimeSample};

/// Length of a window: hundreds of looks.
pub(crate) const WINDOW: Duration = Duration::from_secs(1);

/// Looks below which shares mean nothing: a watchdog that was kept from looking.
const LOOKS_MIN: u32 = 20;

/// Beats of which the last poll rate is taken.
const RATE_BEATS: usize = 10;

/// A window that is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// The tasks found most often, with their part of all looks.
    pub(crate) tasks: Vec<TaskShare>,
    pub(crate) polls_per_second: f64,
    pub(crate) forced_yields_per_second: Option<f64>,
    /// Tasks that were ready at four of five beats.
    pub(crate) ready: u64,
}

/// The heartbeat of one thread.
#[derive(Debug)]
struct Pulse {
    slot: (usize, u64),
    /// As it was at the last look.
    seq: u64,
    /// Polls that are counted already, twice; even, so that an unfinished one is counted at a later look.
    counted: u64,
    /// Whether it was met in this window.
    is_met: bool,
}

/// Looks and beats since the window began.
#[derive(Debug, Default)]
pub(crate) struct Window {
    began: Option<Duration>,
    looks: u32,
    tasks: Frequent<(u64, Option<Site>)>,
    /// As `tasks`, with each poll once, however long it was looked at.
    fresh: Frequent<u64>,
    sites: Frequent<Site>,
    last_sites: Frequent<Site>,
    ready: Vec<u64>,
    polls: u64,
    polls_at_begin: u64,
    yields_at_begin: Option<u64>,
    pulses: Vec<Pulse>,
    rates: VecDeque<(Duration, u64)>,
}

impl Window {
    /// A look at all workers begins.
    pub(crate) fn look(&mut self) {
        self.looks = self.looks.saturating_add(1);
    }

    /// Notes one worker.
    pub(crate) fn note(&mut self, glance: &Glance) {
        let is_fresh = self.count(glance);
        if !glance.in_poll {
            return;
        }
        self.tasks.add((glance.task, glance.site));
        if is_fresh {
            self.fresh.add(glance.task);
        }
        if let Some(site) = glance.site {
            self.sites.add(site);
        }
    }

    /// Counts the polls since the last look at this thread; says whether there was any.
    fn count(&mut self, glance: &Glance) -> bool {
        let known = self
            .pulses
            .iter_mut()
            .find(|pulse| pulse.slot == glance.slot);
        let Some(pulse) = known else {
            self.pulses.push(Pulse {
                slot: glance.slot,
                seq: glance.seq,
                counted: glance.seq & !1,
                is_met: true,
            });
            return true;
        };
        self.polls += glance.seq.saturating_sub(pulse.counted) / 2;
        pulse.counted = glance.seq & !1;
        pulse.is_met = true;
        std::mem::replace(&mut pulse.seq, glance.seq) != glance.seq
    }

    /// A beat; gives the window if it is over.
    pub(crate) fn beat(&mut self, now: Duration, sample: &RuntimeSample) -> Option<Seen> {
        self.rates.push_back((now, self.polls));
        if self.rates.len() > RATE_BEATS {
            self.rates.pop_front();
        }
        self.ready.push(sample.ready());
        let began = *self.began.get_or_insert(now);
        if now.saturating_sub(began) < WINDOW {
            return None;
        }
        let seconds = now.saturating_sub(began).as_secs_f64();
        let yields = sample.forced_yields.zip(self.yields_at_begin);
        let seen = Seen {
            tasks: self.shares(),
            polls_per_second: self.polls.saturating_sub(self.polls_at_begin) as f64 / seconds,
            forced_yields_per_second: yields
                .map(|(now, before)| now.saturating_sub(before) as f64 / seconds),
            ready: often(&mut self.ready),
        };
        let is_whole = self.looks >= LOOKS_MIN;
        self.restart(now, sample.forced_yields);
        is_whole.then_some(seen)
    }

    /// Begins again, because everybody was idle: that time says nothing.
    pub(crate) fn interrupt(&mut self) {
        let polls = self.polls;
        *self = Self {
            polls,
            polls_at_begin: polls,
            pulses: std::mem::take(&mut self.pulses),
            ..Self::default()
        };
    }

    fn restart(&mut self, now: Duration, yields: Option<u64>) {
        self.last_sites = std::mem::take(&mut self.sites);
        self.tasks = Frequent::default();
        self.fresh = Frequent::default();
        self.began = Some(now);
        self.looks = 0;
        self.ready.clear();
        self.polls_at_begin = self.polls;
        self.yields_at_begin = yields;
        self.pulses.retain(|pulse| pulse.is_met);
        for pulse in &mut self.pulses {
            pulse.is_met = false;
        }
    }

    fn shares(&self) -> Vec<TaskShare> {
        let fresh = self.fresh.top();
        let polls = |task| fresh.iter().find(|(other, _)| *other == task);
        let part = |((task, site), count): ((u64, Option<Site>), u32)| TaskShare {
            task,
            site,
            share: f64::from(count) / f64::from(self.looks.max(1)),
            polls_seen: polls(task).map_or(0, |(_, count)| *count),
        };
        self.tasks.top().into_iter().map(part).collect()
    }

    /// Polls a second over the last second or so; `None` while there is nothing to compare.
    pub(crate) fn poll_rate(&self) -> Option<f64> {
        let ((began, before), (now, after)) = (self.rates.front()?, self.rates.back()?);
        let seconds = now.saturating_sub(*began).as_secs_f64();
        (seconds > 0.0).then(|| after.saturating_sub(*before) as f64 / seconds)
    }

    /// The spawn sites found in polls most often, with their part of those polls.
    pub(crate) fn top_sites(&self, len: usize) -> Vec<(Site, f64)> {
        let mut top = self.sites.top();
        if top.is_empty() {
            top = self.last_sites.top();
        }
        let all: u32 = top.iter().map(|(_, count)| count).sum();
        top.truncate(len);
        top.into_iter()
            .map(|(site, count)| (site, f64::from(count) / f64::from(all.max(1))))
            .collect()
    }
}

/// What four of five values reach.
fn often(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 5).copied().unwrap_or(0)
}
