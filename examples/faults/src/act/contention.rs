//! Several tasks that hold each other: a convoy on one lock, a log behind a lock, a deadlock.
//!
//! The tasks act at the same time, each with its own index; what they share is static and lives as long as the process.
#![expect(clippy::disallowed_methods, reason = "the acts block on purpose")]

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::{Barrier, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "convoy",
        prepare: None,
        run: convoy,
    },
    Act {
        name: "log-lock",
        prepare: None,
        run: log_lock,
    },
    Act {
        name: "endless-deadlock",
        prepare: None,
        run: deadlock,
    },
];

static ROAD: Mutex<()> = Mutex::new(());

/// The first to come holds the lock while it sleeps, the others wait for it.
#[inline(never)]
fn convoy(call: &Call) -> io::Result<Duration> {
    let began = Instant::now();
    let guard = ROAD.lock(); // act: convoy-wait
    if began.elapsed() < call.duration / 2 {
        thread::sleep(call.duration); // act: convoy-head
    }
    drop(guard);
    Ok(began.elapsed())
}

/// A log that goes into a pipe, and the collector's end of it.
struct Log {
    pipe: PipeWriter,
}

static LOG: LazyLock<io::Result<(Mutex<Log>, Mutex<PipeReader>)>> = LazyLock::new(|| {
    let (reader, writer) = io::pipe()?;
    Ok((Mutex::new(Log { pipe: writer }), Mutex::new(reader)))
});

/// More than a pipe holds (64 KiB).
const LOG_BYTES: usize = 128 * 1024;

/// Writes a large record under the log's lock, while the collector takes its time.
#[inline(never)]
fn log_lock(call: &Call) -> io::Result<Duration> {
    let (log, collector) = LOG
        .as_ref()
        .map_err(|error| io::Error::other(error.to_string()))?;
    let duration = call.duration;
    let drain = thread::Builder::new()
        .name("log-collector".to_owned())
        .spawn(move || {
            thread::sleep(duration);
            let mut bytes = vec![0; LOG_BYTES];
            let mut reader = collector.lock().unwrap_or_else(PoisonError::into_inner);
            reader.read_exact(&mut bytes)
        })?;
    let record = vec![b'x'; LOG_BYTES];
    let began = Instant::now();
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner); // act: log-lock-wait
    log.pipe.write_all(&record)?; // act: log-lock-write
    drop(log);
    let took = began.elapsed();
    drain
        .join()
        .map_err(|_| io::Error::other("the collector panicked"))??;
    Ok(took)
}

static LEFT: Mutex<()> = Mutex::new(());
static RIGHT: Mutex<()> = Mutex::new(());

/// Both tasks hold their first lock before either takes its second.
static BOTH: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));

#[inline(never)]
fn deadlock(call: &Call) -> io::Result<Duration> {
    if call.index == 0 {
        left_then_right()
    } else {
        right_then_left()
    }
}

#[inline(never)]
fn left_then_right() -> io::Result<Duration> {
    let began = Instant::now();
    let first = LEFT.lock();
    BOTH.wait();
    drop(RIGHT.lock()); // act: deadlock-left
    drop(first);
    Ok(began.elapsed())
}

#[inline(never)]
fn right_then_left() -> io::Result<Duration> {
    let began = Instant::now();
    let first = RIGHT.lock();
    BOTH.wait();
    drop(LEFT.lock()); // act: deadlock-right
    drop(first);
    Ok(began.elapsed())
}
