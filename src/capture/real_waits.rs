//! Threads in the waits that stall services, captured from outside: each stack must come out whole and confirmed.

#![expect(
    clippy::disallowed_methods,
    reason = "the waits under test, on threads that nobody else needs"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock};
use std::time::Duration;

use super::{Captured, Capturer, sys};
use crate::procfs::ThreadFiles;
use crate::stall::StackVia;

/// Longer than any capture here, shorter than a test may hang; nobody waits for it but a thread that is left behind.
const LONG: Duration = Duration::from_secs(30);

/// Captures `wait` while it lasts; looks until the stack is whole and confirmed or a second has passed: a thread needs a moment
/// to fall asleep, and one that starts a child waits in another system call until the child runs.
fn captured(wait: impl FnOnce() + Send + 'static) -> Captured {
    let (identify, identity) = channel();
    std::thread::spawn(move || {
        identify
            .send((sys::current_tid(), sys::thread_stack().unwrap()))
            .unwrap();
        wait();
    });
    let (tid, stack) = identity.recv().unwrap();
    let mut capturer = Capturer::new(None);
    let files = ThreadFiles::open(tid);
    let mut last = Captured::none("never looked");
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(5));
        last = capturer.capture(tid, &stack, &files);
        if last.complete && last.confirmed {
            return last;
        }
    }
    last
}

fn silent_peer() -> (TcpListener, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener, stream)
}

fn receives(channel: &Receiver<()>) {
    // The sender is kept by the test, so this waits until it ends.
    let _ = channel.recv();
}

/// What a thread does that waits.
type Wait = Box<dyn FnOnce() + Send>;

/// Boxes a wait so that the call in it is no last call. Optimised, that would be a jump: the function waited in is then entered
/// by the call of the box, through a pointer, and which function that calls cannot be proven.
fn boxed(wait: impl FnOnce() + Send + 'static) -> Wait {
    Box::new(move || {
        wait();
        std::hint::black_box(&LONG);
    })
}

/// The waits by name. Senders are kept in `ends`, which release their threads when the test is over.
fn waits(ends: &mut Vec<Box<dyn std::any::Any>>) -> Vec<(&'static str, Wait)> {
    let (sender, receiver): (Sender<()>, _) = channel();
    let (pipe_end, mut pipe) = std::io::pipe().map(|(read, write)| (write, read)).unwrap();
    let (full_end, mut full) = std::io::pipe().unwrap();
    let (listener, mut stream) = silent_peer();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let held = Arc::new((Mutex::new(()), RwLock::new(()), Condvar::new()));
    let (locked, read_locked, condition) =
        (Arc::clone(&held), Arc::clone(&held), Arc::clone(&held));
    take_both(held);
    let missing = sys::MissingPage::new().unwrap();
    let reader = missing.reader();
    ends.push(Box::new((sender, pipe_end, full_end, listener, missing)));
    vec![
        ("sleep", boxed(|| std::thread::sleep(LONG))),
        ("channel", boxed(move || receives(&receiver))),
        ("mutex", boxed(move || drop(locked.0.lock()))),
        ("rwlock", boxed(move || drop(read_locked.1.read()))),
        (
            "condvar",
            boxed(move || {
                let own = Mutex::new(());
                let _ = condition.2.wait_timeout(own.lock().unwrap(), LONG);
            }),
        ),
        (
            "barrier",
            boxed(|| {
                Barrier::new(2).wait();
            }),
        ),
        (
            "join",
            boxed(|| {
                std::thread::spawn(|| std::thread::sleep(LONG))
                    .join()
                    .unwrap()
            }),
        ),
        ("park", boxed(|| std::thread::park_timeout(LONG))),
        ("pipe read", boxed(move || drop(pipe.read(&mut [0; 8])))),
        (
            "pipe write",
            boxed(move || drop(full.write_all(&[0; 1 << 20]))),
        ),
        ("socket", boxed(move || drop(stream.read(&mut [0; 8])))),
        (
            "datagram",
            boxed(move || drop(datagrams.recv_from(&mut [0; 8]))),
        ),
        (
            "accept",
            boxed(|| drop(TcpListener::bind("127.0.0.1:0").unwrap().accept())),
        ),
        ("page fault", boxed(reader)),
        ("child", boxed(waits_for_a_child)),
        ("file lock", boxed(waits_for_a_file_lock)),
        (
            "a callback of the C library",
            boxed(|| {
                sys::in_foreign_callback(|| {
                    std::thread::sleep(LONG);
                    std::hint::black_box(&LONG);
                });
            }),
        ),
    ]
}

/// Takes the locks on a thread that keeps them.
fn take_both(locks: Arc<(Mutex<()>, RwLock<()>, Condvar)>) {
    let (hold, is_held) = channel::<()>();
    std::thread::spawn(move || {
        let _guards = (locks.0.lock(), locks.1.write());
        hold.send(()).unwrap();
        std::thread::sleep(LONG);
    });
    is_held.recv().unwrap();
}

fn waits_for_a_child() {
    let mut child = std::process::Command::new("sleep")
        .arg("10")
        .spawn()
        .unwrap();
    child.wait().unwrap();
}

fn waits_for_a_file_lock() {
    let path = std::env::temp_dir().join(format!("pollscope-capture-{}", std::process::id()));
    let open = || std::fs::File::create(&path).unwrap();
    let (held, wanted) = (open(), open());
    std::fs::remove_file(&path).unwrap();
    assert!(sys::lock_file(held.as_fd()));
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(10));
        drop(held);
    });
    assert!(sys::lock_file(wanted.as_fd()));
    release.join().unwrap();
}

/// No signal is at hand, so each stack is had from outside: it reaches the thread's start, and each step is proven.
#[test]
fn common_waits_are_proven_from_outside() {
    let mut ends = Vec::new();
    let mut failed = Vec::new();
    for (name, wait) in waits(&mut ends) {
        let captured = captured(wait);
        let is_proven = captured.complete && captured.confirmed;
        if !is_proven || captured.via != StackVia::Syscall {
            failed.push((name, captured));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
