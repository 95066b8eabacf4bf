//! The plan through its public face: what a service and its admin server do with it.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests wait on threads of their own"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use faults::{CATALOGUE, Plan, Point, Settings, Status};

const ALL: &[Point] = &[Point::Handler, Point::SendQueue, Point::SessionEnd];
const BLOCKING: [&str; 4] = ["block-sleep", "block-cpu", "std-mutex", "blocking-fs"];

fn brief() -> Settings {
    Settings {
        duration_ms: 20,
        pause_ms: 10,
    }
}

fn status(plan: &Plan, name: &str) -> Status {
    let of_name = |status: &Status| status.fault.name == name;
    let found = plan.status().into_iter().find(of_name);
    found.expect("a plan with every point has every fault")
}

/// Visits the handler until the fault has fired so often. The tests of this file take turns in blocking, since one process
/// blocks at most once at a time, so a visit may find the turn taken.
fn visit_until_fired(plan: &Plan, name: &str, fired: u64) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while status(plan, name).fired < fired {
        assert!(Instant::now() < give_up, "{name} did not fire");
        plan.handler();
        std::thread::yield_now();
    }
}

/// Goal: a fresh plan has every fault off, and visits leave no trace.
#[test]
fn everything_is_off_at_first() {
    let plan = Plan::new("chat", ALL);
    plan.handler();
    plan.session_end();
    assert!(!plan.queue_is_unbounded());
    let status = plan.status();
    assert_eq!(status.len(), CATALOGUE.len());
    for status in status {
        assert!(
            !status.on && status.visits == 0 && status.fired == 0,
            "{status:?}"
        );
        assert_eq!((status.last_fired_at, status.leaked), (None, 0));
    }
}

/// Goal: each blocking fault keeps the calling thread for at least its duration, says so, and stops when off.
#[test]
fn blocking_faults_block() {
    for name in BLOCKING {
        let plan = Plan::new("chat", ALL);
        assert!(plan.on(name, brief()).unwrap().on);
        let began = Instant::now();
        visit_until_fired(&plan, name, 1);
        assert!(began.elapsed() >= brief().duration(), "{name}");
        let on = status(&plan, name);
        assert_eq!((on.fired, on.failed), (1, 0), "{name}: {on:?}");
        assert!(on.visits >= 1 && on.last_fired_at.is_some());
        assert!(on.last_blocked_ms.unwrap() > 0.0);
        assert!(!plan.off(name).unwrap().on);
        std::thread::sleep(brief().pause());
        plan.handler();
        assert_eq!(
            status(&plan, name).visits,
            on.visits,
            "{name} was visited while off"
        );
    }
}

/// Goal: with several faults on, each gets its turn.
#[test]
fn faults_take_turns() {
    let plan = Plan::new("exchange", ALL);
    for name in BLOCKING {
        plan.on(name, brief()).unwrap();
    }
    for name in BLOCKING {
        visit_until_fired(&plan, name, 2);
    }
}

/// Goal: within the pause a fault that has fired lets every visit pass.
#[test]
fn pause_is_kept() {
    let plan = Plan::new("chat", ALL);
    let settings = Settings {
        duration_ms: 1,
        pause_ms: 3_600_000,
    };
    plan.on("block-sleep", settings).unwrap();
    visit_until_fired(&plan, "block-sleep", 1);
    let visits = status(&plan, "block-sleep").visits;
    for _ in 0..1000 {
        plan.handler();
    }
    let status = status(&plan, "block-sleep");
    assert_eq!((status.fired, status.visits), (1, visits + 1000));
}

/// Goal: while one thread blocks, another's visit passes at once instead of waiting or blocking too.
#[test]
fn one_blocks_at_a_time() {
    let plan = Arc::new(Plan::new("chat", ALL));
    let settings = Settings {
        duration_ms: 2000,
        pause_ms: 10,
    };
    plan.on("block-sleep", settings).unwrap();
    let blocked = Arc::clone(&plan);
    let thread = std::thread::spawn(move || visit_until_fired(&blocked, "block-sleep", 1));
    while status(&plan, "block-sleep").fired == 0 {
        std::thread::yield_now();
    }
    plan.handler();
    assert!(!thread.is_finished(), "the other thread must still block");
    let during = status(&plan, "block-sleep");
    assert_eq!((during.fired, during.last_blocked_ms), (1, None));
    plan.off("block-sleep").unwrap();
    thread.join().unwrap();
    assert!(status(&plan, "block-sleep").last_blocked_ms.unwrap() >= 2000.0);
}

/// Goal: the queue flag follows its switch.
#[test]
fn queue_follows_the_switch() {
    let plan = Plan::new("chat", ALL);
    plan.on("unbounded-queue", Settings::default()).unwrap();
    assert!(plan.queue_is_unbounded());
    assert!(plan.queue_is_unbounded());
    assert_eq!(plan.off("unbounded-queue").unwrap().fired, 2);
    assert!(!plan.queue_is_unbounded());
}

/// Goal: ended sessions leave tasks behind, and switching off releases all of them.
#[tokio::test]
async fn leaked_tasks_are_released() {
    let plan = Plan::new("chat", ALL);
    plan.on("task-leak", Settings::default()).unwrap();
    for _ in 0..3 {
        plan.session_end();
    }
    let on = status(&plan, "task-leak");
    assert_eq!((on.fired, on.leaked), (3, 3));
    plan.off("task-leak").unwrap();
    plan.session_end();
    while status(&plan, "task-leak").leaked > 0 {
        tokio::task::yield_now().await;
    }
}

/// Goal: a dropped plan takes its leaked tasks with it.
#[tokio::test]
async fn dropped_plan_releases_its_tasks() {
    let tasks = tokio::runtime::Handle::current().metrics();
    let before = tasks.num_alive_tasks();
    let plan = Plan::new("chat", ALL);
    plan.on("task-leak", Settings::default()).unwrap();
    plan.session_end();
    assert_eq!(tasks.num_alive_tasks(), before + 1);
    drop(plan);
    while tasks.num_alive_tasks() > before {
        tokio::task::yield_now().await;
    }
}

/// Goal: a session that ends outside a runtime is counted, not a panic.
#[test]
fn leak_outside_a_runtime_is_counted() {
    let plan = Plan::new("chat", ALL);
    plan.on("task-leak", Settings::default()).unwrap();
    plan.session_end();
    let status = status(&plan, "task-leak");
    assert_eq!((status.fired, status.failed, status.leaked), (0, 1, 0));
    assert!(status.last_error.unwrap().contains("outside a runtime"));
}

/// Goal: wrong names, missing points and wrong settings are refused with a usable message, and change nothing.
#[test]
fn refusals_say_what_was_expected() {
    let plan = Plan::new("chat", &[Point::Handler]);
    assert_eq!(plan.status().len(), BLOCKING.len());

    let error = plan.on("nap", Settings::default()).unwrap_err();
    assert!(
        error.is_unknown() && error.to_string().contains("block-sleep"),
        "{error}"
    );
    assert!(plan.off("nap").unwrap_err().is_unknown());

    let error = plan.on("task-leak", Settings::default()).unwrap_err();
    assert!(
        error.is_undeclared() && error.to_string().contains("session-end"),
        "{error}"
    );
    assert!(plan.off("unbounded-queue").unwrap_err().is_undeclared());

    let too_long = Settings {
        duration_ms: 10_001,
        ..Settings::default()
    };
    let error = plan.on("block-sleep", too_long).unwrap_err();
    assert!(
        error.is_setting() && error.to_string().contains("1 to 10000"),
        "{error}"
    );
    assert!(plan.status().iter().all(|status| !status.on));
}

/// Goal: the JSON of a status holds the fault's description and its state side by side.
#[test]
fn status_json_is_flat() {
    let plan = Plan::new("chat", ALL);
    let json = serde_json::to_value(plan.on("std-mutex", brief()).unwrap()).unwrap();
    assert_eq!(json["name"], "std-mutex");
    assert_eq!(json["finding"]["verdict"], "lock-wait");
    assert_eq!(json["on"], true);
    assert_eq!(json["settings"]["duration_ms"], 20);
}
