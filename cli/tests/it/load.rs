//! `pollscope load` in processes of its own: what its reports say, and that they are right.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Program, Served, run};

/// The null server as a process of its own.
struct Null {
    program: Program,
    listen: String,
}

impl Null {
    async fn start() -> Self {
        let mut program = Program::start(&["load-null", "--supervised"], &[]);
        let announced = program.json_line().await;
        let listen = announced["listen"].as_str().unwrap().to_owned();
        Self { program, listen }
    }
}

/// How long the stall test sends: thirty seconds, as in the analysis that it is taken from.
const RUN_S: u64 = 30;
/// For how long the service stands still meanwhile.
const STALL: Duration = Duration::from_secs(2);

/// For how long the service stood still, in seconds: at least and at most. A signal takes effect somewhere between its
/// sending and the end of the program that sent it, some milliseconds on a quiet machine.
struct Stood {
    least_s: f64,
    most_s: f64,
    /// How late a task that only sleeps was woken at worst while the load ran: what a crowded machine adds.
    crowd_ms: f64,
}

/// Lateness of a sleeper that says nothing about a machine: Tokio's timer has milliseconds.
const QUIET_LATE: Duration = Duration::from_millis(5);

/// How late a task was woken at worst, beyond [`QUIET_LATE`], until the load's report came.
async fn report_in_a_crowd(load: &mut Program) -> (Value, f64) {
    let nap = Duration::from_millis(10);
    let mut late = Duration::ZERO;
    let mut report = std::pin::pin!(load.json_line());
    loop {
        let began = Instant::now();
        tokio::select! {
            report = &mut report => {
                let late = late.saturating_sub(QUIET_LATE);
                return (report, 1000.0 * late.as_secs_f64());
            }
            () = tokio::time::sleep(nap) => late = late.max(began.elapsed().saturating_sub(nap)),
        }
    }
}

/// Runs a load of signs of life at a constant rate, stops the service for [`STALL`] in the middle, and returns the report
/// with the time for which it really stood still.
async fn load_with_a_stall(kind: &[&str]) -> (Value, Stood) {
    let null = Null::start().await;
    let run_s = RUN_S.to_string();
    let words = [
        "load",
        "chat",
        "--profile",
        "idle",
        "--clients",
        "20",
        "--constant",
        "--rate",
        "200",
        "--duration",
        &run_s,
        "--json",
        "--supervised",
        "--address",
        &null.listen,
    ];
    let mut load = Program::start(&[&words[..], kind].concat(), &[]);
    // The warm-up is over after a second; where in the run the stall lies does not matter.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let stopping = Instant::now();
    null.program.signal("STOP").await;
    let stopped = Instant::now();
    tokio::time::sleep(STALL).await;
    let least_s = stopped.elapsed().as_secs_f64();
    null.program.signal("CONT").await;
    let most_s = stopping.elapsed().as_secs_f64();
    let (report, crowd_ms) = report_in_a_crowd(&mut load).await;
    let stood = Stood {
        least_s,
        most_s,
        crowd_ms,
    };
    (report, stood)
}

/// What users felt at a quantile when the service stood still for so long, by theory.
fn felt_ms(quantile: f64, stall_s: f64) -> f64 {
    let share = stall_s / RUN_S as f64;
    1000.0 * stall_s * (1.0 - (1.0 - quantile) / share)
}

/// Goal: the heart of the matter. A service that stands still for S of T seconds makes a share S/T of all messages wait for a
/// time between nothing and S, so the quantile q is S·(1 − (1 − q)/(S/T)). The report must say so within 5 % on a machine
/// that does nothing else.
#[tokio::test]
async fn a_stall_is_reported_as_theory_says() {
    let (report, stood) = load_with_a_stall(&[]).await;
    for count in ["lost", "duplicated", "reordered", "errors"] {
        assert_eq!(report[count], 0, "{report}");
    }
    for (name, quantile) in [("p95", 0.95), ("p99", 0.99), ("max", 1.0)] {
        let least_ms = felt_ms(quantile, stood.least_s);
        let most_ms = felt_ms(quantile, stood.most_s) + stood.crowd_ms;
        let measured_ms = report["response_ms"][name].as_f64().unwrap();
        // Whatever else runs can only add to what is waited.
        assert!(
            measured_ms > 0.95 * least_ms && measured_ms < 1.05 * most_ms,
            "{name} is {measured_ms} ms, expected {least_ms} to {most_ms} ms: {report}"
        );
    }
}

/// Goal: the same stall seen by a closed loop is one slow message among thousands: its 99th percentile misses what users
/// felt by far more than 5 %, which proves that the test above can fail.
#[tokio::test]
async fn a_closed_loop_hides_the_stall() {
    let (report, stood) = load_with_a_stall(&["--closed"]).await;
    let response = &report["response_ms"];
    assert_eq!(report["closed_loop"], true, "{report}");
    assert!(
        response["max"].as_f64().unwrap() > 950.0 * stood.least_s,
        "{report}"
    );
    assert!(
        response["p99"].as_f64().unwrap() < felt_ms(0.99, stood.least_s) / 10.0,
        "{report}"
    );
}

/// Goal: each profile runs against the real chat and finds nothing lost, doubled or out of order there.
#[tokio::test]
async fn profiles_run_against_the_chat() {
    let chat = Served::chat(&[]).await;
    let pid = chat.program.pid().to_string();
    for profile in [
        "rooms",
        "zipf",
        "idle",
        "storm",
        "reconnect",
        "slow",
        "dead",
        "churn",
    ] {
        let said = run(&[
            "load",
            "chat",
            "--profile",
            profile,
            "--clients",
            "40",
            "--room-size",
            "10",
            "--rate",
            "50",
            "--duration",
            "2",
            "--json",
            "--server-pid",
            &pid,
            "--address",
            &chat.listen,
        ])
        .await;
        let report = said.json();
        for count in ["lost", "duplicated", "reordered", "errors"] {
            assert_eq!(report[count], 0, "{profile}: {report}");
        }
        assert_eq!(report["profile"], profile);
        assert!(report["null_server"]["ceiling_per_s"].as_f64().unwrap() > 0.0);
        assert!(report["server"]["threads"].as_u64().unwrap() > 0);
        assert!(report["build"]["rustc"].is_string() && report["machine"]["cores"].is_number());
        let is_good = report["stamp"] == "OK" && report["lost"] == 0;
        assert_eq!(said.code, Some(i32::from(!is_good)), "{said:?}");
    }
}

/// Goal: a person reads first whether the report may be believed, then what users felt, and sees no percentile that rests on
/// a few outliers.
#[tokio::test]
async fn text_begins_with_the_answer() {
    let null = Null::start().await;
    let said = run(&[
        "load",
        "chat",
        "--profile",
        "slow",
        "--clients",
        "20",
        "--room-size",
        "10",
        "--rate",
        "50",
        "--duration",
        "2",
        "--address",
        &null.listen,
    ])
    .await;
    let first = said.out.lines().next().unwrap();
    let stamp = first.split_whitespace().next().unwrap();
    assert!(["OK", "SATURATED", "INVALID"].contains(&stamp), "{said:?}");
    assert_eq!(said.code, Some(i32::from(stamp != "OK")), "{said:?}");
    assert!(
        first.contains("chat slow") && first.contains("after 1 s of warm-up"),
        "{first}"
    );
    let row = |name: &str| {
        said.out
            .lines()
            .find(|line| line.trim_start().starts_with(name))
    };
    assert!(
        row("send lag").is_some() && row("sent ").is_some(),
        "{said:?}"
    );
    // Some 900 deliveries: enough for a median, not for a p99.
    if stamp == "OK" {
        let response = row("response").unwrap();
        assert!(response.contains('–'), "{response}");
        assert!(row("apart").is_some(), "{said:?}");
    }
}

/// Goal: several processes make one report, in which each client and each message is counted once.
#[tokio::test]
async fn processes_make_one_report() {
    let null = Null::start().await;
    let words = [
        "load",
        "chat",
        "--clients",
        "41",
        "--room-size",
        "10",
        "--rate",
        "100",
        "--constant",
        "--duration",
        "2",
        "--json",
        "--address",
        &null.listen,
    ];
    let together = run(&[&words[..], &["--processes", "2"]].concat())
        .await
        .json();
    let alone = run(&words).await.json();
    assert_eq!(together["generator"]["processes"], 2, "{together}");
    assert_eq!(together["clients"], 41);
    for field in ["schedule_hash", "sent"] {
        assert_eq!(together[field], alone[field], "{field}");
    }
    assert_eq!(
        (&together["lost"], &together["errors"]),
        (&Value::from(0), &Value::from(0))
    );
}

/// Goal: a sweep finds a knee, a series compares, and both write what was asked for.
#[tokio::test]
async fn sweep_series_and_files() {
    let null = Null::start().await;
    let folder = std::env::temp_dir();
    let file = |ending: &str| {
        let name = format!("pollscope-load-{}.{ending}", std::process::id());
        folder.join(name).to_str().unwrap().to_owned()
    };
    let (svg, hlog) = (file("svg"), file("hlog"));
    let common = [
        "--profile",
        "idle",
        "--clients",
        "8",
        "--warm-up",
        "0",
        "--duration",
        "1",
        "--address",
        null.listen.as_str(),
    ];
    let words = |more: &[&str]| -> Vec<String> {
        [&["load", "chat"][..], &common, more]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    let run_words = async |more: &[&str]| {
        let words = words(more);
        run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    // A goal that any run meets or misses: the search is what is tested here, its steps are tested beside it.
    let missed = run_words(&["--sweep", "--rate", "4", "--goal-ms", "0", "--json"]).await;
    assert_eq!(missed.code, Some(1), "{missed:?}");
    let missed = missed.json();
    assert_eq!(missed["knee_per_s"], Value::Null);
    assert_eq!(
        missed["runs"].as_array().unwrap().len(),
        3,
        "4, 2 and 1 per second"
    );
    let series = run_words(&["--runs", "2", "--against", "rooms", "--svg", &svg, "--json"])
        .await
        .json();
    assert_eq!(series["runs"].as_array().unwrap().len(), 4, "{series}");
    assert!(series["p99_ratio"].as_f64().unwrap() > 0.0);
    let single = run_words(&["--hlog", &hlog]).await;
    assert!(
        single.out.contains("response") || single.code == Some(1),
        "{single:?}"
    );
    for (file, part) in [(&svg, "<svg"), (&hlog, "#[BaseTime:")] {
        let text = std::fs::read_to_string(file).unwrap();
        let _ = std::fs::remove_file(file);
        assert!(text.contains(part), "{file}: {text}");
    }
}
