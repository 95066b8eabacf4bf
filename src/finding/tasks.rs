//! What the records of `pollscope::spawn` show when they are gone through once a second: who has no waker left, who wakes
//! itself, and how many tasks each spawn site has; PURE.

use std::collections::HashMap;
use std::time::Duration;

use super::fact::{Fact, Site, Subject};
use super::ledger::{Level, Signal};
use super::thresholds::Thresholds;
use crate::runtime::task_record::{TaskState, TaskView};

/// Tasks remembered from one pass to the next for each condition; a thousand show it as well as more would.
const TASKS_LEN_MAX: usize = 1024;

/// Part of a task's wakes that must be its own: a task that is also woken by others is busy, not spinning.
const SELF_WAKE_SHARE: f64 = 0.5;

/// Runtime and address of the spawn site.
type Place = (u32, usize);

/// A task without a waker.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    polls: u64,
    since: Duration,
}

/// What passes over all records have seen.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    passed: Option<Duration>,
    suspects: HashMap<u64, Suspect>,
    spinners: HashMap<u64, (u64, u64)>,
    counts: HashMap<Place, (Site, u64)>,
    signals: Vec<(u32, Signal)>,
}

/// One pass.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    before: &'a mut Tasks,
    now: Duration,
    /// Since when nothing has run, if nothing has since the pass before.
    quiet_since: Option<Duration>,
    thresholds: &'a Thresholds,
    after: Tasks,
    lost: HashMap<Place, (Site, Duration, u64, u64)>,
    storms: HashMap<Place, (Site, u64, f64, f64)>,
}

impl Tasks {
    /// Begins a pass.
    pub(crate) fn pass<'a>(
        &'a mut self,
        now: Duration,
        quiet_since: Option<Duration>,
        thresholds: &'a Thresholds,
    ) -> Pass<'a> {
        let after = Self {
            passed: Some(now),
            ..Self::default()
        };
        Pass {
            before: self,
            now,
            quiet_since,
            thresholds,
            after,
            lost: HashMap::new(),
            storms: HashMap::new(),
        }
    }

    /// Live tasks of one runtime by spawn site, at the last pass.
    pub(crate) fn sites_of(&self, runtime: u32) -> impl Iterator<Item = (Site, u64)> {
        self.counts
            .iter()
            .filter(move |((of, _), _)| *of == runtime)
            .map(|(_, counted)| *counted)
    }

    /// What the last pass has found, by runtime.
    pub(crate) fn signals(&self) -> &[(u32, Signal)] {
        &self.signals
    }
}

impl Pass<'_> {
    /// One task.
    pub(crate) fn see(&mut self, view: &TaskView) {
        let site = view.spawned_at;
        let place = (view.runtime, std::ptr::from_ref(site).addr());
        self.after.counts.entry(place).or_insert((site, 0)).1 += 1;
        if view.state == TaskState::Waiting && view.live_wakers == Some(0) {
            self.suspect(view, place);
        }
        if view.self_wakes > 0 && self.after.spinners.len() < TASKS_LEN_MAX {
            self.spins(view, place);
        }
    }

    fn suspect(&mut self, view: &TaskView, place: Place) {
        if self.after.suspects.len() >= TASKS_LEN_MAX {
            return;
        }
        let known = self
            .before
            .suspects
            .get(&view.number)
            .filter(|known| known.polls == view.polls);
        let since = known.map_or(self.quiet_since.unwrap_or(self.now), |known| known.since);
        let suspect = Suspect {
            polls: view.polls,
            since,
        };
        self.after.suspects.insert(view.number, suspect);
        if self.now.saturating_sub(since) < self.thresholds.lost_waker {
            return;
        }
        let lost = self
            .lost
            .entry(place)
            .or_insert((view.spawned_at, since, view.id, 0));
        lost.3 += 1;
        if since < lost.1 {
            (lost.1, lost.2) = (since, view.id);
        }
    }

    fn spins(&mut self, view: &TaskView, place: Place) {
        let counted = (view.self_wakes, view.wakes);
        self.after.spinners.insert(view.number, counted);
        let before = self.before.spinners.get(&view.number);
        let (Some((own, all)), Some(passed)) = (before, self.before.passed) else {
            return;
        };
        let own = view.self_wakes.saturating_sub(*own) as f64;
        let all = view.wakes.saturating_sub(*all) as f64;
        let per_second = own / self.now.saturating_sub(passed).as_secs_f64().max(1e-3);
        let share = own / all.max(1.0);
        // Half of the threshold clears it, so it is worth a word already.
        if per_second * 2.0 < self.thresholds.self_wakes_per_second as f64
            || share < SELF_WAKE_SHARE
        {
            return;
        }
        let worst = self
            .storms
            .entry(place)
            .or_insert((view.spawned_at, view.id, 0.0, 0.0));
        if per_second > worst.2 {
            *worst = (view.spawned_at, view.id, per_second, share);
        }
    }

    /// Every task was seen.
    pub(crate) fn end(self) {
        let mut after = self.after;
        for ((runtime, _), (site, since, task, tasks)) in self.lost {
            let signal = Signal {
                subject: Subject::Site(site),
                level: Level::Above,
                fact: Fact::LostWaker { site, task, tasks },
                since: Some(since),
            };
            after.signals.push((runtime, signal));
        }
        for ((runtime, _), (site, task, per_second, share)) in self.storms {
            let is_above = per_second >= self.thresholds.self_wakes_per_second as f64;
            let signal = Signal {
                subject: Subject::Site(site),
                level: if is_above {
                    Level::Above
                } else {
                    Level::Between
                },
                fact: Fact::SelfWakes {
                    site,
                    task,
                    per_second,
                    share,
                },
                since: None,
            };
            after.signals.push((runtime, signal));
        }
        *self.before = after;
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;

    fn task(number: u64, polls: u64, wakers: usize) -> TaskView {
        TaskView {
            number,
            id: number,
            runtime: 1,
            spawned_at: Location::caller(),
            born: Duration::ZERO,
            state: TaskState::Waiting,
            polls,
            wakes: 0,
            self_wakes: 0,
            live_wakers: Some(wakers),
            ready: None,
            last_wake: None,
        }
    }

    /// Passes a second apart over these tasks; gives what each pass finds.
    fn passes(of: &[Vec<TaskView>]) -> Vec<Vec<Fact>> {
        let thresholds = Thresholds {
            lost_waker: Duration::from_secs(2),
            ..Thresholds::default()
        };
        let mut tasks = Tasks::default();
        let mut second = 0;
        of.iter()
            .map(|views| {
                second += 1;
                let mut pass = tasks.pass(Duration::from_secs(second), None, &thresholds);
                views.iter().for_each(|view| pass.see(view));
                pass.end();
                let facts = tasks.signals().iter();
                facts.map(|(_, signal)| signal.fact.clone()).collect()
            })
            .collect()
    }

    /// Lost is who has no waker in the same wait for the threshold; who is polled again or gets a waker is not.
    #[test]
    fn lost_is_who_stays_without_a_waker() {
        let found = passes(&[
            vec![task(1, 4, 0), task(2, 4, 0), task(3, 4, 0)],
            vec![task(1, 4, 0), task(2, 5, 0), task(3, 4, 1)],
            vec![task(1, 4, 0), task(2, 6, 0), task(3, 4, 0)],
        ]);
        assert!(found[0].is_empty() && found[1].is_empty());
        let [Fact::LostWaker { task, tasks, .. }] = found[2].as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!((*task, *tasks), (1, 1));
    }

    /// A process in which nothing has run for the threshold need not be watched any longer.
    #[test]
    fn quiet_time_counts() {
        let thresholds = Thresholds::default();
        let mut tasks = Tasks::default();
        let quiet = Some(Duration::from_secs(5));
        let mut pass = tasks.pass(Duration::from_secs(15), quiet, &thresholds);
        pass.see(&task(1, 1, 0));
        pass.end();
        assert_eq!(tasks.signals()[0].1.since, quiet);
    }

    /// A storm is many wakes by the task itself; as many by others are work.
    #[test]
    fn storms_are_self_made() {
        let woken = |own: u64, others: u64| TaskView {
            wakes: own + others,
            self_wakes: own,
            ..task(1, 1, 1)
        };
        let storm = passes(&[vec![woken(1, 0)], vec![woken(50_001, 10)]]);
        assert!(
            matches!(storm[1][..], [Fact::SelfWakes { per_second, .. }] if per_second == 50_000.0),
            "{storm:?}"
        );
        let work = passes(&[vec![woken(1, 0)], vec![woken(50_001, 90_000)]]);
        let slow = passes(&[vec![woken(1, 0)], vec![woken(1_001, 0)]]);
        assert!(work[1].is_empty() && slow[1].is_empty());
    }
}
