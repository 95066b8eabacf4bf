//! Mistakes that stall nobody yet, each found with its line.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use pollscope::finding::{FindingKind, FindingPhase};
use pollscope::runtime::Runtime;
use pollscope::sync::{Mutex, RwLock};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;

use crate::{finding, scope};

fn runtime(name: &str) -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    scope().runtime(builder).name(name).build().unwrap()
}

/// A place in this file, as findings show it.
fn place(line: u32) -> String {
    format!("{}:{line}:", file!())
}

/// A guard that lives across an await is told when it is let go, with the line that took it.
#[test]
fn a_lock_across_an_await() {
    let runtime = runtime("lock");
    let lock = Mutex::new(0);
    let line = runtime.block_on(async {
        let line = line!() + 1;
        let mut guard = lock.lock().unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        *guard += 1;
        line
    });
    let found = finding("lock", FindingKind::LockAcrossAwait);
    assert_eq!(found.phase, FindingPhase::Once);
    let site = found.subject.site.as_deref().unwrap();
    assert!(site.starts_with(&place(line)), "{found:#?}");
    assert!(found.evidence[0].contains("block_on at tests/debug/lints.rs"));
    assert_eq!(found.advice.as_ref().unwrap().rule, "lock-across-await");
}

/// Somebody who has to wait for such a lock is told of before the wait, which may never end: here it ends because of it.
#[test]
fn a_lock_that_is_wanted() {
    let lock = Arc::new(Mutex::new(()));
    let runtime = runtime("wanted");
    let told = runtime.block_on(async {
        let guard = lock.lock().unwrap();
        tokio::task::yield_now().await;
        let other = Arc::clone(&lock);
        let line = line!() + 1;
        let waits = std::thread::spawn(move || drop(other.lock()));
        let found = finding("wanted", FindingKind::LockAcrossAwait);
        drop(guard);
        drop(waits);
        (found, line)
    });
    let (found, line) = told;
    let wanted = &found.evidence[1];
    assert!(
        wanted.contains(&format!("wanted at {}", place(line))),
        "{found:#?}"
    );
}

/// A read guard across an await is told as well, a lock that is let go before it is not.
#[test]
fn readers_and_the_innocent() {
    let (held, innocent) = (RwLock::new(1), RwLock::new(2));
    runtime("reader").block_on(async {
        let guard = held.read().unwrap();
        tokio::task::yield_now().await;
        drop(guard);
    });
    let found = finding("reader", FindingKind::LockAcrossAwait);
    assert!(found.subject.site.as_deref().unwrap().contains(file!()));
    runtime("innocent").block_on(async {
        *innocent.write().unwrap() += 1;
        tokio::task::yield_now().await;
        let sum = *innocent.read().unwrap() + *innocent.read().unwrap();
        tokio::task::yield_now().await;
        assert_eq!(sum, 6);
        panics().await;
    });
    finding("innocent", FindingKind::TaskPanicked);
    let of = |kind| {
        let found = scope().findings().into_iter();
        found.filter(move |finding| finding.runtime == "innocent" && finding.kind == kind)
    };
    assert_eq!(of(FindingKind::LockAcrossAwait).count(), 0);
}

/// A later lint, of the caller's line: what would have been told before it has been told when it is seen.
#[track_caller]
fn panics() -> impl Future<Output = ()> {
    let task: JoinHandle<()> = pollscope::spawn(async {
        std::panic::resume_unwind(Box::new("under test"));
    });
    async move { assert!(task.await.unwrap_err().is_panic()) }
}

/// A panic of a task is told with the place where it was spawned.
#[test]
fn a_panic() {
    let runtime = runtime("panics");
    let line = runtime.block_on(async {
        let line = line!() + 1;
        panics().await;
        line
    });
    let found = finding("panics", FindingKind::TaskPanicked);
    let site = found.subject.site.as_deref().unwrap();
    assert!(site.starts_with(&place(line)), "{found:#?}");
    assert!(found.subject.task.is_some());
}

/// A task on a runtime that nobody drives is never polled.
#[test]
fn a_task_without_a_driver() {
    let runtime = runtime("undriven");
    let line = line!() + 1;
    let task = runtime.spawn(async {});
    let found = finding("undriven", FindingKind::NeverPolled);
    let site = found.subject.site.as_deref().unwrap();
    assert!(site.starts_with(&place(line)), "{found:#?}");
    assert!(found.figures["longest_ms"] >= 1000.0);
    runtime.block_on(task).unwrap();
}

/// Tasks that are spawned faster than they end are told by their spawn site.
#[test]
fn spawns_without_bound() {
    let runtime = runtime("hot");
    runtime.block_on(async {
        let is_told = || {
            let mut found = scope().findings().into_iter();
            found.any(|finding| {
                finding.runtime == "hot" && finding.kind == FindingKind::UnboundedSpawn
            })
        };
        for _ in 0..200 {
            for _ in 0..400 {
                drop(pollscope::spawn(std::future::pending::<()>()));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            if is_told() {
                break;
            }
        }
    });
    let found = finding("hot", FindingKind::UnboundedSpawn);
    assert!(found.figures["growth"] >= 1000.0, "{found:#?}");
}

/// A runtime that is dropped while tasks are alive names where they were spawned.
#[test]
fn a_runtime_with_tasks() {
    let runtime = runtime("dropped");
    runtime.block_on(async {
        for _ in 0..3 {
            drop(pollscope::spawn(std::future::pending::<()>()));
        }
        tokio::task::yield_now().await;
    });
    drop(runtime);
    let found = finding("dropped", FindingKind::RuntimeDroppedWithTasks);
    assert_eq!(found.figures["tasks"], 3.0);
    assert!(found.evidence[1].contains(&format!("3 of them were spawned at {}", file!())));
}

/// The same on a local runtime, whose tasks may hold a guard across an await: both are told, with the task.
#[test]
fn a_local_runtime_with_a_lock() {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    let runtime = scope().runtime(builder).name("local");
    let runtime = runtime.build_local().unwrap();
    let line = line!() + 2;
    drop(runtime.spawn_local(async {
        let lock = Mutex::new(0);
        let guard = lock.lock().unwrap();
        std::future::pending::<()>().await;
        drop(guard);
    }));
    runtime.block_on(tokio::task::yield_now());
    drop(runtime);
    let left = finding("local", FindingKind::RuntimeDroppedWithTasks);
    let site = left.subject.site.as_deref().unwrap();
    assert!(site.starts_with(&place(line - 1)), "{left:#?}");
    let held = finding("local", FindingKind::LockAcrossAwait);
    let site = held.subject.site.as_deref().unwrap();
    assert!(site.starts_with(&place(line + 1)), "{held:#?}");
    assert!(held.subject.task.is_some(), "{held:#?}");
}

/// A runtime whose tasks have ended is dropped without a word.
#[test]
fn a_runtime_without_tasks() {
    runtime("clean").block_on(async { pollscope::spawn(async {}).await.unwrap() });
    runtime("marker").block_on(async { panics().await });
    finding("marker", FindingKind::TaskPanicked);
    let found = scope().findings();
    assert!(
        found.iter().all(|finding| finding.runtime != "clean"),
        "{found:#?}"
    );
}
