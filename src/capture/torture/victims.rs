//! The tortured threads: each does one thing, over and over, that must survive a signal at any instruction.

use std::backtrace::Backtrace;
use std::hint::black_box;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::capture::sys;

/// A library of the C library's own that nothing else loads.
const LIBRARY: &std::ffi::CStr = c"libBrokenLocale.so.1";

/// A thread rests so many times as long as its turn took, so that eight of them leave the CPUs to the one who is asked.
const REST: u32 = 4;

/// What a thread panics with on purpose, as the hook finds it.
const PANIC: &str = "tortured";

/// Where a thread is to be found.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) tid: i32,
    pub(super) stack: Range<u64>,
}

impl Identity {
    pub(super) fn own() -> Self {
        Self {
            tid: sys::current_tid(),
            stack: sys::thread_stack().unwrap(),
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    identity: Mutex<Option<Identity>>,
    turns: AtomicU64,
    is_at_it: AtomicBool,
    stop: AtomicBool,
}

/// One tortured thread.
#[derive(Debug)]
pub(super) struct Victim {
    pub(super) name: &'static str,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Victim {
    /// How often it has done its thing.
    pub(super) fn progress(&self) -> u64 {
        self.shared.turns.load(Ordering::Relaxed)
    }

    /// Whether it does its thing now, as far as one can tell from outside.
    pub(super) fn is_at_it(&self) -> bool {
        self.shared.is_at_it.load(Ordering::Relaxed)
    }

    /// Where it is now.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.shared.identity.lock().unwrap().clone()
    }
}

/// One turn of a thread.
type Turn = fn(&Shared);

/// The one whose thread ends all the time.
pub(super) const BRIEF: &str = "exits";

/// What each thread does.
const TURNS: [(&str, Turn); 8] = [
    ("allocates", allocates),
    ("unwinds", unwinds),
    ("loads", loads),
    ("forks", forks),
    ("spawns", spawns_a_process),
    ("recurses", recurses),
    ("waits", waits),
    (BRIEF, exits),
];

/// Their names, in order.
pub(super) const NAMES: [&str; 8] = {
    let mut names = [""; 8];
    let mut index = 0;
    while index < names.len() {
        names[index] = TURNS[index].0;
        index += 1;
    }
    names
};

/// Starts them all.
pub(super) fn start() -> Vec<Victim> {
    TURNS
        .iter()
        .map(|(name, turn)| start_one(name, *turn))
        .collect()
}

/// Panics on purpose go through a hook that unwinds the stack for a backtrace, as the standard library's does, and prints
/// nothing. It is not resolved: the debug information that this parses, piece by piece, could not be told from a leak.
pub(super) fn hush_their_panics() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref() == Some(&PANIC) {
            drop(black_box(Backtrace::force_capture()));
        } else {
            loud(panic);
        }
    }));
}

#[expect(clippy::disallowed_methods, reason = "the thread rests")]
fn start_one(name: &'static str, turn: Turn) -> Victim {
    let shared = Arc::new(Shared::default());
    let thread = std::thread::spawn({
        let shared = Arc::clone(&shared);
        move || {
            *shared.identity.lock().unwrap() = Some(Identity::own());
            while !shared.stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                shared.is_at_it.store(true, Ordering::Relaxed);
                turn(&shared);
                shared.is_at_it.store(false, Ordering::Relaxed);
                shared.turns.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(begun.elapsed() * REST);
            }
        }
    });
    Victim {
        name,
        shared,
        thread,
    }
}

/// Ends them all; a thread that has panicked fails the test.
#[expect(clippy::disallowed_methods, reason = "the test waits for its threads")]
pub(super) fn stop(victims: Vec<Victim>) {
    for victim in &victims {
        victim.shared.stop.store(true, Ordering::Relaxed);
    }
    for victim in victims {
        victim.thread.join().unwrap();
    }
}

fn allocates(shared: &Shared) {
    let seed = usize::try_from(shared.turns.load(Ordering::Relaxed) % 977).unwrap();
    let blocks: Vec<Vec<u8>> = (0..64)
        .map(|index| vec![1; (seed * 31 + index * 97) % 8192])
        .collect();
    black_box(format!("{seed} {}", blocks.len()));
}

/// Something to drop on the way.
struct Guard<'a>(&'a mut u64);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        *self.0 += 1;
    }
}

/// Panics deep down, with things to drop on the way, and catches it.
fn unwinds(_: &Shared) {
    fn down(depth: u64, dropped: &mut u64) {
        let guard = Guard(dropped);
        if depth == 0 {
            panic!("tortured");
        }
        down(depth - 1, guard.0);
    }
    let mut dropped = 0;
    let outcome = catch_unwind(AssertUnwindSafe(|| down(40, &mut dropped)));
    assert!(
        outcome.is_err() && dropped == 41,
        "{dropped} guards dropped"
    );
}

fn loads(_: &Shared) {
    assert!(
        sys::load_and_unload(LIBRARY),
        "no {LIBRARY:?}, expected: glibc"
    );
}

/// `fork` and `exec`, which the standard library takes instead of `posix_spawn` when a user is set.
fn forks(_: &Shared) {
    let own = std::fs::metadata("/proc/self").unwrap();
    run(Command::new("/bin/true").uid(own.uid()));
}

/// `posix_spawn`: the thread waits in `vfork` while the child borrows its memory.
fn spawns_a_process(_: &Shared) {
    run(&mut Command::new("/bin/true"));
}

#[expect(
    clippy::disallowed_methods,
    reason = "the thread has nothing else to do"
)]
fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).status().unwrap();
    assert!(status.success(), "{status}");
}

fn recurses(_: &Shared) {
    fn down(depth: u64) -> u64 {
        let frame = black_box([depth; 32]);
        if depth == 0 {
            frame[0]
        } else {
            down(depth - 1) + frame[31]
        }
    }
    // Some 400 KiB: far beyond what one copy holds.
    assert_eq!(down(1000), 500_500);
}

fn waits(_: &Shared) {
    let (_keep, nothing) = mpsc::channel::<()>();
    assert_eq!(
        nothing.recv_timeout(Duration::from_micros(300)),
        Err(mpsc::RecvTimeoutError::Timeout)
    );
}

/// A thread that lives as long as a capture or two, so that many meet its end.
fn exits(shared: &Shared) {
    std::thread::scope(|scope| {
        let brief = scope.spawn(|| {
            *shared.identity.lock().unwrap() = Some(Identity::own());
            let words = shared.turns.load(Ordering::Relaxed) % 64 * 4096;
            black_box((0..words).map(black_box).sum::<u64>());
        });
        brief.join().unwrap();
    });
}
