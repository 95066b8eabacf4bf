//! The services as everybody else sees them: over their ports and their admin API.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Program, Served, eventually, run, run_with, talk};

/// Longest time of an answer while every worker stands still. The promise is a tenth of it, on a machine that does
/// nothing else.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Switches on a sleep that outlasts the test's questions and waits until the only worker is in it.
async fn block(chat: &Served) {
    let long = r#"{"duration_ms": 9000, "pause_ms": 60000}"#;
    let (status, state) = chat.send("PUT", "/faults/block-sleep", long).await;
    assert_eq!((status, &state["on"]), (200, &Value::Bool(true)));
    let stream = talk(&chat.listen, "anna").await;
    eventually("the fault", async || {
        let faults = chat.json("/faults").await;
        (faults[0]["fired"] == 1).then_some(())
    })
    .await;
    drop(stream);
}

/// Goal: while every worker of the service stands still, `/metrics` and `/stalls` answer, and name the line.
#[tokio::test]
async fn admin_answers_while_all_workers_are_blocked() {
    for words in [&["--workers", "1"][..], &["--runtime", "current"]] {
        let chat = Served::chat(words).await;
        // The first answers of a process are slower, and are not what is promised.
        chat.get("/metrics").await;
        block(&chat).await;
        let stalls = eventually("the stall", async || {
            let stalls = chat.json("/stalls").await;
            stalls
                .as_array()
                .is_some_and(|stalls| !stalls.is_empty())
                .then_some(stalls)
        })
        .await;
        let mut longest = Duration::ZERO;
        for path in ["/metrics", "/stalls", "/runtime", "/healthz"] {
            let begin = Instant::now();
            chat.get(path).await;
            longest = longest.max(begin.elapsed());
        }
        let faults = chat.json("/faults").await;
        assert_eq!(
            faults[0]["last_blocked_ms"],
            Value::Null,
            "the block must last to here"
        );
        assert!(longest < ANSWER_MAX, "{longest:?}");
        assert_eq!(stalls[0]["verdict"], "sleep", "{stalls}");
        assert_eq!(stalls[0]["service"], "chat");
        let file = stalls[0]["line"]["file"].as_str().unwrap();
        assert!(
            file.ends_with("examples/faults/src/block_sleep.rs"),
            "{stalls}"
        );
    }
}

/// Goal: a service whose workers all stand still ends on SIGTERM as soon as it can, and one that runs at once.
#[tokio::test]
async fn ends_on_request() {
    let mut chat = Served::chat(&["--runtime", "current"]).await;
    chat.program.signal("TERM").await;
    assert_eq!(chat.program.code().await, Some(0));
    let mut exchange = Served::exchange(&[]).await;
    exchange.program.signal("INT").await;
    assert_eq!(exchange.program.code().await, Some(0));
}

/// Goal: a service under supervision ends with its supervisor.
#[tokio::test]
async fn ends_with_its_supervisor() {
    let mut chat = Served::chat(&[]).await;
    drop(chat.program.process.stdin.take());
    assert_eq!(chat.program.code().await, Some(0));
}

/// Goal: faults are switched by the command line, in the service that was named, and the metrics show it.
#[tokio::test]
async fn faults_on_off_status() {
    let exchange = Served::exchange(&["--faults", "std-mutex"]).await;
    let at = ["--service", exchange.admin.as_str()];
    let on = run(&[
        &["faults", "on", "block-cpu", "--duration-ms", "50"][..],
        &at,
    ]
    .concat())
    .await;
    assert_eq!(on.code, Some(0), "{on:?}");
    assert!(
        on.out.contains("block-cpu is on, 50 ms at a time") && on.out.contains(&exchange.admin),
        "{on:?}"
    );
    let status = run(&[&["faults", "status", "--json"][..], &at].concat())
        .await
        .json();
    let is_on = |status: &Value, name: &str| -> bool {
        let faults = status[0]["faults"].as_array().unwrap();
        faults.iter().find(|fault| fault["name"] == name).unwrap()["on"]
            .as_bool()
            .unwrap()
    };
    assert!(
        is_on(&status, "block-cpu")
            && is_on(&status, "std-mutex")
            && !is_on(&status, "block-sleep")
    );
    let text = run(&[&["faults", "status"][..], &at].concat()).await;
    assert!(text.out.contains("block-cpu, std-mutex on"), "{text:?}");
    let metrics = exchange.get("/metrics").await;
    assert!(
        metrics.contains("pollscope_fault_on{fault=\"block-cpu\"} 1"),
        "{metrics}"
    );
    let off = run(&[&["faults", "off", "block-cpu"][..], &at].concat()).await;
    assert!(off.out.contains("block-cpu is off"), "{off:?}");
    let status = run(&[&["faults", "status", "--json"][..], &at].concat())
        .await
        .json();
    assert!(!is_on(&status, "block-cpu") && is_on(&status, "std-mutex"));
}

/// Goal: the fault API refuses what it cannot do, and says what it can.
#[tokio::test]
async fn fault_api_refuses() {
    let chat = Served::chat(&[]).await;
    for (method, path, body, status, expected) in [
        ("PUT", "/faults/nap", "", 404, "expected one of block-sleep"),
        (
            "DELETE",
            "/faults/nap",
            "",
            404,
            "expected one of block-sleep",
        ),
        (
            "PUT",
            "/faults/block-sleep",
            "{",
            400,
            "expected JSON such as",
        ),
        (
            "PUT",
            "/faults/block-sleep",
            r#"{"duration_ms": 60000}"#,
            422,
            "expected 1 to 10000",
        ),
        ("POST", "/faults/block-sleep", "", 405, "expected"),
    ] {
        let (got, answer) = chat.send(method, path, body).await;
        assert_eq!(got, status, "{method} {path}: {answer}");
        assert!(
            answer["error"].as_str().unwrap().contains(expected),
            "{answer}"
        );
    }
    let (status, state) = chat.send("PUT", "/faults/block-sleep", "").await;
    assert_eq!(
        (status, &state["settings"]["duration_ms"]),
        (200, &Value::from(300))
    );
}

/// Goal: with a token nothing but the health check answers without it, and the command line can bring it.
#[tokio::test]
async fn token_is_asked_for() {
    let secret = [("POLLSCOPE_ADMIN_TOKEN", "s3cret")];
    let chat = Served::start("chat", "--irc", &[], &secret).await;
    let words = ["faults", "status", "--service", chat.admin.as_str()];
    let without = run(&words).await;
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(
        without.err.contains("--token or POLLSCOPE_ADMIN_TOKEN"),
        "{without:?}"
    );
    assert_eq!(run_with(&words, &secret).await.code, Some(0));
    assert_eq!(
        run(&[&words[..], &["--token", "s3cret"]].concat())
            .await
            .code,
        Some(0)
    );
}

/// Goal: stalls are listed for people and scripts, and followed one a line.
#[tokio::test]
async fn stalls_are_listed_and_followed() {
    let chat = Served::chat(&["--workers", "1"]).await;
    let at = ["--service", chat.admin.as_str()];
    let none = run(&[&["stalls", "--json"][..], &at].concat()).await;
    let quiet = none.json();
    assert!(quiet.is_array(), "{none:?}");
    let mut follower = Program::start(&[&["stalls", "--follow", "--json"][..], &at].concat(), &[]);
    eventually("the subscriber", async || {
        let metrics = chat.get("/metrics").await;
        metrics
            .lines()
            .any(|line| {
                line.starts_with("pollscope_admin_")
                    && line.contains("subscribers")
                    && line.ends_with(" 1")
            })
            .then_some(())
    })
    .await;
    chat.send(
        "PUT",
        "/faults/block-sleep",
        r#"{"duration_ms": 400, "pause_ms": 60000}"#,
    )
    .await;
    let _client = talk(&chat.listen, "bert").await;
    let mut event = follower.json_line().await;
    while event["phase"] != "close" || event["verdict"] != "sleep" {
        event = follower.json_line().await;
    }
    assert!(event["duration_ms"].as_f64().unwrap() >= 390.0, "{event}");
    follower.signal("INT").await;
    assert_eq!(follower.code().await, Some(0));
    let kept = run(&[&["stalls", "--json"][..], &at].concat()).await.json();
    assert!(
        kept.as_array()
            .unwrap()
            .iter()
            .any(|stall| stall["id"] == event["id"] && stall["phase"] == "close")
    );
    let text = run(&[&["stalls"][..], &at].concat()).await;
    assert!(
        text.out.contains("sleeps") && text.out.contains("use tokio::time::sleep"),
        "{text:?}"
    );
}

/// Goal: a load reports what its users felt in the promised form, and the exit code says whether to believe it.
#[tokio::test]
async fn load_reports() {
    let (chat, exchange) = (Served::chat(&[]).await, Served::exchange(&[]).await);
    let pid = chat.program.pid().to_string();
    let common = ["--rate", "20", "--duration", "2", "--json"];
    for words in [
        &[
            "load",
            "chat",
            "--clients",
            "4",
            "--room-size",
            "2",
            "--server-pid",
            &pid,
            "--address",
            &chat.listen,
        ][..],
        &[
            "load",
            "exchange",
            "--sessions",
            "2",
            "--symbols",
            "1",
            "--address",
            &exchange.listen,
        ],
    ] {
        let said = run(&[words, &common].concat()).await;
        let report = said.json();
        for field in [
            "offered_per_s",
            "achieved_per_s",
            "lost",
            "duplicated",
            "reordered",
            "errors",
        ] {
            assert!(report[field].is_number(), "{field} in {report}");
        }
        for field in ["p50", "p99", "p999", "max"] {
            assert!(
                report["response_ms"].get(field).is_some(),
                "{field} in {report}"
            );
        }
        let is_good = report["stamp"] == "OK" && report["lost"] == 0;
        assert_eq!(said.code, Some(i32::from(!is_good)), "{said:?}");
        assert!(report["sent"].as_u64().unwrap() > 0);
        assert_eq!(report["errors"], 0, "{report}");
    }
}

/// Goal: a load that is interrupted still reports.
#[tokio::test]
async fn interrupted_load_reports() {
    let chat = Served::chat(&[]).await;
    let words = [
        "load",
        "chat",
        "--clients",
        "4",
        "--room-size",
        "2",
        "--rate",
        "20",
        "--duration",
        "3600",
        "--json",
        "--address",
        &chat.listen,
    ];
    let mut load = Program::start(&words, &[]);
    eventually("messages", async || {
        let metrics = chat.get("/metrics").await;
        metrics
            .lines()
            .any(|line| line.starts_with("chat_clients") && line.ends_with(" 4"))
            .then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    load.signal("INT").await;
    let report = load.json_line().await;
    assert_eq!(report["cancelled"], true, "{report}");
    assert!(load.code().await.is_some());
}

/// Goal: a flamegraph of a busy service is written where it was asked for, and the hottest functions are named.
#[tokio::test]
async fn flamegraph_is_written() {
    let exchange = Served::exchange(&[]).await;
    let load = [
        "load",
        "exchange",
        "--sessions",
        "2",
        "--rate",
        "300",
        "--duration",
        "3600",
        "--supervised",
        "--address",
        &exchange.listen,
    ];
    let _load = Program::start(&load, &[]);
    eventually("orders", async || {
        let metrics = exchange.get("/metrics").await;
        metrics
            .lines()
            .any(|line| line.starts_with("exchange_orders_total") && !line.ends_with(" 0"))
            .then_some(())
    })
    .await;
    let folder = std::env::temp_dir();
    for (ending, begin) in [("svg", "<?xml"), ("folded", "")] {
        let path = folder.join(format!("pollscope-test-{}.{ending}", std::process::id()));
        let file = path.to_str().unwrap();
        let said = run(&[
            "flamegraph",
            "--service",
            &exchange.admin,
            "--seconds",
            "2",
            "--hz",
            "250",
            "-o",
            file,
        ])
        .await;
        let written = std::fs::read_to_string(&path);
        let _ = std::fs::remove_file(&path);
        assert_eq!(said.code, Some(0), "{said:?}");
        let written = written.unwrap();
        assert!(written.starts_with(begin) && written.len() > 100);
        assert!(
            said.out.contains(&format!("wrote {file}")) && said.out.contains('%'),
            "{said:?}"
        );
    }
}
