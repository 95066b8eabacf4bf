//! Who waited for a real stall, and how long.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Poll, Waker};
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

/// Stalls in its first poll, having told its waker, and ends with its second.
fn stalls_once(told: Sender<Waker>) -> impl Future<Output = ()> + Send {
    let mut polls = 0;
    poll_fn(move |context| {
        polls += 1;
        if polls > 1 {
            return Poll::Ready(());
        }
        told.send(context.waker().clone()).unwrap();
        sleeps();
        Poll::Pending
    })
}

/// A stalled worker of several makes the tasks in its own queue wait until they are stolen, and nobody is charged twice. Those who
/// stall are nobody's victims, though they are woken meanwhile.
#[test]
fn on_two_workers() {
    let name = "victims-multi";
    let runtime = scope().runtime(multi()).name(name).build().unwrap();
    runtime.block_on(async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Both workers stall, so that nobody can steal.
        let (told, wakers) = channel();
        let culprits = [(); 2].map(|()| pollscope::spawn(stalls_once(told.clone())));
        // Without a timer: nobody is left to drive those.
        let mut begun = Vec::new();
        while begun.len() < 2 {
            begun.extend(wakers.try_recv());
            tokio::task::yield_now().await;
        }
        let bystanders = [(); BYSTANDERS].map(|()| pollscope::spawn(async {}));
        begun.into_iter().for_each(Waker::wake);
        for task in bystanders {
            task.await.unwrap();
        }
        for task in culprits {
            task.await.unwrap();
        }
    });
    closed(name);
    let victims_of = |is_asked: fn(Phase) -> bool| {
        let events = scope().stalls().into_iter();
        events
            .filter(|stall| stall.runtime == name && is_asked(stall.phase))
            .filter_map(|stall| stall.victims.clone())
            .collect::<Vec<_>>()
    };
    let closes = || victims_of(|phase| phase == Phase::Close);
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
    let while_they_last = victims_of(|phase| phase != Phase::Close);
    let is_in_bounds = |victims: &pollscope::stall::Victims| victims.count <= BYSTANDERS as u64;
    assert!(
        while_they_last.iter().all(is_in_bounds),
        "{while_they_last:#?}"
    );
}
