//! A runtime as `/runtime` and the command line show it; plain values.

use serde::{Deserialize, Serialize};

/// How much of a runtime can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tier {
    /// Attached to a running runtime: loop progress only.
    Attached,
    /// Built by pollscope without task hooks, as always on stable Tokio: parks, and polls of tasks spawned through
    /// pollscope.
    Built,
    /// Built by pollscope with task hooks, under `--cfg tokio_unstable`: every poll.
    Hooks,
}

/// What a worker is doing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WorkerState {
    /// Idle, waiting for work.
    Parked,
    /// Awake, between polls.
    Active,
    /// Inside a poll.
    Polling,
    /// Inside a poll that is reported as a stall.
    Stalled,
}

/// One worker thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Index in the runtime; `None` for a thread inside `block_on`.
    pub index: Option<usize>,
    /// Kernel thread id, once known.
    pub tid: Option<i32>,
    /// What it is doing.
    pub state: WorkerState,
    /// The task being polled.
    pub task_id: Option<u64>,
    /// Where that task was spawned.
    pub spawned_at: Option<String>,
    /// Seconds busy since the runtime's start, as Tokio counts them (frozen while a poll lasts).
    pub busy_seconds: f64,
    /// Times the worker parked.
    pub parks: u64,
}

/// One runtime.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuntimeStatus {
    /// Name, unique in the process.
    pub name: String,
    /// `multi_thread` or `current_thread`.
    pub flavor: String,
    /// How much of it can be seen.
    pub tier: Tier,
    /// Its workers.
    pub workers: Vec<WorkerStatus>,
    /// Tasks alive now.
    pub alive_tasks: usize,
    /// Tasks waiting in the queue that all workers share.
    pub global_queue_depth: usize,
}
