//! From a beat's values to signals, one function a kind; PURE.

use std::time::Duration;

use super::fact::{Fact, Subject};
use super::ledger::{Level, Patience, Signal};
use super::sample::RuntimeSample;
use super::thresholds::Thresholds;
use super::window::{Seen, Window};

/// A backlog must stand this long: at a tenth of a second it is a burst that the workers have just not got through yet.
const BACKLOG_HOLD: Duration = Duration::from_millis(500);

/// Time below the threshold after which most conditions are over.
const CALM: Duration = Duration::from_secs(1);

/// Tasks that must be ready for a backlog, at least: fewer are gone before anybody waits, however slow.
const BACKLOG_MIN: u64 = 64;

/// Mean length of a poll up to which a long queue is nobody's fault; beyond it single polls are to blame, as stalls.
const SHORT_POLL_MAX: Duration = Duration::from_millis(5);

/// Spawn sites named for a backlog.
const SITES_NAMED: usize = 3;

/// Parts of a worker that make one task a hog, or two that wake each other; half of them clears it.
const HOG_SHARE: f64 = 0.6;
const HOG_PAIR_SHARE: f64 = 0.8;

/// Different polls of a hog that a window must meet: fewer are long polls, each of which is found as a stall.
const HOG_POLLS_MIN: u32 = 20;

/// Tasks that must be ready for each worker while a hog is at work; so many can never be ready when equal tasks share the
/// workers and two of them reach the share of a pair.
const HOG_READY_PER_WORKER: u64 = 2;

/// How long each kind must stand, and rest.
pub(crate) fn patience(kind: super::FindingKind, thresholds: &Thresholds) -> Patience {
    use super::FindingKind as Kind;
    let (hold, calm) = match kind {
        Kind::BlockInPlace => (thresholds.block_in_place, Duration::ZERO),
        Kind::BlockingPoolExhausted => (thresholds.blocking_pool, CALM),
        Kind::QueueStall => (BACKLOG_HOLD, CALM),
        Kind::DriverUnpolled => (thresholds.driver, Duration::ZERO),
        Kind::Hog => (thresholds.hog, 2 * super::window::WINDOW),
        Kind::TaskLeak => (thresholds.leak_window / 6, thresholds.leak_window / 6),
        Kind::LostWaker => (thresholds.lost_waker, Duration::ZERO),
        Kind::SelfWakeStorm => (2 * CALM, CALM),
        // Moments, not conditions: told when they are seen.
        Kind::LockAcrossAwait
        | Kind::TaskPanicked
        | Kind::NeverPolled
        | Kind::UnboundedSpawn
        | Kind::RuntimeDroppedWithTasks => (Duration::ZERO, Duration::ZERO),
    };
    Patience { hold, calm }
}

/// Work waits for a thread of the blocking pool, and none is free: tokio queues only when it may not start another one.
pub(crate) fn blocking_pool(sample: &RuntimeSample) -> Option<Signal> {
    let pool = sample.blocking?;
    let level = match (pool.queued, pool.idle) {
        (0, _) => Level::Below,
        (_, 0) => Level::Above,
        _ => Level::Between,
    };
    Some(signal(
        Subject::Runtime,
        level,
        Fact::BlockingPool {
            threads: pool.threads,
            queued: pool.queued,
        },
    ))
}

/// More tasks are ready than the workers get through, although polls are short.
pub(crate) fn backlog(
    sample: &RuntimeSample,
    window: &Window,
    thresholds: &Thresholds,
) -> Option<Signal> {
    let polls_per_second = window
        .poll_rate()
        .filter(|rate| sample.sees_every_poll && *rate > 0.0)?;
    let ready = sample.ready();
    // Little's law: who becomes ready now is behind all that are.
    let delay = Duration::try_from_secs_f64(ready as f64 / polls_per_second).ok()?;
    let mean_poll = Duration::try_from_secs_f64(sample.workers as f64 / polls_per_second).ok()?;
    let level = if ready < BACKLOG_MIN / 2 || delay < thresholds.queue_delay / 2 {
        Level::Below
    } else if ready >= BACKLOG_MIN && delay >= thresholds.queue_delay && mean_poll <= SHORT_POLL_MAX
    {
        Level::Above
    } else {
        Level::Between
    };
    let fact = Fact::Backlog {
        ready,
        polls_per_second,
        delay,
        mean_poll,
        sites: window.top_sites(SITES_NAMED),
    };
    Some(signal(Subject::Runtime, level, fact))
}

/// The driver has been left alone while descriptors are registered with it.
pub(crate) fn driver(sample: &RuntimeSample) -> Option<Signal> {
    let unturned = sample.unturned?;
    let level = if unturned.descriptors > 0 {
        Level::Above
    } else {
        Level::Below
    };
    let fact = Fact::Driver {
        descriptors: unturned.descriptors,
        worker: unturned.worker,
        task: unturned.task,
        site: unturned.site,
    };
    Some(Signal {
        since: Some(unturned.since),
        ..signal(Subject::Runtime, level, fact)
    })
}

/// One task, or two in turns, take most of a worker while others are ready.
pub(crate) fn hog(sample: &RuntimeSample, seen: &Seen) -> Option<Signal> {
    let (first, second) = (seen.tasks.first()?, seen.tasks.get(1));
    let pair = first.share + second.map_or(0.0, |second| second.share);
    let (len, of_limit) = if first.share >= HOG_SHARE || second.is_none() {
        (1, first.share / HOG_SHARE)
    } else {
        (2, pair / HOG_PAIR_SHARE)
    };
    let others_wait = seen.ready >= HOG_READY_PER_WORKER * sample.workers;
    let tasks: Vec<_> = seen.tasks.iter().copied().take(len).collect();
    let is_fast = tasks.iter().all(|task| task.polls_seen >= HOG_POLLS_MIN);
    let level = match (of_limit >= 1.0, of_limit >= 0.5, is_fast && others_wait) {
        (true, _, true) => Level::Above,
        (_, true, true) => Level::Between,
        _ => Level::Below,
    };
    // The smaller id names the pair, so that it is the same condition whoever was seen more often.
    let named = tasks.iter().map(|task| task.task).min()?;
    let fact = Fact::Hog {
        tasks,
        polls_per_second: seen.polls_per_second,
        ready: seen.ready,
        forced_yields_per_second: seen.forced_yields_per_second,
    };
    Some(signal(Subject::Task(named), level, fact))
}

pub(crate) fn signal(subject: Subject, level: Level, fact: Fact) -> Signal {
    Signal {
        subject,
        level,
        fact,
        since: None,
    }
}
