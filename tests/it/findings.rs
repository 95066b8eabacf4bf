//! Conditions that are no stalls, made by real runtimes: each is found while it lasts, and honest work is not.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use faults::{Plan, Point, Settings};
use pollscope::finding::{Finding, FindingKind, FindingPhase, Thresholds};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::stalls::scope;

/// Short ones, so that a test takes seconds; the defaults are tried on recorded values beside the judges.
pub(crate) fn thresholds() -> Thresholds {
    Thresholds {
        block_in_place: Duration::from_millis(300),
        blocking_pool: Duration::from_millis(300),
        queue_delay: Duration::from_millis(200),
        driver: Duration::from_millis(300),
        hog: Duration::from_secs(2),
        leak_window: Duration::from_secs(6),
        leak_tasks: 50,
        lost_waker: Duration::from_secs(1),
        ..Thresholds::default()
    }
}

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

fn findings(runtime: &str) -> Vec<Arc<Finding>> {
    let mut findings = scope().findings();
    findings.retain(|finding| finding.runtime == runtime);
    findings
}

#[expect(clippy::disallowed_methods, reason = "a test waits for the watchdog")]
fn found(runtime: &str, kind: FindingKind, phase: FindingPhase) -> Arc<Finding> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let wanted = |finding: &Arc<Finding>| finding.kind == kind && finding.phase == phase;
        if let Some(finding) = findings(runtime).into_iter().find(wanted) {
            return finding;
        }
        assert!(
            Instant::now() < deadline,
            "{runtime}: no {kind:?} {phase:?} in {:#?}",
            findings(runtime)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs `work` on a watched runtime until the finding is open; gives it, and checks that it closes with the work.
fn opens_and_closes<F>(
    name: &str,
    builder: Builder,
    kind: FindingKind,
    work: impl FnOnce() -> F,
) -> Arc<Finding>
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = scope().runtime(builder).name(name).build().unwrap();
    let work = work();
    let task = runtime.spawn(work);
    let open = found(name, kind, FindingPhase::Open);
    task.abort();
    drop(runtime);
    let close = found(name, kind, FindingPhase::Close);
    assert_eq!(open.id, close.id);
    assert!(close.duration_ms >= open.duration_ms, "{close:#?}");
    let once = |phase| {
        findings(name)
            .iter()
            .filter(|finding| finding.id == open.id && finding.phase == phase)
            .count()
    };
    assert_eq!(
        (once(FindingPhase::Open), once(FindingPhase::Close)),
        (1, 1)
    );
    assert!(
        open.advice.is_some() && !open.evidence.is_empty(),
        "{open:#?}"
    );
    open
}

fn workers(count: usize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(count).enable_all();
    builder
}

fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[expect(clippy::disallowed_methods, reason = "the block under test")]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// A block that is announced to the runtime is no stall, and beyond its own threshold a finding.
#[test]
fn block_in_place() {
    let work = || async {
        let block = async { tokio::task::block_in_place(|| sleep(Duration::from_secs(2))) };
        pollscope::spawn(block).await.unwrap();
    };
    let finding = opens_and_closes("f-announced", workers(2), FindingKind::BlockInPlace, work);
    let site = finding.subject.site.as_deref().unwrap();
    assert!(site.contains("tests/it/findings.rs"), "{site}");
}

/// Work that waits for an exhausted blocking pool is found although every worker is parked.
#[test]
#[cfg(tokio_unstable)]
fn blocking_pool_exhausted() {
    let mut builder = workers(1);
    builder.max_blocking_threads(2);
    let work = || async {
        let sleep = |_| tokio::task::spawn_blocking(|| sleep(Duration::from_secs(3)));
        for task in (0..3).map(sleep).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    };
    let kind = FindingKind::BlockingPoolExhausted;
    let finding = opens_and_closes("f-pool", builder, kind, work);
    assert_eq!(finding.figures["blocking_threads"], 2.0, "{finding:#?}");
}

/// Thousands of ready tasks with short polls: nobody is to blame, and everybody waits.
#[test]
#[cfg(tokio_unstable)]
fn queue_stall() {
    let work = || async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6000 {
            tasks.spawn(async {
                loop {
                    spin(Duration::from_micros(100));
                    yield_now().await;
                }
            });
        }
        std::future::pending().await
    };
    let finding = opens_and_closes("f-queue", workers(1), FindingKind::QueueStall, work);
    assert!(finding.figures["ready_tasks"] >= 1000.0, "{finding:#?}");
    let site = finding.subject.site.as_deref().unwrap();
    assert!(site.contains("tests/it/findings.rs"), "{site}");
}

/// While the only worker is inside one poll, nobody turns the driver.
#[test]
#[cfg(all(tokio_unstable, feature = "admin"))]
fn driver_unpolled() {
    let work = || async {
        let _registered = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        sleep(Duration::from_secs(2));
        tokio::time::sleep(PATIENCE).await;
    };
    let finding = opens_and_closes("f-driver", workers(1), FindingKind::DriverUnpolled, work);
    assert_eq!(finding.subject.worker, Some(0), "{finding:#?}");
    assert!(finding.figures["registered_descriptors"] >= 1.0);
}

/// A task that always has more to do keeps within Tokio's budget and still takes the worker from those that wait.
#[test]
#[cfg(tokio_unstable)]
fn hog() {
    let work = || async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            tasks.spawn(async {
                loop {
                    yield_now().await;
                }
            });
        }
        loop {
            spin(Duration::from_micros(20));
            tokio::task::consume_budget().await;
        }
    };
    let finding = opens_and_closes("f-hog", workers(1), FindingKind::Hog, work);
    assert!(finding.figures["share"] >= 0.6, "{finding:#?}");
    assert!(
        finding.figures["forced_yields_per_second"] >= 1.0,
        "{finding:#?}"
    );
}

/// The fault of the toolkit's own collection: sessions that leave a task behind each.
#[test]
fn task_leak() {
    static POINTS: &[Point] = &[Point::SessionEnd];
    let plan = Arc::new(Plan::new("f-leak", POINTS));
    plan.on("task-leak", Settings::default()).unwrap();
    let sessions = Arc::clone(&plan);
    let work = || async move {
        loop {
            // A session: it lives for a moment, ends, and leaves its task behind.
            let ending = Arc::clone(&sessions);
            tokio::spawn(async move {
                yield_now().await;
                ending.session_end();
            });
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let finding = opens_and_closes("f-leak", workers(1), FindingKind::TaskLeak, work);
    assert!(finding.figures["growth"] >= 50.0, "{finding:#?}");
    if cfg!(tokio_unstable) {
        let site = finding.subject.site.as_deref().unwrap();
        assert!(site.contains("faults/src/task_leak.rs"), "{site}");
    }
    plan.off("task-leak").unwrap();
}

/// A task that returned `Pending` without storing its waker is found although nothing in the process runs any more.
#[test]
fn lost_waker() {
    let work = || async {
        let forgets = std::future::poll_fn(|_| std::task::Poll::<()>::Pending);
        pollscope::spawn(forgets).await.unwrap();
    };
    let finding = opens_and_closes("f-lost", workers(1), FindingKind::LostWaker, work);
    let site = finding.subject.site.as_deref().unwrap();
    assert!(site.contains("tests/it/findings.rs"), "{site}");
}

/// A future that wakes itself and returns `Pending` is a busy loop.
#[test]
fn self_wake_storm() {
    let work = || {
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
    };
    let finding = opens_and_closes("f-storm", workers(1), FindingKind::SelfWakeStorm, work);
    assert!(finding.figures["share"] >= 0.5, "{finding:#?}");
}

/// Runs honest work on a watched runtime for longer than every threshold; nothing may be found.
fn stays_silent<F>(name: &str, builder: Builder, work: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = scope().runtime(builder).name(name).build().unwrap();
    runtime.block_on(async { pollscope::spawn(work).await.unwrap() });
    drop(runtime);
    let findings = findings(name);
    assert!(findings.is_empty(), "{findings:#?}");
}

const HONEST: Duration = Duration::from_secs(8);

/// Nothing to do is nothing to find.
#[test]
fn idle_is_silent() {
    stays_silent("f-idle", workers(2), async {
        tokio::time::sleep(HONEST).await;
    });
}

/// A worker that is busy for 95 % of its time with polls of half a millisecond is well used, not ill.
#[test]
fn busy_is_silent() {
    stays_silent("f-busy", workers(1), async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            tasks.spawn(async {
                let began = Instant::now();
                for round in 0_u32.. {
                    spin(Duration::from_micros(500));
                    if round % 20 == 0 {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                    yield_now().await;
                    if began.elapsed() > HONEST {
                        break;
                    }
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    });
}

/// Blocking work where it belongs, below the pool's limit.
#[test]
fn blocking_work_is_silent() {
    let mut builder = workers(1);
    builder.max_blocking_threads(8);
    stays_silent("f-blocking", builder, async {
        let began = Instant::now();
        while began.elapsed() < HONEST {
            let sleep = |_| tokio::task::spawn_blocking(|| sleep(Duration::from_millis(20)));
            for task in (0..8).map(sleep).collect::<Vec<_>>() {
                task.await.unwrap();
            }
        }
    });
}

/// A thousand connections that come at once, stay for a while and end are a burst, not a leak.
#[test]
fn burst_is_silent() {
    stays_silent("f-burst", workers(1), async {
        let began = Instant::now();
        while began.elapsed() < HONEST {
            let end = Arc::new(Notify::new());
            let mut connections = tokio::task::JoinSet::new();
            for _ in 0..1000 {
                connections.spawn(Arc::clone(&end).notified_owned());
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
            end.notify_waiters();
            while connections.join_next().await.is_some() {}
        }
    });
}
