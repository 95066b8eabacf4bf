//! Every way to run a runtime, and Tokio's traps in each: a stall is found, the innocent are not blamed.

use std::ops::RangeInclusive;
use std::time::Duration;

use pollscope::runtime::Tier;

use crate::stalls::{current, longest, multi, scope, sleeps, spins};

/// The tier that a runtime of that name shows.
fn tier_of(name: &str) -> Option<Tier> {
    scope()
        .runtimes()
        .into_iter()
        .find(|status| status.name == name)
        .map(|status| status.tier)
}

/// Without task hooks a runtime is of tier T1 in any build, and stalls of tasks of others are found all the same.
#[test]
fn without_task_hooks() {
    for (name, builder, block) in [
        (
            "hookless-sleep",
            multi(),
            sleeps as fn() -> RangeInclusive<u32>,
        ),
        ("hookless-cpu", current(), spins),
    ] {
        let runtime = scope()
            .runtime(builder)
            .name(name)
            .without_task_hooks()
            .build()
            .unwrap();
        assert_eq!(tier_of(name), Some(Tier::Built));
        let (id, line) = runtime.block_on(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let task = tokio::spawn(async move { block() });
            (task.id().to_string(), task.await.unwrap())
        });
        let stall = longest(name);
        let place = stall
            .line
            .as_ref()
            .unwrap_or_else(|| panic!("{name}, no line: {stall:#?}"));
        assert!(line.contains(&place.line), "{name}: {stall:#?}");
        assert_eq!(stall.task.id.map(|id| id.to_string()), Some(id), "{name}");
        assert_eq!(stall.task.spawned_at, None, "{name}");
    }
}
