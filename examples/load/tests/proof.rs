//! The generator measured against what theory says: the figures it reports are those that its users would have felt.
//!
//! That a process which stands still is reported as theory says is tested with the command line, which has processes to stop.

#![expect(clippy::unwrap_used, reason = "a server that fails must fail the test")]

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use load::chat::{ChatPlan, Profile, run};
use load::null;
use load::schedule::{Distribution, Pacing, Schedule};
use tokio::net::TcpListener;

async fn serve(service_time: Option<Duration>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(null::serve(listener, service_time));
    address
}

fn signs_of_life(address: SocketAddr) -> ChatPlan {
    ChatPlan {
        clients: 20,
        room_size: 20,
        profile: Profile::Idle,
        ..ChatPlan::new(address)
    }
}

/// How late a thread that only sleeps was woken at worst meanwhile: what a crowded machine adds to every figure.
struct Crowd {
    stop: Arc<AtomicBool>,
    late: thread::JoinHandle<Duration>,
}

impl Crowd {
    #[expect(clippy::disallowed_methods, reason = "a thread of its own")]
    fn watch() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let late = thread::spawn(move || {
            let mut late = Duration::ZERO;
            while !is_over.load(Ordering::Relaxed) {
                let nap = Duration::from_millis(5);
                let began = Instant::now();
                thread::sleep(nap);
                late = late.max(began.elapsed().saturating_sub(nap));
            }
            late
        });
        Self { stop, late }
    }

    /// The worst lateness in milliseconds beyond what a quiet machine has.
    #[expect(clippy::disallowed_methods, reason = "the thread ends within 5 ms")]
    fn late_ms(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        let late = self.late.join().unwrap().as_secs_f64() * 1e3;
        (late - QUIET_LATE_MS).max(0.0)
    }
}

/// Lateness of a sleeper that says nothing about a machine.
const QUIET_LATE_MS: f64 = 2.0;

/// A machine that is late by so much at worst may be late on the way there, in the queue and on the way back.
const LATENESS_FACTOR: f64 = 3.0;

/// Goal: in a single queue of fixed service time at 80 % load, the mean response time is the one that the schedule causes by
/// arithmetic (Lindley's recursion), within 5 % on a machine that does nothing else. That the schedule itself causes what theory says is tested beside it.
#[tokio::test(flavor = "multi_thread")]
async fn single_queue_waits_as_in_theory() {
    let service = Duration::from_millis(8);
    let plan = ChatPlan {
        rate_per_s: 100.0,
        duration: Duration::from_secs(15),
        seed: 4,
        ..signs_of_life(serve(Some(service)).await)
    };
    let schedule = Schedule::new(
        plan.rate_per_s,
        plan.duration,
        plan.seed,
        Distribution::Poisson,
    )
    .unwrap();
    let (mut free_at, mut total) = (0.0_f64, 0.0);
    for intended in schedule.intended_ns() {
        let arrival = *intended as f64 / 1e6;
        free_at = free_at.max(arrival) + service.as_secs_f64() * 1e3;
        total += free_at - arrival;
    }
    let expected_ms = total / schedule.intended_ns().len() as f64;
    let crowd = Crowd::watch();
    let report = run(plan, pending(), |_| {}).await.unwrap();
    let crowd_ms = LATENESS_FACTOR * crowd.late_ms();
    assert_eq!((report.lost, report.errors), (0, 0), "{report:?}");
    let measured_ms = report.response_ms.mean.unwrap();
    // Whatever else runs can only add to what is waited.
    assert!(
        measured_ms > 0.95 * expected_ms && measured_ms < 1.05 * expected_ms + crowd_ms,
        "measured {measured_ms} ms, expected {expected_ms} ms, crowd {crowd_ms} ms: {report:?}"
    );
}

/// Goal: above what a service can bear the report says so, whatever its percentiles are.
#[tokio::test(flavor = "multi_thread")]
async fn overload_is_said() {
    let plan = ChatPlan {
        rate_per_s: 200.0,
        duration: Duration::from_secs(2),
        distribution: Distribution::Constant,
        ..signs_of_life(serve(Some(Duration::from_millis(10))).await)
    };
    let report = run(plan, pending(), |_| {}).await.unwrap();
    assert_ne!(report.stamp, load::stamp::Stamp::Ok, "{report:?}");
    assert!(report.achieved_per_s < 110.0, "{report:?}");
}

/// Goal: the same overload seen by a closed loop looks like a fast service, which is why a closed loop is no measurement: each
/// message waits for the one before, so none waits in the queue.
#[tokio::test(flavor = "multi_thread")]
async fn closed_loop_hides_overload() {
    let service_ms = 10.0;
    let address = serve(Some(Duration::from_millis(10))).await;
    let plan = |pacing| ChatPlan {
        rate_per_s: 200.0,
        duration: Duration::from_secs(2),
        distribution: Distribution::Constant,
        pacing,
        ..signs_of_life(address)
    };
    let open = run(plan(Pacing::Open), pending(), |_| {}).await.unwrap();
    let closed = run(plan(Pacing::Closed), pending(), |_| {}).await.unwrap();
    assert!(closed.closed_loop && !open.closed_loop);
    // Half of what was offered could be served, so the last open message waits as long as the whole run.
    assert!(open.response_ms.max.unwrap() > 1_500.0, "{open:?}");
    assert!(
        closed.response_ms.p50.unwrap() < 3.0 * service_ms,
        "{closed:?}"
    );
    assert!(closed.sent < open.sent * 6 / 10, "{closed:?}");
}

/// Goal: the floor under every measurement can be measured: some microseconds, and thousands of messages a second.
#[tokio::test(flavor = "multi_thread")]
async fn floor_is_measured() {
    let floor = null::floor(serve(None).await).await.unwrap();
    assert!(
        floor.p50_ms > 0.0 && floor.p50_ms <= floor.p99_ms,
        "{floor:?}"
    );
    assert!(floor.ceiling_per_s > 1_000.0, "{floor:?}");
}
