//! `std-mutex`: a handler waits for a lock that another thread holds for long.
//!
//! Symptom: every task on the same worker pauses while the machine is idle; the pause ends when somebody else is done.
//! Mechanism: `std::sync::Mutex::lock` blocks the worker's thread while another thread keeps the lock through slow work.
//! Finding: a stall with the verdict `lock-wait` on the line of the lock below.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::finding::Finding;
use crate::marker;
use crate::parameter::Parameters;
use crate::point::Point;

const SOURCE: &str = include_str!("std_mutex.rs");

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "std-mutex",
    symptom: "every task on the worker pauses while the CPU is idle, until another thread is done",
    mechanism: "std::sync::Mutex::lock in an async handler blocks the worker while another thread holds the lock",
    point: Point::Handler,
    parameters: Parameters::waiting("long the lock is held"),
    finding: Finding::Stall {
        verdict: "lock-wait",
        file: file!(),
        lines: marker::line(SOURCE),
    },
    block: Some(block),
};

/// Starts a holder, lets it take the lock, and then waits for the lock. The holder ends by itself when it lets go.
#[expect(
    clippy::disallowed_methods,
    reason = "part of the fault: the lock must be held before it is waited for"
)]
fn block(duration: Duration) -> io::Result<Duration> {
    let mutex = Arc::new(Mutex::new(()));
    let (held, is_held) = channel();
    let (go, may_go) = channel();
    let holder_mutex = Arc::clone(&mutex);
    thread::Builder::new()
        .name("lock-holder".to_owned())
        .spawn(move || hold(&holder_mutex, &held, &may_go, duration))?;
    is_held.recv().map_err(|_| {
        io::Error::other("the thread that should hold the lock ended before it had it")
    })?;
    // Only now does the holder's time begin, so that the wait is as long as it was asked for. If the holder were gone, the
    // lock would be free and there would be nothing to wait for.
    let _ = go.send(());
    Ok(wait_for_lock(&mutex))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own, which holds the lock on purpose"
)]
fn hold(mutex: &Mutex<()>, held: &Sender<()>, may_go: &Receiver<()>, duration: Duration) {
    let guard = mutex.lock().unwrap_or_else(PoisonError::into_inner);
    // A waiter that has gone away needs nobody to hold the lock: either channel then ends at once.
    if held.send(()).is_ok() && may_go.recv().is_ok() {
        thread::sleep(duration);
    }
    drop(guard);
}

/// Waits for the lock on the calling thread and returns how long it was.
#[inline(never)]
pub fn wait_for_lock(mutex: &Mutex<()>) -> Duration {
    let began = Instant::now();
    let guard = mutex.lock(); // fault: blocks here
    let waited = began.elapsed();
    drop(guard);
    waited
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the line that must be reported is the one that takes the lock.
    #[test]
    fn marked_line_locks() {
        let line = *marker::line(SOURCE).start();
        assert!(marker::text(SOURCE, line).contains("mutex.lock()"));
    }

    /// Goal: the lock is held before it is waited for, so that firing blocks at least as long as it was told.
    #[test]
    fn blocks_for_the_duration() {
        let duration = Duration::from_millis(30);
        for _ in 0..5 {
            let began = Instant::now();
            block(duration).unwrap();
            assert!(began.elapsed() >= duration);
        }
    }

    /// Goal: the holder lets go when nobody waits any more.
    #[test]
    fn holder_ends_without_a_waiter() {
        let mutex = Mutex::new(());
        let (held, is_held) = channel();
        let (_go, may_go) = channel();
        drop(is_held);
        hold(&mutex, &held, &may_go, Duration::from_secs(3600));
        assert!(mutex.try_lock().is_ok());
    }
}
