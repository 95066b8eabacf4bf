//! Bad input and bad manners: they cost their sender the connection at most, and nobody else anything.

use crate::client::{Client, frame};
use crate::floor::{Floor, on_both};

/// Byte runs that are no FIX, not FIX 4.4, or FIX with the wrong things in it.
fn nonsense() -> Vec<Vec<u8>> {
    let header = "34=2|49=BAD|52=20261123-10:00:00|56=EXCHANGE|";
    let whole = |body: String| frame(&body.len().to_string(), &body);
    vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0; 100_000],
        vec![0xff; 5_000],
        b"8=FIX".repeat(5_000),
        b"8=FIX.4.4\x019=99999999999\x0135=0\x01".to_vec(),
        b"8=FIX.4.4\x019=8192\x0135=D\x01".to_vec(),
        frame("3", "35=0|34=1|"),
        frame("-1", "35=0|34=1|"),
        whole("35=D|34=99999999999999999999|".to_owned()),
        whole(format!("35=D|{header}11=|55=|54=|")),
        whole(format!("35=\u{1}|{header}")),
        whole(format!("34=2|35=D|{header}")),
        whole(format!("35=D|{header}{}", "1=1|".repeat(1_500))),
        whole(format!("35=D|{header}95=99999|96=x|")),
        whole(format!(
            "35=D|{header}11=a|55=X|54=1|38=1e308|40=2|44=NaN|60=20261123-10:00:00|"
        )),
        whole(format!("35=2|{header}7=999999999999|16=1|")),
        whole(format!("35=4|{header}36=0|")),
        whole(format!("35=4|{header}36=999999999999|")),
    ]
}

/// Whatever a stranger or a client sends, another session trades on.
#[test]
fn nonsense_hurts_nobody() {
    on_both(|| async {
        let floor = Floor::open().await;
        let mut honest = floor.logon("HONEST").await;
        for (index, bytes) in nonsense().iter().enumerate() {
            let mut stranger = Client::connect(floor.address, "BAD").await;
            stranger.send_raw(bytes).await;
            let mut member = floor.logon(&format!("BAD{index}")).await;
            member.send_raw(bytes).await;
            member.send_raw(&frame("5", "35=5|")).await;
            let name = format!("h{index}");
            honest.order(&name, 1, "1", "").await;
            honest.expect(&format!("11={name}|150=0")).await;
            honest.expect(&format!("11={name}|150=4")).await;
        }
        assert_eq!(floor.metric("exchange_book_orders").to_string(), "0");
        floor
            .wait_for("exchange_sessions_closed_total{reason=\"not_fix\"}", 5.0)
            .await;
        floor.close().await;
    });
}

/// Who is answered faster than it can be served is evicted, and its orders with it; the others trade on.
#[test]
fn slow_session_is_evicted() {
    on_both(|| async {
        let floor = Floor::open_with(|options| options.session_queue = 2).await;
        let mut maker = floor.logon("MAKER").await;
        for index in 0..400 {
            maker.order(&format!("m{index}"), 2, "1", "1").await;
            maker.expect("150=0").await;
        }
        let mut taker = floor.logon("TAKER").await;
        // One order makes 400 reports at once, far more than a queue of two can take.
        taker.order("t", 1, "400", "").await;
        let last = taker.expect_end().await;
        assert!(
            last.is_none_or(|last| !last.contains("|14=400|")),
            "not the whole story"
        );
        floor
            .wait_for(
                "exchange_sessions_closed_total{reason=\"slow_consumer\"}",
                1.0,
            )
            .await;
        floor
            .wait_for("exchange_evictions_total{reason=\"session_queue\"}", 1.0)
            .await;
        let mut other = floor.logon("OTHER").await;
        other.order("o", 1, "1", "5").await;
        other.expect("11=o|150=0").await;
        floor.close().await;
    });
}

/// Connections above the limit are turned away; a place that falls free can be taken.
#[test]
fn connection_limit() {
    on_both(|| async {
        let floor = Floor::open_with(|options| options.sessions_max = 1).await;
        let first = floor.logon("A").await;
        let mut second = Client::connect(floor.address, "B").await;
        assert_eq!(second.receive().await, None);
        assert_eq!(
            floor
                .metric("exchange_evictions_total{reason=\"too_many_sessions\"}")
                .to_string(),
            "1"
        );
        drop(first);
        floor
            .wait_for(
                "exchange_sessions_closed_total{reason=\"disconnected\"}",
                1.0,
            )
            .await;
        while floor.metric("exchange_sessions") > 0.0 {
            tokio::task::yield_now().await;
        }
        floor.close().await;
    });
}

/// A client that asks for everything again and again without reading holds no more than its own place, and is served when it reads.
#[test]
fn resend_flood() {
    on_both(|| async {
        let floor = Floor::open().await;
        let mut greedy = floor.logon("GREEDY").await;
        for index in 0..100 {
            greedy.order(&format!("g{index}"), 1, "1", "1").await;
            greedy.expect("150=0").await;
        }
        let mut flood = Vec::new();
        for _ in 0..50 {
            flood.extend(greedy.message("35=2|7=1|16=0"));
        }
        greedy.send_raw(&flood).await;
        let mut honest = floor.logon("HONEST").await;
        honest.order("h", 2, "1", "1").await;
        honest.expect("11=h|150=0").await;
        honest.expect("11=h|150=F").await;
        // Each request brings all hundred again, in order.
        let mut repeats = 0;
        while repeats < 50 * 100 {
            let message = greedy.expect("49=EXCHANGE").await;
            if message.contains("|43=Y|") && message.contains("|150=0|") {
                let name = format!("|11=g{}|", repeats % 100);
                assert!(message.contains(&name), "expected {name} in {message}");
                repeats += 1;
            }
        }
        floor.close().await;
    });
}
