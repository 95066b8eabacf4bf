//! Stalls in debug mode: short ones are told, each with its stack.

use std::time::Duration;

use pollscope::stall::Phase;
use tokio::runtime::Builder;

use crate::{scope, soon};

#[inline(never)]
#[expect(clippy::disallowed_methods, reason = "the stall under test")]
fn blocks() {
    std::thread::sleep(Duration::from_millis(8));
}

/// A poll of a few milliseconds is told with its line, although the configured threshold is minutes.
#[test]
fn short_stalls_are_told() {
    let runtime = scope()
        .runtime(Builder::new_current_thread())
        .name("short")
        .build()
        .unwrap();
    runtime.block_on(async {
        // On a crowded machine the watchdog may come too late for one of them.
        for _ in 0..20 {
            blocks();
            tokio::task::yield_now().await;
        }
    });
    let named = soon(|| {
        scope().stalls().into_iter().find(|stall| {
            let is_named = |line: &pollscope::stall::SourceLine| line.function.ends_with("blocks");
            stall.runtime == "short"
                && stall.phase == Phase::Open
                && stall.line.as_ref().is_some_and(is_named)
        })
    });
    let named = named.unwrap_or_else(|| panic!("{:#?}", scope().stalls()));
    assert_eq!(named.threshold_ms, 1.0);
    assert!(scope().is_debug());
}
