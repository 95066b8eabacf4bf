//! Attaching to a runtime that somebody else has built: no hooks, so its threads are learnt by probes.
//!
//! A probe is a task that does nothing but tell on which thread its worker runs. As many as there are workers are
//! spawned at once and wait for each other for at most half a millisecond, so that every worker runs one. What a worker
//! does is then read from Tokio's stable counters: parked or not, and whether its loop has turned.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::AbortHandle;

use super::registry::{Runtimes, WatchedRuntime};
use super::slots::{self, SlotView};
use super::status::Tier;
use super::task_cell;
use super::task_id::number_of;

/// How long a probe keeps its worker so that the others get theirs; once at the attach, rarely later.
const MEETING_MAX: Duration = Duration::from_micros(500);

/// Tasks that look for the task cell; as many as must agree.
const CALIBRATIONS: usize = 3;

/// The flavour whose worker is whichever thread drives it.
pub(crate) const CURRENT_THREAD: &str = "current_thread";

/// What an attached worker shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttachedLook {
    /// Changes whenever the worker's loop turns, parks, or polls another task.
    pub(crate) token: u64,
    /// Whether it is awake.
    pub(crate) busy: bool,
    /// The task in its cell; meaningful while busy.
    pub(crate) task_id: Option<u64>,
}

/// Registers the runtime of `handle` and sends probes.
pub(crate) fn attach(runtimes: &Runtimes, handle: &Handle) -> u32 {
    let number = Runtimes::reserve();
    let name = handle.name().unwrap_or("main").to_owned();
    let runtime = WatchedRuntime {
        name,
        flavor: flavor_of(handle),
        tier: Tier::Attached,
        metrics: handle.metrics(),
        handle: Some(handle.clone()),
        sites: None,
    };
    runtimes.add(number, runtime);
    probe(number, handle);
    number
}

/// The flavour's name in Tokio's own words.
pub(crate) fn flavor_of(handle: &Handle) -> &'static str {
    if handle.runtime_flavor() == RuntimeFlavor::CurrentThread {
        CURRENT_THREAD
    } else {
        "multi_thread"
    }
}

/// One round of probes.
#[derive(Debug)]
pub(crate) struct Probes {
    met: Arc<AtomicUsize>,
    tasks: Vec<AbortHandle>,
}

impl Probes {
    /// Whether they show that the runtime has ended: all were dropped, none has run.
    pub(crate) fn show_the_end(&self) -> bool {
        self.met.load(Ordering::Relaxed) == 0 && self.tasks.iter().all(AbortHandle::is_finished)
    }
}

/// Sends one round of probes.
pub(crate) fn probe(number: u32, handle: &Handle) -> Probes {
    let workers = handle.metrics().num_workers();
    // At least so many that the task cell is found with a single worker too.
    let probes = workers.max(CALIBRATIONS);
    let met = Arc::new(AtomicUsize::new(0));
    let send = |_| {
        let met = Arc::clone(&met);
        let task = handle.spawn(async move {
            slots::take_over(number);
            task_cell::calibrate(number_of(&tokio::task::id()));
            met.fetch_add(1, Ordering::Relaxed);
            let started = Instant::now();
            while workers > 1
                && met.load(Ordering::Relaxed) < workers
                && started.elapsed() < MEETING_MAX
            {
                std::thread::yield_now();
            }
        });
        task.abort_handle()
    };
    let tasks = (0..probes).map(send).collect();
    Probes { met, tasks }
}

/// Has a few tasks look for the place where Tokio keeps the current task's id.
pub(crate) fn calibrate(handle: &Handle) {
    for _ in 0..CALIBRATIONS {
        handle.spawn(async { task_cell::calibrate(number_of(&tokio::task::id())) });
    }
}

/// Whether a worker is not parked; Tokio's count of parks and unparks is odd while it is.
pub(crate) fn is_awake(runtime: &WatchedRuntime, worker: usize) -> bool {
    runtime
        .metrics
        .worker_park_unpark_count(worker)
        .is_multiple_of(2)
}

/// Looks at one worker. Its cell, which is a system call away, is read only where it tells something: a worker that is parked
/// polls no task, and of a poll with a heartbeat the slot tells.
pub(crate) fn look(
    runtime: &WatchedRuntime,
    worker: usize,
    view: Option<&SlotView>,
) -> AttachedLook {
    let metrics = &runtime.metrics;
    let turns = metrics.worker_park_unpark_count(worker);
    let busy_time =
        u64::try_from(metrics.worker_total_busy_duration(worker).as_nanos()).unwrap_or(u64::MAX);
    let busy = turns.is_multiple_of(2);
    let task_id = view
        .filter(|view| busy && !view.in_poll())
        .and_then(|view| task_cell::read(view.thread_pointer))
        .filter(|id| *id != 0);
    AttachedLook {
        token: mix(mix(turns, busy_time), task_id.unwrap_or(0)),
        busy,
        task_id,
    }
}

/// Folds a word into a hash (the finaliser of MurmurHash3), so that equal tokens mean equal counters.
fn mix(hash: u64, word: u64) -> u64 {
    let x = (hash.rotate_left(31) ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53)
}
