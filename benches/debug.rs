//! What the debug mode costs: a poll, a lock of `pollscope::sync`, and the watchdog, with the mode off and on.
//!
//! `cargo bench --bench debug`; about ten seconds. Other work on the machine can only add to polls and locks, so the best
//! of many rounds is taken; the watchdog is measured by its own CPU time over seconds of a busy runtime.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use pollscope::{Config, Scope};
use tokio::runtime::Builder;

const ROUNDS: u32 = 40;
const POLLS: u32 = 20_000;
const LOCKS: u32 = 100_000;

/// How long the watchdog is measured.
const BUSY: Duration = Duration::from_secs(2);

/// A poll that computes for this long is told in debug mode only.
const COMPUTES: Duration = Duration::from_millis(3);

fn main() {
    let scope = Scope::start(Config::default()).expect("the only scope of this process");
    let runtime = scope
        .runtime(Builder::new_current_thread())
        .build()
        .expect("a runtime");
    println!(
        "{:>6} {:>9} {:>13} {:>22} {:>22}",
        "debug", "a poll", "a lock", "watchdog, short polls", "watchdog, polls of 3 ms"
    );
    for on in [false, true] {
        scope.set_debug(on);
        let poll = ns_each(POLLS, || runtime.block_on(yields(POLLS)));
        let lock = runtime.block_on(async { ns_each(LOCKS, pollscope_locks) });
        let short = watchdog_share(|| runtime.block_on(yields(POLLS)));
        let long = watchdog_share(|| runtime.block_on(computes()));
        println!("{on:>6} {poll:>6.1} ns {lock:>10.1} ns {short:>20.1} % {long:>20.1} %");
    }
    let std_lock = ns_each(LOCKS, std_locks);
    println!("a lock of the standard library: {std_lock:.1} ns");
}

async fn yields(polls: u32) {
    let task = async move {
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
    };
    pollscope::spawn(task).await.unwrap_or_default();
}

async fn computes() {
    let began = Instant::now();
    while began.elapsed() < COMPUTES {
        black_box(began);
    }
    tokio::task::yield_now().await;
}

fn pollscope_locks() {
    let lock = pollscope::sync::Mutex::new(0_u32);
    for _ in 0..LOCKS {
        *black_box(&lock).lock().expect("nobody panics") += 1;
    }
}

fn std_locks() {
    let lock = std::sync::Mutex::new(0_u32);
    for _ in 0..LOCKS {
        *black_box(&lock).lock().expect("nobody panics") += 1;
    }
}

/// Nanoseconds for each of so many, at best.
fn ns_each(count: u32, run: impl Fn()) -> f64 {
    let once = |_| {
        let began = Instant::now();
        run();
        began.elapsed().as_secs_f64() * 1e9 / f64::from(count)
    };
    (0..ROUNDS).map(once).fold(f64::MAX, f64::min)
}

/// CPU time of the watchdog while the runtime does something, as a percentage of a core.
fn watchdog_share(run: impl Fn()) -> f64 {
    let (began, before) = (Instant::now(), watchdog_cpu());
    while began.elapsed() < BUSY {
        run();
    }
    let cpu = watchdog_cpu().saturating_sub(before);
    100.0 * cpu.as_secs_f64() / began.elapsed().as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "no runtime runs meanwhile")]
fn watchdog_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs");
    let of = |task: std::fs::DirEntry| {
        let read = |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let cpu = read("schedstat");
        let ns = cpu.split_whitespace().next()?.parse().ok()?;
        read("comm")
            .starts_with("pollscope-watch")
            .then_some(Duration::from_nanos(ns))
    };
    tasks.flatten().find_map(of).unwrap_or_default()
}
