//! Runtimes as they are now: for `/runtime`, for the metrics, for `/readyz`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::attach::CURRENT_THREAD;
use super::records;
use super::registry::{Runtimes, WatchedRuntime};
use super::slots::{self, NO_WORKER, Slot, SlotView};
use super::status::{RuntimeStatus, WorkerState, WorkerStatus};
use super::task_record::TaskState;
use crate::metrics::Samples;
use crate::metrics::catalogue as table;
use crate::report::to_f64;

/// The status of every watched runtime.
pub(crate) fn survey(runtimes: &Runtimes) -> Vec<RuntimeStatus> {
    let views: Vec<SlotView> = slots::claimed_slots()
        .iter()
        .filter_map(Slot::view)
        .collect();
    runtimes
        .all()
        .iter()
        .map(|(number, runtime)| status(*number, runtime, &views))
        .collect()
}

fn status(number: u32, runtime: &WatchedRuntime, views: &[SlotView]) -> RuntimeStatus {
    let own = |view: &&SlotView| view.runtime == number;
    let mut workers: Vec<WorkerStatus> = (0..runtime.metrics.num_workers())
        .map(|index| {
            worker(
                index,
                runtime,
                views
                    .iter()
                    .filter(own)
                    .filter(|view| {
                        usize::try_from(view.worker) == Ok(index) && view.worker != NO_WORKER
                    })
                    .max_by_key(|view| view.worker_since),
            )
        })
        .collect();
    let single = workers.len() == 1 && runtime.flavor == CURRENT_THREAD;
    let outside = views
        .iter()
        .filter(own)
        .filter(|view| view.worker == NO_WORKER && !single);
    workers.extend(outside.map(outside_worker));
    RuntimeStatus {
        name: runtime.name.clone(),
        flavor: runtime.flavor.to_owned(),
        tier: runtime.tier,
        workers,
        alive_tasks: runtime.metrics.num_alive_tasks(),
        global_queue_depth: runtime.metrics.global_queue_depth(),
    }
}

fn worker(index: usize, runtime: &WatchedRuntime, view: Option<&SlotView>) -> WorkerStatus {
    let metrics = &runtime.metrics;
    // Odd while parked.
    let parked = metrics.worker_park_unpark_count(index) % 2 == 1;
    WorkerStatus {
        index: Some(index),
        tid: view.map(|view| view.tid),
        state: view.map_or(
            if parked {
                WorkerState::Parked
            } else {
                WorkerState::Active
            },
            state,
        ),
        task_id: view.and_then(task_id),
        spawned_at: view.and_then(spawned_at),
        busy_seconds: metrics.worker_total_busy_duration(index).as_secs_f64(),
        parks: metrics.worker_park_count(index),
    }
}

fn outside_worker(view: &SlotView) -> WorkerStatus {
    WorkerStatus {
        index: None,
        tid: Some(view.tid),
        state: state(view),
        task_id: task_id(view),
        spawned_at: spawned_at(view),
        busy_seconds: Duration::ZERO.as_secs_f64(),
        parks: 0,
    }
}

fn state(view: &SlotView) -> WorkerState {
    match (view.in_poll(), view.parked) {
        (true, _) => WorkerState::Polling,
        (false, true) => WorkerState::Parked,
        (false, false) => WorkerState::Active,
    }
}

fn task_id(view: &SlotView) -> Option<u64> {
    (view.in_poll() && view.task_id != 0).then_some(view.task_id)
}

fn spawned_at(view: &SlotView) -> Option<String> {
    view.spawned_at
        .filter(|_| view.in_poll())
        .map(ToString::to_string)
}

/// The runtimes' metrics for a scrape.
pub(crate) fn sample(runtimes: &Runtimes, samples: &mut Samples) {
    sample_tasks(runtimes, samples);
    for (_, runtime) in runtimes.all().iter() {
        let (name, metrics) = (runtime.name.as_str(), &runtime.metrics);
        samples.set(&table::WORKERS, &[name], metrics.num_workers() as f64);
        samples.set(
            &table::ALIVE_TASKS,
            &[name],
            metrics.num_alive_tasks() as f64,
        );
        samples.set(
            &table::GLOBAL_QUEUE,
            &[name],
            metrics.global_queue_depth() as f64,
        );
        for worker in 0..metrics.num_workers() {
            let label = worker.to_string();
            let busy = metrics.worker_total_busy_duration(worker).as_secs_f64();
            samples.set(&table::WORKER_BUSY, &[name, &label], busy);
            samples.set(
                &table::WORKER_PARKS,
                &[name, &label],
                metrics.worker_park_count(worker) as f64,
            );
        }
    }
}

fn sample_tasks(runtimes: &Runtimes, samples: &mut Samples) {
    let mut counts: BTreeMap<(u32, TaskState), u64> = BTreeMap::new();
    records::visit(|task| *counts.entry((task.runtime, task.state)).or_default() += 1);
    for &(number, ref runtime) in runtimes.all().iter() {
        for state in TaskState::ALL {
            let count = counts.get(&(number, state)).copied().unwrap_or(0);
            let labels = [runtime.name.as_str(), state.name()];
            samples.set(&table::WATCHED_TASKS, &labels, to_f64(count));
        }
    }
    let unlisted = to_f64(records::unlisted());
    samples.set(&table::UNLISTED_TASKS, &[], unlisted);
}
