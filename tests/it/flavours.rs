//! Every way to run a runtime, and Tokio's traps in each: a stall is found, the innocent are not blamed.

use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pollscope::runtime::Tier;
use pollscope::stall::Verdict;
use rustix::time::{ClockId, Timespec, clock_gettime};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::stalls::{current, events, longest, multi, scope, sleeps, spins};

mod several;

/// The tier that a runtime of that name shows.
fn tier_of(name: &str) -> Option<Tier> {
    scope()
        .runtimes()
        .into_iter()
        .find(|status| status.name == name)
        .map(|status| status.tier)
}

/// Without task hooks a runtime is of tier T1 in any build, and stalls of tasks of others are found all the same.
#[test]
fn without_task_hooks() {
    for (name, builder, block) in [
        (
            "hookless-sleep",
            multi(),
            sleeps as fn() -> RangeInclusive<u32>,
        ),
        ("hookless-cpu", current(), spins),
    ] {
        let runtime = scope()
            .runtime(builder)
            .name(name)
            .without_task_hooks()
            .build()
            .unwrap();
        assert_eq!(tier_of(name), Some(Tier::Built));
        let (id, line) = runtime.block_on(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let task = tokio::spawn(async move { block() });
            (task.id().to_string(), task.await.unwrap())
        });
        assert_found(name, Some(&id), &line);
        let stall = longest(name);
        assert_eq!(stall.task.spawned_at, None, "{name}");
    }
}

/// The longest stall of that runtime stands on one of these lines and in the task with that id.
fn assert_found(name: &str, id: Option<&str>, line: &RangeInclusive<u32>) {
    let stall = longest(name);
    let place = stall
        .line
        .as_ref()
        .unwrap_or_else(|| panic!("{name}, no line: {stall:#?}"));
    assert!(line.contains(&place.line), "{name}: {stall:#?}");
    assert_eq!(
        stall.task.id.map(|id| id.to_string()).as_deref(),
        id,
        "{name}"
    );
}

/// Polls that burn CPU for long, by themselves and no longer than any poll may.
fn assert_no_cpu_stall(name: &str) {
    let wrong: Vec<_> = events(name)
        .into_iter()
        .filter(|stall| stall.verdict == Verdict::CpuUser)
        .collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}

/// Waits until the watchdog and the reporter have come past everything so far: a stall of another runtime is told.
fn settle(name: &str) {
    let behind = format!("{name}-behind");
    let runtime = scope().runtime(current()).name(&behind).build().unwrap();
    runtime.block_on(async { sleeps() });
    longest(&behind);
}

/// Computes for half a millisecond of this thread's CPU time.
fn short_poll() {
    let began = clock_gettime(ClockId::ThreadCPUTime);
    let end = began
        + Timespec {
            tv_sec: 0,
            tv_nsec: 500_000,
        };
    while clock_gettime(ClockId::ThreadCPUTime) < end {
        std::hint::spin_loop();
    }
}

/// A `LocalRuntime`: its local tasks and its root future are watched, with and without task hooks.
#[test]
fn local_runtimes() {
    for name in ["local-hooked", "local-hookless"] {
        let builder = scope().runtime(current()).name(name);
        let builder = if name == "local-hooked" {
            builder
        } else {
            builder.without_task_hooks()
        };
        let runtime = builder.build_local().unwrap();
        let not_send = Rc::new(7);
        let task = runtime.spawn_local(async move {
            let line = sleeps();
            (line, not_send)
        });
        let id = task.id().to_string();
        let (line, _) = runtime.block_on(task).unwrap();
        assert_found(name, Some(&id), &line);
    }
    let root = "local-root";
    let runtime = scope().runtime(current()).name(root).build_local().unwrap();
    let line = runtime.block_on(async { sleeps() });
    assert_found(root, None, &line);
}

/// No hook sees the tasks of a `LocalSet`. Those of `spawn_local` are told apart inside the set's one poll, so that the one
/// that stalls is named and many short ones are no stall.
#[test]
fn local_sets() {
    for (name, builder) in [
        ("local-set-current", current()),
        ("local-set-multi", multi()),
    ] {
        let runtime = scope().runtime(builder).name(name).build().unwrap();
        let (id, line) = runtime.block_on(LocalSet::new().run_until(async {
            let task = pollscope::spawn_local(async { Rc::new(sleeps()) });
            (task.id().to_string(), task.await.unwrap())
        }));
        assert_found(name, Some(&id), &line);
    }
    let busy = "local-set-busy";
    let runtime = scope().runtime(current()).name(busy).build().unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        // One round of the set polls 61 of them without a pause.
        let tasks: Vec<_> = (0..300)
            .map(|_| pollscope::spawn_local(async { short_poll() }))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }));
    settle(busy);
    assert_no_cpu_stall(busy);
}

/// A saturated worker whose polls are short is no stall, also where a chain of tasks wakes one another.
#[test]
fn saturated_workers() {
    for name in ["saturated-hooked", "saturated-hookless"] {
        let builder = scope().runtime(current()).name(name);
        let builder = if name == "saturated-hooked" {
            builder
        } else {
            builder.without_task_hooks()
        };
        let runtime = builder.build().unwrap();
        runtime.block_on(async {
            let (ping, mut pinged) = mpsc::channel(1);
            let (pong, mut ponged) = mpsc::channel(1);
            let other = pollscope::spawn(async move {
                while pinged.recv().await.is_some() {
                    short_poll();
                    if pong.send(()).await.is_err() {
                        return;
                    }
                }
            });
            pollscope::spawn(async move {
                for _ in 0..200 {
                    ping.send(()).await.unwrap();
                    short_poll();
                    ponged.recv().await;
                }
            })
            .await
            .unwrap();
            other.await.unwrap();
        });
        settle(name);
        assert_no_cpu_stall(name);
    }
}

/// The blocking pool may block: no poll, no stall. Its closures have an end hook in Tokio but no begin hook.
#[test]
fn blocking_pool() {
    let name = "blocking-pool";
    let runtime = scope().runtime(multi()).name(name).build().unwrap();
    runtime.block_on(async {
        let tasks = [(); 4].map(|()| tokio::task::spawn_blocking(sleeps));
        for task in tasks {
            task.await.unwrap();
        }
    });
    settle(name);
    let wrong: Vec<_> = events(name)
        .into_iter()
        .filter(|stall| stall.verdict == Verdict::Sleep)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// `block_in_place` moves the worker to another thread and leaves its old one with the same index: each worker is shown
/// once, and a stall afterwards is found.
#[test]
fn moved_workers() {
    let name = "moved-worker";
    let runtime = scope().runtime(multi()).name(name).build().unwrap();
    let (id, line) = runtime.block_on(async {
        for _ in 0..8 {
            pollscope::spawn(async { tokio::task::block_in_place(|| ()) })
                .await
                .unwrap();
        }
        let status = scope().runtimes();
        let status = status.iter().find(|status| status.name == name).unwrap();
        let indices: Vec<_> = status
            .workers
            .iter()
            .filter_map(|worker| worker.index)
            .collect();
        assert_eq!(indices, [0, 1]);
        let task = pollscope::spawn(async { sleeps() });
        (task.id().to_string(), task.await.unwrap())
    });
    assert_found(name, Some(&id), &line);
}

/// A task that panics has left its poll: the worker is not thought stuck, and its next stall is found.
#[test]
fn panicking_tasks() {
    for name in ["panic-hooked", "panic-hookless"] {
        let builder = scope().runtime(current()).name(name);
        let builder = if name == "panic-hooked" {
            builder
        } else {
            builder.without_task_hooks()
        };
        let runtime = builder.build().unwrap();
        let (id, line) = runtime.block_on(async {
            let panics = pollscope::spawn(async { std::panic::resume_unwind(Box::new(())) });
            assert!(panics.await.unwrap_err().is_panic());
            let task = pollscope::spawn(async { sleeps() });
            (task.id().to_string(), task.await.unwrap())
        });
        assert_found(name, Some(&id), &line);
    }
}

/// Hooks given to pollscope's builder are called beside its own.
#[test]
fn hooks_are_composed() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = || {
        let calls = Arc::clone(&calls);
        move || {
            calls.fetch_add(1, Ordering::Relaxed);
        }
    };
    let name = "composed-hooks";
    let builder = scope().runtime(multi()).name(name);
    let builder = builder
        .on_thread_start(count())
        .on_thread_park(count())
        .on_thread_unpark(count());
    let runtime = builder.build().unwrap();
    let (id, line) = runtime.block_on(async {
        let task = pollscope::spawn(async { sleeps() });
        (task.id().to_string(), task.await.unwrap())
    });
    assert_found(name, Some(&id), &line);
    // Two starts, and the park of the worker that had nothing to do.
    assert!(calls.load(Ordering::Relaxed) >= 3);
    let mut taken = current();
    taken.on_thread_park(|| ());
    let refused = scope().runtime(taken).build().unwrap_err();
    assert!(refused.to_string().contains("on_thread_park"), "{refused}");
}

/// A paused test clock: waits that pass in no time are no stalls, and a real one is found.
#[test]
fn paused_clock() {
    let name = "paused-clock";
    let mut builder = current();
    builder.start_paused(true);
    let runtime = scope().runtime(builder).name(name).build().unwrap();
    let (id, line) = runtime.block_on(async {
        pollscope::spawn(tokio::time::sleep(Duration::from_secs(3600)))
            .await
            .unwrap();
        let task = pollscope::spawn(async { sleeps() });
        (task.id().to_string(), task.await.unwrap())
    });
    assert_found(name, Some(&id), &line);
    let longest = longest(name);
    assert!(longest.duration_ms < 3_600_000.0, "{longest:#?}");
}
