//! The plan through its public face: what a service and its admin server do with it.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests wait on threads of their own"
)]

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use faults::{CATALOGUE, Plan, Point, Settings, Status};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const ALL: &[Point] = &[
    Point::Handler,
    Point::SendQueue,
    Point::SessionEnd,
    Point::RoomLookup,
    Point::FanOut,
    Point::Connection,
    Point::Accept,
];
const BLOCKING: [&str; 4] = ["block-sleep", "block-cpu", "std-mutex", "blocking-fs"];

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn brief() -> Settings {
    Settings {
        duration_ms: Some(20),
        pause_ms: Some(10),
        count: None,
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
    let give_up = Instant::now() + PATIENCE;
    while status(plan, name).fired < fired {
        assert!(Instant::now() < give_up, "{name} did not fire");
        plan.handler();
        std::thread::yield_now();
    }
}

/// Goal: a fresh plan has every fault off, and visits leave no trace and wait for nothing.
#[tokio::test]
async fn everything_is_off_at_first() {
    let plan = Plan::new("chat", ALL);
    plan.handler();
    plan.session_end();
    assert!(!plan.queue_is_unbounded());
    assert!(plan.room_lookup("#a").now_or_never());
    assert!(plan.fan_out().now_or_never());
    assert!(!plan.connection().now_or_never());
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
        duration_ms: Some(1),
        pause_ms: Some(3_600_000),
        count: None,
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
        duration_ms: Some(2000),
        pause_ms: Some(10),
        count: None,
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

/// Whether a future is done at its first poll.
trait NowOrNever: Future {
    fn now_or_never(self) -> bool
    where
        Self: Sized,
    {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(self).poll(&mut context).is_ready()
    }
}

impl<F: Future> NowOrNever for F {}

/// Waits until `is_so` of the fault's status.
async fn until(plan: &Plan, name: &str, is_so: impl Fn(&Status) -> bool) -> Status {
    let seen = async {
        while !is_so(&status(plan, name)) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let seen = timeout(PATIENCE, seen).await;
    assert!(seen.is_ok(), "{:?}", status(plan, name));
    status(plan, name)
}

/// Goal: a giant room blocks where a room sends, and nowhere else.
#[tokio::test]
async fn a_giant_room_blocks_its_fan_out() {
    let plan = Plan::new("chat", ALL);
    plan.on("giant-room", brief()).unwrap();
    plan.handler();
    assert_eq!(status(&plan, "giant-room").visits, 0);
    // Other tests of this file may have the turn to block.
    while status(&plan, "giant-room").fired == 0 {
        plan.fan_out().await;
        sleep(Duration::from_millis(1)).await;
    }
    let fired = status(&plan, "giant-room");
    assert!(fired.last_blocked_ms.unwrap() >= 20.0, "{fired:?}");
}

/// Goal: one visit waits, others meanwhile do not, each waits again after the pause, and switching off ends the wait.
#[tokio::test]
async fn a_slow_member_makes_one_fan_out_wait() {
    let plan = Arc::new(Plan::new("chat", ALL));
    plan.on("await-in-fanout", brief()).unwrap();
    let began = Instant::now();
    plan.fan_out().await;
    assert!(began.elapsed() >= brief().duration());
    until(&plan, "await-in-fanout", |status| {
        status.last_blocked_ms.is_some()
    })
    .await;

    let long = Settings {
        duration_ms: Some(10_000),
        ..brief()
    };
    plan.off("await-in-fanout").unwrap();
    plan.on("await-in-fanout", long).unwrap();
    let began = Instant::now();
    let waiting = tokio::spawn({
        let plan = Arc::clone(&plan);
        async move { plan.fan_out().await }
    });
    until(&plan, "await-in-fanout", |status| status.fired == 2).await;
    assert!(plan.fan_out().now_or_never(), "one at a time");
    plan.off("await-in-fanout").unwrap();
    waiting.await.unwrap();
    assert!(began.elapsed() < long.duration());
}

/// Goal: while one lookup holds the lock all others wait, and switching off lets everybody go on.
#[tokio::test]
async fn a_lock_across_an_await_makes_everybody_wait() {
    let plan = Arc::new(Plan::new("chat", ALL));
    let long = Settings {
        duration_ms: Some(10_000),
        ..brief()
    };
    plan.on("lock-across-await", long).unwrap();
    let began = Instant::now();
    let waiting: Vec<_> = (0..3)
        .map(|number| {
            let plan = Arc::clone(&plan);
            tokio::spawn(async move { plan.room_lookup(&format!("#{number}")).await })
        })
        .collect();
    until(&plan, "lock-across-await", |status| status.fired == 1).await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    assert!(!plan.room_lookup("#a").now_or_never());
    plan.off("lock-across-await").unwrap();
    for task in waiting {
        task.await.unwrap();
    }
    assert!(began.elapsed() < long.duration());
    assert_eq!(status(&plan, "lock-across-await").fired, 1);
}

/// Goal: calls fill up with each message to the number that was set, and none is left after switching off.
#[tokio::test]
async fn calls_fill_the_pool() {
    let plan = Plan::new("chat", ALL);
    let settings = Settings {
        duration_ms: Some(10_000),
        pause_ms: None,
        count: Some(100),
    };
    plan.on("blocking-pool-exhausted", settings).unwrap();
    for left in [64, 100, 100] {
        plan.handler();
        assert_eq!(status(&plan, "blocking-pool-exhausted").leaked, left);
    }
    assert_eq!(status(&plan, "blocking-pool-exhausted").fired, 2);
    plan.off("blocking-pool-exhausted").unwrap();
    until(&plan, "blocking-pool-exhausted", |status| {
        status.leaked == 0
    })
    .await;
}

/// Connections of a plan: tasks that live until they are to be closed.
fn connect(plan: &Arc<Plan>, len: usize) -> Vec<JoinHandle<()>> {
    let connection = |_| {
        let plan = Arc::clone(plan);
        tokio::spawn(async move { plan.connection().await })
    };
    (0..len).map(connection).collect()
}

/// Goal: a storm closes every connection that was there, none that came after it, and all again at the next one.
#[tokio::test]
async fn a_storm_closes_every_connection() {
    let plan = Arc::new(Plan::new("chat", ALL));
    let early = connect(&plan, 20);
    sleep(Duration::from_millis(10)).await;
    assert!(early.iter().all(|task| !task.is_finished()));
    let pause = Settings {
        pause_ms: Some(1000),
        ..Settings::default()
    };
    let began = Instant::now();
    plan.on("reconnect-storm", pause).unwrap();
    let late = connect(&plan, 20);
    for task in early {
        timeout(PATIENCE, task).await.unwrap().unwrap();
    }
    for task in late {
        timeout(PATIENCE, task).await.unwrap().unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(1000));
    assert_eq!(status(&plan, "reconnect-storm").fired, 40);
    plan.off("reconnect-storm").unwrap();
    let after = connect(&plan, 1);
    sleep(Duration::from_millis(10)).await;
    assert!(!after[0].is_finished());
}

/// Goal: one connection panics, the others live, and go on living once it is off.
#[tokio::test]
async fn one_connection_panics() {
    let plan = Arc::new(Plan::new("chat", ALL));
    let tasks = connect(&plan, 5);
    plan.on("panic-detached", Settings::default()).unwrap();
    until(&plan, "panic-detached", |status| status.fired == 1).await;
    plan.off("panic-detached").unwrap();
    sleep(Duration::from_millis(10)).await;
    let (ended, alive): (Vec<_>, Vec<_>) = tasks.into_iter().partition(|task| task.is_finished());
    assert_eq!((ended.len(), alive.len()), (1, 4));
    for task in ended {
        assert!(task.await.unwrap_err().is_panic());
    }
}

/// Goal: as many connections tick as were asked for, and none when it is off.
#[tokio::test]
async fn connections_tick() {
    let plan = Arc::new(Plan::new("chat", ALL));
    let tasks = connect(&plan, 5);
    let three = Settings {
        count: Some(3),
        ..Settings::default()
    };
    plan.on("timer-storm", three).unwrap();
    let on = until(&plan, "timer-storm", |status| status.fired > 30).await;
    assert_eq!(on.leaked, 3);
    plan.off("timer-storm").unwrap();
    let off = until(&plan, "timer-storm", |status| status.leaked == 0).await;
    sleep(Duration::from_millis(20)).await;
    assert_eq!(status(&plan, "timer-storm").fired, off.fired);
    assert!(tasks.iter().all(|task| !task.is_finished()));
}

/// Goal: wrong names, missing points and wrong settings are refused with a usable message, and change nothing.
#[test]
fn refusals_say_what_was_expected() {
    let plan = Plan::new("chat", &[Point::Handler]);
    assert_eq!(plan.status().len(), BLOCKING.len() + 1);

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
        duration_ms: Some(10_001),
        ..Settings::default()
    };
    let error = plan.on("block-sleep", too_long).unwrap_err();
    assert!(
        error.is_setting() && error.to_string().contains("1 to 10000"),
        "{error}"
    );
    let error = plan.on("blocking-pool-exhausted", brief()).unwrap_err();
    assert!(
        error.is_setting() && error.to_string().contains("expected 100 to 10000"),
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
