//! What a blocked task waits for: each kind of wait is told apart and names its object and its line.
#![expect(clippy::disallowed_methods, reason = "the stalls under test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use pollscope::stall::{Stall, Verdict};

use crate::stalls::{found, multi};

/// How long each wait lasts: many thresholds, on a crowded machine too.
const BLOCK: Duration = Duration::from_millis(300);

fn waited_for(stall: &Stall) -> &str {
    stall
        .wait_object
        .as_deref()
        .unwrap_or_else(|| panic!("no object: {stall:#?}"))
}

/// The address that the silent peer of the socket test listens at.
static PEER: OnceLock<SocketAddr> = OnceLock::new();

#[inline(never)]
fn receives_from_a_silent_peer() -> RangeInclusive<u32> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = *PEER.get_or_init(|| listener.local_addr().unwrap());
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(BLOCK)).unwrap();
    let line = line!() + 1;
    let silence = stream.read(&mut [0; 8]);
    assert!(silence.is_err(), "an interrupted or timed out read");
    line..=line
}

/// A blocking read of a socket names the peer.
#[test]
fn socket() {
    let stall = found(
        "wait-socket",
        multi(),
        Verdict::Socket,
        file!(),
        receives_from_a_silent_peer,
    );
    assert!(
        waited_for(&stall).contains(&PEER.get().unwrap().to_string()),
        "{stall:#?}"
    );
    assert_eq!(stall.advice.as_ref().unwrap().rule, "std-net");
}

#[inline(never)]
fn accepts_a_late_client() -> RangeInclusive<u32> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || {
        std::thread::sleep(BLOCK);
        TcpStream::connect(address)
    });
    let line = line!() + 1;
    let accepted = listener.accept();
    assert!(accepted.is_ok() && client.join().unwrap().is_ok());
    line..=line
}

/// Of two waits on sockets the system call tells which advice is right.
#[test]
fn accept() {
    let stall = found(
        "wait-accept",
        multi(),
        Verdict::Socket,
        file!(),
        accepts_a_late_client,
    );
    assert_eq!(stall.advice.as_ref().unwrap().rule, "accept");
}

#[inline(never)]
fn waits_for_a_child() -> RangeInclusive<u32> {
    let mut child = Command::new("sleep")
        .arg("0.3")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let line = line!() + 1;
    child.wait().unwrap();
    line..=line
}

/// Waiting for a child process is a verdict of its own.
#[test]
fn child() {
    let stall = found(
        "wait-child",
        multi(),
        Verdict::ChildWait,
        file!(),
        waits_for_a_child,
    );
    assert!(waited_for(&stall).contains("child"), "{stall:#?}");
    assert_eq!(stall.advice.as_ref().unwrap().rule, "child-process");
}

#[inline(never)]
fn fills_a_pipe() -> RangeInclusive<u32> {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let drain = std::thread::spawn(move || {
        std::thread::sleep(BLOCK);
        std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    });
    // Larger than a pipe's 64 KiB.
    let text = vec![b'x'; 1 << 20];
    let line = line!() + 1;
    writer.write_all(&text).unwrap();
    drop(writer);
    drain.join().unwrap();
    line..=line
}

/// A full pipe blocks its writer.
#[test]
fn pipe() {
    let stall = found("wait-pipe", multi(), Verdict::Pipe, file!(), fills_a_pipe);
    assert!(
        waited_for(&stall).starts_with("write of pipe:"),
        "{stall:#?}"
    );
}

#[inline(never)]
fn waits_for_a_file_lock() -> RangeInclusive<u32> {
    use rustix::fs::{FlockOperation, flock};
    let path = std::env::temp_dir().join(format!("pollscope-lock-{}", std::process::id()));
    let open = || std::fs::File::create(&path).unwrap();
    let (held, wanted) = (open(), open());
    flock(&held, FlockOperation::LockExclusive).unwrap();
    let holder = std::thread::spawn(move || {
        std::thread::sleep(BLOCK);
        drop(held);
    });
    let line = line!() + 1;
    flock(&wanted, FlockOperation::LockExclusive).unwrap();
    std::fs::remove_file(&path).unwrap();
    holder.join().unwrap();
    line..=line
}

/// A lock on a file names the file.
#[test]
fn file_lock() {
    let stall = found(
        "wait-file-lock",
        multi(),
        Verdict::FileLock,
        file!(),
        waits_for_a_file_lock,
    );
    assert!(waited_for(&stall).contains("pollscope-lock-"), "{stall:#?}");
}
