//! How connections, rooms and the server itself end.

use std::time::Duration;

use chat::Patience;

use crate::harness::{Client, Server, has, on_both_runtimes};

/// Shutdown tells every client, registered or not, ends within its time, and leaves nothing behind.
#[test]
fn shutdown_drains() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut clients = Vec::new();
        for number in 0..20 {
            let mut client = Client::register(&server, &format!("n{number}")).await;
            client.send("JOIN #all").await;
            clients.push(client);
        }
        clients.push(Client::connect(&server).await);
        server.wait_for_metric("chat_connections 21").await;
        server.wait_for_metric("chat_rooms 1").await;
        let registry = server.stop().await;
        for mut client in clients {
            let lines = client.rest().await;
            assert_eq!(lines.last().unwrap(), "ERROR :Server shutting down");
            assert!(lines.iter().all(|line| !line.contains(" QUIT ")));
        }
        for line in [
            "chat_connections 0",
            "chat_clients 0",
            "chat_rooms 0",
            "chat_connections_closed_total{reason=\"shutdown\"} 21",
            "chat_connections_closed_total{reason=\"panic\"} 0",
        ] {
            assert!(has(&registry, line), "{line}\n{}", registry.render());
        }
    });
}

/// A client that never registers is cut, also when it keeps talking.
#[test]
fn the_unregistered_are_cut() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| {
            options.patience.registration = Duration::from_millis(100);
        })
        .await;
        let mut silent = Client::connect(&server).await;
        let mut talking = Client::connect(&server).await;
        talking.send("NICK half").await;
        for client in [&mut silent, &mut talking] {
            client
                .expect("ERROR :Closing link: Registration timeout")
                .await;
            assert_eq!(client.line().await, None);
        }
        server
            .wait_for_metric("chat_connections_closed_total{reason=\"registration_timeout\"} 2")
            .await;
        // The claimed nickname is free again.
        let mut other = Client::connect(&server).await;
        other.enter("half").await;
        server.stop().await;
    });
}

/// A silent client is asked; who answers stays, who does not is cut and the room is told.
#[test]
fn the_silent_are_asked() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| {
            options.patience = Patience {
                registration: Duration::from_secs(60),
                ping_after: Duration::from_millis(100),
                pong_within: Duration::from_secs(1),
            };
        })
        .await;
        let mut awake = Client::register(&server, "awake").await;
        let mut asleep = Client::register(&server, "asleep").await;
        awake.join("#r").await;
        asleep.join("#r").await;
        asleep.wait_for("PING :irc.test").await;
        loop {
            let line = awake.line().await.expect("the one that answers stays");
            if line == "PING :irc.test" {
                awake.send("PONG :irc.test").await;
            }
            if line.contains(" QUIT ") {
                assert_eq!(line, ":asleep!asleep@127.0.0.1 QUIT :Ping timeout");
                break;
            }
        }
        asleep.expect("ERROR :Closing link: Ping timeout").await;
        server
            .wait_for_metric("chat_connections_closed_total{reason=\"ping_timeout\"} 1")
            .await;
        server.stop().await;
    });
}

/// An empty room ends after its linger and can be opened again, without its topic.
#[test]
fn empty_rooms_end() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| {
            options.room_linger = Duration::from_millis(20);
        })
        .await;
        let mut client = Client::register(&server, "me").await;
        client.join("#r").await;
        client.send("TOPIC #r :x\r\nPART #r").await;
        server.wait_for_metric("chat_rooms 0").await;
        client.wait_for(" PART #r").await;
        client.send("TOPIC #r").await;
        client.expect(":irc.test 403 me #r :No such channel").await;
        client.send("JOIN #r\r\nTOPIC #r").await;
        client.wait_for(" 366 me #r ").await;
        client.wait_for(" 331 me #r ").await;
        // Leaving and joining while rooms end must always give a room.
        for _ in 0..200 {
            client.send("PART #r").await;
            client.wait_for(" PART #r").await;
            client.join("#r").await;
        }
        server.stop().await;
    });
}
