//! What the test guard finds of blocks of a given length, how many get a line, and what a clean test pays.
//!
//! `cargo bench --bench guard`; about ten seconds. On a crowded machine fewer of the short blocks get a line, since the
//! watcher itself waits for a CPU; that they are found does not change.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use pollscope::testing::Guard;
use tokio::runtime::Builder;

/// Lengths of the blocks in microseconds, and how many of each.
const BLOCKS: [(u64, u32); 7] = [
    (50, 50),
    (100, 50),
    (200, 50),
    (500, 50),
    (1_000, 50),
    (5_000, 20),
    (20_000, 10),
];

const POLLS: u32 = 50_000;

fn main() {
    println!(
        "{:>12} {:>8} {:>8} {:>14}",
        "block", "found", "named", "a failing test"
    );
    for (us, count) in BLOCKS {
        let began = Instant::now();
        let (mut found, mut named) = (0, 0);
        for _ in 0..count {
            if let Err(violations) = Guard::new().run(blocks_once(Duration::from_micros(us))) {
                found += 1;
                named += u32::from(violations.all()[0].line.is_some());
            }
        }
        println!(
            "{:>9} µs {:>7.0}% {:>7.0}% {:>11.1} ms",
            us,
            percent(found, count),
            percent(named, count),
            began.elapsed().as_secs_f64() * 1e3 / f64::from(count)
        );
    }
    let plain = Builder::new_current_thread().build().expect("a runtime");
    let (bare, guarded) = (
        ns_per_poll(|| plain.block_on(yields())),
        ns_per_poll(|| Guard::new().run(yields()).unwrap_or_default()),
    );
    println!("a poll under a guard costs {:.0} ns more", guarded - bare);
}

/// Ten polls, one of which blocks.
async fn blocks_once(length: Duration) {
    for index in 0..10 {
        if index == 5 {
            #[expect(clippy::disallowed_methods, reason = "the block under test")]
            std::thread::sleep(length);
        }
        tokio::task::yield_now().await;
    }
}

async fn yields() {
    let task = async {
        for _ in 0..POLLS {
            tokio::task::yield_now().await;
        }
    };
    pollscope::spawn(task).await.unwrap_or_default();
}

/// The best of a few runs: other work on the machine can only add.
fn ns_per_poll(run: impl Fn()) -> f64 {
    let once = |_| {
        let began = Instant::now();
        run();
        began.elapsed().as_secs_f64() * 1e9 / f64::from(POLLS)
    };
    (0..8).map(once).fold(f64::MAX, f64::min)
}

fn percent(part: u32, whole: u32) -> f64 {
    100.0 * f64::from(part) / f64::from(whole)
}
