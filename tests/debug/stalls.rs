//! Stalls in debug mode: short ones are told, each with its stack.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use crate::scope;

/// Twice the stacks that may be taken at a stretch outside the debug mode, and more.
const BLOCKS: usize = 100;

/// A crowded machine may spoil a round, for the watchdog needs a CPU too. One that goes well is enough: without the debug
/// mode, or with its limit on stacks, none does.
const ROUNDS_MAX: usize = 40;

/// How long the reporter may take for the reports of a round; a crowded machine spoils the round.
const PATIENCE: Duration = Duration::from_secs(2);

#[inline(never)]
#[expect(clippy::disallowed_methods, reason = "the stall under test")]
fn blocks() {
    std::thread::sleep(Duration::from_millis(2));
}

/// Most polls of two milliseconds are told with their line, although the configured threshold is minutes.
#[test]
fn short_stalls_are_told() {
    let mut rounds = Vec::new();
    while rounds.len() < ROUNDS_MAX {
        let name = format!("short-{}", rounds.len());
        block_in(&name);
        rounds.push(named(&name));
        if rounds.last() > Some(&(BLOCKS / 2)) {
            assert!(scope().is_debug());
            return;
        }
    }
    panic!("named of {BLOCKS} in each round: {rounds:?}");
}

fn block_in(name: &str) {
    let runtime = scope().runtime(Builder::new_current_thread()).name(name);
    runtime.build().unwrap().block_on(async {
        for _ in 0..BLOCKS {
            blocks();
            tokio::task::yield_now().await;
        }
    });
}

/// How many stalls of that runtime are told with the right line, once most are or the patience is at its end.
#[expect(clippy::disallowed_methods, reason = "a test waits for the reporter")]
fn named(name: &str) -> usize {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stalls = scope().stalls().into_iter();
        let of_this = stalls.filter(|stall| stall.runtime == name);
        let ids: HashSet<u64> = of_this
            .filter(|stall| {
                assert_eq!(stall.threshold_ms, 1.0);
                let line = stall.line.as_ref();
                line.is_some_and(|line| line.function.ends_with("blocks"))
            })
            .map(|stall| stall.id)
            .collect();
        if ids.len() > BLOCKS / 2 || Instant::now() > deadline {
            return ids.len();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
