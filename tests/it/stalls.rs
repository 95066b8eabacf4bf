//! Real stalls of real runtimes: found while they last, with the right line and verdict.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use pollscope::stall::{Phase, Stall, Verdict};
use pollscope::{Config, Scope};
use rustix::time::{ClockId, Timespec, clock_gettime};
use tokio::runtime::Builder;

/// One scope a process, so all tests share it and tell their stalls apart by the runtime's name.
pub(crate) fn scope() -> &'static Scope {
    static SCOPE: OnceLock<Scope> = OnceLock::new();
    SCOPE.get_or_init(|| {
        Scope::start(Config {
            findings: crate::findings::thresholds(),
            ..Config::default()
        })
        .unwrap()
    })
}

const BLOCK: Duration = Duration::from_millis(300);
const BLOCK_CPU: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 300_000_000,
};

#[inline(never)]
#[expect(clippy::disallowed_methods, reason = "the stall under test")]
pub(crate) fn sleeps() -> RangeInclusive<u32> {
    let line = line!() + 1;
    std::thread::sleep(BLOCK);
    line..=line
}

#[inline(never)]
pub(crate) fn spins() -> RangeInclusive<u32> {
    let mut x = 1_u64;
    // CPU time, not wall time: on a crowded machine a fixed wall time would not be a CPU stall.
    let began = clock_gettime(ClockId::ThreadCPUTime);
    let first = line!() + 1;
    while clock_gettime(ClockId::ThreadCPUTime) - began < BLOCK_CPU {
        for i in 0..100_000 {
            x = std::hint::black_box(x.wrapping_mul(31).wrapping_add(i));
        }
    }
    first..=line!()
}

#[inline(never)]
#[expect(
    clippy::disallowed_methods,
    reason = "the holder of the lock under test"
)]
fn waits_for_a_lock() -> RangeInclusive<u32> {
    let lock = Arc::new(Mutex::new(()));
    let (held, is_held) = std::sync::mpsc::channel();
    let holder = Arc::clone(&lock);
    std::thread::spawn(move || {
        let _guard = holder.lock().unwrap();
        held.send(()).unwrap();
        std::thread::sleep(BLOCK);
    });
    is_held.recv().unwrap();
    let line = line!() + 1;
    drop(lock.lock());
    line..=line
}

pub(crate) fn events(runtime: &str) -> Vec<Arc<Stall>> {
    scope()
        .stalls()
        .into_iter()
        .filter(|stall| stall.runtime == runtime)
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a test waits for the reporter")]
pub(crate) fn closed(runtime: &str) -> Vec<Arc<Stall>> {
    // Generous: on a crowded machine the debug information alone takes seconds to read.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let events = events(runtime);
        if events
            .iter()
            .any(|stall| stall.phase == Phase::Close && stall.duration_ms >= 250.0)
            || Instant::now() > deadline
        {
            return events;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The last report before its close of the longest stall, of those with a line if there are any: on a crowded machine a
/// thread may be too late to answer for its stack.
pub(crate) fn longest(runtime: &str) -> Arc<Stall> {
    let events = closed(runtime);
    let longest = events
        .iter()
        .filter(|stall| stall.phase != Phase::Close)
        .max_by(|a, b| {
            let rank =
                |stall: &Stall| (f64::from(u8::from(stall.line.is_some())), stall.duration_ms);
            rank(a).partial_cmp(&rank(b)).expect("no duration is NaN")
        });
    Arc::clone(longest.unwrap_or_else(|| panic!("{runtime}: nothing found in {events:#?}")))
}

fn check(name: &str, builder: Builder, verdict: Verdict, block: fn() -> RangeInclusive<u32>) {
    let stall = found(name, builder, verdict, file!(), block);
    assert!(
        stall.task.id.is_some()
            && stall
                .task
                .spawned_at
                .as_deref()
                .unwrap()
                .contains("tests/it/stalls.rs"),
        "{stall:#?}"
    );
}

/// Runs `block` in a task of a runtime of that name; gives the last report of it with that verdict, whose line is right.
pub(crate) fn found(
    name: &str,
    builder: Builder,
    verdict: Verdict,
    file: &str,
    block: fn() -> RangeInclusive<u32>,
) -> Arc<Stall> {
    let runtime = scope().runtime(builder).name(name).build().unwrap();
    let line =
        runtime.block_on(async move { pollscope::spawn(async move { block() }).await.unwrap() });
    let events = closed(name);
    let longest = events
        .iter()
        .filter(|stall| stall.phase != Phase::Close && stall.verdict == verdict)
        .max_by(|a, b| a.duration_ms.total_cmp(&b.duration_ms));
    let stall = longest.unwrap_or_else(|| panic!("no {verdict:?} in {events:#?}"));
    let place = stall
        .line
        .as_ref()
        .unwrap_or_else(|| panic!("no line: {stall:#?}"));
    assert!(place.file.ends_with(file), "{stall:#?}");
    assert!(line.contains(&place.line), "{stall:#?}");
    Arc::clone(stall)
}

pub(crate) fn multi() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    builder
}

pub(crate) fn current() -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    builder
}

/// A sleeping task is found on both flavours.
#[test]
fn sleep() {
    check("sleep-multi", multi(), Verdict::Sleep, sleeps);
    check("sleep-current", current(), Verdict::Sleep, sleeps);
}

/// A spinning task is found on both flavours.
#[test]
fn cpu() {
    check("cpu-multi", multi(), Verdict::CpuUser, spins);
    check("cpu-current", current(), Verdict::CpuUser, spins);
}

/// A task that waits for a std mutex is found on both flavours.
#[test]
fn lock() {
    check("lock-multi", multi(), Verdict::LockWait, waits_for_a_lock);
    check(
        "lock-current",
        current(),
        Verdict::LockWait,
        waits_for_a_lock,
    );
}

/// Tasks of others, spawned without pollscope on a runtime that it built: every tier finds them with their id.
#[test]
fn foreign_tasks() {
    for (name, builder, block) in [
        (
            "foreign-sleep",
            multi(),
            sleeps as fn() -> RangeInclusive<u32>,
        ),
        ("foreign-cpu", current(), spins),
    ] {
        let runtime = scope().runtime(builder).name(name).build().unwrap();
        let (id, line) = runtime.block_on(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let task = tokio::spawn(async move { block() });
            (task.id().to_string(), task.await.unwrap())
        });
        let stall = longest(name);
        let place = stall
            .line
            .as_ref()
            .unwrap_or_else(|| panic!("{name}, no line: {stall:#?}"));
        assert!(line.contains(&place.line), "{name}: {stall:#?}");
        assert_eq!(stall.task.id.map(|id| id.to_string()), Some(id), "{name}");
    }
}

/// The future given to `block_on` is watched like a task, on both flavours.
#[test]
fn root_futures() {
    for (name, builder) in [("root-multi", multi()), ("root-current", current())] {
        let runtime = scope().runtime(builder).name(name).build().unwrap();
        let line = runtime.block_on(async { sleeps() });
        let stall = longest(name);
        let place = stall
            .line
            .as_ref()
            .unwrap_or_else(|| panic!("{name}, no line: {stall:#?}"));
        assert!(line.contains(&place.line), "{name}: {stall:#?}");
        assert_eq!(
            (stall.task.id, stall.verdict),
            (None, Verdict::Sleep),
            "{name}"
        );
    }
}

/// `block_in_place` announces the block to the runtime, so it is no stall.
#[test]
fn announced_blocks_are_excused() {
    let runtime = scope().runtime(multi()).name("announced").build().unwrap();
    runtime.block_on(async {
        pollscope::spawn(async { tokio::task::block_in_place(sleeps) })
            .await
            .unwrap();
        // A real stall behind it, so that the reporter is known to have come past the first.
        pollscope::spawn(async { spins() }).await.unwrap()
    });
    let events = closed("announced");
    assert!(
        events.iter().any(|stall| stall.verdict == Verdict::CpuUser),
        "{events:#?}"
    );
    assert!(
        events.iter().all(|stall| stall.verdict != Verdict::Sleep),
        "{events:#?}"
    );
}

/// Attached to a runtime that knows nothing of pollscope: line, verdict and task id all the same, on both flavours.
#[test]
fn attached() {
    for (name, mut builder, block) in [
        (
            "attached-sleep-multi",
            multi(),
            sleeps as fn() -> RangeInclusive<u32>,
        ),
        ("attached-sleep-current", current(), sleeps),
        ("attached-cpu-multi", multi(), spins),
        ("attached-lock-current", current(), waits_for_a_lock),
    ] {
        let runtime = builder.name(name).build().unwrap();
        let (id, line) = runtime.block_on(async move {
            scope().attach().unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let task = tokio::spawn(async move { block() });
            (task.id().to_string(), task.await.unwrap())
        });
        let stall = longest(name);
        let place = stall
            .line
            .as_ref()
            .unwrap_or_else(|| panic!("{name}, no line: {stall:#?}"));
        assert!(line.contains(&place.line), "{name}: {stall:#?}");
        assert_eq!(stall.task.id.map(|id| id.to_string()), Some(id), "{name}");
    }
}

/// A `current_thread` runtime that one thread drove before another: its worker is the thread that drives it now.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the first thread must stay alive while the second one drives"
)]
fn the_driver_may_change() {
    let runtime = scope()
        .runtime(Builder::new_current_thread())
        .name("two-drivers")
        .build()
        .unwrap();
    let worker = || {
        runtime.block_on(async {
            tokio::task::yield_now().await;
            let own = std::fs::read_link("/proc/thread-self").unwrap();
            let status = scope().runtimes();
            let status = status
                .iter()
                .find(|status| status.name == "two-drivers")
                .unwrap();
            let tids: Vec<_> = status.workers.iter().map(|worker| worker.tid).collect();
            (own, tids)
        })
    };
    let (done, is_done) = std::sync::mpsc::channel();
    let (leave, may_leave) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            done.send(worker()).unwrap();
            may_leave.recv().unwrap_err();
        });
        let first = is_done.recv().unwrap();
        let second = scope.spawn(worker).join().unwrap();
        drop(leave);
        for (own, tids) in [first, second] {
            let tid: i32 = own.file_name().unwrap().to_str().unwrap().parse().unwrap();
            assert_eq!(tids, [Some(tid)]);
        }
    });
}
