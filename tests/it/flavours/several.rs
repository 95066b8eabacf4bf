//! Several runtimes, several threads in one, and runtimes that come and go.

use std::time::Duration;

use pollscope::stall::{Phase, Verdict};

use super::{assert_found, tier_of};
use crate::stalls::{closed, current, events, longest, multi, scope, sleeps};

/// Several threads in `block_on` of one `current_thread` runtime: one drives, those beside it are not thought to.
#[test]
fn two_threads_in_block_on() {
    let name = "two-in-block-on";
    let runtime = scope().runtime(current()).name(name).build().unwrap();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let (driving, is_driving) = std::sync::mpsc::channel();
    let runtime = &runtime;
    std::thread::scope(|threads| {
        threads.spawn(move || {
            runtime.block_on(async move {
                driving.send(tid()).unwrap();
                released.await.unwrap();
            });
        });
        let driver = is_driving.recv_timeout(Duration::from_secs(60)).unwrap();
        let beside = threads.spawn(move || {
            runtime.block_on(async {
                // The task runs on the driver.
                let on = pollscope::spawn(async { tid() }).await.unwrap();
                (on, worker_of(name), tid())
            })
        });
        let (on, worker, beside) = beside.join().unwrap();
        assert_eq!((on, worker), (driver, Some(driver)));
        assert_ne!(beside, driver);
        release.send(()).unwrap();
    });
}

/// Attached to a `current_thread` runtime that another thread drives later: the stall is found on that thread.
#[test]
fn the_attached_driver_may_change() {
    let name = "attached-drivers";
    let runtime = current().name(name).build().unwrap();
    runtime.block_on(async {
        scope().attach().unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    });
    let runtime = &runtime;
    let (id, line) = std::thread::scope(|threads| {
        let second = threads.spawn(move || {
            runtime.block_on(async {
                // As long as the watchdog takes to ask again who drives.
                for _ in 0..40 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                let task = tokio::spawn(async { sleeps() });
                (task.id().to_string(), task.await.unwrap())
            })
        });
        second.join().unwrap()
    });
    assert_found(name, Some(&id), &line);
}

/// One `current_thread` runtime a thread: a stall is told of the one that has it, the others are not blamed.
#[test]
fn thread_per_core() {
    let names = ["core-0", "core-1", "core-2"];
    let lines: Vec<_> = std::thread::scope(|threads| {
        let threads = names.map(|name| {
            threads.spawn(move || {
                let runtime = scope().runtime(current()).name(name).build().unwrap();
                runtime.block_on(async move {
                    let stalls = name == "core-1";
                    let task = pollscope::spawn(async move { stalls.then(sleeps) });
                    let line = task.await.unwrap();
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    line
                })
            })
        });
        threads.map(|thread| thread.join().unwrap()).into()
    });
    let line = lines[1].clone().unwrap();
    let stall = longest("core-1");
    assert!(line.contains(&stall.line.as_ref().unwrap().line));
    for name in ["core-0", "core-2"] {
        let wrong = events(name)
            .into_iter()
            .any(|stall| stall.verdict == Verdict::Sleep);
        assert!(!wrong, "{name}");
    }
}

/// Runtimes that come and go leave nothing behind: no entry, no thread, no series.
#[test]
fn runtimes_in_a_loop() {
    for round in 0..100 {
        let name = format!("passing-{round}");
        let builder = if round % 2 == 0 { multi() } else { current() };
        let runtime = scope().runtime(builder).name(&name).build().unwrap();
        runtime.block_on(async {
            pollscope::spawn(async {}).await.unwrap();
        });
        // Tasks that wait for ever end with their runtime.
        runtime.spawn(std::future::pending::<()>());
    }
    let left = scope().runtimes();
    let left = left
        .iter()
        .filter(|status| status.name.starts_with("passing-"));
    assert_eq!(left.count(), 0);
    let series = scope().registry().render();
    let series = series
        .lines()
        .filter(|line| line.starts_with("tokio_") && line.contains("passing-"));
    assert_eq!(series.count(), 0);
    let unwatched = "pollscope_unwatched_threads_total 0";
    assert!(scope().registry().render().contains(unwatched));
}

/// A runtime driven inside the blocking pool, and one inside `block_in_place`: their stalls are theirs.
#[test]
fn nested_runtimes() {
    let outer = scope().runtime(multi()).name("outer").build().unwrap();
    for name in ["in-the-pool", "in-place"] {
        let inner = scope().runtime(current()).name(name).build().unwrap();
        let stalls = move || {
            inner.block_on(async {
                let task = pollscope::spawn(async { sleeps() });
                (task.id().to_string(), task.await.unwrap())
            })
        };
        let (id, line) = outer.block_on(async move {
            if name == "in-the-pool" {
                tokio::task::spawn_blocking(stalls).await.unwrap()
            } else {
                pollscope::spawn(async { tokio::task::block_in_place(stalls) })
                    .await
                    .unwrap()
            }
        });
        if cfg!(tokio_unstable) && name == "in-place" {
            // Task hooks tell of the outer poll alone, which is excused.
            continue;
        }
        assert_found(name, Some(&id), &line);
    }
}

/// A runtime dropped by another thread while its worker sleeps in a poll: the stall keeps its name, ends, and the
/// runtime is forgotten.
#[test]
fn dropped_while_stalled() {
    let name = "dropped-stalled";
    let runtime = scope().runtime(multi()).name(name).build().unwrap();
    let (begun, has_begun) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        begun.send(()).unwrap();
        sleeps()
    });
    has_begun.recv_timeout(Duration::from_secs(60)).unwrap();
    std::thread::scope(|threads| {
        threads.spawn(move || drop(runtime)).join().unwrap();
    });
    assert!(tier_of(name).is_none());
    let events = closed(name);
    assert!(
        events.iter().any(|stall| stall.phase == Phase::Close),
        "{events:#?}"
    );
}

fn tid() -> i32 {
    let own = std::fs::read_link("/proc/thread-self").unwrap();
    own.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// The thread that is worker 0 of that runtime.
fn worker_of(name: &str) -> Option<i32> {
    let status = scope().runtimes();
    let status = status.iter().find(|status| status.name == name)?;
    status.workers.first()?.tid
}
