//! The server as a client sees it: over real sockets, by hand-written requests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::CONNECTIONS_MAX;
use super::stream::SUBSCRIBERS_MAX;
use super::{AdminServer, State, start};
use crate::finding::Board;
use crate::metrics::{Metric, Registry, Table};
use crate::report::Ring;
use crate::runtime::{RuntimeStatus, Tier, WorkerState, WorkerStatus};
use crate::stall::Stall;

/// How long a test waits for what must happen; only a broken server takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

static ORDERS: Metric = Metric::counter("test_orders_total", &[], "Orders.", "More orders.");
static TABLE: Table = &[&ORDERS];

/// A server with one runtime, one metric and a switch for being stuck.
struct House {
    server: AdminServer,
    ring: Ring,
    registry: Registry,
    stuck: Arc<AtomicBool>,
}

impl House {
    fn open(token: Option<&str>) -> Self {
        let (ring, registry) = (Ring::default(), Registry::new());
        registry.register(TABLE).unwrap();
        registry.counter(&ORDERS, &[]).increment(7);
        let stuck = Arc::new(AtomicBool::new(false));
        let state = state(&ring, &registry, &stuck, token);
        let routes = Router::new()
            .route("/faults", get(async || "block-sleep"))
            .route("/metrics", get(async || "stolen"));
        let server = start("127.0.0.1:0".parse().unwrap(), state, routes).unwrap();
        Self {
            server,
            ring,
            registry,
            stuck,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        ask(self.server.address(), path, "").await
    }
}

fn state(ring: &Ring, registry: &Registry, stuck: &Arc<AtomicBool>, token: Option<&str>) -> State {
    let stuck = Arc::clone(stuck);
    State {
        service: "orders <&>".to_owned(),
        registry: registry.clone(),
        ring: ring.clone(),
        board: Board::default(),
        runtimes: Arc::new(|| vec![runtime()]),
        stuck: Arc::new(move || {
            stuck
                .load(Ordering::Relaxed)
                .then(|| "worker 0 of main has been in one poll for 3 s".to_owned())
        }),
        token: token.map(str::to_owned),
    }
}

fn runtime() -> RuntimeStatus {
    RuntimeStatus {
        name: "main".to_owned(),
        flavor: "multi_thread".to_owned(),
        tier: Tier::Built,
        workers: vec![WorkerStatus {
            index: Some(0),
            tid: Some(42),
            state: WorkerState::Stalled,
            task_id: Some(9),
            spawned_at: None,
            busy_seconds: 1.5,
            parks: 3,
        }],
        alive_tasks: 5,
        global_queue_depth: 2,
    }
}

fn stall(id: u64, phase: &str) -> Arc<Stall> {
    let value = json!({
        "id": id, "phase": phase, "service": "orders", "runtime": "main", "worker": 0, "tid": 42,
        "task": {"id": 9, "name": null, "spawned_at": null, "future": null},
        "started_at": 1, "duration_ms": 120.0, "threshold_ms": 10.0, "cpu_ms": 0.1, "run_queue_ms": 0.0,
        "blocked_ms": 119.9, "verdict": "sleep", "confidence": "proven", "evidence": ["nanosleep"],
        "wait_object": null, "line": {"file": "src/main.rs", "line": 7, "function": "main::pay"},
        "stack": [], "stack_via": "syscall", "stack_complete": true, "census": [], "victims": null,
        "span": null, "advice": null, "fingerprint": "00ff", "suppressed": 0
    });
    Arc::new(serde_json::from_value(value).unwrap())
}

/// A whole answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// One request on a connection of its own; `headers` are whole lines.
async fn ask(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n");
    send(address, request.as_bytes()).await
}

async fn send(address: SocketAddr, request: &[u8]) -> Answer {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request).await.unwrap();
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, socket.read_to_end(&mut bytes))
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    Answer {
        status: head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// A connection to the stream, read up to `mark`.
struct Follower {
    socket: TcpStream,
    text: String,
}

impl Follower {
    async fn connect(address: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = format!("GET /stalls/stream HTTP/1.1\r\nhost: {address}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        Self {
            socket,
            text: String::new(),
        }
    }

    async fn until(&mut self, mark: &str) -> &str {
        while !self.text.contains(mark) {
            let mut bytes = [0; 4096];
            let read = tokio::time::timeout(PATIENCE, self.socket.read(&mut bytes));
            let count = read.await.unwrap().unwrap();
            assert!(count > 0, "ended before {mark:?}: {}", self.text);
            self.text
                .push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        &self.text
    }
}

/// Waits until `done`, which must happen.
async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Every endpoint answers with its own kind of content.
#[tokio::test]
async fn every_endpoint_answers() {
    let house = House::open(None);
    house.ring.push(stall(1, "open"));
    for (path, kind, part) in [
        ("/", "text/html", "orders &lt;&amp;&gt;"),
        ("/healthz", "application/json", "ok"),
        ("/readyz", "application/json", "true"),
        (
            "/metrics",
            "text/plain; version=0.0.4",
            "test_orders_total 7",
        ),
        ("/runtime", "application/json", "multi_thread"),
        ("/stalls", "application/json", "main::pay"),
        ("/debug/pprof/", "text/html", "go tool pprof"),
        ("/faults", "text/plain", "block-sleep"),
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(
            answer.head.contains(&format!("content-type: {kind}")),
            "{path}: {answer:?}"
        );
        assert!(answer.body.contains(part), "{path}: {answer:?}");
    }
    let runtimes: Vec<RuntimeStatus> =
        serde_json::from_str(&house.get("/runtime").await.body).unwrap();
    assert_eq!(runtimes, [runtime()]);
    let text = house.get("/metrics").await.body;
    assert!(
        text.contains(r#"pollscope_admin_requests_total{endpoint="/stalls",status="200"} 1"#),
        "{text}"
    );
}

/// `/readyz` follows the detector and gives its reason.
#[tokio::test]
async fn readiness_follows_the_detector() {
    let house = House::open(None);
    assert_eq!(house.get("/readyz").await.status, 200);
    house.stuck.store(true, Ordering::Relaxed);
    let answer = house.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.json()["reason"],
        "worker 0 of main has been in one poll for 3 s"
    );
    house.stuck.store(false, Ordering::Relaxed);
    assert_eq!(house.get("/readyz").await.status, 200);
}

/// `/stalls` selects by phase and keeps the newest.
#[tokio::test]
async fn stalls_are_selected() {
    let house = House::open(None);
    for (id, phase) in [
        (1, "open"),
        (1, "close"),
        (2, "open"),
        (2, "again"),
        (2, "close"),
    ] {
        house.ring.push(stall(id, phase));
    }
    let all: Vec<Stall> = serde_json::from_str(&house.get("/stalls").await.body).unwrap();
    assert_eq!(
        all.iter().map(|stall| stall.id).collect::<Vec<_>>(),
        [1, 1, 2, 2, 2]
    );
    for (query, ids) in [
        ("phase=close", vec![1, 2]),
        ("limit=2", vec![2, 2]),
        ("phase=open&limit=1", vec![2]),
    ] {
        let answer = house.get(&format!("/stalls?{query}")).await.json();
        let got: Vec<_> = answer
            .as_array()
            .unwrap()
            .iter()
            .map(|stall| stall["id"].clone())
            .collect();
        assert_eq!(got, ids, "{query}");
    }
}

/// A wrong question is told what was expected, and nothing breaks.
#[tokio::test]
async fn wrong_questions_are_told_what_was_expected() {
    let house = House::open(None);
    for (path, status, part) in [
        ("/stalls?limit=0", 400, "whole number from 1"),
        ("/stalls?limit=x", 400, "limit=\\\"x\\\""),
        ("/stalls?phase=shut", 400, "open, again or close"),
        ("/stalls?limits=1", 400, "expected limit, phase"),
        ("/stalls?limit=1&limit=2", 400, "given twice"),
        ("/debug/pprof/profile?seconds=61", 400, "from 1 to 60"),
        ("/debug/pprof/profile?seconds=0", 400, "from 1 to 60"),
        ("/debug/pprof/profile?hz=251", 400, "from 1 to 250"),
        (
            "/debug/pprof/profile?format=png",
            400,
            "pprof, svg or folded",
        ),
        ("/nowhere", 404, "/stalls/stream"),
        ("/debug", 404, "/debug/pprof/profile"),
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.body.contains(part), "{path}: {answer:?}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    let address = house.server.address();
    let posted = send(
        address,
        b"POST /stalls HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(posted.status, 405);
    assert!(posted.head.contains("allow: get,head"), "{posted:?}");
    let garbage = send(address, b"\x16\x03\x01 hello\r\n\r\n").await;
    assert_eq!(garbage.status, 400);
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(64 * 1024));
    assert!(matches!(
        send(address, long.as_bytes()).await.status,
        400..=499
    ));
    assert_eq!(house.get("/healthz").await.status, 200);
}

/// With a token everything but `/healthz` needs it, the embedding service's routes and wrong paths too.
#[tokio::test]
async fn a_token_guards_everything_but_health() {
    let house = House::open(Some("secret"));
    let address = house.server.address();
    assert_eq!(house.get("/healthz").await.status, 200);
    for path in ["/", "/metrics", "/stalls/stream", "/faults", "/nowhere"] {
        for header in ["", "authorization: Bearer wrong\r\n"] {
            let answer = ask(address, path, header).await;
            assert_eq!(answer.status, 401, "{path}");
            assert!(
                answer.head.contains("www-authenticate: bearer"),
                "{answer:?}"
            );
        }
    }
    for path in ["/metrics", "/faults"] {
        let answer = ask(address, path, "authorization: Bearer secret\r\n").await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let text = house.registry.render();
    assert!(
        text.contains(r#"pollscope_admin_refused_total{reason="unauthorized"} 10"#),
        "{text}"
    );
}

/// Without a token a web page that points its own name at this machine reads nothing.
#[tokio::test]
async fn foreign_names_are_refused_without_a_token() {
    let house = House::open(None);
    let request = b"GET /stalls HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let answer = send(house.server.address(), request).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("POLLSCOPE_ADMIN_TOKEN"), "{answer:?}");
}

/// The stream has what comes, not what was; a subscriber that falls behind is told how much it missed.
#[tokio::test]
async fn the_stream_follows_and_tells_of_gaps() {
    let house = House::open(None);
    house.ring.push(stall(1, "close"));
    let mut follower = Follower::connect(house.server.address()).await;
    follower.until(": subscribed").await;
    house.ring.push(stall(2, "open"));
    let text = follower.until("\"id\":2").await;
    assert!(text.contains("event: stall"), "{text}");
    assert!(!text.contains("\"id\":1"), "replayed: {text}");

    // More than socket buffers and channel hold, while the follower does not read.
    for id in 3..20_000 {
        house.ring.push(stall(id, "open"));
    }
    let text = follower.until("data: {\"missed\":").await.to_owned();
    assert!(text.contains("event: lagged"), "{text}");
    assert_eq!(house.get("/healthz").await.status, 200);
    assert!(
        !house
            .registry
            .render()
            .contains("pollscope_admin_missed_events_total 0")
    );
}

/// Subscribers are limited, and one that hangs up makes room.
#[tokio::test]
async fn subscribers_are_limited() {
    let house = House::open(None);
    let address = house.server.address();
    let mut followers = Vec::new();
    for _ in 0..SUBSCRIBERS_MAX {
        let mut follower = Follower::connect(address).await;
        follower.until(": subscribed").await;
        followers.push(follower);
    }
    let answer = house.get("/stalls/stream").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    drop(followers);
    eventually("room", || {
        house
            .registry
            .render()
            .contains("pollscope_admin_subscribers 0")
    })
    .await;
    Follower::connect(address).await.until(": subscribed").await;
}

/// Connections are limited: one too many is turned away, and room is made when others go.
#[tokio::test]
async fn connections_are_limited() {
    let house = House::open(None);
    let address = house.server.address();
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let text = format!("pollscope_admin_connections {CONNECTIONS_MAX}");
    eventually("all places taken", || {
        house.registry.render().contains(&text)
    })
    .await;
    let mut surplus = TcpStream::connect(address).await.unwrap();
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, surplus.read_to_end(&mut bytes))
        .await
        .unwrap()
        .unwrap();
    let answer = String::from_utf8(bytes).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())));
    drop(idle);
    eventually("room", || {
        house
            .registry
            .render()
            .contains("pollscope_admin_connections 0")
    })
    .await;
    assert_eq!(house.get("/healthz").await.status, 200);
}

/// It answers while every worker of the watched runtime stands still.
#[test]
fn answers_while_every_worker_is_blocked() {
    let house = House::open(None);
    let watched = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(released));
    let (blocked, arrived) = mpsc::channel();
    for _ in 0..2 {
        let (released, blocked) = (Arc::clone(&released), blocked.clone());
        watched.spawn(async move {
            blocked.send(()).unwrap();
            // One worker waits for the channel, the other for the lock.
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        });
    }
    arrived.recv_timeout(PATIENCE).unwrap();
    arrived.recv_timeout(PATIENCE).unwrap();
    let client = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for path in ["/metrics", "/stalls", "/runtime"] {
        assert_eq!(client.block_on(house.get(path)).status, 200, "{path}");
    }
    drop(release);
}

/// A taken port is an error that names the address and the variable.
#[test]
fn a_taken_port_is_named() {
    let first = House::open(None);
    let address = first.server.address();
    let state = state(&Ring::default(), &Registry::new(), &Arc::default(), None);
    let error = start(address, state, Router::new()).unwrap_err();
    assert!(error.is_unavailable());
    let text = error.to_string();
    assert!(
        text.contains(&address.to_string()) && text.contains("POLLSCOPE_ADMIN"),
        "{text}"
    );
}

/// An address that others can reach is refused without a token, before anything is bound.
#[test]
fn open_addresses_need_a_token() {
    let closed = state(&Ring::default(), &Registry::new(), &Arc::default(), None);
    let error = start("0.0.0.0:0".parse().unwrap(), closed, Router::new()).unwrap_err();
    assert!(error.is_configuration(), "{error}");
    assert!(error.to_string().contains("POLLSCOPE_ADMIN_TOKEN"));
    let open = state(
        &Ring::default(),
        &Registry::new(),
        &Arc::default(),
        Some("s"),
    );
    assert!(start("0.0.0.0:0".parse().unwrap(), open, Router::new()).is_ok());
}

/// Dropping the server inside a runtime ends followers and frees the port.
#[tokio::test]
async fn drop_ends_everything() {
    let house = House::open(None);
    let address = house.server.address();
    let mut follower = Follower::connect(address).await;
    follower.until(": subscribed").await;
    drop(house);
    let mut rest = Vec::new();
    // The end is a clean one or a reset; either way it comes.
    let _ = tokio::time::timeout(PATIENCE, follower.socket.read_to_end(&mut rest))
        .await
        .unwrap();
    let state = state(&Ring::default(), &Registry::new(), &Arc::default(), None);
    assert!(start(address, state, Router::new()).is_ok());
}

/// Without the feature the profile endpoint says which one is missing.
#[cfg(not(feature = "profile"))]
#[tokio::test]
async fn the_missing_profiler_is_named() {
    let answer = House::open(None)
        .get("/debug/pprof/profile?seconds=1")
        .await;
    assert_eq!(answer.status, 501);
    assert!(answer.body.contains("`profile`"), "{answer:?}");
}

/// Each format comes as itself, one profile at a time, and a client that hangs up frees the place.
#[cfg(feature = "profile")]
#[test]
fn profiles_come_one_at_a_time() {
    let _turn = crate::profile::turn();
    let house = House::open(None);
    let client = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    client.block_on(async {
        let address = house.server.address();
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = b"GET /debug/pprof/profile?seconds=60 HTTP/1.1\r\nhost: localhost\r\n\r\n";
        socket.write_all(request).await.unwrap();
        let begin = Instant::now();
        loop {
            // Refused before it would begin, so the length does not matter while the other is under way.
            let answer = house
                .get("/debug/pprof/profile?seconds=1&format=folded")
                .await;
            if answer.status == 409 {
                assert!(answer.body.contains("one at a time"), "{answer:?}");
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{answer:?}");
        }
        drop(socket);
        let begin = Instant::now();
        loop {
            let answer = house.get("/debug/pprof/profile?seconds=1&format=svg").await;
            if answer.status == 200 {
                assert!(answer.head.contains("image/svg+xml"), "{answer:?}");
                assert!(answer.body.trim_end().ends_with("</svg>"));
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}
