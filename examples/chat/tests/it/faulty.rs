//! The faults that act in this service: what they change, and that nothing is left when they are off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use faults::{Exposition, Fault, Plan, Settings};

use crate::harness::{Client, Server, on_both_runtimes};

/// How long a fault may take to show; generous, machines are slow.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// Faults that act without blocking a thread show in the metric that each declares, as soon as people talk; when they are off
/// the room works as before.
#[test]
fn faults_show_in_their_metrics() {
    on_both_runtimes(|| async {
        for name in [
            "lock-across-await",
            "await-in-fanout",
            "panic-detached",
            "reconnect-storm",
        ] {
            shows(name).await;
        }
    });
}

async fn shows(name: &str) {
    let plan = Arc::new(Plan::new("chat", chat::POINTS));
    let server = Server::with(|options| options.faults = Arc::clone(&plan)).await;
    let mut clients = Vec::new();
    for number in 0..6 {
        let mut client = Client::register(&server, &format!("n{number}")).await;
        client.join("#r").await;
        clients.push(client);
    }
    let finding = &Fault::named(name).unwrap().finding;
    let (before, began) = (server.page(), Instant::now());
    plan.on(name, Settings::default()).unwrap();
    let is_shown = || {
        let (before, now) = (Exposition::new(&before), server.page());
        let shown = finding.shown_by(before, Exposition::new(&now), began.elapsed());
        shown.is_some()
    };
    while !is_shown() {
        assert!(began.elapsed() < PATIENCE, "{name}\n{}", server.page());
        for client in &mut clients {
            // Some faults end connections: that is what is to be shown.
            client.says("PRIVMSG #r :hello").await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    plan.off(name).unwrap();
    let mut late = Client::register(&server, "late").await;
    let mut later = Client::register(&server, "later").await;
    late.join("#r").await;
    later.join("#r").await;
    later.send("PRIVMSG #r :all is well").await;
    late.wait_for(" PRIVMSG #r :all is well").await;
    server.stop().await;
}

/// A connection that panics takes no other with it, and its nickname and its place in the room are free again.
#[test]
fn a_panic_takes_one_connection() {
    on_both_runtimes(|| async {
        let plan = Arc::new(Plan::new("chat", chat::POINTS));
        let server = Server::with(|options| options.faults = Arc::clone(&plan)).await;
        let mut unlucky = Client::register(&server, "unlucky").await;
        unlucky.join("#r").await;
        plan.on("panic-detached", Settings::default()).unwrap();
        while unlucky.line().await.is_some() {}
        let mut other = Client::register(&server, "unlucky").await;
        other.join("#r").await;
        server
            .wait_for_metric("chat_connections_closed_total{reason=\"panic\"} 1")
            .await;
        server.wait_for_metric("chat_clients 1").await;
        other.expect_nothing().await;
        server.stop().await;
    });
}

/// A storm tells every client why, and lets all of them come back.
#[test]
fn a_storm_lets_everybody_come_back() {
    on_both_runtimes(|| async {
        let plan = Arc::new(Plan::new("chat", chat::POINTS));
        let server = Server::with(|options| options.faults = Arc::clone(&plan)).await;
        let mut clients = Vec::new();
        for number in 0..10 {
            clients.push(Client::register(&server, &format!("n{number}")).await);
        }
        plan.on("reconnect-storm", Settings::default()).unwrap();
        for client in &mut clients {
            client.expect("ERROR :Closing link: Connection reset").await;
            assert_eq!(client.line().await, None);
        }
        drop(clients);
        plan.off("reconnect-storm").unwrap();
        server.wait_for_metric("chat_connections 0").await;
        for number in 0..10 {
            Client::register(&server, &format!("n{number}")).await;
        }
        server
            .wait_for_metric("chat_connections_opened_total 20")
            .await;
        server.stop().await;
    });
}

/// A timer storm wakes every connection and nobody notices; when it is off nothing ticks any more.
#[test]
fn a_timer_storm_ends() {
    on_both_runtimes(|| async {
        let plan = Arc::new(Plan::new("chat", chat::POINTS));
        let server = Server::with(|options| options.faults = Arc::clone(&plan)).await;
        let mut clients = Vec::new();
        for number in 0..5 {
            clients.push(Client::register(&server, &format!("n{number}")).await);
        }
        let status = || {
            let mut status = plan.status();
            status.retain(|status| status.fault.name == "timer-storm");
            status.remove(0)
        };
        plan.on("timer-storm", Settings::default()).unwrap();
        while status().fired < 100 {
            clients[0].expect_nothing().await;
        }
        assert_eq!(status().leaked, 5);
        plan.off("timer-storm").unwrap();
        while status().leaked > 0 {
            clients[0].expect_nothing().await;
        }
        server.stop().await;
    });
}
