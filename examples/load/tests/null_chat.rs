//! The chat load against a small IRC responder in this process: what a perfect, a lossy and a vanishing service look like.

#![expect(
    clippy::unwrap_used,
    reason = "a responder that fails must fail the test"
)]

use std::collections::HashMap;
use std::future::{pending, ready};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use load::chat::{ChatPlan, run};
use load::stamp::Stamp;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How the responder treats messages.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Delivers each to everybody else in the room.
    Perfect,
    /// Withholds the second message of each sender.
    Loses,
    /// Delivers everything twice.
    Repeats,
    /// Closes the connection at the first message.
    Vanishes,
    /// Lets nobody in.
    Refuses,
}

type Rooms = Arc<Mutex<HashMap<String, Vec<(usize, UnboundedSender<String>)>>>>;

async fn serve(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let rooms = Rooms::default();
    tokio::spawn(async move {
        for id in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(client(stream, id, Arc::clone(&rooms), manner));
        }
    });
    address
}

async fn client(stream: TcpStream, id: usize, rooms: Rooms, manner: Manner) {
    let (reader, mut writer) = stream.into_split();
    let (out, mut lines_out) = unbounded_channel::<String>();
    tokio::spawn(async move {
        while let Some(line) = lines_out.recv().await {
            if writer.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    let mut lines = BufReader::new(reader).lines();
    let mut sent = 0;
    while let Ok(Some(line)) = lines.next_line().await {
        let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match command {
            "USER" if manner == Manner::Refuses => {
                let _ = out.send("ERROR :full house\r\n".to_owned());
            }
            "USER" => {
                let _ = out.send("PING :are you there\r\n".to_owned());
            }
            "PONG" => {
                let _ = out.send(":s 001 nick :welcome\r\n".to_owned());
            }
            "JOIN" => {
                rooms
                    .lock()
                    .unwrap()
                    .entry(rest.to_owned())
                    .or_default()
                    .push((id, out.clone()));
                let _ = out.send(format!(":s 366 nick {rest} :end\r\n"));
            }
            "PRIVMSG" => {
                sent += 1;
                let times = match manner {
                    Manner::Loses if sent == 2 => 0,
                    Manner::Repeats => 2,
                    Manner::Vanishes => break,
                    _ => 1,
                };
                let room = rest.split(' ').next().unwrap();
                let delivery = format!(":n!u@h PRIVMSG {rest}\r\n").repeat(times);
                for (_, member) in rooms.lock().unwrap()[room]
                    .iter()
                    .filter(|(other, _)| *other != id)
                {
                    let _ = member.send(delivery.clone());
                }
            }
            "QUIT" => break,
            _ => {}
        }
    }
    // Dropping every sender of this client's channel closes its socket.
    for members in rooms.lock().unwrap().values_mut() {
        members.retain(|(other, _)| *other != id);
    }
}

/// Twelve clients in rooms of four, for about a second.
fn plan(address: SocketAddr) -> ChatPlan {
    ChatPlan {
        clients: 12,
        room_size: 4,
        rate_per_s: 100.0,
        duration: Duration::from_secs(1),
        ..ChatPlan::new(address)
    }
}

/// Goal: with a perfect service every message reaches everybody else in its room, once, in order, and the report says so.
#[tokio::test(flavor = "multi_thread")]
async fn perfect_service() {
    let address = serve(Manner::Perfect).await;
    let mut seen = Vec::new();
    let plan = ChatPlan {
        server_pid: i32::try_from(std::process::id()).ok(),
        ..plan(address)
    };
    let report = run(plan, pending(), |progress| seen.push(*progress))
        .await
        .unwrap();
    assert!(report.sent > 50, "{report:?}");
    assert_eq!(report.received, report.sent * 3, "{report:?}");
    assert_eq!(
        (
            report.lost,
            report.duplicated,
            report.reordered,
            report.errors
        ),
        (0, 0, 0, 0),
        "{report:?}"
    );
    assert_eq!(
        (report.clients, report.cancelled, &report.first_error),
        (12, false, &None)
    );
    assert!(report.response_ms.p50 >= report.service_ms.p50);
    assert!(report.server.unwrap().rss_bytes > 0);
    assert!(!seen.is_empty());

    let json = serde_json::to_value(&report).unwrap();
    for field in [
        "stamp",
        "offered_per_s",
        "achieved_per_s",
        "service_ms",
        "send_lag_ms",
        "schedule_hash",
        "command",
        "machine",
    ] {
        assert!(!json[field].is_null(), "{field}");
    }
    for field in ["p50", "p99", "p999", "max"] {
        assert!(
            json["response_ms"][field].as_f64().unwrap() > 0.0,
            "{field}"
        );
    }
    for field in ["cpu_pct", "rss_bytes", "rss_per_client_bytes"] {
        assert!(json["server"][field].is_number(), "{field}");
    }
}

/// Goal: a message that reaches nobody is lost three times over, and the run is not called good.
#[tokio::test(flavor = "multi_thread")]
async fn lost_messages_are_counted() {
    let address = serve(Manner::Loses).await;
    let report = run(plan(address), pending(), |_| {}).await.unwrap();
    assert_eq!(report.lost, 12 * 3, "{report:?}");
    assert_eq!(report.received + report.lost, report.sent * 3);
    assert_ne!(report.stamp, Stamp::Ok);
}

/// Goal: what comes twice is counted as that and not as a second delivery.
#[tokio::test(flavor = "multi_thread")]
async fn repeated_messages_are_counted() {
    let address = serve(Manner::Repeats).await;
    let report = run(plan(address), pending(), |_| {}).await.unwrap();
    assert_eq!((report.lost, report.received), (0, report.sent * 3));
    // The last copies may still be under way when everything expected is there.
    assert!(report.duplicated > report.received / 2, "{report:?}");
}

/// Goal: a service that hangs up in the middle gives a report with errors, at once rather than after the whole duration.
#[tokio::test(flavor = "multi_thread")]
async fn vanishing_service_is_reported() {
    let address = serve(Manner::Vanishes).await;
    let plan = ChatPlan {
        duration: Duration::from_secs(600),
        ..plan(address)
    };
    let report = tokio::time::timeout(Duration::from_secs(60), run(plan, pending(), |_| {}))
        .await
        .unwrap()
        .unwrap();
    assert!(report.errors >= 12, "{report:?}");
    assert!(
        report
            .first_error
            .unwrap()
            .contains("closed the connection")
    );
    assert_ne!(report.stamp, Stamp::Ok);
}

/// Goal: a service that lets nobody in is an error in its own words.
#[tokio::test]
async fn refusal_is_an_error() {
    let address = serve(Manner::Refuses).await;
    let error = run(plan(address), pending(), |_| {}).await.unwrap_err();
    assert!(
        error.is_refused() && error.to_string().contains("full house"),
        "{error}"
    );
}

/// Goal: where nobody listens, the error names the address.
#[tokio::test]
async fn nobody_listening_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = run(plan(address), pending(), |_| {}).await.unwrap_err();
    assert!(
        error.is_connect() && error.to_string().contains(&address.to_string()),
        "{error}"
    );
}

/// Goal: a cancelled run stops long before its time and still reports what it has; nothing in it is held against the service.
#[tokio::test(flavor = "multi_thread")]
async fn cancelled_run_reports() {
    let address = serve(Manner::Perfect).await;
    let plan = ChatPlan {
        duration: Duration::from_secs(600),
        ..plan(address)
    };
    let cancel = tokio::time::sleep(Duration::from_secs(1));
    let report = tokio::time::timeout(Duration::from_secs(60), run(plan, cancel, |_| {}))
        .await
        .unwrap()
        .unwrap();
    assert!(report.cancelled && report.sent > 0, "{report:?}");
    assert!(report.duration_s < 60.0);
    assert!(
        report.offered_per_s > 50.0 && report.offered_per_s < 200.0,
        "{report:?}"
    );
}

/// Goal: cancelled before anything was sent, there is nothing to report, and that is said.
#[tokio::test]
async fn cancelled_at_once_is_an_error() {
    // A service that accepts and says nothing keeps the clients on their way in.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = run(plan(listener.local_addr().unwrap()), ready(()), |_| {})
        .await
        .unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}
