//! Who waited for a stall, and how long; PURE.
//!
//! A task that was ready and had to wait is one interval, a stall is another. Their overlap is what the stall added to the
//! task's delay; the rest of the wait is somebody else's. A wait is charged to one stall, never to two.

use std::collections::BTreeMap;
use std::panic::Location;
use std::time::Duration;

use super::event::{VictimSite, Victims};

/// Spawn sites kept apart for one stall; what later ones waited is in the total alone.
const SITES_LEN_MAX: usize = 64;

/// Spawn sites named in an event, those that waited longest.
const SITES_NAMED_MAX: usize = 8;

/// A wait that ended with a poll, or has lasted until now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TaskDelay {
    /// Runtime of the thread that polled; 0 if it is not known.
    pub(crate) runtime: u32,
    /// The thread that polled.
    pub(crate) tid: i32,
    /// The task that waited.
    pub(crate) task: u64,
    /// Where that was spawned.
    pub(crate) spawned_at: &'static Location<'static>,
    /// Since when it was ready.
    pub(crate) ready: Duration,
    /// When its poll began.
    pub(crate) polled: Duration,
}

/// A stall that tasks may have waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// Runtime of the stalled thread; 0 if it is not known.
    pub(crate) runtime: u32,
    /// The stalled thread.
    pub(crate) tid: i32,
    /// The task in whose poll it stands; 0 for a root future.
    pub(crate) culprit: u64,
    /// Its begin.
    pub(crate) started: Duration,
    /// Its end; `None` while it lasts.
    pub(crate) ended: Option<Duration>,
}

impl Stretch {
    /// What this stall added to a wait. The culprit's own next poll waits for nobody else.
    pub(crate) fn share_of(&self, wait: &TaskDelay) -> Duration {
        let is_same_runtime = self.runtime == wait.runtime && self.runtime != 0;
        let is_itself = self.culprit != 0 && self.culprit == wait.task;
        if is_itself || !(is_same_runtime || self.tid == wait.tid) {
            return Duration::ZERO;
        }
        let from = wait.ready.max(self.started);
        let to = self.ended.map_or(wait.polled, |end| end.min(wait.polled));
        to.saturating_sub(from)
    }
}

/// The stall that a wait is charged to, with its share: that of the thread that polled the task in the end, for the task
/// stood in its queue; else the one that covers most of the wait. Shares under `least` are nobody's.
pub(crate) fn charge<'a>(
    wait: &TaskDelay,
    stalls: impl Iterator<Item = &'a Stretch>,
    least: Duration,
) -> Option<(usize, Duration)> {
    stalls
        .enumerate()
        .map(|(index, stall)| (stall.tid == wait.tid, stall.share_of(wait), index))
        .filter(|(_, share, _)| *share >= least && !share.is_zero())
        .max_by_key(|(is_behind_it, share, _)| (*is_behind_it, *share))
        .map(|(_, share, index)| (index, share))
}

/// What one stall has cost others so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct VictimTally {
    count: u64,
    delay: Duration,
    charged_elsewhere: u64,
    sites: BTreeMap<(&'static str, u32, u32), (u64, Duration)>,
    queue_peak: usize,
    queue_wait: Duration,
}

impl VictimTally {
    /// One more victim.
    pub(crate) fn add(&mut self, spawned_at: &'static Location<'static>, share: Duration) {
        self.count += 1;
        self.delay += share;
        let site = (spawned_at.file(), spawned_at.line(), spawned_at.column());
        if self.sites.contains_key(&site) || self.sites.len() < SITES_LEN_MAX {
            let (count, delay) = self.sites.entry(site).or_default();
            *count += 1;
            *delay += share;
        }
    }

    /// A wait that this stall could have caused is charged to another one of its runtime: the queues held that task too.
    pub(crate) fn charged_elsewhere(&mut self) {
        self.charged_elsewhere += 1;
    }

    /// `depth` tasks stood in the queues for a time of `length`. Summed up, that is the time that all of them waited.
    pub(crate) fn queue(&mut self, depth: usize, length: Duration) {
        self.queue_peak = self.queue_peak.max(depth);
        self.queue_wait += length.saturating_mul(u32::try_from(depth).unwrap_or(u32::MAX));
    }

    /// The sum for the event. Measured unless the queues held more than twice the tasks whose waits were seen; `None` if
    /// neither a wait nor a queue was seen, unless `sees_all` says that there was none.
    pub(crate) fn victims(&self, sees_all: bool) -> Option<Victims> {
        let queued = u64::try_from(self.queue_peak).unwrap_or(u64::MAX);
        let seen = self.count + self.charged_elsewhere;
        if queued > seen.saturating_mul(2) && !sees_all {
            return Some(Victims {
                count: queued,
                delay_ms: ms(self.queue_wait),
                measured: false,
                sites: Vec::new(),
            });
        }
        (seen > 0 || sees_all).then(|| Victims {
            count: self.count,
            delay_ms: ms(self.delay),
            measured: true,
            sites: self.named_sites(),
        })
    }

    fn named_sites(&self) -> Vec<VictimSite> {
        let mut sites: Vec<_> = self.sites.iter().collect();
        sites.sort_by_key(|(_, (_, delay))| std::cmp::Reverse(*delay));
        sites.truncate(SITES_NAMED_MAX);
        let named = |(site, totals): (&(&str, u32, u32), &(u64, Duration))| VictimSite {
            spawned_at: format!("{}:{}:{}", site.0, site.1, site.2),
            count: totals.0,
            delay_ms: ms(totals.1),
        };
        sites.into_iter().map(named).collect()
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_millis(3);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn wait(tid: i32, ready: u64, polled: u64) -> TaskDelay {
        TaskDelay {
            runtime: 1,
            tid,
            task: 50,
            spawned_at: Location::caller(),
            ready: at(ready),
            polled: at(polled),
        }
    }

    fn stall(tid: i32, started: u64, ended: Option<u64>) -> Stretch {
        Stretch {
            runtime: 1,
            tid,
            culprit: 9,
            started: at(started),
            ended: ended.map(at),
        }
    }

    /// Only the overlap of wait and stall counts, and a stall that lasts reaches to the poll.
    #[test]
    fn the_overlap_counts() {
        let closed = stall(7, 100, Some(400));
        for (ready, polled, expected) in [
            (100, 400, 300),
            (50, 410, 300),
            (200, 300, 100),
            (0, 90, 0),
            (401, 500, 0),
            (399, 402, 1),
        ] {
            assert_eq!(
                closed.share_of(&wait(7, ready, polled)),
                at(expected),
                "{ready} to {polled}"
            );
        }
        assert_eq!(stall(7, 100, None).share_of(&wait(8, 150, 450)), at(300));
    }

    /// Nobody waits for himself, nor for a thread of another runtime; without a known runtime only the same thread counts.
    #[test]
    fn strangers_do_not_count() {
        let long = stall(7, 0, None);
        let itself = TaskDelay {
            task: 9,
            ..wait(7, 0, 300)
        };
        let elsewhere = TaskDelay {
            runtime: 2,
            ..wait(8, 0, 300)
        };
        assert_eq!(long.share_of(&itself), Duration::ZERO);
        assert_eq!(long.share_of(&elsewhere), Duration::ZERO);
        let unknown = Stretch { runtime: 0, ..long };
        let beside = TaskDelay {
            runtime: 0,
            ..wait(8, 0, 300)
        };
        assert_eq!(unknown.share_of(&beside), Duration::ZERO);
        assert_eq!(unknown.share_of(&wait(7, 0, 300)), at(300));
    }

    /// A wait is charged once: to the stall in whose queue it stood, else to the one that covers most of it.
    #[test]
    fn a_wait_is_charged_once() {
        let stalls = [stall(7, 100, Some(400)), stall(8, 0, Some(200))];
        let charged = |wait: &TaskDelay| charge(wait, stalls.iter(), LEAST);
        assert_eq!(charged(&wait(7, 0, 401)), Some((0, at(300))));
        assert_eq!(charged(&wait(8, 0, 401)), Some((1, at(200))));
        assert_eq!(charged(&wait(5, 0, 401)), Some((0, at(300))));
        assert_eq!(charged(&wait(5, 0, 120)), Some((1, at(120))));
        assert_eq!(charged(&wait(7, 399, 402)), None);
    }

    /// Waits that were seen are the answer unless the queues show that most were not; nothing known is not "none".
    #[test]
    fn measured_or_estimated() {
        let mut tally = VictimTally::default();
        assert_eq!(tally.victims(false), None);
        assert_eq!(tally.victims(true).map(|none| none.count), Some(0));
        for _ in 0..3 {
            tally.add(Location::caller(), at(20));
        }
        tally.queue(6, at(10));
        let victims = tally.victims(false).unwrap();
        assert!(victims.measured);
        assert_eq!((victims.count, victims.delay_ms), (3, 60.0));
        assert_eq!((victims.sites.len(), victims.sites[0].count), (1, 3));
        tally.queue(7, at(10));
        let victims = tally.victims(false).unwrap();
        assert!(!victims.measured);
        assert_eq!((victims.count, victims.delay_ms), (7, 130.0));
        assert!(tally.victims(true).unwrap().measured);
    }

    /// Tasks in a queue that two stalls share are not estimated for one when they were measured for the other.
    #[test]
    fn a_shared_queue_counts_once() {
        let mut tally = VictimTally::default();
        tally.queue(20, at(300));
        (0..20).for_each(|_| tally.charged_elsewhere());
        let victims = tally.victims(false).unwrap();
        assert_eq!((victims.count, victims.measured), (0, true));
    }

    /// However many spawn sites wait, the event names a few, the longest first.
    #[test]
    fn sites_are_bounded() {
        let mut tally = VictimTally::default();
        for line in 0..200 {
            tally.sites.insert(("a.rs", line, 1), (1, at(line.into())));
        }
        tally.add(Location::caller(), at(1000));
        let sites = tally.named_sites();
        assert_eq!(sites.len(), SITES_NAMED_MAX);
        assert!(sites[0].spawned_at.starts_with("a.rs:199"));
        assert_eq!(tally.sites.len(), 200);
    }
}
