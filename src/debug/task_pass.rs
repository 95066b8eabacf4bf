//! What the records of `pollscope::spawn` show to a developer when they are gone through once a second; PURE.

use std::collections::HashMap;
use std::time::Duration;

use super::lint::{Lint, Place};
use crate::runtime::task_record::{TaskState, TaskView};

/// Pause between two passes, which cost about 30 ns a task.
const PAUSE: Duration = Duration::from_secs(1);

/// A task that has waited this long for its first poll was forgotten: a queue that long would be a stall of its own.
const NEVER_POLLED: Duration = Duration::from_secs(1);

/// More live tasks of one spawn site than a pause before, in [`GROWING_PASSES`] passes in a row: no service under
/// development takes a thousand connections a second and loses none.
const GROWTH_MIN: u64 = 1000;
const GROWING_PASSES: u32 = 2;

/// Runtime and address of the spawn site.
type Site = (u32, usize);

/// The tasks of one spawn site.
#[derive(Debug, Clone, Copy)]
struct Tasks {
    spawned_at: Place,
    alive: u64,
    /// Passes in a row in which it grew.
    growing: u32,
    unpolled: u64,
    /// Born first of those that were never polled.
    oldest: Option<(u64, Duration)>,
}

/// What is kept between passes.
#[derive(Debug, Default)]
pub(crate) struct TaskPass {
    next: Duration,
    sites: HashMap<Site, Tasks>,
}

impl TaskPass {
    /// Goes through the records if it is time; `visit` shows each to its argument.
    pub(crate) fn pass(
        &mut self,
        now: Duration,
        visit: impl FnOnce(&mut dyn FnMut(&TaskView)),
    ) -> Vec<Lint> {
        if now < self.next {
            return Vec::new();
        }
        self.next = now + PAUSE;
        let mut sites: HashMap<Site, Tasks> = HashMap::new();
        visit(&mut |view| see(&mut sites, view));
        let before = std::mem::take(&mut self.sites);
        let mut lints = Vec::new();
        for (site, tasks) in &mut sites {
            let known = before.get(site);
            lints.extend(never_polled(now, site.0, tasks));
            let growth = tasks
                .alive
                .saturating_sub(known.map_or(0, |known| known.alive));
            if growth >= GROWTH_MIN {
                tasks.growing = known.map_or(0, |known| known.growing) + 1;
            }
            if tasks.growing >= GROWING_PASSES {
                lints.push(Lint::UnboundedSpawn {
                    runtime: site.0,
                    spawned_at: tasks.spawned_at,
                    alive: tasks.alive,
                    growth,
                    pause: PAUSE,
                });
            }
        }
        self.sites = sites;
        lints
    }
}

fn see(sites: &mut HashMap<Site, Tasks>, view: &TaskView) {
    let site = (view.runtime, std::ptr::from_ref(view.spawned_at).addr());
    let tasks = sites.entry(site).or_insert(Tasks {
        spawned_at: view.spawned_at,
        alive: 0,
        growing: 0,
        unpolled: 0,
        oldest: None,
    });
    tasks.alive += 1;
    if view.state == TaskState::NeverPolled {
        tasks.unpolled += 1;
        if tasks.oldest.is_none_or(|(_, born)| view.born < born) {
            tasks.oldest = Some((view.id, view.born));
        }
    }
}

fn never_polled(now: Duration, runtime: u32, tasks: &Tasks) -> Option<Lint> {
    let (task, born) = tasks.oldest?;
    let longest = now.saturating_sub(born);
    (longest >= NEVER_POLLED).then_some(Lint::NeverPolled {
        runtime,
        task,
        spawned_at: tasks.spawned_at,
        tasks: tasks.unpolled,
        longest,
    })
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;

    fn task(id: u64, state: TaskState, born: u64) -> TaskView {
        TaskView {
            number: id,
            id,
            runtime: 1,
            spawned_at: Location::caller(),
            born: Duration::from_millis(born),
            state,
            polls: 0,
            wakes: 0,
            self_wakes: 0,
            live_wakers: None,
            ready: None,
            last_wake: None,
        }
    }

    /// Passes a second apart, each over so many tasks of one site.
    fn passes(of: &[(u64, TaskState)]) -> Vec<Vec<Lint>> {
        let mut passes = TaskPass::default();
        let mut now = Duration::ZERO;
        of.iter()
            .map(|(count, state)| {
                now += PAUSE;
                passes.pass(now, |see| {
                    (0..*count).for_each(|id| see(&task(id, *state, 500 + id)));
                })
            })
            .collect()
    }

    /// Who has waited for a second is told of, the oldest by its id; who was born a moment ago is not.
    #[test]
    fn finds_who_is_never_polled() {
        let found = passes(&[(3, TaskState::NeverPolled), (3, TaskState::NeverPolled)]);
        assert!(found[0].is_empty());
        assert!(
            matches!(found[1][..], [Lint::NeverPolled { task: 0, tasks: 3, longest, .. }] if longest.as_millis() == 1500),
            "{found:?}"
        );
        assert!(passes(&[(3, TaskState::Waiting), (3, TaskState::Waiting)])[1].is_empty());
    }

    /// Growth by a thousand a second, twice in a row; a burst that ends is not, nor is a large number that stays.
    #[test]
    fn finds_spawns_without_bound() {
        let waiting = |counts: &[u64]| {
            let passes = passes(
                &counts
                    .iter()
                    .map(|count| (*count, TaskState::Waiting))
                    .collect::<Vec<_>>(),
            );
            passes.last().unwrap().len()
        };
        assert_eq!(waiting(&[1500, 3000]), 1);
        assert_eq!(waiting(&[1500, 1500]), 0);
        assert_eq!(waiting(&[5000]), 0);
        assert_eq!(waiting(&[1500, 1600, 3000]), 0);
    }

    /// Nobody is looked at more often than once a second.
    #[test]
    fn keeps_its_pause() {
        let mut passes = TaskPass::default();
        let mut looks = 0;
        for ms in (0..3000).step_by(100) {
            passes.pass(Duration::from_millis(ms), |_| looks += 1);
        }
        assert_eq!(looks, 3);
    }
}
