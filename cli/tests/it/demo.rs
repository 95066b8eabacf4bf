//! The demo, from the first line to the last process.

use serde_json::Value;

use crate::program::{Program, children_of, eventually, is_alive, run};

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

async fn check(runtime: &str, faults: &str) {
    let words = [
        "demo",
        "--json",
        "--any-port",
        "--duration",
        "100",
        "--runtime",
        runtime,
        "--faults",
        faults,
    ];
    let said = run(&words).await;
    let lines = said.json_lines();
    let services = of_kind(&lines, "service");
    assert_eq!(services.len(), 2, "{said:?}");
    let summary = lines.last().unwrap();
    assert_eq!(summary["kind"], "summary");
    let count = faults.split(',').count();
    for field in [
        "faults_tried",
        "faults_found",
        "right_line",
        "right_verdict",
    ] {
        assert_eq!(summary[field], count, "{field} in {summary}: {said:?}");
    }
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(summary["first_report_s"].as_f64().unwrap() > 0.0);
    for (name, outcome) in faults.split(',').zip(of_kind(&lines, "fault")) {
        assert_eq!(outcome["fault"], name);
        if outcome["declared"] == "stall" {
            assert!(outcome["true_ms"].as_f64().unwrap() >= 300.0, "{outcome}");
        } else {
            assert!(outcome["shown_by"].is_string(), "{outcome}");
        }
    }
    for stall in of_kind(&lines, "stall")
        .iter()
        .filter(|stall| stall["as_declared"] == true)
    {
        assert!(
            stall["line"]["file"]
                .as_str()
                .unwrap()
                .contains("examples/faults/src/"),
            "{stall}"
        );
        assert_ne!(stall["phase"], "close");
    }
    assert_eq!(of_kind(&lines, "load").len(), 2, "{said:?}");
    for service in services {
        assert!(
            !is_alive(service["pid"].as_u64().unwrap()),
            "{service} was left behind"
        );
    }
}

/// Goal: faults that wait are found on their line in both services, and nobody is left behind.
#[tokio::test]
async fn finds_what_waits() {
    check("multi", "block-sleep,std-mutex").await;
}

/// Goal: the same on a runtime of one thread, with a fault that works and one that reads.
#[tokio::test]
async fn finds_what_works_and_reads() {
    check("current", "blocking-fs,block-cpu").await;
}

/// Goal: a stall of one service only, and what is no stall, in the findings of one service and the metrics of the other.
#[tokio::test]
async fn finds_what_is_no_stall() {
    check(
        "multi",
        "giant-room,blocking-pool-exhausted,lock-across-await,await-in-fanout",
    )
    .await;
}

/// Goal: a person sees where everything is, what was found, and the table at the end.
#[tokio::test]
async fn speaks_to_people() {
    let said = run(&[
        "demo",
        "--any-port",
        "--no-console",
        "--duration",
        "60",
        "--faults",
        "block-sleep",
    ])
    .await;
    assert_eq!(said.code, Some(0), "{said:?}");
    for text in [
        "chat admin       http://127.0.0.1:",
        "flamegraph --seconds 5 -o exchange.svg --service http://127.0.0.1:",
        "[1/1] block-sleep in chat",
        "STALL chat worker",
        "examples/faults/src/block_sleep.rs:",
        "use tokio::time::sleep",
        "as declared: the right line and the right verdict",
        "1 of 1 faults found",
    ] {
        assert!(said.out.contains(text), "{text:?} is not in {}", said.out);
    }
    assert!(!said.out.contains('\x1b'), "colours without a terminal");
}

/// Starts a demo that stays; returns it with all its children once both loads run.
async fn staying() -> (Program, Vec<u64>) {
    let words = [
        "demo",
        "--json",
        "--any-port",
        "--no-console",
        "--keep",
        "--faults",
        "none",
    ];
    let mut demo = Program::start(&words, &[]);
    for _ in 0..2 {
        assert_eq!(demo.json_line().await["kind"], "service");
    }
    let pid = demo.pid();
    let children = eventually("four children", async || {
        let children = children_of(pid);
        (children.len() == 4).then_some(children)
    })
    .await;
    (demo, children)
}

async fn all_end(children: &[u64]) {
    eventually("the end of all children", async || {
        children.iter().all(|pid| !is_alive(*pid)).then_some(())
    })
    .await;
}

/// Goal: Ctrl-C ends the demo with its summary, and everything it started.
#[tokio::test]
async fn interrupt_leaves_nothing() {
    let (mut demo, children) = staying().await;
    demo.signal("INT").await;
    let mut last = demo.json_line().await;
    while last["kind"] != "summary" {
        last = demo.json_line().await;
    }
    assert_eq!(last["interrupted"], true);
    assert!(demo.code().await.is_some());
    all_end(&children).await;
}

/// Goal: a demo that is killed without a chance to clean up leaves nothing either.
#[tokio::test]
async fn kill_leaves_nothing() {
    let (mut demo, children) = staying().await;
    demo.signal("KILL").await;
    assert_eq!(demo.code().await, None);
    all_end(&children).await;
}
