//! Scripts of lines against one session; what it says and what it wants done.

use super::*;
use crate::protocol::isupport::Limits;
use crate::protocol::motd::Motd;
use crate::protocol::name::CaseMapping;

fn policy() -> Policy {
    Policy {
        server: "irc.test".into(),
        limits: Limits {
            case_mapping: CaseMapping::Rfc1459,
            rooms_per_client_max: 10,
        },
        password: None,
        motd: Motd::default(),
    }
}

fn with_policy(policy: Policy) -> Session {
    Session::new(Arc::new(policy), "192.0.2.1".to_owned())
}

fn session() -> Session {
    with_policy(policy())
}

/// What the session answers to a line; claims are granted at once, the welcome is one word, actions are shown in debug form.
fn say(session: &mut Session, line: &str) -> String {
    let now = Moment {
        instant: std::time::Instant::now(),
        unix_ms: 0,
    };
    let mut shown = Vec::new();
    let mut actions = session.message(&Message::parse(line).unwrap(), now);
    while !actions.is_empty() {
        match actions.remove(0) {
            Action::Send(line) => shown.push(text(&line)),
            Action::ClaimNick(nick) => actions.extend(session.granted(nick, now)),
            Action::Register => {
                shown.push("Register".to_owned());
                let welcome = actions.split_off(0);
                assert!(welcome.contains(&Action::Ask(Question::Lusers)));
                assert!(matches!(welcome.last(), Some(Action::Send(_))));
            }
            Action::Present { line } => {
                shown.push(format!("tell {:?}", line.map(|line| text(&line))))
            }
            other => shown.push(format!("{other:?}")),
        }
    }
    shown.join(" / ")
}

fn text(line: &Line) -> String {
    std::str::from_utf8(line.as_bytes())
        .unwrap()
        .trim_end()
        .to_owned()
}

fn run(session: &mut Session, script: &[(&str, &str)]) {
    for (line, expect) in script {
        assert_eq!(say(session, line), *expect, "{line}");
    }
}

fn registered() -> Session {
    let mut session = session();
    run(
        &mut session,
        &[("NICK bob", ""), ("USER bob 0 * :Bob", "Register")],
    );
    session
}

/// irssi's way in: capabilities, an empty JOIN before registration, END, NICK, USER.
#[test]
fn registers_irssi() {
    let mut session = session();
    run(
        &mut session,
        &[
            (
                "CAP LS 302",
                ":irc.test CAP * LS :away-notify echo-message message-tags multi-prefix server-time",
            ),
            ("JOIN :", ":irc.test 461 * JOIN :Not enough parameters"),
            ("CAP END", ""),
            ("NICK bob", ""),
            ("USER bob bob irc.test :Bob B", "Register"),
            ("MODE bob +i", ":bob!bob@192.0.2.1 MODE bob +i / tell None"),
            ("MODE bob +i", ""),
            ("MODE BOB", ":irc.test 221 bob +i"),
        ],
    );
    assert!(session.registered());
}

/// A client that negotiates is registered only by `CAP END`, in whatever order the rest comes.
#[test]
fn negotiation_holds_registration() {
    run(
        &mut session(),
        &[
            ("USER u 0 * :U", ""),
            ("CAP REQ :sasl", ":irc.test CAP * NAK :sasl"),
            ("NICK u", ""),
            ("CAP END", "Register"),
            ("CAP END", ""),
        ],
    );
}

/// Requests are granted as a whole or refused as a whole, add and remove, before and after registration.
#[test]
fn negotiates_capabilities() {
    let mut session = registered();
    let ack = |session: &mut Session, request: &str| {
        let said = say(session, &format!("CAP REQ :{request}"));
        let expect = format!(":irc.test CAP bob ACK :{request} / Capabilities(");
        assert!(said.starts_with(&expect), "{said}");
    };
    ack(&mut session, "server-time multi-prefix");
    run(
        &mut session,
        &[
            (
                "CAP LIST",
                ":irc.test CAP bob LIST :multi-prefix server-time",
            ),
            (
                "CAP REQ :echo-message nonsense",
                ":irc.test CAP bob NAK :echo-message nonsense",
            ),
            (
                "CAP LIST",
                ":irc.test CAP bob LIST :multi-prefix server-time",
            ),
        ],
    );
    ack(&mut session, "-server-time echo-message");
    run(
        &mut session,
        &[
            (
                "CAP LIST",
                ":irc.test CAP bob LIST :echo-message multi-prefix",
            ),
            ("CAP FLY", ":irc.test 410 bob FLY :Invalid CAP command"),
        ],
    );
    assert!(session.capabilities().has(Capability::EchoMessage));
}

/// A server with a password lets in who gives it, at any point before the end of registration.
#[test]
fn asks_for_the_password() {
    let locked = || {
        with_policy(Policy {
            password: Some(Password::new("se cret")),
            ..policy()
        })
    };
    let refused = ":irc.test 464 u :Password incorrect / End(Farewell { reason: \"Bad password\", cause: BadPassword })";
    for pass in ["PING x", "PASS wrong", "PASS :se cre", "PASS :se creT"] {
        let mut session = locked();
        say(&mut session, pass);
        run(&mut session, &[("NICK u", ""), ("USER u 0 * :U", refused)]);
        assert!(!session.registered(), "{pass}");
    }
    run(
        &mut locked(),
        &[
            ("NICK u", ""),
            ("PASS wrong", ""),
            ("PASS :se cret", ""),
            ("USER u 0 * :U", "Register"),
        ],
    );
    // Without a password every word is right.
    run(
        &mut session(),
        &[
            ("PASS x", ""),
            ("NICK u", ""),
            ("USER u 0 * :U", "Register"),
        ],
    );
}

/// Before registration everything else is refused, afterwards registering again is.
#[test]
fn guards_registration() {
    let mut fresh = session();
    for line in [
        "JOIN #a",
        "PRIVMSG bob :x",
        "TAGMSG bob",
        "WHO #a",
        "LIST",
        "TOPIC #a",
        "KICK #a b",
        "MODE #a +i",
        "INVITE a #a",
        "MOTD",
    ] {
        let expect = ":irc.test 451 * :You have not registered";
        assert_eq!(say(&mut fresh, line), expect, "{line}");
    }
    let mut session = registered();
    for line in ["USER a b c d", "PASS x"] {
        let expect = ":irc.test 462 bob :You may not reregister";
        assert_eq!(say(&mut session, line), expect, "{line}");
    }
}

/// Nicknames: invalid, taken, unchanged, changed.
#[test]
fn handles_nicks() {
    let mut session = registered();
    run(
        &mut session,
        &[
            ("NICK 1x", ":irc.test 432 bob 1x :Erroneous nickname"),
            ("NICK bob", ""),
            (
                "NICK rob",
                ":bob!bob@192.0.2.1 NICK rob / tell Some(\":bob!bob@192.0.2.1 NICK rob\")",
            ),
        ],
    );
    assert_eq!(session.identity().unwrap().address, "rob!bob@192.0.2.1");
    let taken = session.taken("eve").remove(0);
    let expect = ":irc.test 433 rob eve :Nickname is already in use";
    assert!(matches!(taken, Action::Send(line) if text(&line) == expect));
}

/// Answers and actions of a registered client, by table.
#[test]
fn answers_by_table() {
    run(
        &mut registered(),
        &[
            ("PING :tok en", ":irc.test PONG irc.test :tok en"),
            ("PONG x", ""),
            ("JOIN :", ":irc.test 461 bob JOIN :Not enough parameters"),
            (
                "JOIN #a,b,#c k",
                "Join { room: \"#a\", key: Some(\"k\") } / :irc.test 403 bob b :No such channel / Join { room: \"#c\", key: None }",
            ),
            ("JOIN 0", "PartAll"),
            (
                "QUIT :bye",
                "End(Farewell { reason: \"Quit: bye\", cause: Quit })",
            ),
            (
                "QUIT",
                "End(Farewell { reason: \"Client quit\", cause: Quit })",
            ),
            (
                "MODE eve",
                ":irc.test 502 bob :Cannot change mode for other users",
            ),
            ("MODE bob", ":irc.test 221 bob +"),
            ("MODE bob +o", ":irc.test 501 bob :Unknown user mode"),
            (
                "MOTD",
                ":irc.test 422 bob :This server has no message of the day",
            ),
            ("NAMES", ":irc.test 366 bob * :End of NAMES list"),
            ("WHO", ":irc.test 315 bob * :End of WHO list"),
            ("WHO #a", "WhoRoom(\"#a\")"),
            ("WHO b*", "Ask(Who(\"b*\"))"),
            ("FLY", ":irc.test 421 bob FLY :Unknown command"),
            ("PRIVMSG", ":irc.test 411 bob :No recipient given"),
            ("PRIVMSG a", ":irc.test 412 bob :No text to send"),
            ("NOTICE", ""),
            ("TAGMSG #a", ":irc.test 421 bob TAGMSG :Unknown command"),
            ("TOPIC #", ":irc.test 403 bob # :No such channel"),
            ("INVITE eve #a", "Invite { nick: \"eve\", room: \"#a\" }"),
            (
                "AWAY :tea",
                ":irc.test 306 bob :You have been marked as being away / tell Some(\":bob!bob@192.0.2.1 AWAY :tea\")",
            ),
            (
                "AWAY :tea",
                ":irc.test 306 bob :You have been marked as being away",
            ),
            (
                "AWAY",
                ":irc.test 305 bob :You are no longer marked as being away / tell Some(\":bob!bob@192.0.2.1 AWAY\")",
            ),
        ],
    );
}

/// Tags go with a message only if its sender has negotiated them, and of these only the client's own.
#[test]
fn passes_tags_on() {
    let mut session = registered();
    let tags_of = |session: &mut Session| {
        let message = Message::parse("@time=x;+a=1 PRIVMSG #r,eve :hi").unwrap();
        let actions = session.message(&message, Moment::now());
        let tags = |action: &Action| match action {
            Action::Whisper(Whisper { tags, .. })
            | Action::Room {
                request: Request::Say { tags, .. },
                ..
            } => tags.as_str().to_owned(),
            other => panic!("{other:?}"),
        };
        actions.iter().map(tags).collect::<Vec<_>>()
    };
    assert_eq!(tags_of(&mut session), ["", ""]);
    say(&mut session, "CAP REQ message-tags");
    assert_eq!(tags_of(&mut session), ["+a=1", "+a=1"]);
    assert!(
        say(&mut session, "TAGMSG #a")
            .starts_with("Room { room: \"#a\", request: Say { speech: Tagmsg")
    );
}
