//! The exchange load against a small FIX acceptor in this process, which acknowledges everything and matches nothing.

#![expect(
    clippy::unwrap_used,
    reason = "a responder that fails must fail the test"
)]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use load::exchange::{ExchangePlan, run};
use load::stamp::Stamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the acceptor treats orders.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Acknowledges each once.
    Perfect,
    /// Acknowledges each twice.
    Repeats,
    /// Answers every fourth message not at all.
    Loses,
    /// Rejects every order.
    Rejects,
    /// Answers the logon with a logout.
    Refuses,
    /// Stands still for half a second at the tenth message.
    Stalls,
}

async fn serve(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(session(stream, manner));
        }
    });
    address
}

async fn session(mut stream: TcpStream, manner: Manner) {
    let (mut input, mut number, mut orders) = (String::new(), 0, 0);
    let mut live = HashSet::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        input.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        while let Some(message) = take(&mut input) {
            let field = |tag: &str| find(&message, tag).unwrap_or_default().to_owned();
            let (kind, id) = (field("35"), field("11"));
            let answers = match (kind.as_str(), manner) {
                ("A", Manner::Refuses) => vec![("5", "58=closed today\u{1}".to_owned())],
                ("A", _) => vec![("A", "98=0\u{1}108=30\u{1}".to_owned())],
                ("5", _) => vec![("5", String::new())],
                ("D" | "F", _) => {
                    orders += 1;
                    answers(&kind, &id, &field("41"), orders, manner, &mut live).await
                }
                _ => vec![],
            };
            for (kind, body) in answers {
                number += 1;
                let bytes = written(kind, number, &body);
                if stream.write_all(bytes.as_bytes()).await.is_err() {
                    return;
                }
            }
            if kind == "5" {
                return;
            }
        }
    }
}

async fn answers(
    kind: &str,
    id: &str,
    of: &str,
    orders: u32,
    manner: Manner,
    live: &mut HashSet<String>,
) -> Vec<(&'static str, String)> {
    let report = |exec_type: &str| {
        (
            "8",
            format!("11={id}\u{1}150={exec_type}\u{1}39={exec_type}\u{1}"),
        )
    };
    let answer = match kind {
        "D" if manner == Manner::Rejects => report("8"),
        "D" => {
            assert!(live.insert(id.to_owned()), "{id} was used before");
            report("0")
        }
        _ if live.remove(of) => report("4"),
        _ => ("9", format!("11={id}\u{1}41={of}\u{1}39=8\u{1}")),
    };
    match manner {
        Manner::Loses if orders.is_multiple_of(4) => vec![],
        Manner::Repeats => vec![answer.clone(), answer],
        Manner::Stalls if orders == 10 => {
            tokio::time::sleep(Duration::from_millis(500)).await;
            vec![answer]
        }
        _ => vec![answer],
    }
}

/// One whole message off the front, trusting its length.
fn take(input: &mut String) -> Option<String> {
    let (header, _) = input.split_once("\u{1}35=")?;
    let length: usize = find(header, "9")?.parse().unwrap();
    let len = header.len() + 1 + length + 7;
    (input.len() >= len).then(|| input.drain(..len).collect())
}

fn find<'a>(message: &'a str, tag: &str) -> Option<&'a str> {
    message
        .split('\u{1}')
        .filter_map(|field| field.split_once('='))
        .find(|(found, _)| *found == tag)
        .map(|(_, value)| value)
}

fn written(kind: &str, number: u32, body: &str) -> String {
    let body = format!("35={kind}\u{1}49=EXCHANGE\u{1}56=LOAD\u{1}34={number}\u{1}{body}");
    let mut message = format!("8=FIX.4.4\u{1}9={}\u{1}{body}", body.len());
    let sum = message.bytes().fold(0_u8, u8::wrapping_add);
    write!(message, "10={sum:03}\u{1}").unwrap();
    message
}

/// Five sessions, for about a second.
fn plan(address: SocketAddr) -> ExchangePlan {
    ExchangePlan {
        sessions: 5,
        rate_per_s: 200.0,
        symbols: 3,
        duration: Duration::from_secs(1),
        ..ExchangePlan::new(address)
    }
}

/// Goal: with a perfect exchange every order and cancel is answered once, and the report says so.
#[tokio::test(flavor = "multi_thread")]
async fn perfect_exchange() {
    let address = serve(Manner::Perfect).await;
    let report = run(plan(address), pending(), |_| {}).await.unwrap();
    assert!(report.sent > 100, "{report:?}");
    assert_eq!(report.received, report.sent, "{report:?}");
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
    assert_eq!((report.workload, report.server), ("exchange", None));
    assert!(serde_json::to_value(&report).unwrap()["server"].is_null());
}

/// Goal: equal plans offer exactly the same, as the hash in the report proves.
#[tokio::test(flavor = "multi_thread")]
async fn equal_plans_have_equal_hashes() {
    let address = serve(Manner::Perfect).await;
    let brief = |seed| ExchangePlan {
        duration: Duration::from_millis(100),
        seed,
        ..plan(address)
    };
    let one = run(brief(1), pending(), |_| {}).await.unwrap();
    let same = run(brief(1), pending(), |_| {}).await.unwrap();
    let other = run(brief(2), pending(), |_| {}).await.unwrap();
    assert_eq!(one.schedule_hash, same.schedule_hash);
    assert_eq!(one.sent, same.sent);
    assert_ne!(one.schedule_hash, other.schedule_hash);
}

/// Goal: unanswered messages are lost, and the run is not called good.
#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_are_counted() {
    let address = serve(Manner::Loses).await;
    let report = run(plan(address), pending(), |_| {}).await.unwrap();
    assert!(
        report.lost > 0 && report.received + report.lost == report.sent,
        "{report:?}"
    );
    assert_ne!(report.stamp, Stamp::Ok);
}

/// Goal: a second acknowledgement of the same order is a duplicate, not an answer.
#[tokio::test(flavor = "multi_thread")]
async fn repeated_answers_are_counted() {
    let address = serve(Manner::Repeats).await;
    let report = run(plan(address), pending(), |_| {}).await.unwrap();
    assert_eq!(
        (report.received, report.lost),
        (report.sent, 0),
        "{report:?}"
    );
    assert!(report.duplicated > report.sent / 2, "{report:?}");
}

/// Goal: rejected orders are answered, but counted as errors with the first reason.
#[tokio::test(flavor = "multi_thread")]
async fn rejected_orders_are_errors() {
    let address = serve(Manner::Rejects).await;
    let report = run(plan(address), pending(), |_| {}).await.unwrap();
    assert_eq!(report.received, report.sent);
    assert!(report.errors > report.sent / 2, "{report:?}");
    assert!(
        report
            .first_error
            .unwrap()
            .contains("an order was rejected")
    );
}

/// Goal: a logout instead of a logon is an error in the exchange's own words.
#[tokio::test]
async fn refused_logon_is_an_error() {
    let address = serve(Manner::Refuses).await;
    let error = run(plan(address), pending(), |_| {}).await.unwrap_err();
    assert!(
        error.is_refused() && error.to_string().contains("closed today"),
        "{error}"
    );
}

/// Goal: the heart of an open loop: a stall of half a second is not felt by one message only, but by all that were due
/// meanwhile. A closed loop would have shown a single slow message.
#[tokio::test(flavor = "multi_thread")]
async fn stall_is_felt_by_all_that_were_due() {
    let address = serve(Manner::Stalls).await;
    let plan = ExchangePlan {
        sessions: 1,
        rate_per_s: 200.0,
        distribution: load::schedule::Distribution::Constant,
        ..plan(address)
    };
    let report = run(plan, pending(), |_| {}).await.unwrap();
    assert_eq!((report.sent, report.lost), (200, 0), "{report:?}");
    // Half of the run stands still, so a quarter of all messages waits for more than 250 ms and the worst for 500 ms.
    assert!(report.response_ms.max.unwrap() >= 499.0, "{report:?}");
    assert!(report.response_ms.p99.unwrap() >= 400.0, "{report:?}");
}
