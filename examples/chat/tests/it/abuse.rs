//! What broken and hostile clients do, and that nobody else suffers.

use std::time::{Duration, Instant};

use chat::{FloodLimits, SendLimits};

use crate::harness::{Client, Server, on_both_runtimes};

/// Malformed lines are answered and counted, and the connection goes on.
#[test]
fn malformed_lines_are_answered() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut client = Client::register(&server, "me").await;
        client.send("PRIV-MSG x").await;
        client
            .expect(":irc.test 421 me * :Command must be letters or three digits")
            .await;
        client.send(":only-a-prefix").await;
        client
            .expect(":irc.test 421 me * :Line without a command")
            .await;
        client.send_bytes(b"PING a\0b\r\n\r\n\r\n").await;
        client
            .expect(":irc.test 421 me * :Line has a NUL or a bare CR")
            .await;
        client.send("FLY me").await;
        client.expect(":irc.test 421 me FLY :Unknown command").await;
        client.send_bytes(b"PING caf\xe9\n").await;
        client.expect(":irc.test PONG irc.test :caf\u{fffd}").await;
        client.send("NICK :two words").await;
        client
            .expect(":irc.test 432 me two :Erroneous nickname")
            .await;
        for kind in ["bad_command", "no_command", "forbidden_character", "utf8"] {
            let line = format!("chat_parse_errors_total{{kind=\"{kind}\"}} 1");
            server.wait_for_metric(&line).await;
        }
        server
            .wait_for_metric("chat_messages_in_total{command=\"other\"} 1")
            .await;
        server.stop().await;
    });
}

/// A line of 10,000 bytes is refused and counted once; what follows is handled.
#[test]
fn a_long_line_is_skipped() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut client = Client::register(&server, "me").await;
        client.send(&"x".repeat(10_000)).await;
        client
            .expect(":irc.test 417 me :Input line was too long")
            .await;
        client.expect_nothing().await;
        server.wait_for_metric("chat_line_too_long_total 1").await;
        server.stop().await;
    });
}

/// Tags have a limit of their own, and so has what follows them; either is told by the same number and counted.
#[test]
fn long_tags_are_refused() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut client = Client::register(&server, "me").await;
        let tags =
            |bytes: usize, text: usize| format!("@{} PING {}", "t".repeat(bytes), "x".repeat(text));
        client.send(&tags(4094, 400)).await;
        client.wait_for(" PONG irc.test :xxx").await;
        for line in [tags(4095, 1), tags(10, 600), tags(9000, 1)] {
            client.send(&line).await;
            client
                .expect(":irc.test 417 me :Input line was too long")
                .await;
        }
        client.expect_nothing().await;
        server.wait_for_metric("chat_line_too_long_total 3").await;
        server.stop().await;
    });
}

/// Who sends too fast is read more slowly and loses nothing; who never stops is cut; nobody else notices.
#[test]
fn floods_are_slowed_and_then_cut() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| {
            options.flood_limits = FloodLimits {
                burst_lines: 10,
                line_every: Duration::from_millis(5),
                patience_lines: 100,
            };
        })
        .await;
        let mut fast = Client::register(&server, "fast").await;
        let mut good = Client::register(&server, "good").await;
        let begin = Instant::now();
        let burst: String = (0..60).map(|number| format!("PING {number}\r\n")).collect();
        fast.send_bytes(burst.as_bytes()).await;
        for number in 0..60 {
            fast.expect(&format!(":irc.test PONG irc.test :{number}"))
                .await;
        }
        assert!(begin.elapsed() >= Duration::from_millis(200));
        assert!(server.metric("chat_input_throttled_total") > 0.0);
        good.expect_nothing().await;

        fast.send_bytes(burst.repeat(4).as_bytes()).await;
        let rest = fast.rest().await;
        assert_eq!(rest.last().unwrap(), "ERROR :Closing link: Excess Flood");
        server
            .wait_for_metric("chat_connections_closed_total{reason=\"flood\"} 1")
            .await;
        good.expect_nothing().await;
        server.wait_for_metric("chat_clients 1").await;
        server.stop().await;
    });
}

/// Ten thousand joins by one client end at the limit, and being thrown out makes room for another.
#[test]
fn joins_by_one_client_are_bounded() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| options.rooms_per_client_max = 10).await;
        let mut client = Client::register(&server, "me").await;
        for hundred in 0..100 {
            let join: String = (0..100)
                .map(|number| format!("JOIN #{hundred}-{number}\r\n"))
                .collect();
            client.send_bytes(join.as_bytes()).await;
            client.wait_for(&format!(" 405 me #{hundred}-99 ")).await;
        }
        assert_eq!(server.metric("chat_rooms"), 10.0);
        client.send("KICK #0-3 me\r\nJOIN #more").await;
        client.wait_for(" 366 me #more ").await;
        client.send("JOIN #one-too-many").await;
        client
            .expect(":irc.test 405 me #one-too-many :You have joined too many channels")
            .await;
        server.stop().await;
    });
}

/// A stream of noise harms nobody: a client that talks meanwhile is served.
#[test]
fn noise_harms_nobody() {
    on_both_runtimes(|| async {
        let server = Server::start().await;
        let mut noisy = Client::connect(&server).await;
        let mut good = Client::register(&server, "good").await;
        let mut seed = 88_172_645_463_325_252_u64;
        let mut noise = Vec::new();
        for _ in 0..8_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            noise.extend_from_slice(&seed.to_le_bytes());
        }
        // Bare line ends now and then, so that there are lines at all.
        for at in (0..noise.len()).step_by(61) {
            noise[at] = b'\n';
        }
        for chunk in noise.chunks(1500) {
            noisy.send_bytes(chunk).await;
            good.expect_nothing().await;
        }
        server.stop().await;
    });
}

/// A reader that stops reading is evicted, counted and told; the room goes on and loses no message.
#[test]
fn a_slow_reader_is_evicted() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| {
            options.drain = Duration::from_secs(20);
        })
        .await;
        let mut talker = Client::register(&server, "talker").await;
        let mut good = Client::register(&server, "good").await;
        let mut slow = Client::connect_narrow(&server).await;
        slow.enter("slow").await;
        for client in [&mut talker, &mut good, &mut slow] {
            client.join("#r").await;
        }
        good.wait_for(" JOIN #r").await;

        let filler = "x".repeat(400);
        let mut said = 0;
        let mut evicted = false;
        while !evicted {
            assert!(said < 100_000, "never evicted");
            let mut burst = String::new();
            for number in said..said + 50 {
                burst.push_str(&format!("PRIVMSG #r :{number} {filler}\r\n"));
            }
            talker.send_bytes(burst.as_bytes()).await;
            for number in said..said + 50 {
                let mut line = good.line().await.unwrap();
                if line.contains(" QUIT ") {
                    assert_eq!(line, ":slow!slow@127.0.0.1 QUIT :SendQ exceeded");
                    evicted = true;
                    line = good.line().await.unwrap();
                }
                let expect = format!(" PRIVMSG #r :{number} x");
                assert!(line.contains(&expect), "{number}: {line}");
            }
            said += 50;
        }
        let rest = slow.rest().await;
        assert_eq!(rest.last().unwrap(), "ERROR :SendQ exceeded");
        server
            .wait_for_metric("chat_connections_closed_total{reason=\"sendq\"} 1")
            .await;
        server.wait_for_metric("chat_clients 2").await;
        let registry = server.stop().await;
        let text = registry.render();
        let evictions: u32 = text
            .lines()
            .filter_map(|line| line.strip_prefix("chat_evictions_total"))
            .filter_map(|line| line.split_once("} "))
            .map(|(_, count)| count.parse::<u32>().unwrap())
            .sum();
        assert_eq!(evictions, 1, "{text}");
    });
}

/// A client that asks for more than its own queue holds is evicted by the same rule.
#[test]
fn a_reader_of_too_little_is_evicted_by_bytes() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| {
            options.send_limits = SendLimits {
                messages: 1000,
                bytes: 600,
            };
        })
        .await;
        let mut client = Client::connect(&server).await;
        // The welcome alone is longer than 600 bytes.
        client.send("NICK me\r\nUSER me 0 * :Me").await;
        let rest = client.rest().await;
        assert_eq!(rest, ["ERROR :SendQ exceeded"]);
        server
            .wait_for_metric("chat_evictions_total{reason=\"bytes\"} 1")
            .await;
        server.stop().await;
    });
}

/// Rooms a client are limited, and so are connections; who is refused is told and counted.
#[test]
fn limits_are_told() {
    on_both_runtimes(|| async {
        let server = Server::with(|options| {
            options.rooms_per_client_max = 2;
            options.connections_max = 1;
        })
        .await;
        let mut client = Client::register(&server, "me").await;
        client.send("JOIN #a,#b,#c").await;
        client.wait_for(" 405 me #c ").await;
        let mut late = Client::connect(&server).await;
        assert_eq!(late.rest().await, ["ERROR :Server is full, try later"]);
        server
            .wait_for_metric("chat_connections_refused_total 1")
            .await;
        client.expect_nothing().await;
        server.stop().await;
    });
}
