//! Who waited for a real stall, and how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pollscope::stall::{Phase, Stall};
use tokio::task::JoinHandle;

use crate::stalls::{closed, current, multi, scope, sleeps};

const BYSTANDERS: usize = 20;

/// The close of the longest stall of that runtime.
fn close_of(runtime: &str) -> Arc<Stall> {
    let events = closed(runtime);
    let longest = events
        .iter()
        .filter(|stall| stall.phase == Phase::Close)
        .max_by(|a, b| a.duration_ms.total_cmp(&b.duration_ms));
    Arc::clone(longest.unwrap_or_else(|| panic!("{runtime}: no close in {events:#?}")))
}

/// Spawns a task that stalls, and behind it those that must wait for it; gives the line of the latter.
async fn stall_with_bystanders(bystander: fn() -> JoinHandle<()>) {
    // The watchdog is awake by then.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let culprit = pollscope::spawn(async { sleeps() });
    let bystanders: Vec<_> = (0..BYSTANDERS).map(|_| bystander()).collect();
    culprit.await.unwrap();
    for bystander in bystanders {
        bystander.await.unwrap();
    }
}

/// The delay is about what that many tasks wait in all for a stall of that length.
fn assert_delay(stall: &Stall, count: f64) {
    let victims = stall.victims.as_ref().unwrap();
    let expected = count * stall.duration_ms;
    assert!(
        (victims.delay_ms - expected).abs() <= 0.2 * expected,
        "expected {expected} ms: {stall:#?}"
    );
}

/// Tasks of `pollscope::spawn` behind a stall are counted, with their delay and where they come from, without task hooks.
#[test]
fn measured_by_records() {
    for (name, builder) in [
        ("victims-current", current()),
        ("victims-hooked", current()),
    ] {
        let builder = scope().runtime(builder).name(name);
        let builder = if name == "victims-hooked" {
            builder
        } else {
            builder.without_task_hooks()
        };
        let runtime = builder.build().unwrap();
        let bystander = || pollscope::spawn(async {});
        let line = line!() - 1;
        runtime.block_on(stall_with_bystanders(bystander));
        let stall = close_of(name);
        let victims = stall.victims.as_ref().expect("victims");
        assert!(victims.measured, "{stall:#?}");
        assert_eq!(victims.count, BYSTANDERS as u64, "{stall:#?}");
        assert_delay(&stall, BYSTANDERS as f64);
        let [site] = &victims.sites[..] else {
            panic!("one site: {stall:#?}")
        };
        assert_eq!(site.count, BYSTANDERS as u64);
        let place = format!("tests/it/victims.rs:{line}:");
        assert!(site.spawned_at.contains(&place), "{site:?}");
    }
}

/// While a stall lasts, the tasks that wait for it are told already.
#[test]
fn told_while_it_lasts() {
    let name = "victims-open";
    let runtime = scope().runtime(current()).name(name).build().unwrap();
    runtime.block_on(stall_with_bystanders(|| pollscope::spawn(async {})));
    let events = closed(name);
    let told = events
        .iter()
        .filter(|stall| stall.phase != Phase::Close && stall.duration_ms < 250.0)
        .filter_map(|stall| stall.victims.as_ref())
        .any(|victims| victims.count == BYSTANDERS as u64 && victims.measured);
    assert!(told, "{events:#?}");
}

/// Every task's wait is measured where Tokio tells it; elsewhere the queues tell about how many waited.
#[cfg(tokio_unstable)]
#[test]
fn tasks_of_others() {
    let name = "victims-foreign";
    let runtime = scope().runtime(current()).name(name).build().unwrap();
    runtime.block_on(stall_with_bystanders(|| tokio::spawn(async {})));
    let stall = close_of(name);
    let victims = stall.victims.as_ref().expect("victims");
    assert_eq!(
        victims.measured,
        cfg!(feature = "schedule-latency"),
        "{stall:#?}"
    );
    // The root future's wake is no task's, so that the queue holds the bystanders alone.
    assert_eq!(victims.count, BYSTANDERS as u64, "{stall:#?}");
    assert_delay(&stall, BYSTANDERS as f64);
}

/// A stalled worker of several makes the tasks in its own queue wait until they are stolen, and nobody is charged twice.
#[test]
fn on_two_workers() {
    let name = "victims-multi";
    let runtime = scope().runtime(multi()).name(name).build().unwrap();
    runtime.block_on(async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Both workers stall, so that nobody can steal.
        let begun = Arc::new(AtomicUsize::new(0));
        let culprits = [(); 2].map(|()| {
            let begun = Arc::clone(&begun);
            pollscope::spawn(async move {
                begun.fetch_add(1, Ordering::Relaxed);
                sleeps()
            })
        });
        // Without a timer: nobody is left to drive those.
        while begun.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        let bystanders = [(); BYSTANDERS].map(|()| pollscope::spawn(async {}));
        for task in bystanders {
            task.await.unwrap();
        }
        for task in culprits {
            task.await.unwrap();
        }
    });
    closed(name);
    let closes = || {
        let events = scope().stalls().into_iter();
        events
            .filter(|stall| stall.runtime == name && stall.phase == Phase::Close)
            .filter_map(|stall| stall.victims.clone())
            .collect::<Vec<_>>()
    };
    let counted = |closes: &[pollscope::stall::Victims]| -> u64 {
        closes.iter().map(|victims| victims.count).sum()
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while counted(&closes()) < BYSTANDERS as u64 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    let closes = closes();
    assert!(closes.iter().all(|victims| victims.measured), "{closes:#?}");
    assert_eq!(counted(&closes), BYSTANDERS as u64, "{closes:#?}");
}
