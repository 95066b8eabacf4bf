//! Captures at 1 kHz of threads that do what signal handlers have died of elsewhere.
//!
//! The real capturer asks, as the watchdog would; most requests go past its policy straight to the signal, so
//! that threads are interrupted in system calls, in the loader and at their end as well. It runs in a process of its
//! own: a crash is then this test's failure and no other's, and memory is this test's memory.
//!
//! Three seconds in `cargo test`; the long run is
//! `POLLSCOPE_TORTURE_SECONDS=600 cargo test -p pollscope --lib --release torture -- --nocapture`.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::sys::{Answer, CaptureSignal};
use super::unwind::StackUnwinder;
use super::{Captured, Capturer, sys};
use crate::capture::memory::OwnMemory;
use crate::procfs::ThreadFiles;
use victims::{Identity, Victim};

mod victims;

/// Length of the run in `cargo test`.
const SECONDS: u64 = 3;

/// Overrides it.
const SECONDS_VARIABLE: &str = "POLLSCOPE_TORTURE_SECONDS";

/// Tells the process that it is the one to run it.
const CHILD_VARIABLE: &str = "POLLSCOPE_TORTURE_CHILD";

/// Between two captures.
const PACE: Duration = Duration::from_millis(1);

/// How far behind its pace it catches up: the longest that a capture by the policy takes.
const BEHIND_MAX: Duration = Duration::from_millis(50);

/// Captures a second that a crowded machine leaves: with the longest wait at each one by the policy, and a straight signal
/// withdrawn each time, there are 140.
const RATE_MIN: f64 = 50.0;

/// How long a straight signal may take; short, so that many are withdrawn and arrive late.
const PATIENCE: Duration = Duration::from_millis(1);

/// Every so many captures of a thread one goes by the policy, which waits up to 40 ms for a thread without a CPU.
const POLICY_TURNS: usize = 8;

/// Beyond the run: a process that takes longer hangs.
const HANG: Duration = Duration::from_secs(120);

/// Growth after the first stretch that allocator arenas of a dozen threads explain; measured are 16 KiB.
const GROWTH_BYTES_MAX: u64 = 512 << 10;

/// And that for each capture since: half of the least that an allocator gives away. So whatever each capture might lose is
/// found in ten minutes, and 300 bytes in three seconds.
const GROWTH_BYTES_PER_CAPTURE_MAX: u64 = 16;

/// Stretches of the run; every thread must get on in each.
const STRETCHES: u32 = 4;

/// How long a thread may take to get on after a stretch: crowded out is not dead.
const CROWDED: Duration = Duration::from_secs(30);

/// No crash, no deadlock, no growth, every request answered or counted.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test waits for its process")]
fn survives_torture() {
    let seconds = std::env::var(SECONDS_VARIABLE).map_or(SECONDS, |value| {
        value.parse().expect("whole seconds in the variable")
    });
    let run = Duration::from_secs(seconds);
    if std::env::var_os(CHILD_VARIABLE).is_some() {
        return torture(run);
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "capture::torture::survives_torture",
            "--nocapture",
        ])
        .env(CHILD_VARIABLE, "1")
        .stdout(Stdio::inherit())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + run + HANG;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                panic!("the tortured process hangs");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success(), "the tortured process ended with {status}");
}

/// What came of the captures.
#[derive(Debug, Default)]
struct Tally {
    complete: u64,
    cut: u64,
    /// No stack, and the reason given for it.
    none: BTreeMap<&'static str, u64>,
    slowest: Duration,
}

impl Tally {
    fn count(&mut self, captured: &Captured, took: Duration) {
        self.slowest = self.slowest.max(took);
        match (captured.addresses.is_empty(), captured.complete) {
            (false, true) => self.complete += 1,
            (false, false) => self.cut += 1,
            (true, _) => {
                let reason = captured.note.expect("a reason why there is no stack");
                *self.none.entry(reason).or_default() += 1;
            }
        }
    }

    fn none(&self) -> u64 {
        self.none.values().sum()
    }

    fn asked(&self) -> u64 {
        self.complete + self.cut + self.none()
    }
}

/// The two ways to ask.
struct Torturer {
    capturer: Capturer,
    signal: CaptureSignal,
    unwinder: StackUnwinder,
}

impl Torturer {
    fn ask(&mut self, identity: &Identity, by_policy: bool) -> Captured {
        if by_policy {
            let files = ThreadFiles::open(identity.tid);
            return self.capturer.capture(identity.tid, &identity.stack, &files);
        }
        let answer = self
            .signal
            .copy_stack(identity.tid, &identity.stack, PATIENCE);
        let Answer::Copy(copy) = answer else {
            return Captured::none("no answer to a straight signal");
        };
        if copy.bytes.is_empty() {
            return Captured::none("interrupted on a stack of its own");
        }
        self.unwinder.refresh(sys::modules(), &OwnMemory);
        let unwound = self.unwinder.unwind(&copy, &OwnMemory);
        Captured {
            addresses: unwound.addresses,
            complete: unwound.complete,
            confirmed: unwound.confirmed,
            ..Captured::none("the unwinder found no frame")
        }
    }

    /// Whether a running thread answers: the hand-over survived.
    fn answers(&self) -> bool {
        let (send, receive) = mpsc::channel();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                send.send(Identity::own()).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            let spinning = receive.recv_timeout(CROWDED).unwrap();
            let answer = self
                .signal
                .copy_stack(spinning.tid, &spinning.stack, CROWDED);
            stop.store(true, Ordering::Relaxed);
            matches!(answer, Answer::Copy(copy) if !copy.bytes.is_empty())
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "paces the captures")]
fn torture(run: Duration) {
    victims::hush_their_panics();
    let victims = victims::start();
    let mut torturer = Torturer {
        capturer: Capturer::new(CaptureSignal::install()),
        signal: CaptureSignal::install().expect("a free signal"),
        unwinder: StackUnwinder::new(),
    };
    let mut tallies: Vec<Tally> = victims.iter().map(|_| Tally::default()).collect();
    let mut memory = Vec::new();
    let asked = |tallies: &[Tally]| tallies.iter().map(Tally::asked).sum::<u64>();
    let begun = Instant::now();
    for stretch in 1..=STRETCHES {
        let before: Vec<u64> = victims.iter().map(Victim::progress).collect();
        let mut next = Instant::now();
        let mut turn = 0_usize;
        while begun.elapsed() < run * stretch / STRETCHES {
            let index = next_at_it(&victims, turn);
            if let Some(identity) = victims[index].identity() {
                let asked = Instant::now();
                let captured = torturer.ask(
                    &identity,
                    (turn / victims.len()).is_multiple_of(POLICY_TURNS),
                );
                tallies[index].count(&captured, asked.elapsed());
            }
            turn += 1;
            let now = Instant::now();
            next = (next + PACE).max(now.checked_sub(BEHIND_MAX).unwrap_or(now));
            std::thread::sleep(next.saturating_duration_since(now));
        }
        for (victim, before) in victims.iter().zip(before) {
            let crowded = Instant::now() + CROWDED;
            while victim.progress() == before {
                assert!(Instant::now() < crowded, "{} does not get on", victim.name);
                std::thread::sleep(PACE);
            }
        }
        memory.push((anonymous_bytes(), asked(&tallies)));
    }
    let took = begun.elapsed();
    print(&victims, &tallies, took, &memory);
    victims::stop(victims);
    for (tally, name) in tallies.iter().zip(victims::NAMES) {
        // A thread that is gone before it is asked has no stack.
        let stacks = tally.complete + tally.cut;
        assert!(stacks > 0 || name == victims::BRIEF, "no stack of {name}");
    }
    assert!(torturer.answers(), "nobody answers any more");
    let rate = asked(&tallies) as f64 / took.as_secs_f64();
    assert!(rate > RATE_MIN, "{rate:.0} captures a second");
    let ((bytes_before, before), (bytes_after, after)) = (memory[0], memory[memory.len() - 1]);
    let growth = bytes_after.saturating_sub(bytes_before);
    let captures = after - before;
    assert!(
        growth < GROWTH_BYTES_MAX + captures * GROWTH_BYTES_PER_CAPTURE_MAX,
        "grown by {growth} bytes in {captures} captures: {memory:?}"
    );
}

/// The next thread in turn that is about its thing, for a rest is nothing to interrupt; the next one if all rest.
fn next_at_it(victims: &[Victim], turn: usize) -> usize {
    let mut indexes = (turn..turn + victims.len()).map(|index| index % victims.len());
    let next = turn % victims.len();
    indexes
        .find(|index| victims[*index].is_at_it())
        .unwrap_or(next)
}

fn print(victims: &[Victim], tallies: &[Tally], took: Duration, memory: &[(u64, u64)]) {
    println!(
        "{:<10} {:>9} {:>9} {:>9} {:>9} {:>11} {:>10}",
        "thread", "captures", "complete", "cut", "none", "slowest ms", "its turns"
    );
    for (victim, tally) in victims.iter().zip(tallies) {
        println!(
            "{:<10} {:>9} {:>9} {:>9} {:>9} {:>11.1} {:>10}",
            victim.name,
            tally.asked(),
            tally.complete,
            tally.cut,
            tally.none(),
            tally.slowest.as_secs_f64() * 1e3,
            victim.progress()
        );
    }
    let mut reasons = BTreeMap::new();
    for (reason, count) in tallies.iter().flat_map(|tally| &tally.none) {
        *reasons.entry(*reason).or_insert(0) += count;
    }
    println!("no stack: {reasons:?}");
    let asked: u64 = tallies.iter().map(Tally::asked).sum();
    println!(
        "{asked} captures in {:.1} s, {:.0} a second; anonymous memory, and captures, after each stretch: {memory:?}",
        took.as_secs_f64(),
        asked as f64 / took.as_secs_f64()
    );
}

/// Memory of this process that no file backs.
#[expect(clippy::disallowed_methods, reason = "procfs, in a test")]
fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kilobytes = status.lines().find_map(|line| {
        line.strip_prefix("RssAnon:")?
            .trim()
            .strip_suffix(" kB")?
            .trim()
            .parse::<u64>()
            .ok()
    });
    kilobytes.expect("a line RssAnon in /proc/self/status") * 1024
}
