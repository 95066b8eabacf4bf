//! A service that does nothing, to measure the generator itself.
//!
//! It speaks just enough IRC for the clients of the chat load. What is measured against it is not the service but the floor
//! under every measurement: the generator, the kernel and the loopback network. Given a service time, it answers signs of life
//! (`PING`) from a single queue that takes exactly so long for each; how long one waits there is known from theory, so what
//! the generator reports can be checked against it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc as sync_mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::chat::line::Line;
use crate::chat::{self, ChatPlan, Profile};
use crate::error::Error;
use crate::pacer;
use crate::schedule::Distribution;
use crate::stop::Stop;

/// Most lines kept for one client; one that reads so little is cut.
const OUTBOX_LEN_MAX: usize = 100_000;

/// Longest line taken; a client that sends more is cut.
const LINE_LEN_MAX: usize = 8191 + 512;

/// Bytes read at once.
const READ_LEN: usize = 16 * 1024;

/// The floor is measured with so many connections: enough that none of them waits for its own socket.
const FLOOR_CLIENTS: usize = 8;
/// The noise is measured at a rate at which nothing has to wait for anything else.
const NOISE_RATE_PER_S: f64 = 1_000.0;
const NOISE_DURATION: Duration = Duration::from_millis(500);
/// The ceiling is found by offering, for a moment, more than two threads can send.
const CEILING_RATE_PER_S: f64 = 400_000.0;
const CEILING_DURATION: Duration = Duration::from_millis(100);

/// What the generator measures against a service that answers at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Floor {
    /// Median response time in milliseconds: nothing shorter can be measured.
    pub p50_ms: f64,
    /// 99 of 100 were at most this.
    pub p99_ms: f64,
    /// Messages with their answers per second that generator and null server manage together.
    pub ceiling_per_s: f64,
}

/// Measures the floor against the null server at `address`; takes about a second.
///
/// # Errors
///
/// As [`chat::run`].
pub async fn floor(address: SocketAddr) -> Result<Floor, Error> {
    let plan = ChatPlan {
        clients: FLOOR_CLIENTS,
        room_size: FLOOR_CLIENTS,
        profile: Profile::Idle,
        distribution: Distribution::Constant,
        ..ChatPlan::new(address)
    };
    let noise = ChatPlan {
        rate_per_s: NOISE_RATE_PER_S,
        duration: NOISE_DURATION,
        ..plan.clone()
    };
    let ceiling = ChatPlan {
        rate_per_s: CEILING_RATE_PER_S,
        duration: CEILING_DURATION,
        ..plan
    };
    let noise = chat::run(noise, std::future::pending(), |_| {}).await?;
    let ceiling = chat::run(ceiling, std::future::pending(), |_| {}).await?;
    Ok(Floor {
        p50_ms: noise.response_ms.p50.unwrap_or_default(),
        p99_ms: noise.response_ms.p99.unwrap_or_default(),
        ceiling_per_s: ceiling.received as f64 / ceiling.last_answer_s.max(f64::MIN_POSITIVE),
    })
}

/// Serves clients of `listener` until the future is dropped. With a `service_time`, signs of life are answered from a single
/// queue that takes exactly so long for each.
///
/// # Errors
///
/// A listener that is of no more use, or a thread that cannot be had.
pub async fn serve(listener: TcpListener, service_time: Option<Duration>) -> io::Result<()> {
    let queue = service_time.map(Queue::start).transpose()?;
    let rooms = Rooms::default();
    for id in 0.. {
        let (stream, _) = listener.accept().await?;
        let (out, lines) = mpsc::channel(OUTBOX_LEN_MAX);
        let guest = Guest {
            id,
            nick: String::new(),
            out,
            rooms: Arc::clone(&rooms),
            queue: queue.clone(),
        };
        tokio::spawn(guest.serve(stream, lines));
    }
    Ok(())
}

/// Lines for one client.
type Outbox = mpsc::Sender<String>;

/// Who is in which room, by name.
type Rooms = Arc<Mutex<HashMap<String, Vec<(u64, Outbox)>>>>;

/// One connection.
struct Guest {
    id: u64,
    nick: String,
    out: Outbox,
    rooms: Rooms,
    queue: Option<Queue>,
}

/// The connection is of no more use.
struct Gone;

impl Guest {
    async fn serve(mut self, stream: TcpStream, lines: mpsc::Receiver<String>) {
        // Without it answers would wait for one another; a socket that refuses is of no use anyway.
        let _ = stream.set_nodelay(true);
        let (mut reader, writer) = stream.into_split();
        tokio::spawn(write_all(writer, lines));
        let mut input = BytesMut::with_capacity(READ_LEN);
        while matches!(reader.read_buf(&mut input).await, Ok(1..)) {
            if self.take_lines(&mut input).is_err() || input.len() > LINE_LEN_MAX {
                break;
            }
        }
        // With the last sender of its lines the client's socket closes.
        for members in self.rooms().values_mut() {
            members.retain(|(member, _)| *member != self.id);
        }
    }

    fn take_lines(&mut self, input: &mut BytesMut) -> Result<(), Gone> {
        let now = Instant::now();
        while let Some(end) = input.iter().position(|byte| *byte == b'\n') {
            let line = input.split_to(end + 1);
            let text = String::from_utf8_lossy(&line);
            if let Some(line) = Line::parse(text.trim_end_matches(['\r', '\n'])) {
                self.answer(&line, now)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, line: &Line<'_>, now: Instant) -> Result<(), Gone> {
        let first = line.params.first().copied().unwrap_or_default();
        match line.command {
            "NICK" => first.clone_into(&mut self.nick),
            "USER" => say(&self.out, format!(":null 001 {} :welcome\r\n", self.nick))?,
            "PING" => {
                let answer = format!(":null PONG null :{}\r\n", line.text());
                match &self.queue {
                    Some(queue) => queue.push(self.out.clone(), answer, now),
                    None => say(&self.out, answer)?,
                }
            }
            "JOIN" => {
                let member = (self.id, self.out.clone());
                self.rooms()
                    .entry(first.to_owned())
                    .or_default()
                    .push(member);
                let end = format!(":null 366 {} {first} :end of names\r\n", self.nick);
                say(&self.out, end)?;
            }
            "PART" => {
                if let Some(members) = self.rooms().get_mut(first) {
                    members.retain(|(member, _)| *member != self.id);
                }
                let part = format!(":{}!null@null PART {first}\r\n", self.nick);
                say(&self.out, part)?;
            }
            "PRIVMSG" => self.deliver(first, line.text()),
            "QUIT" => return Err(Gone),
            _ => {}
        }
        Ok(())
    }

    fn deliver(&self, room: &str, text: &str) {
        let line = format!(":{}!null@null PRIVMSG {room} :{text}\r\n", self.nick);
        if let Some(members) = self.rooms().get(room) {
            for (_, out) in members.iter().filter(|(member, _)| *member != self.id) {
                // Who reads so little is cut by its own connection's end, not here.
                let _ = say(out, line.clone());
            }
        }
    }

    fn rooms(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<(u64, Outbox)>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn say(out: &Outbox, line: String) -> Result<(), Gone> {
    out.try_send(line).map_err(|_| Gone)
}

/// Writes what there is, as much at once as has come together.
async fn write_all(mut writer: OwnedWriteHalf, mut lines: mpsc::Receiver<String>) {
    let mut batch = Vec::new();
    while let Some(line) = lines.recv().await {
        batch.clear();
        batch.extend_from_slice(line.as_bytes());
        while let Ok(line) = lines.try_recv() {
            batch.extend_from_slice(line.as_bytes());
        }
        if writer.write_all(&batch).await.is_err() {
            return;
        }
    }
}

/// A single queue with a fixed service time.
#[derive(Clone)]
struct Queue(sync_mpsc::Sender<(Outbox, String, Instant)>);

impl Queue {
    /// Starts the thread that serves it. Its clock is arithmetic: a thread that was late catches up, so that the time each
    /// one takes is the same on a crowded machine.
    fn start(service_time: Duration) -> io::Result<Self> {
        let (sender, jobs) = sync_mpsc::channel::<(Outbox, String, Instant)>();
        thread::Builder::new()
            .name("null-queue".to_owned())
            .spawn(move || {
                let never = Stop::default();
                let mut free_at = Instant::now();
                for (out, answer, arrived) in jobs {
                    free_at = free_at.max(arrived) + service_time;
                    pacer::wait_until(free_at, &never);
                    // A client that has gone needs no answer.
                    let _ = out.try_send(answer);
                }
            })?;
        Ok(Self(sender))
    }

    fn push(&self, out: Outbox, answer: String, arrived: Instant) {
        // The thread ends only with the last sender.
        let _ = self.0.send((out, answer, arrived));
    }
}
