//! Waiting for another thread: locks, conditions, channels, joins.
//!
//! Every partner is a thread of its own that ends by itself, and holds what is waited for before the wait begins.
#![expect(
    clippy::disallowed_methods,
    reason = "the acts block on purpose, and their partners are threads of their own"
)]

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::cpu::thread_cpu;
use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "mutex-sleeper",
        prepare: None,
        run: mutex_held_by_a_sleeper,
    },
    Act {
        name: "mutex-spinner",
        prepare: None,
        run: mutex_held_by_a_spinner,
    },
    Act {
        name: "rwlock",
        prepare: None,
        run: rwlock,
    },
    Act {
        name: "condvar",
        prepare: None,
        run: condvar,
    },
    Act {
        name: "channel-recv",
        prepare: None,
        run: channel_recv,
    },
    Act {
        name: "thread-join",
        prepare: None,
        run: thread_join,
    },
    Act {
        name: "park",
        prepare: None,
        run: park,
    },
    Act {
        name: "endless-recv",
        prepare: None,
        run: recv_for_ever,
    },
];

fn partner(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body)
}

fn sleeps(duration: Duration) {
    thread::sleep(duration); // act: holder-sleeps
}

fn spins(duration: Duration) {
    let end = thread_cpu() + duration;
    // act begins: holder-spins
    while thread_cpu() < end {
        std::hint::black_box((0..1_u64 << 16).fold(0, |sum, n| sum ^ std::hint::black_box(n)));
    }
    // act ends: holder-spins
}

fn held_mutex(duration: Duration, work: fn(Duration)) -> io::Result<Arc<Mutex<()>>> {
    let mutex = Arc::new(Mutex::new(()));
    let (held, is_held) = channel();
    let holder = Arc::clone(&mutex);
    partner("lock-holder", move || {
        let _guard = holder.lock();
        // A waiter that is gone needs nobody to hold the lock.
        if held.send(()).is_ok() {
            work(duration);
        }
    })?;
    ready(&is_held)?;
    Ok(mutex)
}

#[inline(never)]
fn ready(ready: &Receiver<()>) -> io::Result<()> {
    // act begins: lock-ready
    ready
        .recv()
        .map_err(|_| io::Error::other("the partner's thread ended before it was ready"))
    // act ends: lock-ready
}

#[inline(never)]
fn mutex_held_by_a_sleeper(call: &Call) -> io::Result<Duration> {
    let mutex = held_mutex(call.duration, sleeps)?;
    let began = Instant::now();
    drop(mutex.lock()); // act: mutex-sleeper
    Ok(began.elapsed())
}

#[inline(never)]
fn mutex_held_by_a_spinner(call: &Call) -> io::Result<Duration> {
    let mutex = held_mutex(call.duration, spins)?;
    let began = Instant::now();
    drop(mutex.lock()); // act: mutex-spinner
    Ok(began.elapsed())
}

#[inline(never)]
fn rwlock(call: &Call) -> io::Result<Duration> {
    let lock = Arc::new(RwLock::new(()));
    let (held, is_held) = channel();
    let (holder, duration) = (Arc::clone(&lock), call.duration);
    partner("lock-holder", move || {
        let _guard = holder.read();
        if held.send(()).is_ok() {
            sleeps(duration);
        }
    })?;
    ready(&is_held)?;
    let began = Instant::now();
    drop(lock.write()); // act: rwlock
    Ok(began.elapsed())
}

#[inline(never)]
fn condvar(call: &Call) -> io::Result<Duration> {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let (teller, duration) = (Arc::clone(&pair), call.duration);
    partner("teller", move || {
        sleeps(duration);
        if let Ok(mut told) = teller.0.lock() {
            *told = true;
        }
        teller.1.notify_one();
    })?;
    let began = Instant::now();
    let untold = pair
        .0
        .lock()
        .map_err(|_| io::Error::other("the teller panicked"))?;
    let told = pair.1.wait_while(untold, |told| !*told); // act: condvar
    drop(told);
    Ok(began.elapsed())
}

#[inline(never)]
fn channel_recv(call: &Call) -> io::Result<Duration> {
    let (send, receive) = channel::<()>();
    let duration = call.duration;
    partner("sender", move || {
        sleeps(duration);
        drop(send);
    })?;
    let began = Instant::now();
    let ended = receive.recv(); // act: channel-recv
    let took = began.elapsed();
    // The sender only hangs up.
    ended.map_or(Ok(took), |()| {
        Err(io::Error::other("a message that nobody sent"))
    })
}

#[inline(never)]
fn thread_join(call: &Call) -> io::Result<Duration> {
    let duration = call.duration;
    let worker = partner("worker", move || sleeps(duration))?;
    let began = Instant::now();
    let joined = worker.join(); // act: thread-join
    joined
        .map(|()| began.elapsed())
        .map_err(|_| io::Error::other("the partner panicked"))
}

/// Waits as `block_on` of a foreign executor does: parked, until another thread unparks it.
#[inline(never)]
fn park(call: &Call) -> io::Result<Duration> {
    let (waiter, duration) = (thread::current(), call.duration);
    let done = Arc::new(Barrier::new(1));
    let told = Arc::downgrade(&done);
    partner("waker", move || {
        sleeps(duration);
        drop(done);
        waiter.unpark();
    })?;
    let began = Instant::now();
    // act begins: park
    while told.strong_count() > 0 {
        thread::park();
    }
    // act ends: park
    Ok(began.elapsed())
}

/// Waits for a message that only the same thread could send.
#[inline(never)]
fn recv_for_ever(_call: &Call) -> io::Result<Duration> {
    let (send, receive) = channel::<()>();
    let began = Instant::now();
    let ended = receive.recv(); // act: endless-recv
    drop(send);
    ended
        .map(|()| began.elapsed())
        .map_err(|_| io::Error::other("the sender is gone"))
}
