//! The bell under every interleaving: a wake-up that is lost would leave the watchdog asleep, which loom reports as a
//! deadlock.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use loom::thread;

use super::Bell;
use crate::primitives::AtomicBool;

/// Times one run may switch threads where none has to wait; three threads without a bound take minutes.
const PREEMPTIONS_MAX: usize = 3;

/// The shared state of a model, touched once as loom's lazy primitives need it.
fn bell_and_signs() -> Arc<(Bell, [AtomicBool; 2])> {
    let shared = Arc::new((
        Bell::new(),
        [AtomicBool::new(false), AtomicBool::new(false)],
    ));
    let (bell, signs) = &*shared;
    bell.belongs_to_this_thread();
    bell.asleep.store(false, Ordering::Relaxed);
    for sign in signs {
        sign.store(false, Ordering::Relaxed);
    }
    shared
}

/// A thread of its own for the watchdog: loom cannot tell a wake-up from the end of a `join`.
fn watchdog(
    shared: &Arc<(Bell, [AtomicBool; 2])>,
    nights: fn(&Bell, &[AtomicBool; 2]),
) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        shared.0.belongs_to_this_thread();
        nights(&shared.0, &shared.1);
    })
}

/// A worker that shows that it is awake, then rings.
fn worker(shared: &Arc<(Bell, [AtomicBool; 2])>, index: usize) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        shared.1[index].store(true, Ordering::Release);
        shared.0.ring();
    })
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("a thread of the model does not panic");
    }
}

/// A worker shows that it is awake and rings; the watchdog falls asleep at the same time. One notices the other.
#[test]
fn no_wake_is_lost() {
    loom::model(|| {
        let shared = bell_and_signs();
        let watchdog = watchdog(&shared, |bell, [awake, _]| {
            bell.sleep_while(None, || !awake.load(Ordering::Acquire));
            assert!(awake.load(Ordering::Relaxed));
        });
        join([worker(&shared, 0), watchdog]);
    });
}

/// The same with two workers and two nights in a row, so that the first night's wake-up is left over for the second.
#[test]
fn a_leftover_wake_up_loses_none() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS_MAX);
    model.check(|| {
        let shared = bell_and_signs();
        let watchdog = watchdog(&shared, |bell, signs| {
            for sign in signs {
                // As the watchdog's loop does: rung too early, it looks and sleeps again.
                while !sign.load(Ordering::Acquire) {
                    bell.sleep_while(None, || !sign.load(Ordering::Acquire));
                }
            }
        });
        join([worker(&shared, 0), worker(&shared, 1), watchdog]);
    });
}

/// The end of the watch comes through: the stop is set before the watchdog is woken.
#[test]
fn the_stop_is_heard() {
    loom::model(|| {
        let shared = bell_and_signs();
        let watchdog = watchdog(&shared, |bell, [stop, _]| {
            while !stop.load(Ordering::Acquire) {
                bell.sleep_while(None, || !stop.load(Ordering::Acquire));
            }
        });
        shared.1[0].store(true, Ordering::Release);
        shared.0.wake();
        watchdog.thread().unpark();
        join([watchdog]);
    });
}
