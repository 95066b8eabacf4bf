//! Strains: no poll is too long, and yet the service suffers. Each must be told as a finding of its own kind, not as a stall.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use faults::{Plan, Point, Settings};
use pollscope::finding::Thresholds;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, consume_budget, spawn_blocking, yield_now};
use tokio::time::{Instant, sleep, sleep_until};

use super::bench::Bench;
use super::program::burn;

/// A program that strains its runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Strain {
    /// Blocks that are announced and very long.
    AnnouncedBlocks,
    /// More blocking calls than the pool has threads.
    ExhaustedPool,
    /// Thousands of ready tasks with short polls.
    LongQueue,
    /// A runtime that looks at its driver only when it has nothing to do, which it never has.
    DriverUnpolled,
    /// One task always has more to do, within its budget.
    Hog,
    /// Sessions that leave a task behind each.
    LeakedTasks,
    /// A future that forgets its waker.
    ForgottenWaker,
    /// A future that wakes itself.
    SelfWaker,
}

/// Threads of the blocking pool where it is to be exhausted.
const POOL_THREADS: usize = 2;

/// Ready tasks of a queue that is too long, and what each of their polls computes.
const QUEUED_TASKS: usize = 6000;
const QUEUED_POLL: Duration = Duration::from_micros(100);

impl Strain {
    /// The thresholds under which a strain of seconds counts; the usual ones are made for minutes.
    pub(super) fn thresholds() -> Thresholds {
        Thresholds {
            block_in_place: Duration::from_millis(300),
            blocking_pool: Duration::from_millis(300),
            queue_delay: Duration::from_millis(200),
            driver: Duration::from_secs(1),
            hog: Duration::from_secs(2),
            leak_window: Duration::from_secs(6),
            leak_tasks: 50,
            lost_waker: Duration::from_secs(1),
            ..Thresholds::default()
        }
    }

    /// Makes the runtime what the strain needs.
    pub(super) fn shape(self, builder: &mut Builder) {
        match self {
            Self::ExhaustedPool => {
                builder.max_blocking_threads(POOL_THREADS);
            }
            Self::LongQueue | Self::Hog => {
                builder.worker_threads(1);
            }
            Self::DriverUnpolled => {
                builder.worker_threads(1).event_interval(u32::MAX);
            }
            _ => {}
        }
    }

    /// Strains the runtime until `end`.
    pub(super) async fn run(self, bench: &Bench<'_>, end: Instant) {
        match self {
            Self::AnnouncedBlocks => announced_blocks(bench, end).await,
            Self::ExhaustedPool => exhausted_pool(end).await,
            Self::LongQueue => long_queue(bench, end).await,
            Self::DriverUnpolled => driver_unpolled(bench, end).await,
            Self::Hog => hog(bench, end).await,
            Self::LeakedTasks => leaked_tasks(bench, end).await,
            Self::ForgottenWaker => {
                let task = bench.spawn(std::future::poll_fn(|_| Poll::<()>::Pending));
                sleep_until(end).await;
                task.abort();
            }
            Self::SelfWaker => {
                let task = bench.spawn(std::future::poll_fn(|context| {
                    context.waker().wake_by_ref();
                    Poll::<()>::Pending
                }));
                sleep_until(end).await;
                task.abort();
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "announced to the runtime")]
async fn announced_blocks(bench: &Bench<'_>, end: Instant) {
    let task = bench.spawn(async move {
        while Instant::now() < end {
            tokio::task::block_in_place(|| std::thread::sleep(Duration::from_secs(1)));
            sleep(Duration::from_millis(50)).await;
        }
    });
    // A task that panicked has ended its scenario, which the driver sees.
    let _ = task.await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "on threads that are there for it"
)]
async fn exhausted_pool(end: Instant) {
    let length = end - Instant::now();
    let calls = (0..=POOL_THREADS).map(|_| spawn_blocking(move || std::thread::sleep(length / 2)));
    for call in calls.collect::<Vec<_>>() {
        let _ = call.await;
    }
}

async fn long_queue(bench: &Bench<'_>, end: Instant) {
    let mut joins = JoinSet::new();
    for _ in 0..QUEUED_TASKS {
        joins.spawn(bench.spawn(async move {
            while Instant::now() < end {
                burn(QUEUED_POLL);
                yield_now().await;
            }
        }));
    }
    joins.join_all().await;
}

/// Few long-enough polls, so that waking itself is no storm.
const READY_POLL: Duration = Duration::from_millis(1);

async fn driver_unpolled(bench: &Bench<'_>, end: Instant) {
    // What nobody looks after: without a descriptor it would not matter.
    let Ok(_unheard) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await else {
        return;
    };
    let task = bench.spawn(std::future::poll_fn(move |context| {
        if Instant::now() >= end {
            return Poll::Ready(());
        }
        burn(READY_POLL);
        // Not `yield_now`, which waits for a turn of the driver.
        context.waker().wake_by_ref();
        Poll::Pending
    }));
    let _ = task.await;
}

async fn hog(bench: &Bench<'_>, end: Instant) {
    // Ready all the time: woken by themselves, not by the driver as after `yield_now`.
    let ready = move || {
        std::future::poll_fn(move |context| {
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
    };
    let others: Vec<_> = (0..8).map(|_| bench.spawn(ready())).collect();
    let hog = bench.spawn(async move {
        while Instant::now() < end {
            burn(Duration::from_micros(20));
            consume_budget().await;
        }
    });
    let _ = hog.await;
    for other in others {
        let _ = other.await;
    }
}

async fn leaked_tasks(bench: &Bench<'_>, end: Instant) {
    static POINTS: &[Point] = &[Point::SessionEnd];
    let plan = Arc::new(Plan::new("drill", POINTS));
    if plan.on("task-leak", Settings::default()).is_err() {
        return;
    }
    while Instant::now() < end {
        // A session: it lives for a moment, ends, and leaves its task behind.
        let session = Arc::clone(&plan);
        drop(bench.spawn(async move {
            yield_now().await;
            session.session_end();
        }));
        sleep(Duration::from_millis(10)).await;
    }
    // Heals the leak; the name is known, so there is no error.
    let _ = plan.off("task-leak");
}
