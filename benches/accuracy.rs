//! How soon a stall is told, and how exactly: every blocking fault, on both runtime flavours, with default flags.
//!
//! `cargo bench --bench accuracy [-- REPETITIONS]` prints one row a fault and flavour. Times are of this machine and of
//! this moment; what counts is that every row finds the declared line and verdict.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "the benchmark's own thread waits for the reporter"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use faults::{Finding, Plan, Point, Settings};
use pollscope::stall::{Phase, Stall};
use pollscope::{Config, Scope};
use tokio::runtime::Builder;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

const BLOCK_MS: u64 = 300;
const DEFAULT_REPETITIONS: usize = 10;

type Flavour = (&'static str, fn() -> Builder);

const FLAVOURS: [Flavour; 2] = [
    ("multi_thread", Builder::new_multi_thread),
    ("current_thread", Builder::new_current_thread),
];

fn main() {
    let repetitions = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(DEFAULT_REPETITIONS);
    let scope = Scope::start(Config::default()).expect("the only scope of this process");
    // Debug information is parsed at start; a stall in that very moment is told when it is done.
    let (_, builder) = FLAVOURS[0];
    let first = round(&scope, "block-sleep", "first", builder()).open;
    println!(
        "first stall, at the process's start: open after {:.1} ms",
        first.map_or(f64::NAN, |open| open.as_secs_f64() * 1e3)
    );
    println!(
        "{repetitions} blocks of {BLOCK_MS} ms each; open: from the block's begin to the event in hand"
    );
    println!(
        "{:<13} {:<15} {:>5} {:>5} {:>8} {:>12} {:>12} {:>12} {:>12}",
        "fault",
        "runtime",
        "found",
        "line",
        "verdict",
        "open p50 ms",
        "open max ms",
        "error p50 %",
        "error max %"
    );
    for fault in ["block-sleep", "block-cpu", "std-mutex", "blocking-fs"] {
        for (flavour, builder) in FLAVOURS {
            let name = format!("{fault}-{flavour}");
            let rounds: Vec<Round> = (0..repetitions)
                .map(|_| round(&scope, fault, &name, builder()))
                .collect();
            print_row(fault, flavour, &rounds);
        }
    }
}

/// One block and what was told of it.
struct Round {
    open: Option<Duration>,
    line_right: bool,
    verdict_right: bool,
    error_percent: Option<f64>,
}

fn round(scope: &Scope, fault: &str, name: &str, mut builder: Builder) -> Round {
    builder.enable_all();
    let plan = Arc::new(Plan::new("bench", &[Point::Handler]));
    plan.on(
        fault,
        Settings {
            duration_ms: Some(BLOCK_MS),
            ..Settings::default()
        },
    )
    .expect("a known fault");
    let finding = plan
        .status()
        .into_iter()
        .find(|status| status.fault.name == fault)
        .map(|status| status.fault.finding.clone());
    let runtime = scope
        .runtime(builder)
        .name(name)
        .build()
        .expect("a runtime");
    let mut events = scope.subscribe();
    let acting = Arc::clone(&plan);
    let (begun, begin) = std::sync::mpsc::channel();
    let driver = std::thread::spawn(move || {
        runtime.block_on(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let task = pollscope::spawn(async move {
                let started = Instant::now();
                let _ = begun.send(started);
                acting.handler();
                started.elapsed()
            });
            task.await.expect("the task does not panic")
        })
    });
    let started = begin.recv().expect("the task begins");
    let (opened, mut told) = wait_for(&mut events, started, Phase::Open);
    let blocked = driver.join().expect("the driver does not panic");
    let (_, later) = wait_for(&mut events, started, Phase::Close);
    told.extend(later);
    judge(opened, &told, finding.as_ref(), blocked)
}

/// Events until one of that phase, for at most two seconds.
fn wait_for(
    events: &mut Receiver<Arc<Stall>>,
    started: Instant,
    phase: Phase,
) -> (Option<Duration>, Vec<Arc<Stall>>) {
    let mut seen = Vec::new();
    while started.elapsed() < Duration::from_secs(2) {
        match events.try_recv() {
            Ok(stall) => {
                let done = stall.phase == phase;
                seen.push(stall);
                if done {
                    return (Some(started.elapsed()), seen);
                }
            }
            Err(TryRecvError::Empty) => std::thread::sleep(Duration::from_micros(200)),
            Err(_) => return (None, seen),
        }
    }
    (None, seen)
}

fn judge(
    open: Option<Duration>,
    told: &[Arc<Stall>],
    finding: Option<&Finding>,
    blocked: Duration,
) -> Round {
    let opened = told.iter().find(|stall| stall.phase == Phase::Open);
    let closed = told.iter().find(|stall| stall.phase == Phase::Close);
    if let Some(stall) = opened {
        explain(stall, finding);
    }
    let (verdict, file, lines) = match finding {
        Some(Finding::Stall {
            verdict,
            file,
            lines,
        }) => (*verdict, *file, lines.clone()),
        _ => unreachable!("blocking faults declare a stall"),
    };
    Round {
        open,
        line_right: opened
            .and_then(|stall| stall.line.as_ref())
            .is_some_and(|line| line.file.ends_with(file) && lines.contains(&line.line)),
        verdict_right: opened.is_some_and(|stall| stall.verdict.name() == verdict),
        error_percent: closed
            .map(|stall| (stall.duration_ms / (blocked.as_secs_f64() * 1e3) - 1.0).abs() * 100.0),
    }
}

/// A miss is worth its evidence.
fn explain(stall: &Stall, finding: Option<&Finding>) {
    let hit = stall.line.as_ref().is_some_and(|line| {
        finding
            .is_some_and(|finding| finding.is_stall_at(stall.verdict.name(), &line.file, line.line))
    });
    if !hit {
        let innermost: Vec<&str> = stall
            .stack
            .iter()
            .take(6)
            .map(|frame| frame.function.as_str())
            .collect();
        println!(
            "  miss: {} {:?} line {:?}, via {:?}, complete {}, {:?}, {innermost:?}",
            stall.runtime,
            stall.verdict,
            stall.line,
            stall.stack_via,
            stall.stack_complete,
            stall.evidence
        );
    }
}

fn print_row(fault: &str, flavour: &str, rounds: &[Round]) {
    let count = |is: fn(&Round) -> bool| {
        format!(
            "{}/{}",
            rounds.iter().filter(|round| is(round)).count(),
            rounds.len()
        )
    };
    let (open_p50, open_max) = middle_and_max(
        rounds
            .iter()
            .filter_map(|round| round.open)
            .map(|open| open.as_secs_f64() * 1e3)
            .collect(),
    );
    let (error_p50, error_max) = middle_and_max(
        rounds
            .iter()
            .filter_map(|round| round.error_percent)
            .collect(),
    );
    let found = count(|round| round.open.is_some());
    let (line, verdict) = (
        count(|round| round.line_right),
        count(|round| round.verdict_right),
    );
    println!(
        "{fault:<13} {flavour:<15} {found:>5} {line:>5} {verdict:>8} {open_p50:>12.1} {open_max:>12.1} {error_p50:>12.2} {error_max:>12.2}"
    );
}

fn middle_and_max(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN),
        values.last().copied().unwrap_or(f64::NAN),
    )
}
