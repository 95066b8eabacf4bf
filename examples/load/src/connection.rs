//! One socket, shared by the thread that paces and the task that reads.
//!
//! Both write: the pacer its messages, the reader its replies. So session and unsent bytes lie behind one short lock, which
//! nobody holds while waiting. What the kernel does not take at once is kept, in order, until the socket is writable again.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Most bytes kept for a service that does not read: some thousand messages. More than that is refused and counted, so that
/// a dead service cannot fill the generator's memory.
const UNSENT_LEN_MAX: usize = 256 * 1024;

/// Bytes read at once: some forty messages. Kept by each client, so ten thousand of them take 40 MB.
const READ_LEN: usize = 4 * 1024;

/// A connected socket with its protocol session.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: TcpStream,
    writing: Mutex<Writing<S>>,
    /// Tells the reading task that there are unsent bytes to look after.
    unsent: Notify,
    is_closed: AtomicBool,
}

#[derive(Debug)]
struct Writing<S> {
    session: S,
    unsent: Vec<u8>,
}

/// What became of bytes that were to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The kernel has them.
    Now,
    /// They wait behind others or for room in the socket: the service is slow to read.
    Later,
    /// They were dropped: the connection is closed or too much waits already.
    Never,
}

impl<S> Connection<S> {
    pub(crate) fn new(stream: TcpStream, session: S) -> Self {
        Self {
            stream,
            writing: Mutex::new(Writing {
                session,
                unsent: Vec::new(),
            }),
            unsent: Notify::new(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Lets the session write, and sends what it wrote. Never waits; may be called from any thread.
    pub(crate) fn send(&self, write: impl FnOnce(&mut S, &mut Vec<u8>)) -> Sent {
        let mut writing = self.lock();
        if self.is_closed() || writing.unsent.len() > UNSENT_LEN_MAX {
            return Sent::Never;
        }
        let Writing { session, unsent } = &mut *writing;
        write(session, unsent);
        self.flush_locked(&mut writing)
    }

    /// Lets the session take `input` apart, and sends its replies.
    pub(crate) fn receive<E>(
        &self,
        take: impl FnOnce(&mut S, &mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut writing = self.lock();
        let Writing { session, unsent } = &mut *writing;
        take(session, unsent)?;
        self.flush_locked(&mut writing);
        Ok(())
    }

    /// Waits for bytes and appends them to `input`; zero when the other side has closed.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub(crate) async fn read(&self, input: &mut BytesMut) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            input.reserve(READ_LEN);
            match self.stream.try_read_buf(input) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    /// Appends at most `len` bytes to `input` if there are any; `None` if there are none at the moment, zero when the other
    /// side has closed.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub(crate) fn read_some(&self, input: &mut BytesMut, len: usize) -> io::Result<Option<usize>> {
        let before = input.len();
        input.resize(before + len, 0);
        let read = self.stream.try_read(&mut input[before..]);
        input.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks after unsent bytes once: waits until there are some and the socket takes them. Safe to drop at any time.
    pub(crate) async fn flush(&self) {
        if self.lock().unsent.is_empty() {
            self.unsent.notified().await;
            return;
        }
        // An error shows up in reading too, which is where it is dealt with.
        if self.stream.writable().await.is_ok() {
            self.flush_locked(&mut self.lock());
        } else {
            self.close();
        }
    }

    /// No more is sent from now on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    fn flush_locked(&self, writing: &mut Writing<S>) -> Sent {
        let mut written = 0;
        while written < writing.unsent.len() {
            match self.stream.try_write(&writing.unsent[written..]) {
                Ok(0) => break,
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.close();
                    writing.unsent.clear();
                    return Sent::Never;
                }
            }
        }
        writing.unsent.drain(..written);
        if writing.unsent.is_empty() {
            return Sent::Now;
        }
        self.unsent.notify_one();
        Sent::Later
    }

    fn lock(&self) -> MutexGuard<'_, Writing<S>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Connection<()>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (Connection::new(client, ()), server)
    }

    /// Goal: a service that does not read delays bytes without losing or mixing any, up to a limit that refuses.
    #[tokio::test]
    async fn unsent_bytes_keep_their_order() {
        let (connection, mut server) = pair().await;
        let connection = Arc::new(connection);
        let mut accepted = 0_u32;
        loop {
            let number = accepted;
            match connection.send(|(), out| out.extend(number.to_be_bytes().repeat(1000))) {
                Sent::Never => break,
                Sent::Now | Sent::Later => accepted += 1,
            }
        }
        let flushing = Arc::clone(&connection);
        let flush = tokio::spawn(async move {
            loop {
                flushing.flush().await;
            }
        });
        for expect in 0..accepted {
            let mut bytes = [0; 4000];
            server.read_exact(&mut bytes).await.unwrap();
            assert_eq!(bytes.as_slice(), expect.to_be_bytes().repeat(1000));
        }
        flush.abort();
        assert_eq!(connection.send(|(), out| out.push(1)), Sent::Now);
    }

    /// Goal: bytes arrive, and the end of the stream is told as zero.
    #[tokio::test]
    async fn reads_to_the_end() {
        let (connection, mut server) = pair().await;
        server.write_all(b"hello").await.unwrap();
        let mut input = BytesMut::new();
        while input.len() < 5 {
            connection.read(&mut input).await.unwrap();
        }
        assert_eq!(&input[..], b"hello");
        drop(server);
        let end = tokio::time::timeout(Duration::from_secs(30), connection.read(&mut input)).await;
        assert_eq!(end.unwrap().unwrap(), 0);
    }

    /// Goal: a slow reader takes as little as it wants, loses nothing, and notices the end.
    #[tokio::test]
    async fn reads_in_small_pieces() {
        let (connection, mut server) = pair().await;
        let mut input = BytesMut::new();
        assert_eq!(connection.read_some(&mut input, 3).unwrap(), None);
        server.write_all(b"hello").await.unwrap();
        drop(server);
        let mut pieces = Vec::new();
        while pieces.last() != Some(&0) {
            connection.stream.readable().await.unwrap();
            pieces.extend(connection.read_some(&mut input, 3).unwrap());
        }
        assert_eq!((&input[..], pieces), (&b"hello"[..], vec![3, 2, 0]));
    }

    /// Goal: a closed connection takes nothing more.
    #[tokio::test]
    async fn closed_refuses() {
        let (connection, _server) = pair().await;
        connection.close();
        assert_eq!(connection.send(|(), out| out.push(1)), Sent::Never);
    }
}
