//! What a server asks of its clients and what the rooms ask of their members, through real sockets.

use std::sync::Arc;

use chat::{CaseMapping, Options, Password};
use pollscope::metrics::Registry;

use crate::harness::{Client, Server, on_both_runtimes};

/// A server with a password lets in who knows it; who does not is told, cut and counted.
#[test]
fn a_password_is_asked_for() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| options.password = Some(Password::new("word"))).await;
        let mut stranger = Client::connect(&server).await;
        stranger
            .send("PASS wrong\r\nNICK me\r\nUSER me 0 * :Me")
            .await;
        assert_eq!(
            stranger.rest().await,
            [
                ":irc.test 464 me :Password incorrect",
                "ERROR :Closing link: Bad password"
            ]
        );
        server
            .wait_for_metric("chat_connections_closed_total{reason=\"bad_password\"} 1")
            .await;
        let mut friend = Client::connect(&server).await;
        friend.send("PASS word").await;
        friend.enter("me").await;
        server.wait_for_metric("chat_clients 1").await;
        server.stop().await;
    });
}

/// The message of the day comes from a file; without the file the server does not start and says why.
#[test]
fn the_message_of_the_day_is_shown() {
    on_both_runtimes(|| async {
        let file = std::env::temp_dir().join(format!("chat-motd-{}", std::process::id()));
        tokio::fs::write(&file, "Be kind.\nThat is all.\n")
            .await
            .unwrap();
        let server = Server::with(|options| options.motd_file = Some(file.clone())).await;
        let mut client = Client::connect(&server).await;
        client.send("NICK me\r\nUSER me 0 * :Me").await;
        client.wait_for(" 375 me ").await;
        client.expect(":irc.test 372 me :- Be kind.").await;
        client.expect(":irc.test 372 me :- That is all.").await;
        client.expect(":irc.test 376 me :End of MOTD command").await;
        client.send("MOTD").await;
        client.wait_for(" 376 me ").await;
        server.stop().await;
        tokio::fs::remove_file(&file).await.unwrap();

        let plan = Arc::new(faults::Plan::new("chat", chat::POINTS));
        let mut options = Options::new(Registry::new(), plan);
        options.motd_file = Some(file.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = chat::run(listener, options, std::future::pending()).await;
        let text = error.unwrap_err().to_string();
        assert!(
            text.starts_with("cannot read the message of the day from "),
            "{text}"
        );
    });
}

/// The case mapping that is announced is the one that is used.
#[test]
fn the_case_mapping_is_a_choice() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| options.case_mapping = CaseMapping::Ascii).await;
        let mut one = Client::connect(&server).await;
        one.send("NICK a[\r\nUSER u 0 * :U").await;
        one.wait_for(" CASEMAPPING=ascii ").await;
        let mut other = Client::register(&server, "a{").await;
        other.send("NICK A[").await;
        other.wait_for(" 433 a{ A[ ").await;
        server.stop().await;
    });
}

/// An operator throws somebody out: both see it, the one who is out cannot talk, and can come back where nobody minds.
#[test]
fn people_are_thrown_out() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut alice = Client::register(&server, "alice").await;
        let mut bob = Client::register(&server, "bob").await;
        alice.join("#r").await;
        bob.join("#r").await;
        alice.wait_for(":bob!bob@127.0.0.1 JOIN #r").await;
        alice.send("KICK #r bob :enough").await;
        for client in [&mut alice, &mut bob] {
            client
                .expect(":alice!alice@127.0.0.1 KICK #r bob :enough")
                .await;
        }
        bob.send("PRIVMSG #r :but").await;
        bob.expect(":irc.test 404 bob #r :Cannot send to channel")
            .await;
        bob.send("PART #r").await;
        bob.expect(":irc.test 442 bob #r :You are not on that channel")
            .await;
        bob.join("#r").await;
        alice.expect(":bob!bob@127.0.0.1 JOIN #r").await;
        bob.send("PRIVMSG #r :sorry").await;
        alice.expect(":bob!bob@127.0.0.1 PRIVMSG #r :sorry").await;
        // Thrown out of a room that ends: the name is free for a new one.
        alice.send("KICK #r bob\r\nPART #r").await;
        bob.wait_for(" KICK #r bob ").await;
        alice.wait_for(" PART #r").await;
        server
            .wait_for_metric("chat_messages_dropped_total{reason=\"not_member\"} 1")
            .await;
        server.stop().await;
    });
}

/// A room that ended while somebody still knew the way to it is found again under its name.
#[test]
fn an_old_way_to_a_room_is_not_taken() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| {
            options.room_linger = std::time::Duration::from_millis(1);
        })
        .await;
        let mut alice = Client::register(&server, "alice").await;
        let mut bob = Client::register(&server, "bob").await;
        alice.join("#r").await;
        bob.join("#r").await;
        alice.send("KICK #r bob\r\nPART #r").await;
        alice.wait_for(" PART #r").await;
        bob.wait_for(" KICK #r bob ").await;
        server.wait_for_metric("chat_rooms 0").await;
        alice.join("#r").await;
        alice.send("MODE #r -n").await;
        alice.wait_for(" MODE #r -n").await;
        bob.send("PRIVMSG #r :from outside").await;
        alice
            .expect(":bob!bob@127.0.0.1 PRIVMSG #r :from outside")
            .await;
        bob.join("#r").await;
        alice.expect(":bob!bob@127.0.0.1 JOIN #r").await;
        server.stop().await;
    });
}

/// Modes, keys, bans and invitations work between tasks as they do in the pure core.
#[test]
fn rooms_have_doors() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut alice = Client::register(&server, "alice").await;
        let mut bob = Client::register(&server, "bob").await;
        alice.join("#r").await;
        alice.send("MODE #r +ik-t word").await;
        alice
            .expect(":alice!alice@127.0.0.1 MODE #r +ik-t word")
            .await;
        bob.send("JOIN #r").await;
        bob.expect(":irc.test 473 bob #r :Cannot join channel (+i)")
            .await;
        alice.send("INVITE bob #r").await;
        alice.expect(":irc.test 341 alice bob #r").await;
        bob.expect(":alice!alice@127.0.0.1 INVITE bob #r").await;
        bob.send("JOIN #r").await;
        bob.expect(":irc.test 475 bob #r :Cannot join channel (+k)")
            .await;
        bob.send("JOIN #r word").await;
        bob.wait_for(" 366 bob #r ").await;
        bob.send("TOPIC #r :mine").await;
        for client in [&mut alice, &mut bob] {
            client.wait_for(":bob!bob@127.0.0.1 TOPIC #r :mine").await;
        }
        alice.send("MODE #r +b bob").await;
        for client in [&mut alice, &mut bob] {
            client
                .expect(":alice!alice@127.0.0.1 MODE #r +b bob!*@*")
                .await;
        }
        bob.send("PRIVMSG #r :x").await;
        bob.expect(":irc.test 404 bob #r :Cannot send to channel")
            .await;
        server.stop().await;
    });
}

/// What readers negotiated is what they get: times, tags, their own words, absences.
#[test]
fn capabilities_are_served() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut alice = Client::connect(&server).await;
        alice
            .send("CAP LS 302\r\nCAP REQ :server-time message-tags echo-message away-notify")
            .await;
        alice.wait_for(" CAP * LS :").await;
        alice
            .expect(":irc.test CAP * ACK :server-time message-tags echo-message away-notify")
            .await;
        alice.send("CAP END").await;
        alice.enter("alice").await;
        let mut bob = Client::register(&server, "bob").await;
        alice.join("#r").await;
        bob.join("#r").await;
        let joined = alice.wait_for(" JOIN #r").await;
        assert!(
            joined.starts_with("@time=20") && joined.contains("Z :bob!"),
            "{joined}"
        );
        alice
            .send("@+traceparent=00-1-2-3;id=4 PRIVMSG #r :hi")
            .await;
        let echo = alice.line().await.unwrap();
        assert!(echo.starts_with("@time="), "{echo}");
        assert!(
            echo.ends_with("Z;+traceparent=00-1-2-3 :alice!alice@127.0.0.1 PRIVMSG #r :hi"),
            "{echo}"
        );
        bob.expect(":alice!alice@127.0.0.1 PRIVMSG #r :hi").await;
        bob.send("AWAY :tea").await;
        alice.wait_for("Z :bob!bob@127.0.0.1 AWAY :tea").await;
        bob.wait_for(" 306 bob ").await;
        alice.send("@+typing=active TAGMSG #r").await;
        alice.wait_for(";+typing=active :alice!").await;
        bob.expect_nothing().await;
        server.stop().await;
    });
}
