//! What a runtime leaves behind when it ends: in debug mode, the tasks that were still alive.
//!
//! Tokio drops them without a word, wherever they are. It is the first field of a runtime, so it is dropped while they live.

use std::collections::HashMap;
use std::panic::Location;

use super::records;
use super::registry::Runtimes;
use crate::debug::{self, Lint};

/// Spawn sites that are named: the most frequent ones.
const SITES_LEN_MAX: usize = 8;

/// Looks at the runtime when dropped.
#[derive(Debug)]
pub(super) struct Farewell {
    pub(super) number: u32,
    pub(super) runtimes: Runtimes,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if !debug::is_on() {
            return;
        }
        let Some(runtime) = self.runtimes.get(self.number) else {
            return;
        };
        let tasks = u64::try_from(runtime.metrics.num_alive_tasks()).unwrap_or(u64::MAX);
        if tasks > 0 {
            debug::tell(Lint::DroppedWithTasks {
                runtime: runtime.name.clone(),
                number: self.number,
                tasks,
                sites: sites_of(self.number),
            });
        }
    }
}

fn sites_of(runtime: u32) -> Vec<(&'static Location<'static>, u64)> {
    let mut counts: HashMap<usize, (&'static Location<'static>, u64)> = HashMap::new();
    records::visit(|task| {
        if task.runtime == runtime {
            let site = std::ptr::from_ref(task.spawned_at).addr();
            counts.entry(site).or_insert((task.spawned_at, 0)).1 += 1;
        }
    });
    let mut sites: Vec<_> = counts.into_values().collect();
    sites.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    sites.truncate(SITES_LEN_MAX);
    sites
}
