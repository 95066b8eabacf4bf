//! Every profile of the chat load against the null server: whoever offers nothing wrong must find nothing wrong.

#![expect(clippy::unwrap_used, reason = "a server that fails must fail the test")]

use std::future::{pending, ready};
use std::net::SocketAddr;
use std::time::Duration;

use load::Report;
use load::chat::{ChatPlan, Part, Profile, run, run_part};
use load::null;
use load::schedule::{Burst, Distribution};
use tokio::net::TcpListener;
use tokio::sync::Notify;

async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(null::serve(listener, None));
    address
}

/// Forty clients in rooms of ten, for about a second.
fn plan(address: SocketAddr, profile: Profile) -> ChatPlan {
    ChatPlan {
        clients: 40,
        room_size: 10,
        profile,
        rate_per_s: 200.0,
        duration: Duration::from_secs(1),
        ..ChatPlan::new(address)
    }
}

fn is_clean(report: &Report) {
    let counts = (
        report.lost,
        report.duplicated,
        report.reordered,
        report.errors,
    );
    assert_eq!(counts, (0, 0, 0, 0), "{report:?}");
}

/// Goal: with a perfect service no profile finds anything missing, doubled, disordered or wrong.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_where_nothing_is() {
    let address = serve().await;
    for profile in Profile::ALL {
        let report = run(plan(address, profile), pending(), |_| {})
            .await
            .unwrap();
        is_clean(&report);
        assert_eq!(report.profile, profile.name());
        assert_eq!(report.clients, 40);
        assert!(report.received > 0 && report.sent > 0, "{report:?}");
        match profile {
            Profile::Rooms => assert_eq!(report.received, report.sent * 9),
            Profile::Idle => assert_eq!(report.received, report.sent),
            Profile::Storm | Profile::Reconnect => {
                assert_eq!((report.sent, report.received), (40, 40), "{report:?}");
            }
            Profile::Slow | Profile::Dead => {
                assert_eq!(report.apart.as_ref().unwrap().clients, 1);
            }
            Profile::Churn => {
                let apart = report.apart.as_ref().unwrap();
                assert!(
                    apart.response_ms.count > 0 && apart.clients == 4,
                    "{report:?}"
                );
            }
            _ => assert!(report.apart.is_none()),
        }
    }
}

/// Goal: a burst is offered as it was planned, and the warm-up is sent but not counted.
#[tokio::test(flavor = "multi_thread")]
async fn burst_and_warm_up() {
    let burst = Burst {
        begin: Duration::from_millis(1200),
        duration: Duration::from_millis(200),
        factor: 5.0,
    };
    let plan = ChatPlan {
        warm_up: Duration::from_secs(1),
        distribution: Distribution::Constant,
        burst: Some(burst),
        ..plan(serve().await, Profile::Idle)
    };
    let report = run(plan, pending(), |_| {}).await.unwrap();
    is_clean(&report);
    // 200 in the warm-up, then 200 and four times 40 more.
    assert_eq!((report.sent, report.response_ms.count), (560, 360));
    assert!((report.offered_per_s - 360.0).abs() < 1.0, "{report:?}");
    assert!(report.seconds.len() >= 2 && report.seconds[0].at_s == 0);
    let mut log = Vec::new();
    report.write_interval_log(&mut log).unwrap();
    let log = String::from_utf8(log).unwrap();
    let lines = log.lines().filter(|line| !line.starts_with(['#', '"']));
    assert_eq!(lines.count(), report.seconds.len(), "{log}");
}

/// Goal: several processes wait for one another, and their accounts make the report that one would have made.
#[tokio::test(flavor = "multi_thread")]
async fn parts_make_one_report() {
    let whole = plan(serve().await, Profile::Rooms);
    let part = |index| ChatPlan {
        part: Part::new(index, 2, 77),
        ..whole.clone()
    };
    let go = Notify::new();
    let all_in = |progress: &load::Progress| {
        if progress.connected == progress.clients {
            go.notify_one();
        }
    };
    let first = run_part(part(0), go.notified(), pending(), |_| {});
    let second = run_part(part(1), ready(()), pending(), all_in);
    let (first, second) = tokio::join!(first, second);
    let mut account = first.unwrap();
    account.add(&second.unwrap());
    let report = whole
        .report(&account, None, std::time::SystemTime::now())
        .unwrap();
    is_clean(&report);
    assert_eq!(report.clients, 40);
    assert_eq!(report.generator.processes, 2);
    assert_eq!(report.received, report.sent * 9, "{report:?}");
    let alone = run(whole, pending(), |_| {}).await.unwrap();
    assert_eq!(
        (report.schedule_hash, report.sent),
        (alone.schedule_hash, alone.sent)
    );
}
