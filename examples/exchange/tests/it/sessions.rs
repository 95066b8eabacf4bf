//! The session layer over sockets: heartbeats, gaps, coming back, closing down.

use crate::client::Client;
use crate::floor::{Floor, on_both};

/// A TestRequest is answered; a silent client is tested, then logged out.
#[test]
fn heartbeats() {
    on_both(|| async {
        let floor = Floor::open().await;
        let mut client = Client::connect(floor.address, "A").await;
        client.send("35=A|98=0|108=1").await;
        client.expect("35=A|108=1").await;
        client.send("35=1|112=are you there").await;
        client.expect("35=0|112=are you there").await;
        let mut kinds = String::new();
        while let Some(message) = client.receive().await {
            let at = message.find("|35=").unwrap() + 4;
            kinds.push_str(&message[at..=at]);
        }
        assert!(
            kinds.starts_with("01"),
            "heartbeat, then TestRequest: {kinds}"
        );
        assert!(kinds.ends_with('5'), "then Logout: {kinds}");
        floor
            .wait_for(
                "exchange_sessions_closed_total{reason=\"heartbeat_timeout\"}",
                1.0,
            )
            .await;
        floor.close().await;
    });
}

/// A garbled message is skipped and counted; the gap it leaves is asked for, filled, and the order comes through once.
#[test]
fn garbled_then_filled() {
    on_both(|| async {
        let floor = Floor::open().await;
        let mut client = floor.logon("A").await;
        let mut garbled = client.message("35=0");
        let at = garbled.len() - 3;
        garbled[at] ^= 1;
        client.send_raw(&garbled).await;
        client.order("a", 1, "1", "1").await;
        client.expect("35=2|7=2|16=0").await;
        client.next = 2;
        client.send("35=4|43=Y|123=Y|36=3").await;
        client.order("a", 1, "1", "1").await;
        client.expect("35=8|11=a|150=0").await;
        assert_eq!(
            floor
                .metric("exchange_fix_garbled_total{reason=\"checksum\"}")
                .to_string(),
            "1"
        );
        assert_eq!(
            floor.metric("exchange_fix_sequence_gaps_total").to_string(),
            "1"
        );
        floor.close().await;
    });
}

/// A client that comes back goes on counting and can have its reports again; only one connection has a name.
#[test]
fn reconnect_and_resend() {
    on_both(|| async {
        let floor = Floor::open().await;
        let mut first = floor.logon("A").await;
        let mut second = Client::connect(floor.address, "A").await;
        second.send("35=A|98=0|108=30").await;
        second
            .expect("35=5|58=this SenderCompID is logged on already")
            .await;
        assert_eq!(second.receive().await, None);

        first.order("a", 1, "1", "1").await;
        first.expect("34=2|11=a|150=0").await;
        let next = first.next;
        drop(first);
        floor
            .wait_for(
                "exchange_sessions_closed_total{reason=\"disconnected\"}",
                1.0,
            )
            .await;

        let mut back = Client::connect(floor.address, "A").await;
        back.next = next;
        back.send("35=A|98=0|108=30").await;
        back.expect("35=A|34=3").await;
        back.send("35=2|7=1|16=0").await;
        back.expect("35=4|34=1|43=Y|36=2|123=Y").await;
        back.expect("35=8|34=2|43=Y|11=a|150=0").await;
        back.expect("35=4|34=3|43=Y|36=4|123=Y").await;
        floor.close().await;
    });
}

/// At shutdown every session hears Logout, and the exchange waits for the answer; the port is free after that.
#[test]
fn shutdown() {
    on_both(|| async {
        let floor = Floor::open().await;
        let address = floor.address;
        let mut client = floor.logon("A").await;
        let mut stranger = Client::connect(address, "B").await;
        let polite = tokio::spawn(async move {
            client.expect("35=5|58=the exchange is closing").await;
            client.send("35=5").await;
            client.receive().await
        });
        // The stranger must be inside, or closing the listener resets it.
        floor.wait_for("exchange_sessions", 2.0).await;
        floor.close().await;
        assert_eq!(polite.await.unwrap(), None);
        assert_eq!(stranger.receive().await, None);
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    });
}
