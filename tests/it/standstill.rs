//! The process stands still: that is told as what it is, and no poll is blamed for it.
//!
//! The process that is stopped must not be the one that runs the other tests, so each test runs itself again as a child
//! and stops that by its number.
#![expect(
    clippy::disallowed_methods,
    reason = "a test waits for its child, and the child stalls on purpose"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pollscope::stall::{Phase, Stall, Verdict};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::stalls::{multi, scope};

/// Names the part that a child plays.
const ROLE: &str = "POLLSCOPE_TEST_ROLE";

/// Said by the child when it is at what it is to be stopped in.
const READY: &str = "ready";

/// Before the child's events on its output.
const EVENTS: &str = "events ";

/// Time for the watchdog and the reporter to see and tell what there is, on a crowded machine.
const SETTLE: Duration = Duration::from_millis(500);

/// CPU time of the real stall.
const STALL_CPU: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 400_000_000,
};

/// The part that this process plays, if it is a child.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Starts `test` of this binary again with that role.
pub(crate) fn child(test: &str, role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The runtime whose stalls are not told to the parent.
const WARM_UP: &str = "warm-up";

/// Has a first stall reported: that waits until the debug information of this binary has been read.
pub(crate) fn warm_up() {
    let runtime = scope().runtime(multi()).name(WARM_UP).build().unwrap();
    while scope().stalls().is_empty() {
        runtime.block_on(async { std::thread::sleep(Duration::from_millis(50)) });
    }
}

/// Prints the events of this process, for the parent.
pub(crate) fn tell_events() {
    let events: Vec<_> = scope()
        .stalls()
        .iter()
        .filter(|stall| stall.runtime != WARM_UP)
        .map(|stall| serde_json::to_value(&**stall).unwrap())
        .collect();
    println!("{EVENTS}{}", serde_json::Value::from(events));
}

/// The events that a child has told.
pub(crate) fn told(output: impl BufRead) -> Vec<Stall> {
    let lines: Vec<String> = output.lines().map_while(Result::ok).collect();
    let told = lines.iter().find_map(|line| line.strip_prefix(EVENTS));
    let told = told.unwrap_or_else(|| panic!("no events in {lines:#?}"));
    serde_json::from_str(told).unwrap()
}

/// Runs the child, stops it `times` times for `length` each, and gives its events.
fn stopped(test: &str, role: &str, length: Duration, times: u32) -> Vec<Stall> {
    let mut child = child(test, role);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with(&format!("{READY}\n")) {
        assert!(output.read_line(&mut line).unwrap() > 0, "the child ended");
    }
    let pid = Pid::from_child(&child);
    for _ in 0..times {
        kill_process(pid, Signal::STOP).unwrap();
        std::thread::sleep(length);
        kill_process(pid, Signal::CONT).unwrap();
        std::thread::sleep(SETTLE);
    }
    drop(child.stdin.take());
    let events = told(output);
    assert!(child.wait().unwrap().success());
    events
}

/// Plays the role until the parent closes this process's input, then tells the events.
fn play(role: &str) {
    warm_up();
    let runtime = scope().runtime(multi()).name("stopped").build().unwrap();
    let mut stalls = Vec::new();
    for _ in 0..2 {
        match role {
            "busy" => drop(runtime.spawn(watched(short_polls()))),
            "stalled" => stalls.push(runtime.spawn(watched(async { burn(STALL_CPU) }))),
            _ => (),
        }
    }
    std::thread::sleep(Duration::from_millis(50));
    println!("{READY}");
    std::io::stdout().flush().unwrap();
    let mut end = Vec::new();
    std::io::stdin().read_to_end(&mut end).unwrap();
    for stall in stalls {
        runtime.block_on(stall).unwrap();
    }
    std::thread::sleep(SETTLE);
    tell_events();
}

/// As a task that every tier watches poll by poll.
async fn watched(future: impl Future<Output = ()> + Send + 'static) {
    pollscope::spawn(future).await.unwrap();
}

async fn short_polls() {
    loop {
        burn(Timespec {
            tv_sec: 0,
            tv_nsec: 200_000,
        });
        tokio::task::yield_now().await;
    }
}

fn burn(cpu: Timespec) {
    let began = clock_gettime(ClockId::ThreadCPUTime);
    while clock_gettime(ClockId::ThreadCPUTime) - began < cpu {
        std::hint::spin_loop();
    }
}

/// The events in a line each, for a failed assertion.
pub(crate) fn brief(events: &[Stall]) -> String {
    let line = |stall: &Stall| {
        format!(
            "\n#{} {:?} {} {} {:.1} ms {:?}",
            stall.id,
            stall.phase,
            stall.runtime,
            stall.verdict.name(),
            stall.duration_ms,
            stall.evidence
        )
    };
    events.iter().map(line).collect()
}

fn blamed(events: &[Stall]) -> Vec<&Stall> {
    events
        .iter()
        .filter(|stall| !stall.verdict.is_machine())
        .collect()
}

fn frozen(events: &[Stall]) -> Vec<&Stall> {
    events
        .iter()
        .filter(|stall| stall.verdict == Verdict::Frozen)
        .collect()
}

fn check_frozen(events: &[Stall], length: Duration) {
    let found = frozen(events);
    assert!(!found.is_empty(), "{}", brief(events));
    for stall in found {
        assert_eq!(
            (stall.runtime.as_str(), stall.worker, stall.phase),
            ("process", None, Phase::Close),
            "{stall:#?}"
        );
        assert!(stall.line.is_none() && stall.stack.is_empty(), "{stall:#?}");
        assert_eq!(stall.advice.as_ref().unwrap().rule, "frozen");
    }
    let longest = frozen(events)
        .iter()
        .map(|stall| stall.duration_ms)
        .fold(0.0, f64::max);
    // The watchdog's pause of 3.3 ms is not known to have been part of it, nor is what it waited for a CPU afterwards.
    assert!(longest >= length.as_secs_f64() * 800.0, "{}", brief(events));
}

/// Stopped while everybody is parked: nothing is blamed.
#[test]
fn stopped_in_idleness() {
    if let Some(role) = role() {
        return play(&role);
    }
    let test = "standstill::stopped_in_idleness";
    let events = stopped(test, "idle", Duration::from_millis(300), 3);
    assert!(blamed(&events).is_empty(), "{}", brief(&events));
}

/// Stopped among short polls: one event of the process for each stop, and no poll is blamed.
#[test]
fn stopped_among_short_polls() {
    if let Some(role) = role() {
        return play(&role);
    }
    let test = "standstill::stopped_among_short_polls";
    for (ms, times) in [(300, 5), (2000, 1)] {
        let length = Duration::from_millis(ms);
        let events = stopped(test, "busy", length, times);
        assert!(blamed(&events).is_empty(), "{}", brief(&events));
        check_frozen(&events, length);
    }
}

/// Stopped in a real stall: that is found all the same, without the time of the stop.
#[test]
fn stopped_in_a_stall() {
    if let Some(role) = role() {
        return play(&role);
    }
    let test = "standstill::stopped_in_a_stall";
    for ms in [300, 2000] {
        let length = Duration::from_millis(ms);
        let events = stopped(test, "stalled", length, 1);
        check_frozen(&events, length);
        let burned: Vec<_> = events
            .iter()
            .filter(|stall| stall.verdict.is_cpu() && stall.phase == Phase::Close)
            .collect();
        assert_eq!(burned.len(), 2, "{}", brief(&events));
        for stall in burned {
            assert!(stall.cpu_ms >= 390.0, "{stall:#?}");
            assert!(stall.blocked_ms < 100.0, "{stall:#?}");
        }
    }
}
