//! What needs more than a script: limits, ends, what is left behind. The conversations stand in `tests/conversations/`.

use std::time::Instant;

use super::*;
use crate::protocol::isupport::Limits;
use crate::protocol::motd::Motd;
use crate::protocol::name::CaseMapping;

/// One second after the begin of 1970, so that the time in replies is `1`.
const UNIX_MS: u64 = 1000;

const PEOPLE: [&str; 4] = ["alice", "bob", "eve", "dan"];

/// A hall with some people, who hear what is for them.
struct Talk {
    hall: Hall<usize>,
    now: Moment,
}

impl Talk {
    /// Everybody is registered, each with its own name as user name.
    fn new() -> Self {
        let policy = Policy {
            server: "irc.test".into(),
            limits: Limits {
                case_mapping: CaseMapping::Rfc1459,
                rooms_per_client_max: 5,
            },
            password: None,
            motd: Motd::default(),
        };
        let mut talk = Self {
            hall: Hall::new(policy),
            now: Moment {
                instant: Instant::now(),
                unix_ms: UNIX_MS,
            },
        };
        for (way, name) in PEOPLE.into_iter().enumerate() {
            talk.hall.connect(id(way), "h".to_owned(), way);
            talk.say(name, &format!("NICK {name}"));
            talk.say(name, &format!("USER {name} 0 * :{name}"));
        }
        talk
    }

    /// What everybody hears when one says a line: `bob: line`, in order.
    fn say(&mut self, who: &str, line: &str) -> Vec<String> {
        let way = PEOPLE.iter().position(|name| *name == who).unwrap();
        let message = Message::parse(line).unwrap();
        let outcomes = self.hall.message(id(way), &message, self.now);
        hear(outcomes)
    }

    fn leave(&mut self, who: &str) -> Vec<String> {
        let way = PEOPLE.iter().position(|name| *name == who).unwrap();
        let outcomes = self.hall.disconnect(id(way), "gone", self.now);
        hear(outcomes)
    }

    /// Says the lines of a script; nobody cares what is heard.
    fn after(script: &[(&str, &str)]) -> Self {
        let mut talk = Self::new();
        for (who, line) in script {
            talk.say(who, line);
        }
        talk
    }

    /// Checks what is heard, line by line of a script.
    fn check(&mut self, script: &[(&str, &str, &[&str])]) {
        for (who, line, expect) in script {
            assert_eq!(self.say(who, line), *expect, "{who}: {line}");
        }
    }
}

fn hear(outcomes: Vec<Outcome<usize>>) -> Vec<String> {
    let one = |outcome| match outcome {
        Outcome::Capabilities(..) => None,
        Outcome::End(way, farewell) => Some(format!("{}: END {}", PEOPLE[way], farewell.reason)),
        Outcome::Line(way, line) => {
            let text = std::str::from_utf8(line.as_bytes()).unwrap().trim_end();
            Some(format!("{}: {text}", PEOPLE[way]))
        }
    };
    outcomes.into_iter().filter_map(one).collect()
}

fn id(way: usize) -> ClientId {
    ClientId(u64::try_from(way).unwrap())
}

/// A room that everybody has left is a new one for who comes next: another operator, no topic, no modes, no bans.
#[test]
fn an_empty_room_is_forgotten() {
    let mut talk = Talk::after(&[
        ("alice", "JOIN #r"),
        ("alice", "TOPIC #r :old"),
        ("alice", "MODE #r +kb word bob"),
        ("alice", "PART #r"),
    ]);
    talk.check(&[
        (
            "bob",
            "TOPIC #r",
            &["bob: :irc.test 403 bob #r :No such channel"],
        ),
        (
            "bob",
            "JOIN #r",
            &[
                "bob: :bob!bob@h JOIN #r",
                "bob: :irc.test 353 bob = #r :@bob",
                "bob: :irc.test 366 bob #r :End of NAMES list",
            ],
        ),
        (
            "bob",
            "MODE #r b",
            &["bob: :irc.test 368 bob #r :End of channel ban list"],
        ),
    ]);
    assert_eq!(talk.hall.directory().census().rooms, 1);
}

/// Many changes are told in several lines, so that none is cut.
#[test]
fn long_changes_are_split() {
    let mut talk = Talk::after(&[("alice", "JOIN #r")]);
    let masks: Vec<String> = (0..6).map(|n| format!("{n}{}", "x".repeat(60))).collect();
    let heard = talk.say("alice", &format!("MODE #r +bbbbbb {}", masks.join(" ")));
    assert_eq!(heard.len(), 2);
    for (line, masks) in heard.iter().zip(masks.chunks(3)) {
        let masks: Vec<String> = masks.iter().map(|mask| format!("{mask}!*@*")).collect();
        let expect = format!("alice: :alice!alice@h MODE #r +bbb {}", masks.join(" "));
        assert_eq!(*line, expect);
    }
}

/// Ten thousand joins by one client end at the limit, each with its answer, and leave nothing behind.
#[test]
fn joins_are_limited() {
    let mut talk = Talk::new();
    let mut refused = 0;
    for number in 0..10_000 {
        let heard = talk.say("alice", &format!("JOIN #{number}"));
        refused += usize::from(heard[0].contains(" 405 alice "));
    }
    assert_eq!(refused, 9_995);
    assert_eq!(talk.hall.directory().census().rooms, 5);
    assert_eq!(talk.hall.rooms_of(id(0)).len(), 5);
    // A room one is in already is no further one; after leaving one there is place for another.
    talk.check(&[("alice", "JOIN #0", &[])]);
    talk.say("alice", "PART #0");
    assert_eq!(talk.say("alice", "JOIN #new").len(), 3);
}

/// Who goes is told of once to everybody who shared a room, and leaves nothing behind.
#[test]
fn farewells_are_told_once() {
    let mut talk = Talk::after(&[
        ("alice", "JOIN #r,#s"),
        ("bob", "JOIN #r,#s"),
        ("eve", "JOIN #s,#own"),
    ]);
    talk.check(&[("eve", "QUIT :bye", &["eve: END Quit: bye"])]);
    assert_eq!(
        talk.leave("eve"),
        ["alice: :eve!eve@h QUIT :gone", "bob: :eve!eve@h QUIT :gone"]
    );
    let census = talk.hall.directory().census();
    assert_eq!(
        (census.clients, census.rooms, census.unregistered),
        (3, 2, 0)
    );
    assert!(talk.leave("eve").is_empty());
    talk.check(&[(
        "bob",
        "PRIVMSG eve :x",
        &["bob: :irc.test 401 bob eve :No such nick/channel"],
    )]);
}

/// The ban list has an end.
#[test]
fn bans_are_limited() {
    let mut talk = Talk::after(&[("alice", "JOIN #r")]);
    for number in 0..crate::protocol::isupport::BANS_MAX {
        assert_eq!(talk.say("alice", &format!("MODE #r +b n{number}")).len(), 1);
    }
    talk.check(&[(
        "alice",
        "MODE #r +b one-more",
        &["alice: :irc.test 478 alice #r one-more!*@* :Channel ban list is full"],
    )]);
}
