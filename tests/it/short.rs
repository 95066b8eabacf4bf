//! Stalls so short that they can end between two looks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pollscope::stall::{Confidence, Phase, Stall, Verdict};
use tokio::runtime::Builder;

use crate::stalls::{events, scope};

/// Over the threshold of 10 ms by less than the pause between two looks.
const BLOCK: Duration = Duration::from_millis(11);

/// Rounds of blocks. Most end before a look can tell them; few at a time, as each that is told takes a stack, of which there are only so
/// many a second for all tests.
const ROUNDS_MAX: usize = 20;
const BLOCKS: usize = 4;

#[expect(clippy::disallowed_methods, reason = "the stalls under test")]
async fn blocks() {
    for _ in 0..BLOCKS {
        std::thread::sleep(BLOCK);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits for the reporter")]
fn closed(id: u64) -> Vec<Arc<Stall>> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let mut told = events("short");
        told.retain(|stall| stall.id == id);
        if told.iter().any(|stall| stall.phase == Phase::Close) || Instant::now() > deadline {
            return told;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What no look could tell in time is told after its end: who, where and why, as *likely*, and closed at once with its length.
#[test]
fn a_stall_between_two_looks_is_told() {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all();
    let runtime = scope().runtime(builder).name("short").build().unwrap();
    let is_told_late = |stall: &Arc<Stall>| {
        let said = |part: &String| part.starts_with("told after its end");
        stall.phase == Phase::Open && stall.evidence.iter().any(said)
    };
    let late = (0..ROUNDS_MAX).find_map(|_| {
        runtime
            .block_on(async { pollscope::spawn(blocks()).await })
            .unwrap();
        events("short").into_iter().find(is_told_late)
    });
    let late = late.expect("each of eighty stalls met a look at the right time");
    assert_eq!(late.verdict, Verdict::Sleep, "{late:#?}");
    assert!(late.confidence < Confidence::Proven, "{late:#?}");
    assert!(late.task.id.is_some(), "{late:#?}");
    let line = late.line.as_ref();
    assert!(
        line.is_none_or(|line| line.file.ends_with("short.rs")),
        "{late:#?}"
    );
    let told = closed(late.id);
    let close = told.last().unwrap();
    assert_eq!(close.phase, Phase::Close, "{told:#?}");
    assert!(
        close.duration_ms >= 10.0 && close.duration_ms == late.duration_ms,
        "{told:#?}"
    );
}
