//! What a guard finds, and what it excuses.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use pollscope::stall::Verdict;
use pollscope::testing::{Guard, ViolationKind, Violations, allow_blocking, run};
use tokio::runtime::Builder;

use crate::{blocks, computes};

const LONG: Duration = Duration::from_millis(30);

fn two_workers() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    builder
}

/// The only violation, whose line is in `function`.
#[track_caller]
fn only(violations: &Violations, function: &str) -> pollscope::testing::Violation {
    let [violation] = violations.all() else {
        panic!("expected one violation, but {violations}");
    };
    let line = violation.line.as_ref();
    assert!(
        line.is_some_and(|line| line.function.ends_with(function)),
        "{violations}"
    );
    violation.clone()
}

/// A sleep in the test's own future is named with line, system call, advice and stack.
#[test]
fn names_the_line() {
    let violations = Guard::new().run(async { blocks(LONG) }).unwrap_err();
    let violation = only(&violations, "blocks");
    assert_eq!(violation.kind, ViolationKind::Blocked);
    assert_eq!(violation.verdict, Some(Verdict::Sleep), "{violations}");
    assert_eq!(violation.task_id, None);
    assert!(violation.switches >= 1);
    let text = violations.to_string();
    for part in [
        "tests/guard/main.rs:",
        "asleep in clock_nanosleep",
        "the future given to the guard at tests/guard/finds.rs:",
        "tokio::time::sleep",
        "stack",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

/// A task is named with the place where it was spawned and its future; equal polls are one violation.
#[test]
fn names_the_task() {
    let violations = Guard::new()
        .run(async {
            let task = pollscope::spawn(async {
                for _ in 0..3 {
                    blocks(LONG);
                    tokio::task::yield_now().await;
                }
            });
            task.await.unwrap();
        })
        .unwrap_err();
    let violation = only(&violations, "blocks");
    assert!(violation.task_id.is_some(), "{violations}");
    assert!(violation.spawned_at.starts_with("tests/guard/finds.rs:"));
    assert!(
        violation
            .future
            .is_some_and(|future| future.contains("names_the_task"))
    );
    assert_eq!(violation.polls, 3);
}

/// With task hooks every task is metered, on every worker.
#[cfg(tokio_unstable)]
#[test]
fn hooks_see_every_task() {
    let violations = Guard::new()
        .block_on(two_workers(), async {
            tokio::spawn(async { blocks(LONG) }).await.unwrap();
        })
        .unwrap_err();
    let violation = only(&violations, "blocks");
    assert!(violation.spawned_at.starts_with("tests/guard/finds.rs:"));
}

/// A lock that another thread holds is a violation: the thread had to wait for it.
#[test]
fn finds_a_held_lock() {
    static LOCK: Mutex<()> = Mutex::new(());
    let (held, is_held) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let _guard = LOCK.lock().unwrap();
        held.send(()).unwrap();
        blocks(LONG * 3);
    });
    is_held.recv_timeout(Duration::from_secs(20)).unwrap();
    let violations = Guard::new().run(async { drop(LOCK.lock()) }).unwrap_err();
    let violation = only(&violations, "{{closure}}");
    assert_eq!(violation.verdict, Some(Verdict::LockWait), "{violations}");
    drop(holder);
}

/// However short, a block is found; without a stack it is told with the future's place and type.
#[test]
fn finds_the_shortest_block() {
    let violations = Guard::new()
        .run(async { blocks(Duration::from_micros(1)) })
        .unwrap_err();
    let [violation] = violations.all() else {
        panic!("{violations}");
    };
    assert!(violation.spawned_at.starts_with("tests/guard/finds.rs:"));
    assert!(violation.future.is_some());
}

/// CPU time beyond the limit is found with its line; the same work below it is not.
#[test]
fn finds_what_is_over_the_limit() {
    let guard = || Guard::new().poll_limit(Duration::from_millis(50));
    let violations = guard()
        .run(async { computes(Duration::from_millis(300)) })
        .unwrap_err();
    let [violation] = violations.all() else {
        panic!("{violations}");
    };
    assert_eq!(violation.kind, ViolationKind::OverLimit);
    assert!(violation.cpu.unwrap() >= Duration::from_millis(300));
    // A thread that gets no CPU cannot answer for its stack.
    if let Some(line) = &violation.line {
        assert!(line.function.contains("computes"), "{violations}");
    }
    guard()
        .run(async { computes(Duration::from_millis(1)) })
        .unwrap();
}

/// Inside a scope with a reason blocking is allowed, nested ones included, and only there.
#[test]
fn scopes_excuse() {
    let body = || {
        allow_blocking("the outer one counts", || {
            allow_blocking("an inner one", || blocks(LONG));
            blocks(LONG);
        });
    };
    Guard::new().run(async { body() }).unwrap();
    let violations = Guard::new()
        .run(async {
            body();
            blocks(LONG);
        })
        .unwrap_err();
    let violation = only(&violations, "blocks");
    assert_eq!(violation.switches, 1, "{violations}");
    // Without a guard it only runs its body.
    body();
}

/// A scope that panics ends as well.
#[test]
fn a_panic_ends_the_scope() {
    let panics = || {
        allow_blocking("it panics", || {
            blocks(LONG);
            std::panic::resume_unwind(Box::new(()));
        });
    };
    let violations = Guard::new()
        .run(async {
            assert!(catch_unwind(panics).is_err());
            blocks(LONG);
        })
        .unwrap_err();
    only(&violations, "blocks");
}

/// A scope must say why.
#[test]
fn scopes_need_a_reason() {
    let violations = Guard::new()
        .run(async { allow_blocking(" ", || ()) })
        .unwrap_err();
    assert_eq!(violations.all()[0].kind, ViolationKind::NoReason);
    assert!(violations.to_string().contains("tests/guard/finds.rs:"));
}

/// `block_in_place` announces the block to the runtime.
#[test]
fn block_in_place_is_excused() {
    Guard::new()
        .block_on(two_workers(), async {
            let announced = async { tokio::task::block_in_place(|| blocks(LONG)) };
            pollscope::spawn(announced).await.unwrap();
        })
        .unwrap();
}

/// Being ready and getting no CPU is not blocking, and neither is waiting between polls.
#[test]
fn patience_is_no_violation() {
    run(async {
        for _ in 0..100 {
            std::thread::yield_now();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        let blocking = tokio::task::spawn_blocking(|| blocks(LONG));
        blocking.await.unwrap();
    });
}

/// The one-liner panics with the report, and gives the result of a clean test.
#[test]
fn the_one_liner() {
    assert_eq!(run(async { 42 }), 42);
    let panic = catch_unwind(|| run(async { blocks(LONG) })).unwrap_err();
    let report = panic.downcast_ref::<String>().unwrap();
    assert!(report.contains("tests/guard/main.rs:"), "{report}");
}

/// A panic of the test itself stays what it is, and the next guard on this thread starts afresh.
#[test]
fn panics_pass_through() {
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _ = Guard::new().run(async { std::panic::resume_unwind(Box::new("of the test")) });
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"of the test"));
    Guard::new().run(async {}).unwrap();
}

/// Guards of other threads at the same time find their own violations only.
#[test]
fn guards_are_independent() {
    std::thread::scope(|scope| {
        for index in 0..6 {
            scope.spawn(move || {
                let found = Guard::new().run(async move {
                    if index % 2 == 0 {
                        blocks(LONG);
                    }
                });
                assert_eq!(found.is_err(), index % 2 == 0, "{found:?}");
            });
        }
    });
}
