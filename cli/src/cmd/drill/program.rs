//! What runs in a subject whose code must not be blamed. Each is a healthy habit of services, done hard.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::bench::Bench;

/// A program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Program {
    /// Nothing but one timer a second.
    Idle,
    /// Polls of half a millisecond, one after the other, on every worker.
    ShortPolls,
    /// Sleeps of half a threshold inside polls.
    ShortSleeps,
    /// Waiting as it should be done: timers, asynchronous locks, channels.
    SlowAsync,
    /// Many calls that block, where they belong: in `spawn_blocking`.
    BlockingPool,
    /// Long work that is announced with `block_in_place`.
    BlockInPlace,
    /// Runtimes that are made and dropped all the time.
    ManyRuntimes,
    /// Starting up: a runtime with a thousand tasks that bind and connect.
    StartUp,
    /// Shutting down: runtimes that are ended in every way while their tasks wait and work.
    Shutdown,
    /// Eight workers on fewer CPUs, each computing in polls of four milliseconds.
    Crowd,
}

/// CPU time of one short poll.
const SHORT_POLL: Duration = Duration::from_micros(500);

/// CPU time of a longer one, still under half a threshold.
const MEDIUM_POLL: Duration = Duration::from_millis(4);

impl Program {
    /// Runs on the bench's runtime until `end`.
    pub(crate) async fn run(self, bench: &Bench<'_>, end: Instant) {
        match self {
            Self::Idle => idle(end).await,
            Self::ShortPolls => polls(bench, end, 4, SHORT_POLL).await,
            Self::Crowd => polls(bench, end, 16, MEDIUM_POLL).await,
            Self::ShortSleeps => short_sleeps(bench, end).await,
            Self::SlowAsync => slow_async(bench, end).await,
            Self::BlockingPool => blocking_pool(end).await,
            Self::BlockInPlace => block_in_place(bench, end).await,
            Self::ManyRuntimes | Self::StartUp | Self::Shutdown => {
                unreachable!("makes runtimes of its own, see `generations`")
            }
        }
    }

    /// Whether it makes runtimes of its own instead of running on the bench's.
    pub(crate) fn makes_runtimes(self) -> bool {
        matches!(self, Self::ManyRuntimes | Self::StartUp | Self::Shutdown)
    }
}

async fn idle(end: Instant) {
    while Instant::now() < end {
        sleep(Duration::from_secs(1)).await;
    }
}

async fn polls(bench: &Bench<'_>, end: Instant, tasks: usize, cpu: Duration) {
    let mut joins = JoinSet::new();
    for _ in 0..tasks {
        let handle = bench.spawn(async move {
            while Instant::now() < end {
                burn(cpu);
                tokio::task::yield_now().await;
            }
        });
        joins.spawn(handle);
    }
    joins.join_all().await;
}

/// Uses that much CPU time.
pub(super) fn burn(cpu: Duration) {
    let end = faults::act::thread_cpu() + cpu;
    while faults::act::thread_cpu() < end {
        for round in 0..2_000_u64 {
            std::hint::black_box(round);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the habit under test: short enough to be forgiven"
)]
async fn short_sleeps(bench: &Bench<'_>, end: Instant) {
    let nap = bench.threshold() / 2;
    let task = bench.spawn(async move {
        while Instant::now() < end {
            std::thread::sleep(nap);
            sleep(nap).await;
        }
    });
    // A task that panicked has ended its scenario, which the driver sees.
    let _ = task.await;
}

async fn slow_async(bench: &Bench<'_>, end: Instant) {
    let lock = Arc::new(Mutex::new(()));
    let mut joins = JoinSet::new();
    for _ in 0..20 {
        let lock = Arc::clone(&lock);
        joins.spawn(bench.spawn(async move {
            while Instant::now() < end {
                let guard = lock.lock().await;
                sleep(Duration::from_millis(20)).await;
                drop(guard);
            }
        }));
    }
    joins.join_all().await;
}

/// Blocking calls at a time; far below the pool's 512 threads.
const BLOCKING_CALLS: usize = 32;

/// CPU time of one call: together they leave the CPUs time, or a thread that is taken off its CPU while it holds the pool's
/// own lock would really stall the worker that hands it the next call.
const BLOCKING_CPU: Duration = Duration::from_micros(300);

#[expect(
    clippy::disallowed_methods,
    reason = "on threads that are there for it"
)]
async fn blocking_pool(end: Instant) {
    let mut joins = JoinSet::new();
    for _ in 0..BLOCKING_CALLS {
        joins.spawn(async move {
            while Instant::now() < end {
                let call = tokio::task::spawn_blocking(|| {
                    std::thread::sleep(Duration::from_millis(30));
                    burn(BLOCKING_CPU);
                });
                let _ = call.await;
            }
        });
    }
    joins.join_all().await;
}

#[expect(clippy::disallowed_methods, reason = "announced to the runtime")]
async fn block_in_place(bench: &Bench<'_>, end: Instant) {
    let task = bench.spawn(async move {
        while Instant::now() < end {
            tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(500)));
            sleep(Duration::from_millis(50)).await;
        }
    });
    let _ = task.await;
}
