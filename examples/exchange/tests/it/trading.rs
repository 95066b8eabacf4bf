//! Orders over sockets: rest, fill, cancel, refuse.

use crate::floor::{Floor, on_both};

/// Two clients trade; the maker's rest is cancelled, once; both leave in order.
#[test]
fn fill_and_cancel() {
    on_both(|| async {
        let floor = Floor::open().await;
        let mut maker = floor.logon("MAKER").await;
        let mut taker = floor.logon("TAKER").await;
        maker.order("m1", 2, "100", "10.25").await;
        maker
            .expect("35=8|11=m1|150=0|39=0|151=100|14=0|44=10.2500")
            .await;
        taker.order("t1", 1, "30", "11").await;
        taker.expect("35=8|11=t1|150=0|39=0").await;
        taker
            .expect("35=8|11=t1|150=F|39=2|32=30|31=10.2500|6=10.2500|151=0")
            .await;
        maker
            .expect("35=8|11=m1|150=F|39=1|32=30|14=30|151=70")
            .await;
        maker.cancel("c1", "m1", 2).await;
        maker
            .expect("35=8|11=c1|41=m1|150=4|39=4|14=30|151=0")
            .await;
        maker.cancel("c2", "m1", 2).await;
        maker.expect("35=9|11=c2|41=m1|434=1|102=1|39=8").await;
        taker.order("t2", 1, "5", "").await;
        taker.expect("11=t2|150=0").await;
        taker.expect("11=t2|150=4|39=4|151=0").await;
        for client in [&mut maker, &mut taker] {
            client.send("35=5").await;
            client.expect("35=5").await;
            assert_eq!(client.receive().await, None);
        }
        floor
            .wait_for("exchange_sessions_closed_total{reason=\"logout\"}", 2.0)
            .await;
        assert_eq!(floor.metric("exchange_trades_total").to_string(), "1");
        assert_eq!(
            floor.metric("exchange_traded_quantity_total").to_string(),
            "30"
        );
        assert_eq!(
            floor.metric("exchange_order_ack_seconds_count").to_string(),
            "5"
        );
        floor.close().await;
    });
}

/// Orders that cannot be taken are refused with a reason, and the book stays empty.
#[test]
fn refusals_leave_the_book_alone() {
    on_both(|| async {
        let floor = Floor::open_with(|options| options.limits.symbols = 1).await;
        let mut client = floor.logon("A").await;
        for (price, code) in [
            ("1.00001", "99"),
            ("-1", "99"),
            ("0", "99"),
            ("99999999999999999999999", "3"),
        ] {
            client.order("bad", 2, "5", price).await;
            client
                .expect(&format!("35=8|11=bad|150=8|39=8|103={code}|37=NONE"))
                .await;
        }
        client.order("bad", 2, "0", "1").await;
        client.expect("35=8|150=8|103=13").await;
        client.order("bad", 2, "5", "ten").await;
        client.expect("35=3|371=44|372=D|373=6").await;
        client.send("35=D|11=x").await;
        client.expect("35=3|371=55|373=1").await;
        client.send("35=G|11=x").await;
        client.expect("35=j|372=G|380=3").await;
        client.order("any", 1, "5", "").await;
        client.expect("11=any|150=0").await;
        client.expect("11=any|150=4|14=0").await;
        client
            .send("35=D|11=y|55=OTHER|54=1|38=1|40=1|60=20261123-10:00:00")
            .await;
        client.expect("35=8|11=y|150=8|103=1").await;
        assert_eq!(floor.metric("exchange_book_orders").to_string(), "0");
        floor.close().await;
    });
}

/// A client that goes without a word takes its orders with it.
#[test]
fn cancel_on_disconnect() {
    on_both(|| async {
        let floor = Floor::open().await;
        let mut maker = floor.logon("MAKER").await;
        maker.order("m", 2, "100", "10").await;
        maker.expect("150=0").await;
        drop(maker);
        floor
            .wait_for(
                "exchange_sessions_closed_total{reason=\"disconnected\"}",
                1.0,
            )
            .await;
        let mut taker = floor.logon("TAKER").await;
        taker.order("t", 1, "100", "").await;
        taker.expect("150=0").await;
        taker.expect("150=4|14=0").await;
        floor.close().await;
    });
}

/// Orders sent before a Logout are answered before it, however closely it follows.
#[test]
fn logout_waits_for_answers() {
    on_both(|| async {
        let floor = Floor::open().await;
        let mut client = floor.logon("A").await;
        let mut burst = Vec::new();
        let time = "60=20261123-10:00:00";
        for index in 0..100 {
            burst.extend(client.message(&format!("35=D|11=o{index}|55=X|54=1|38=1|40=1|{time}")));
        }
        burst.extend(client.message("35=5"));
        client.send_raw(&burst).await;
        for index in 0..100 {
            client.expect(&format!("11=o{index}|150=0")).await;
            client.expect(&format!("11=o{index}|150=4")).await;
        }
        client.expect("35=5").await;
        assert_eq!(client.receive().await, None);
        floor.close().await;
    });
}
