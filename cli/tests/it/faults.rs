//! Every fault in the real chat server under a little traffic: what it declares is found, and nothing is left of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ::faults::{CATALOGUE, Exposition, Fault, Finding};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::files::list;
use crate::program::{PATIENCE, Served, eventually};

/// Clients that stay and talk. More than a storm must throw out to be one.
const RESIDENTS: usize = 8;

/// How often each of them says something: little, and enough to visit every place where faults act.
const TALK: Duration = Duration::from_millis(200);

/// Clients that come together and go again. More than `fd-exhausted` leaves descriptors for.
const VISITORS: usize = 6;

/// Pause between two visits.
const VISIT: Duration = Duration::from_millis(300);

/// How long nothing may be found.
const CALM: Duration = Duration::from_secs(6);

/// Clients of a chat server, until they are dropped.
struct Traffic {
    clients: JoinSet<()>,
}

impl Traffic {
    fn start(address: &str) -> Self {
        let mut clients = JoinSet::new();
        for _ in 0..RESIDENTS {
            clients.spawn(reside(address.to_owned()));
        }
        clients.spawn(visit(address.to_owned()));
        Self { clients }
    }

    /// Two more: one that does not read, and one that says much to it.
    fn with_a_slow_reader(address: &str) -> Self {
        let mut traffic = Self::start(address);
        traffic.clients.spawn(ignore(address.to_owned()));
        traffic.clients.spawn(shout(address.to_owned()));
        traffic
    }
}

/// The first lines of a client of this role, with a nickname that nobody had before: the last owner may still be leaving.
fn greeting(role: &str, room: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let nick = format!("{role}{}", NEXT.fetch_add(1, Ordering::Relaxed));
    format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nJOIN {room}\r\n")
}

/// Talks in a room, and comes back at once whenever the connection ends, as a client without jitter does.
async fn reside(address: String) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            let greeting = greeting("resident", "#room");
            let mut talk = interval(TALK);
            talk.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut scrap = [0; 4096];
            let mut is_there = stream.write_all(greeting.as_bytes()).await.is_ok();
            while is_there {
                is_there = tokio::select! {
                    read = stream.read(&mut scrap) => matches!(read, Ok(1..)),
                    _ = talk.tick() => stream.write_all(b"PRIVMSG #room :hello\r\n").await.is_ok(),
                };
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// Several at once, who go when all have come.
async fn visit(address: String) {
    loop {
        let mut streams = Vec::new();
        for _ in 0..VISITORS {
            streams.push(TcpStream::connect(&address).await);
        }
        sleep(VISIT).await;
        for stream in streams.iter_mut().flatten() {
            // The server may have closed it.
            let _ = stream.write_all(b"QUIT\r\n").await;
        }
        drop(streams);
        sleep(VISIT).await;
    }
}

/// Joins and never reads; comes back when it was thrown out.
async fn ignore(address: String) {
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        if let Ok(mut stream) = socket.connect(address.parse().unwrap()).await {
            let greeting = greeting("slow", "#loud");
            let mut is_there = stream.write_all(greeting.as_bytes()).await.is_ok();
            while is_there {
                sleep(TALK).await;
                is_there = stream.write_all(b"PING here\r\n").await.is_ok();
            }
        }
        sleep(TALK).await;
    }
}

/// Says a lot.
async fn shout(address: String) {
    let Ok(mut stream) = TcpStream::connect(&address).await else {
        return;
    };
    let burst = format!("PRIVMSG #loud :{}\r\n", "x".repeat(400)).repeat(100);
    let greeting = greeting("loud", "#loud");
    let mut is_there = stream.write_all(greeting.as_bytes()).await.is_ok();
    let mut scrap = [0; 4096];
    while is_there {
        is_there = stream.write_all(burst.as_bytes()).await.is_ok();
        let _ = timeout(Duration::from_millis(20), stream.read(&mut scrap)).await;
    }
}

/// Two newcomers meet in a room, and one hears the other: the service works.
async fn meets(address: &str, number: usize) {
    let mut streams = Vec::new();
    for role in ["hears", "says"] {
        let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        let greeting = greeting(role, &format!("#meet{number}"));
        stream.write_all(greeting.as_bytes()).await.unwrap();
        hears(&mut stream, " 366 ").await;
        streams.push(stream);
    }
    let say = format!("PRIVMSG #meet{number} :all is well\r\n");
    streams[1].write_all(say.as_bytes()).await.unwrap();
    hears(&mut streams[0], ":all is well").await;
}

async fn hears(stream: &mut BufReader<TcpStream>, part: &str) {
    let heard = async {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            let read = stream.read_line(&mut line).await.unwrap();
            assert!(read > 0, "the connection ended before {part:?}");
        }
    };
    let heard = timeout(PATIENCE, heard).await;
    assert!(heard.is_ok(), "{part:?} was never heard");
}

/// Whether a stall event is what `fault` declares.
fn is_its_stall(fault: &Fault, stall: &Value) -> bool {
    let verdict = stall["verdict"].as_str().unwrap_or_default();
    let file = stall["line"]["file"].as_str().unwrap_or_default();
    let line = stall["line"]["line"].as_u64().unwrap_or_default();
    let line = u32::try_from(line).unwrap();
    fault.finding.is_stall_at(verdict, file, line)
}

/// Whether what a fault declares is there by now.
async fn is_found(chat: &Served, fault: &Fault, before: &str, began: Instant) -> bool {
    match fault.finding {
        Finding::Stall { .. } => {
            list(&chat.json("/stalls").await).any(|stall| is_its_stall(fault, stall))
        }
        Finding::Condition { .. } => list(&chat.json("/findings").await)
            .any(|told| fault.finding.is_condition(told["kind"].as_str().unwrap())),
        _ => {
            let now = chat.get("/metrics").await;
            let (before, now) = (Exposition::new(before), Exposition::new(&now));
            let shown = fault.finding.shown_by(before, now, began.elapsed());
            shown.is_some()
        }
    }
}

async fn state(chat: &Served, fault: &Fault) -> Value {
    let states = chat.json("/faults").await;
    let state = list(&states).find(|state| state["name"] == fault.name);
    state.expect("the chat has every fault").clone()
}

/// Switches a fault on, finds it, switches it off, and finds nothing left of it.
async fn check(chat: &Served, fault: &Fault, number: usize) {
    let _traffic = if fault.name == "unbounded-queue" {
        Traffic::with_a_slow_reader(&chat.listen)
    } else {
        Traffic::start(&chat.listen)
    };
    eventually("the residents", async || {
        let page = chat.get("/metrics").await;
        let clients = Exposition::new(&page).sum("chat_clients");
        (clients >= Some(RESIDENTS as f64)).then_some(())
    })
    .await;
    let (before, began) = (chat.get("/metrics").await, Instant::now());
    let path = format!("/faults/{}", fault.name);
    let (status, on) = chat.send("PUT", &path, "").await;
    assert_eq!((status, &on["on"]), (200, &Value::Bool(true)), "{on}");
    eventually(fault.name, async || {
        is_found(chat, fault, &before, began).await.then_some(())
    })
    .await;
    let (status, off) = chat.send("DELETE", &path, "").await;
    assert_eq!((status, &off["on"]), (200, &Value::Bool(false)), "{off}");
    assert!(off["fired"].as_u64() > Some(0), "{off}");
    assert_eq!(off["failed"], 0, "{off}");
    eventually("the end of what was left", async || {
        (state(chat, fault).await["leaked"] == 0).then_some(())
    })
    .await;
    meets(&chat.listen, number).await;
}

/// On a server that lets a client say as much as it likes: a queue must run over.
async fn check_all(words: &[&str], is_wanted: fn(&Fault) -> bool) {
    let chat = Served::chat(&[&["--client-rate", "0"], words].concat()).await;
    let wanted = CATALOGUE.into_iter().filter(|fault| is_wanted(fault));
    for (number, fault) in wanted.enumerate() {
        check(&chat, fault, number).await;
    }
}

/// Goal: on a runtime of several threads each fault shows as it declares, and the service is well when it is off.
#[tokio::test]
async fn every_fault_is_found_on_several_threads() {
    check_all(&["--workers", "2"], |_| true).await;
}

/// Goal: on a runtime of one thread so does each that blocks nobody; the demo looks for stalls there.
#[tokio::test]
async fn every_fault_without_a_stall_is_found_on_one_thread() {
    check_all(&["--runtime", "current"], |fault| !fault.is_blocking()).await;
}

/// Goal: with all faults off, the same traffic shows no fault, and no stall that is worth a word is proven.
#[tokio::test]
async fn nothing_is_found_without_faults() {
    let chat = Served::chat(&["--workers", "2"]).await;
    let _traffic = Traffic::start(&chat.listen);
    sleep(Duration::from_secs(1)).await;
    let (before, began) = (chat.get("/metrics").await, Instant::now());
    sleep(CALM).await;
    for fault in CATALOGUE {
        // On a crowded machine messages may be late, and workers wake as often as they will.
        let is_of_time = matches!(fault.finding, Finding::Slow { .. } | Finding::Rate { .. });
        assert!(
            is_of_time || !is_found(&chat, fault, &before, began).await,
            "{} is off",
            fault.name
        );
    }
    let stalls = chat.json("/stalls").await;
    let is_bad = |stall: &&Value| {
        stall["confidence"] == "proven" && stall["duration_ms"].as_f64() >= Some(100.0)
    };
    assert_eq!(list(&stalls).filter(is_bad).count(), 0, "{stalls}");
    for state in list(&chat.json("/faults").await) {
        assert_eq!(
            (&state["fired"], &state["leaked"]),
            (&0.into(), &0.into()),
            "{state}"
        );
    }
}

/// Goal: in debug mode a panic that nobody awaits is told as such, with the place where the task was spawned.
#[tokio::test]
async fn debug_mode_tells_the_panic() {
    let debug = [("POLLSCOPE_DEBUG", "1")];
    let chat = Served::start("chat", "--irc", &[], &debug).await;
    let _traffic = Traffic::start(&chat.listen);
    chat.send("PUT", "/faults/panic-detached", "").await;
    let told = eventually("the panic", async || {
        let findings = chat.json("/findings").await;
        list(&findings)
            .find(|told| told["kind"] == "task-panicked")
            .cloned()
    })
    .await;
    let site = told["subject"]["site"].as_str().unwrap();
    assert!(site.contains("examples/chat/src/server.rs:"), "{told}");
}
