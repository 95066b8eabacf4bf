//! Waiting for a peer: a read, a write, a connection, a poll of a socket, all in blocking mode.
#![expect(
    clippy::disallowed_methods,
    reason = "the acts block on purpose, and their peers are threads of their own"
)]

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};

use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "socket-read",
        prepare: None,
        run: read,
    },
    Act {
        name: "socket-write",
        prepare: None,
        run: write,
    },
    Act {
        name: "socket-poll",
        prepare: None,
        run: poll_socket,
    },
    Act {
        name: "socket-accept",
        prepare: None,
        run: accept,
    },
    Act {
        name: "connect",
        prepare: None,
        run: connect,
    },
];

/// Both ends of a connection on loopback.
fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    Ok((near, listener.accept()?.0))
}

fn later(duration: Duration, act: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name("slow-peer".to_owned())
        .spawn(move || {
            thread::sleep(duration);
            act();
        })?;
    Ok(())
}

#[inline(never)]
fn read(call: &Call) -> io::Result<Duration> {
    let (mut near, mut far) = connection()?;
    later(call.duration, move || drop(far.write_all(b"late")))?;
    let mut bytes = [0; 4];
    let began = Instant::now();
    let read = near.read(&mut bytes)?; // act: socket-read
    if read == 0 {
        Err(io::ErrorKind::UnexpectedEof.into())
    } else {
        Ok(began.elapsed())
    }
}

/// More than both sockets' buffers hold.
const TEXT_BYTES: usize = 32 << 20;

#[inline(never)]
fn write(call: &Call) -> io::Result<Duration> {
    let (mut near, mut far) = connection()?;
    later(call.duration, move || {
        drop(io::copy(&mut far, &mut io::sink()))
    })?;
    // Zeroes come unwritten from the kernel, so making the text takes no time of the act's.
    let text = vec![0; TEXT_BYTES];
    let began = Instant::now();
    near.write_all(&text)?; // act: socket-write
    Ok(began.elapsed())
}

#[inline(never)]
fn poll_socket(call: &Call) -> io::Result<Duration> {
    let (near, mut far) = connection()?;
    later(call.duration, move || drop(far.write_all(b"late")))?;
    let began = Instant::now();
    let mut polled = [PollFd::new(&near, PollFlags::IN)];
    poll(&mut polled, None)?; // act: socket-poll
    Ok(began.elapsed())
}

#[inline(never)]
fn accept(call: &Call) -> io::Result<Duration> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    later(call.duration, move || drop(TcpStream::connect(address)))?;
    let began = Instant::now();
    listener.accept()?; // act: socket-accept
    Ok(began.elapsed())
}

/// Connects to a listener whose queue is full: the kernel drops the request and repeats it after a second, so this takes
/// one second at least, whatever was asked for.
#[inline(never)]
fn connect(call: &Call) -> io::Result<Duration> {
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&listener, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    listen(&listener, 0)?;
    let listener = TcpListener::from(listener);
    let address = SocketAddr::try_from(getsockname(&listener)?)?;
    // A queue of length 0 takes one connection.
    let first = TcpStream::connect(address)?;
    later(call.duration, move || {
        // Taking the first makes room for the second.
        let taken = listener.accept();
        thread::sleep(Duration::from_secs(4));
        drop((taken, listener));
    })?;
    let began = Instant::now();
    let second = TcpStream::connect(address)?; // act: connect
    let took = began.elapsed();
    drop((first, second));
    Ok(took)
}
