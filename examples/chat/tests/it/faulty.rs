//! The faults that act in this service: what they change, and that nothing is left when they are off.

use std::sync::Arc;
use std::time::Duration;

use faults::{Plan, Settings};

use crate::harness::{Client, Server, on_both_runtimes};

/// With `unbounded-queue` on, a reader that stops is not evicted: its queue grows past the bound and is counted.
#[test]
fn an_unbounded_queue_grows() {
    on_both_runtimes(|| async {
        let plan = Arc::new(Plan::new("chat", chat::POINTS));
        plan.on("unbounded-queue", Settings::default()).unwrap();
        let server = Server::with(|options| {
            options.faults = Arc::clone(&plan);
            options.send_limits.messages = 100;
            options.drain = Duration::from_millis(100);
        })
        .await;
        let mut talker = Client::register(&server, "talker").await;
        let mut slow = Client::connect_narrow(&server).await;
        slow.enter("slow").await;
        slow.join("#r").await;
        talker.join("#r").await;
        let line = format!("PRIVMSG #r :{}\r\n", "x".repeat(400));
        let burst = line.repeat(500);
        while server.metric("chat_sendq_messages_max") < 1000.0 {
            talker.send_bytes(burst.as_bytes()).await;
            talker.expect_nothing().await;
        }
        assert!(server.metric("chat_sendq_overflow_total") > 0.0);
        assert_eq!(server.metric("chat_clients"), 2.0);
        plan.off("unbounded-queue").unwrap();
        talker.send(&line.repeat(2)).await;
        talker
            .wait_for(":slow!slow@127.0.0.1 QUIT :SendQ exceeded")
            .await;
        server.wait_for_metric("chat_sendq_messages 0").await;
        server.stop().await;
    });
}
