//! The runtimes that are watched.
//!
//! A runtime built by pollscope registers itself and is forgotten when it is dropped, its name a little later; an attached
//! one stays for the life of the scope. Numbers are never used again, so a slot that still names a dropped runtime is
//! recognised.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, RuntimeMetrics};

use super::bell::BELL;
use super::farewell::Farewell;
use super::sites::Sites;
use super::status::Tier;

/// Names kept of runtimes that have ended, for what is told of them a moment later.
const ENDED_LEN_MAX: usize = 64;

/// One watched runtime.
#[derive(Debug)]
pub(crate) struct WatchedRuntime {
    /// Name for labels and events, unique in the process.
    pub(crate) name: String,
    /// `multi_thread` or `current_thread`.
    pub(crate) flavor: &'static str,
    /// How much of it can be seen.
    pub(crate) tier: Tier,
    /// Tokio's own counters.
    pub(crate) metrics: RuntimeMetrics,
    /// For spawning probes; attached runtimes only, since it keeps the runtime's memory alive.
    pub(crate) handle: Option<Handle>,
    /// Live tasks by spawn site, where hooks count them.
    pub(crate) sites: Option<Arc<Sites>>,
}

impl WatchedRuntime {
    /// Tasks ready in the queue that all workers share.
    pub(crate) fn shared_queue(&self) -> usize {
        self.metrics.global_queue_depth()
    }

    /// Tasks ready in a worker's own queue, which Tokio tells only under `--cfg tokio_unstable`.
    pub(crate) fn own_queue(&self, worker: usize) -> usize {
        #[cfg(tokio_unstable)]
        if worker < self.metrics.num_workers() {
            return self.metrics.worker_local_queue_depth(worker);
        }
        let _ = worker;
        0
    }
}

/// All watched runtimes; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runtimes {
    inner: Arc<Mutex<Inner>>,
}

/// Runtimes with their numbers.
pub(crate) type Listed = Arc<[(u32, Arc<WatchedRuntime>)]>;

#[derive(Debug, Default)]
struct Inner {
    known: BTreeMap<u32, Arc<WatchedRuntime>>,
    /// The same as a list, which the watchdog takes hundreds of times a second.
    listed: Listed,
    /// Numbers and names of the last that ended, the newest last.
    ended: VecDeque<(u32, String)>,
}

impl Runtimes {
    /// A number for a runtime that is about to be built.
    pub(crate) fn reserve() -> u32 {
        // Numbers are the process's: slots outlive a scope, and so may runtimes.
        static NEXT: AtomicU32 = AtomicU32::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds the runtime as [`Runtimes::add`] does, until the registration is dropped.
    pub(crate) fn register(&self, number: u32, runtime: WatchedRuntime) -> Registration {
        self.add(number, runtime);
        Registration {
            number,
            runtimes: self.clone(),
        }
    }

    /// Adds the runtime under its number; a name that is taken gets the number appended.
    pub(crate) fn add(&self, number: u32, mut runtime: WatchedRuntime) {
        let mut inner = self.lock();
        if inner.known.values().any(|known| known.name == runtime.name) {
            runtime.name = format!("{}-{number}", runtime.name);
        }
        inner.known.insert(number, Arc::new(runtime));
        inner.list();
    }

    /// Forgets a runtime, its name a little later.
    pub(crate) fn remove(&self, number: u32) {
        let mut inner = self.lock();
        let Some(runtime) = inner.known.remove(&number) else {
            return;
        };
        inner.list();
        if inner.ended.len() == ENDED_LEN_MAX {
            inner.ended.pop_front();
        }
        inner.ended.push_back((number, runtime.name.clone()));
    }

    /// The name of a runtime that is watched or has just ended.
    pub(crate) fn name_of(&self, number: u32) -> Option<String> {
        let inner = self.lock();
        let ended = || inner.ended.iter().find(|(ended, _)| *ended == number);
        match inner.known.get(&number) {
            Some(runtime) => Some(runtime.name.clone()),
            None => ended().map(|(_, name)| name.clone()),
        }
    }

    /// The runtime of that number.
    pub(crate) fn get(&self, number: u32) -> Option<Arc<WatchedRuntime>> {
        self.lock().known.get(&number).cloned()
    }

    /// All of them with their numbers.
    pub(crate) fn all(&self) -> Listed {
        Arc::clone(&self.lock().listed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A plain map, valid at every step.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn list(&mut self) {
        let known = self.known.iter();
        self.listed = known
            .map(|(number, runtime)| (*number, Arc::clone(runtime)))
            .collect();
    }
}

/// Keeps a runtime registered. Its owner drops it after the runtime, whose workers can stall until the very end.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) number: u32,
    runtimes: Runtimes,
}

impl Registration {
    /// What looks at the runtime before it ends.
    pub(super) fn farewell(&self) -> Farewell {
        Farewell {
            number: self.number,
            runtimes: self.runtimes.clone(),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.runtimes.remove(self.number);
        // What was found in it is over, although every worker may be parked.
        BELL.wake();
    }
}
