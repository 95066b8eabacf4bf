//! Waits for locks: who holds the lock, who else waits for it, and whether it will ever end.
//!
//! Each test runs itself again as a child, so that no thread of another test can be taken for a holder.
#![expect(clippy::disallowed_methods, reason = "the stalls under test")]

use std::io::BufReader;
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use pollscope::stall::{Holder, Phase, Stall, Verdict};
use tokio::runtime::Builder;

use crate::stalls::{multi, scope};
use crate::standstill::{brief, child, role, tell_events, told, warm_up};

const HELD: Duration = Duration::from_millis(400);

/// Much more than a report takes on a crowded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the named test again as a child and gives its events.
fn events_of(test: &str) -> Vec<Stall> {
    let mut child = child(test, "locks");
    let events = told(BufReader::new(child.stdout.take().unwrap()));
    assert!(child.wait().unwrap().success());
    events
}

/// Tells the events of the child as soon as `enough` says so.
fn tell_when(enough: impl Fn(&[Arc<Stall>]) -> bool) {
    let began = Instant::now();
    let events = || {
        let mut events = scope().stalls();
        events.retain(|stall| stall.runtime == "locks");
        events
    };
    while !enough(&events()) && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    tell_events();
}

fn lock_waits(events: &[Stall]) -> Vec<&Stall> {
    events
        .iter()
        .filter(|stall| stall.verdict == Verdict::LockWait && stall.phase != Phase::Close)
        .collect()
}

/// The last holder that was named.
fn holder(events: &[Stall]) -> &Holder {
    let named = lock_waits(events)
        .into_iter()
        .rev()
        .find_map(|stall| stall.holder.as_ref());
    named.unwrap_or_else(|| panic!("no holder: {}", brief(events)))
}

/// The lines of this file that end with that mark.
fn marked(mark: &str) -> Vec<u32> {
    let mark = format!("// {mark}");
    let lines = include_str!("locks.rs").lines().zip(1..);
    lines
        .filter(|(line, _)| line.ends_with(&mark))
        .map(|(_, number)| number)
        .collect()
}

#[inline(never)]
fn keep(lock: &Mutex<u64>, held: &Barrier) {
    let mut guard = lock.lock().unwrap();
    held.wait();
    std::thread::sleep(HELD); // keeps
    *guard += 1;
}

/// Takes the lock on a thread of its own; returns when it is held.
fn keeper(lock: &Arc<Mutex<u64>>) {
    let held = Arc::new(Barrier::new(2));
    let (lock, holds) = (Arc::clone(lock), Arc::clone(&held));
    std::thread::Builder::new()
        .name("keeper".to_owned())
        .spawn(move || keep(&lock, &holds))
        .unwrap();
    held.wait();
}

/// Another busy thread, which holds nothing.
fn bystander() {
    std::thread::spawn(|| std::thread::sleep(PATIENCE));
}

/// A sleeping thread that holds the lock is told from one that only sleeps, and its line is named.
#[test]
fn a_sleeping_holder() {
    if role().is_none() {
        let events = events_of("locks::a_sleeping_holder");
        let holder = holder(&events);
        assert_eq!(holder.name, "keeper", "{}", brief(&events));
        assert_eq!(holder.doing, "in clock_nanosleep");
        let line = holder.line.as_ref().unwrap();
        assert!(line.file.ends_with(file!()), "{holder:#?}");
        assert_eq!(vec![line.line], marked("keeps"));
        let shown = lock_waits(&events)
            .into_iter()
            .flat_map(|stall| &stall.census)
            .find(|thread| thread.holder);
        assert_eq!(shown.map(|thread| thread.tid), Some(holder.tid));
        return;
    }
    warm_up();
    bystander();
    let lock = Arc::new(Mutex::new(0));
    let runtime = scope().runtime(multi()).name("locks").build().unwrap();
    runtime.block_on(async {
        keeper(&lock);
        let lock = Arc::clone(&lock);
        pollscope::spawn(async move { drop(lock.lock()) })
            .await
            .unwrap();
    });
    tell_when(|events| events.iter().any(|stall| stall.phase == Phase::Close));
}

/// A worker that computes with the lock in one of its polls is named with its task.
#[test]
fn a_computing_task() {
    if role().is_none() {
        let events = events_of("locks::a_computing_task");
        let holder = holder(&events);
        assert_eq!(holder.doing, "running", "{}", brief(&events));
        assert!(
            holder.worker.is_some() && holder.task_id.is_some(),
            "{holder:#?}"
        );
        return;
    }
    warm_up();
    bystander();
    let lock = Arc::new(Mutex::new(0_u64));
    let runtime = scope().runtime(multi()).name("locks").build().unwrap();
    let held = Arc::new(Barrier::new(2));
    let both = runtime.block_on(async {
        let computes = pollscope::spawn({
            let (lock, held) = (Arc::clone(&lock), Arc::clone(&held));
            async move {
                let mut guard = lock.lock().unwrap();
                held.wait();
                let began = Instant::now();
                while began.elapsed() < HELD {
                    *guard = std::hint::black_box(*guard + 1);
                }
            }
        });
        let waits = pollscope::spawn({
            let (lock, held) = (Arc::clone(&lock), Arc::clone(&held));
            async move {
                held.wait();
                drop(lock.lock());
            }
        });
        (computes.await, waits.await)
    });
    drop(both);
    tell_when(|events| {
        events
            .iter()
            .any(|stall| stall.verdict == Verdict::LockWait && stall.phase == Phase::Close)
    });
}

#[inline(never)]
fn compute(lock: &Mutex<u64>, held: &Barrier) {
    let mut guard = lock.lock().unwrap();
    held.wait();
    let began = Instant::now();
    while began.elapsed() < HELD {
        *guard = std::hint::black_box(*guard + 1);
    }
}

/// A thread of the blocking pool that computes with the lock is named with its stack, though it is no worker.
#[test]
fn a_computing_pool_thread() {
    if role().is_none() {
        let events = events_of("locks::a_computing_pool_thread");
        let holder = holder(&events);
        assert_eq!(
            (holder.doing.as_str(), holder.worker),
            ("running", None),
            "{}",
            brief(&events)
        );
        let computes = |stall: &&Stall| {
            let holder = stall.holder.as_ref();
            let stack = holder.map_or(&[][..], |holder| &holder.stack);
            stack
                .iter()
                .any(|frame| frame.function.contains("locks::compute"))
        };
        let waits = lock_waits(&events);
        assert!(waits.iter().any(computes), "{}", brief(&events));
        return;
    }
    warm_up();
    let lock = Arc::new(Mutex::new(0_u64));
    let held = Arc::new(Barrier::new(2));
    let runtime = scope().runtime(multi()).name("locks").build().unwrap();
    runtime.block_on(async {
        let (locked, holds) = (Arc::clone(&lock), Arc::clone(&held));
        let computes = tokio::task::spawn_blocking(move || compute(&locked, &holds));
        held.wait();
        let waits = pollscope::spawn(async move { drop(lock.lock()) });
        waits.await.unwrap();
        computes.await.unwrap();
    });
    tell_when(|events| events.iter().any(|stall| stall.phase == Phase::Close));
}

/// Several workers that wait for one lock are one incident.
#[test]
fn a_convoy() {
    const WAITERS: usize = 4;
    if role().is_none() {
        let events = events_of("locks::a_convoy");
        let waits = lock_waits(&events);
        let incidents: Vec<_> = waits
            .iter()
            .filter_map(|stall| stall.incident.as_ref())
            .collect();
        let most = incidents.iter().map(|incident| incident.waiters).max();
        assert_eq!(most, Some(WAITERS as u64), "{}", brief(&events));
        let first = incidents[0];
        for incident in &incidents {
            assert_eq!(
                (&incident.address, incident.first_id),
                (&first.address, first.first_id),
                "{}",
                brief(&events)
            );
        }
        assert!(
            waits
                .iter()
                .filter(|stall| stall.id != first.first_id)
                .all(|stall| stall
                    .evidence
                    .iter()
                    .any(|said| said.starts_with("the same lock as in stall #"))),
            "{}",
            brief(&events)
        );
        return;
    }
    warm_up();
    let lock = Arc::new(Mutex::new(0));
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(WAITERS).enable_all();
    let runtime = scope().runtime(builder).name("locks").build().unwrap();
    runtime.block_on(async {
        keeper(&lock);
        let wait = |_| {
            let lock = Arc::clone(&lock);
            pollscope::spawn(async move { drop(lock.lock()) })
        };
        let waits: Vec<_> = (0..WAITERS).map(wait).collect();
        for wait in waits {
            wait.await.unwrap();
        }
    });
    tell_when(|events| {
        let closes = events.iter().filter(|stall| stall.phase == Phase::Close);
        closes.count() >= WAITERS
    });
}

fn is_deadlock(stall: &Stall) -> bool {
    let says = |said: &String| said.starts_with("possible deadlock between ");
    stall.evidence.iter().any(says)
}

fn deadlock() -> [Arc<Mutex<u64>>; 2] {
    let locks = [Arc::new(Mutex::new(0)), Arc::new(Mutex::new(1))];
    let met = Arc::new(Barrier::new(2));
    let [one, other] = locks.clone();
    let meet = Arc::clone(&met);
    drop(pollscope::spawn(async move {
        let held = one.lock().unwrap();
        meet.wait();
        let wanted = other.lock(); // stuck
        drop((held, wanted));
    }));
    let [one, other] = locks.clone();
    drop(pollscope::spawn(async move {
        let held = other.lock().unwrap();
        met.wait();
        let wanted = one.lock(); // stuck
        drop((held, wanted));
    }));
    locks
}

/// Two tasks that wait for each other's locks: a possible deadlock with both lines, once it has lasted.
#[test]
fn a_deadlock() {
    if role().is_none() {
        let events = events_of("locks::a_deadlock");
        let found = events.iter().find(|stall| is_deadlock(stall));
        let stall = found.unwrap_or_else(|| panic!("no deadlock: {}", brief(&events)));
        assert!(stall.duration_ms >= 1000.0);
        assert_eq!(stall.advice.as_ref().unwrap().rule, "deadlock");
        let said = stall.evidence.join("\n");
        for line in marked("stuck") {
            assert!(said.contains(&format!("locks.rs:{line} (")), "{said}");
        }
        let holder = holder(&events);
        assert_eq!(holder.doing, "in futex", "{}", brief(&events));
        return;
    }
    warm_up();
    // Dropping the runtime would wait for the deadlock.
    let runtime = Box::leak(Box::new(
        scope().runtime(multi()).name("locks").build().unwrap(),
    ));
    runtime.block_on(async { drop(deadlock()) });
    tell_when(|events| events.iter().any(|stall| is_deadlock(stall)));
}
