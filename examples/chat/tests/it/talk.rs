//! What clients do with each other.

use crate::harness::{Client, Server, on_both_runtimes};

/// Two clients register, join, talk in the room and alone, part and quit; each sees exactly what it should.
#[test]
fn two_clients_talk() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut alice = Client::register(&server, "alice").await;
        let mut bob = Client::register(&server, "bob").await;
        alice.send("JOIN #Tea").await;
        alice.expect(":alice!alice@127.0.0.1 JOIN #Tea").await;
        alice.expect(":irc.test 353 alice = #Tea :@alice").await;
        alice
            .expect(":irc.test 366 alice #Tea :End of NAMES list")
            .await;
        bob.send("JOIN #tea").await;
        bob.expect(":bob!bob@127.0.0.1 JOIN #Tea").await;
        bob.expect(":irc.test 353 bob = #Tea :@alice bob").await;
        bob.expect(":irc.test 366 bob #Tea :End of NAMES list")
            .await;
        alice.expect(":bob!bob@127.0.0.1 JOIN #Tea").await;

        bob.send("PRIVMSG #tea,alice :hello, world").await;
        // The two ways are not ordered against each other.
        let mut heard = [alice.line().await.unwrap(), alice.line().await.unwrap()];
        heard.sort();
        let expect = ["#Tea", "alice"];
        let expect = expect.map(|to| format!(":bob!bob@127.0.0.1 PRIVMSG {to} :hello, world"));
        assert_eq!(heard, expect);
        bob.expect_nothing().await;
        alice.send("NOTICE #tea :note").await;
        bob.expect(":alice!alice@127.0.0.1 NOTICE #Tea :note").await;

        bob.send("PART #tea :bye").await;
        bob.expect(":bob!bob@127.0.0.1 PART #Tea :bye").await;
        alice.expect(":bob!bob@127.0.0.1 PART #Tea :bye").await;
        bob.send("PRIVMSG #tea :still here?").await;
        bob.wait_for(" 404 bob #Tea :").await;
        bob.join("#Tea").await;
        alice.expect(":bob!bob@127.0.0.1 JOIN #Tea").await;
        bob.send("QUIT :gone").await;
        bob.expect("ERROR :Closing link: Quit: gone").await;
        assert_eq!(bob.line().await, None);
        alice.expect(":bob!bob@127.0.0.1 QUIT :Quit: gone").await;
        alice.expect_nothing().await;
        server
            .wait_for_metric("chat_connections_closed_total{reason=\"quit\"} 1")
            .await;
        server.wait_for_metric("chat_clients 1").await;
        server.wait_for_metric("chat_sendq_messages 0").await;
        server.stop().await;
    });
}

/// Who shares two rooms hears of a new nickname and of a quit once, and the old name is free at once.
#[test]
fn neighbours_are_told_once() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut alice = Client::register(&server, "alice").await;
        let mut bob = Client::register(&server, "bob").await;
        for client in [&mut alice, &mut bob] {
            client.join("#a").await;
            client.join("#b").await;
        }
        alice.wait_for(":bob!bob@127.0.0.1 JOIN #b").await;
        bob.send("NICK rob").await;
        bob.expect(":bob!bob@127.0.0.1 NICK rob").await;
        alice.expect(":bob!bob@127.0.0.1 NICK rob").await;
        alice.expect_nothing().await;
        let mut other = Client::register(&server, "bob").await;
        other.send("PRIVMSG rob :hi").await;
        bob.expect(":bob!bob@127.0.0.1 PRIVMSG rob :hi").await;
        bob.send("PRIVMSG #a :it is me").await;
        alice
            .expect(":rob!bob@127.0.0.1 PRIVMSG #a :it is me")
            .await;
        // No QUIT: the connection just ends.
        drop(bob);
        alice
            .expect(":rob!bob@127.0.0.1 QUIT :Connection closed")
            .await;
        alice.expect_nothing().await;
        alice.send("NAMES #a,#b,#none").await;
        alice.expect(":irc.test 353 alice = #a :@alice").await;
        alice.wait_for(" 366 alice #a ").await;
        alice.expect(":irc.test 353 alice = #b :@alice").await;
        alice.wait_for(" 366 alice #b ").await;
        alice.wait_for(" 366 alice #none ").await;
        server.stop().await;
    });
}

/// A nickname that is taken is refused under the case mapping, and the client can go on with another.
#[test]
fn nicknames_collide() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut first = Client::register(&server, "nick[1]").await;
        let mut second = Client::connect(&server).await;
        second.send("NICK NICK{1}\r\nUSER u 0 * :U").await;
        second
            .expect(":irc.test 433 * NICK{1} :Nickname is already in use")
            .await;
        second.send("NICK second").await;
        second.wait_for(":irc.test 422 second ").await;
        second.send("NICK nick{1}").await;
        second
            .expect(":irc.test 433 second nick{1} :Nickname is already in use")
            .await;
        // The same name in another case is one's own.
        first.send("NICK NICK[1]").await;
        first.expect(":nick[1]!nick1@127.0.0.1 NICK NICK[1]").await;
        first.send("QUIT").await;
        first.rest().await;
        server.wait_for_metric("chat_clients 1").await;
        second.send("NICK nick{1}").await;
        second.wait_for(" NICK nick{1}").await;
        server.stop().await;
    });
}

/// The way irssi comes in: capabilities, an empty JOIN too early, a mode, a WHO and the modes of the room.
#[test]
fn irssi_comes_in() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut client = Client::connect(&server).await;
        client.send("CAP LS 302\r\nJOIN :").await;
        client
            .expect(":irc.test CAP * LS :away-notify echo-message message-tags multi-prefix server-time")
            .await;
        client
            .expect(":irc.test 461 * JOIN :Not enough parameters")
            .await;
        client
            .send("CAP END\r\nNICK me\r\nUSER me me 127.0.0.1 :Me")
            .await;
        client
            .expect(":irc.test 001 me :Welcome to the chat, me!me@127.0.0.1")
            .await;
        client.wait_for(" 422 me ").await;
        client.send("MODE me +i").await;
        client.expect(":me!me@127.0.0.1 MODE me +i").await;
        client.join("#room").await;
        client.send("MODE #room\r\nWHO #room\r\nMODE #room b").await;
        client.expect(":irc.test 324 me #room +nt").await;
        client.wait_for(" 329 me #room ").await;
        client
            .expect(":irc.test 352 me #room me 127.0.0.1 irc.test me H@ :0 Me")
            .await;
        client.wait_for(" 315 me #room ").await;
        client.wait_for(" 368 me #room ").await;
        server.stop().await;
    });
}

/// Every question has its answer, also about what does not exist.
#[test]
fn questions_are_answered() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut alice = Client::register(&server, "alice").await;
        let _bob = Client::register(&server, "bob").await;
        alice.join("#a").await;
        let script = [
            ("TOPIC #a", ":irc.test 331 alice #a :No topic is set"),
            (
                "TOPIC #a :What we talk about",
                ":alice!alice@127.0.0.1 TOPIC #a :What we talk about",
            ),
            (
                "TOPIC #none :x",
                ":irc.test 403 alice #none :No such channel",
            ),
            (
                "AWAY :tea time",
                ":irc.test 306 alice :You have been marked as being away",
            ),
            ("ISON alice nobody bob", ":irc.test 303 alice :alice bob"),
            (
                "USERHOST alice bob",
                ":irc.test 302 alice :alice=-alice@127.0.0.1 bob=+bob@127.0.0.1",
            ),
            (
                "MODE #a +o bob",
                ":irc.test 441 alice bob #a :They are not on that channel",
            ),
            ("MODE #none", ":irc.test 403 alice #none :No such channel"),
            (
                "PRIVMSG nobody :x",
                ":irc.test 401 alice nobody :No such nick/channel",
            ),
            (
                "PRIVMSG #none :x",
                ":irc.test 403 alice #none :No such channel",
            ),
            (
                "WHOIS nobody",
                ":irc.test 401 alice nobody :No such nick/channel",
            ),
        ];
        for (line, expect) in script {
            alice.send(line).await;
            let answer = alice.line().await.unwrap();
            assert_eq!(answer, expect, "{line}");
        }
        server.stop().await;
    });
}

/// What others see of somebody who is away and in a room with a topic.
#[test]
fn others_are_shown() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut alice = Client::register(&server, "alice").await;
        let mut bob = Client::register(&server, "bob").await;
        alice.join("#a").await;
        alice
            .send("TOPIC #a :What we talk about\r\nAWAY :tea time")
            .await;
        alice.wait_for(" 306 alice ").await;
        bob.send("PRIVMSG alice :there?").await;
        bob.expect(":irc.test 301 bob alice :tea time").await;
        bob.send("LIST").await;
        bob.wait_for(" 321 bob ").await;
        bob.expect(":irc.test 322 bob #a 1 :What we talk about")
            .await;
        bob.wait_for(" 323 bob ").await;
        bob.send("TOPIC #a :mine").await;
        bob.expect(":irc.test 442 bob #a :You are not on that channel")
            .await;
        bob.send("WHOIS ALICE").await;
        bob.expect(":irc.test 311 bob alice alice 127.0.0.1 * :Real alice")
            .await;
        bob.expect(":irc.test 319 bob alice :@#a").await;
        bob.expect(":irc.test 312 bob alice irc.test :chat").await;
        bob.expect(":irc.test 301 bob alice :tea time").await;
        bob.wait_for(" 318 bob alice ").await;
        bob.join("#a").await;
        bob.send("LUSERS\r\nVERSION").await;
        bob.expect(":irc.test 251 bob :There are 2 users and 0 invisible on 1 servers")
            .await;
        bob.wait_for(" 351 bob chat-").await;
        bob.send("JOIN 0").await;
        bob.expect(":bob!bob@127.0.0.1 PART #a").await;
        server.stop().await;
    });
}
