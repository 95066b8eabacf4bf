//! Tables over the session rules: messages and times in, messages and verdicts out.

use std::time::{Duration, Instant};

use super::super::frame::{self, Scan};
use super::*;

/// A session under test and its own clock.
struct Bench {
    session: Session,
    start: Instant,
    seconds: f64,
    out: Output,
}

impl Bench {
    fn new() -> Self {
        let start = Instant::now();
        let mut bench = Self {
            session: Session::new(
                "HOUSE",
                Now {
                    instant: start,
                    unix_millis: 0,
                },
            ),
            start,
            seconds: 0.0,
            out: Output::default(),
        };
        bench.session.identity.client = "C".to_owned();
        bench.session.identity.exchange = "E".to_owned();
        bench
    }

    /// A session logged on with numbers 2 and 2 and a heartbeat of 10 s.
    fn logged_on() -> Self {
        let mut bench = Self::new();
        assert_eq!(bench.say("35=A|34=1|98=0|108=10"), "A 34=1 98=0 108=10");
        bench
    }

    fn now(&self) -> Now {
        Now {
            instant: self.start + Duration::from_secs_f64(self.seconds),
            unix_millis: 1_000_000,
        }
    }

    /// Gives a message with a full header to the session and shows what comes out.
    fn say(&mut self, fields: &str) -> String {
        self.say_raw(&format!("{fields}|49=C|52=20261123-10:00:00|56=E|"))
    }

    fn say_raw(&mut self, body: &str) -> String {
        let (kind, rest) = body["35=".len()..].split_once('|').unwrap();
        let mut wire = BytesMut::new();
        encode(kind, &[], rest.replace('|', "\u{1}").as_bytes(), &mut wire);
        let message = parse(&mut wire);
        let now = self.now();
        let verdict = self.session.receive(&message, now, &mut self.out);
        self.shown(verdict)
    }

    /// Lets time pass up to `seconds` after the start, ticking at every deadline.
    fn wait_until(&mut self, seconds: f64) -> String {
        let mut shown = Vec::new();
        loop {
            let due = (self.session.deadline() - self.start).as_secs_f64();
            if due > seconds {
                self.seconds = seconds;
                return shown.join(", ");
            }
            self.seconds = due.max(self.seconds);
            let now = self.now();
            let verdict = self.session.tick(now, &mut self.out);
            let text = self.shown(verdict);
            shown.push(format!("{due}s {text}"));
            if let Verdict::Close(_) = verdict {
                return shown.join(", ");
            }
        }
    }

    /// Messages out as `type tag=value …` without names and times, then the verdict if it is not plain.
    fn shown(&mut self, verdict: Verdict) -> String {
        const HIDDEN: [u32; 6] = [35, 49, 52, 56, 60, 122];
        let mut parts = Vec::new();
        while !self.out.wire.is_empty() {
            let message = parse(&mut self.out.wire);
            let mut words = vec![echo(Some(message.kind()))];
            for (tag, range) in &message.fields_for_test() {
                if !HIDDEN.contains(tag) {
                    words.push(format!("{tag}={range}"));
                }
            }
            parts.push(words.join(" "));
        }
        match verdict {
            Verdict::Handled => {}
            Verdict::Application => parts.push("application".to_owned()),
            Verdict::Close(ending) => parts.push(format!("close {}", ending.label())),
        }
        parts.join("; ")
    }
}

fn parse(wire: &mut BytesMut) -> Message {
    match frame::next(wire) {
        Scan::Frame(frame) => Message::parse(frame).unwrap(),
        other => panic!("expected a frame, got {other:?}"),
    }
}

/// Every way a Logon can go.
#[test]
fn logon() {
    let table = [
        ("35=A|34=1|98=0|108=30", "A 34=1 98=0 108=30"),
        ("35=A|34=1|98=0|108=30|141=Y", "A 34=1 98=0 108=30 141=Y"),
        (
            "35=A|34=5|98=0|108=30",
            "A 34=1 98=0 108=30; 2 34=2 7=1 16=0",
        ),
        (
            "35=A|34=1|98=0|108=0",
            "5 34=1 58=tag 108: expected 1..=300 seconds; close logon_refused",
        ),
        (
            "35=A|34=1|98=0|108=301",
            "5 34=1 58=tag 108: expected 1..=300 seconds; close logon_refused",
        ),
        (
            "35=A|34=1|98=0",
            "5 34=1 58=tag 108: required tag missing; close logon_refused",
        ),
        (
            "35=A|34=1|98=1|108=30",
            "5 34=1 58=tag 98: expected 0, encryption is not supported; close logon_refused",
        ),
        (
            "35=A|98=0|108=30",
            "5 34=1 58=tag 34: required tag missing; close logon_refused",
        ),
        (
            "35=A|34=0|98=0|108=30",
            "5 34=1 58=tag 34: expected 1 with ResetSeqNumFlag=Y, never 0; close logon_refused",
        ),
        (
            "35=A|34=2|98=0|108=30|141=Y",
            "5 34=1 58=tag 34: expected 1 with ResetSeqNumFlag=Y, never 0; close logon_refused",
        ),
        ("35=D|34=1|11=a", "close not_fix"),
        ("35=0|34=1", "close not_fix"),
    ];
    for (message, expected) in table {
        assert_eq!(Bench::new().say(message), expected, "{message}");
    }
}

/// A client that comes back goes on counting; one that counts too low is told so.
#[test]
fn logon_continues() {
    let mut back = Bench::new();
    back.session.state.next_in = 7;
    back.session.state.next_out = 4;
    assert_eq!(back.say("35=A|34=7|98=0|108=30"), "A 34=4 98=0 108=30");
    assert_eq!(back.say("35=1|34=8|112=x"), "0 34=5 112=x");

    let mut low = Bench::new();
    low.session.state.next_in = 7;
    assert_eq!(
        low.say("35=A|34=1|98=0|108=30"),
        "5 34=1 58=MsgSeqNum too low, expecting 7 but received 1; close sequence"
    );

    let mut reset = Bench::new();
    reset.session.state.next_in = 7;
    reset.session.state.next_out = 4;
    assert_eq!(
        reset.say("35=A|34=1|98=0|108=30|141=Y"),
        "A 34=1 98=0 108=30 141=Y"
    );
}

/// One message in its place, and the answer.
#[test]
fn messages_in_sequence() {
    let table = [
        ("35=0|34=2", ""),
        ("35=1|34=2|112=hello", "0 34=2 112=hello"),
        (
            "35=1|34=2",
            "3 34=2 45=2 58=required tag missing 371=112 372=1 373=1",
        ),
        ("35=D|34=2|11=a", "application"),
        ("35=F|34=2|11=a", "application"),
        ("35=3|34=2|45=1", ""),
        ("35=5|34=2", "5 34=2 58=goodbye; close logout"),
        (
            "35=G|34=2",
            "j 34=2 45=2 58=message type not supported 372=G 380=3",
        ),
        (
            "35=AE|34=2",
            "j 34=2 45=2 58=message type not supported 372=AE 380=3",
        ),
        (
            "35=ZZ|34=2",
            "3 34=2 45=2 58=no message of FIX 4.4 371=35 372=ZZ 373=11",
        ),
        (
            "35=A|34=2|98=0|108=10",
            "3 34=2 45=2 58=already logged on 371=35 372=A 373=11",
        ),
        ("35=A|34=1|98=0|108=10|141=Y", "A 34=1 98=0 108=10 141=Y"),
        (
            "35=D|34=2|11=a|11=b",
            "3 34=2 45=2 58=tag appears more than once 371=11 372=D 373=13",
        ),
        (
            "35=D|34=2|11=",
            "3 34=2 45=2 58=tag without a value 371=11 372=D 373=4",
        ),
        (
            "35=D|34=2|x=1",
            "3 34=2 45=2 58=expected tag=value with a numeric tag 372=D 373=0",
        ),
    ];
    for (message, expected) in table {
        assert_eq!(Bench::logged_on().say(message), expected, "{message}");
    }
}

/// A broken header is rejected, or ends the session where the standard says so.
#[test]
fn headers() {
    let comp = "3 34=2 45=2 58=SenderCompID or TargetCompID differ from the Logon's 372=0 373=9; 5 34=3 58=CompID problem; close protocol";
    let table = [
        ("35=0|34=2|49=X|52=20261123-10:00:00|56=E|", comp),
        ("35=0|34=2|49=C|52=20261123-10:00:00|", comp),
        (
            "35=0|34=2|49=C|56=E|",
            "3 34=2 45=2 58=required tag missing 371=52 372=0 373=1",
        ),
        (
            "35=0|34=2|49=C|52=noon|56=E|",
            "3 34=2 45=2 58=expected YYYYMMDD-HH:MM:SS[.sss] 371=52 372=0 373=6",
        ),
        (
            "35=0|49=C|52=20261123-10:00:00|56=E|",
            "5 34=2 58=MsgSeqNum missing or not a number; close protocol",
        ),
        (
            "35=0|34=x|49=C|52=20261123-10:00:00|56=E|",
            "5 34=2 58=MsgSeqNum missing or not a number; close protocol",
        ),
    ];
    for (message, expected) in table {
        assert_eq!(Bench::logged_on().say_raw(message), expected, "{message}");
    }
}

/// Numbers below the expected one end the session, unless the message says that it is a repeat.
#[test]
fn too_low() {
    let mut bench = Bench::logged_on();
    assert_eq!(bench.say("35=D|34=1|43=Y"), "");
    assert_eq!(
        bench.say("35=D|34=1"),
        "5 34=2 58=MsgSeqNum too low, expecting 2 but received 1; close sequence"
    );
}

/// A gap is asked for once, what is beyond it waits for the resend, and a fill closes it.
#[test]
fn gap() {
    let mut bench = Bench::logged_on();
    assert_eq!(bench.say("35=D|34=4|11=c"), "2 34=2 7=2 16=0");
    assert_eq!(bench.say("35=D|34=5|11=d"), "", "asked already");
    assert_eq!(bench.say("35=4|34=2|43=Y|123=Y|36=4"), "");
    assert_eq!(bench.say("35=D|34=4|43=Y|11=c"), "application");
    assert_eq!(bench.say("35=D|34=5|43=Y|11=d"), "application");
    assert_eq!(bench.say("35=D|34=8|11=e"), "2 34=3 7=6 16=0", "a new gap");
    assert_eq!(
        bench
            .out
            .notes
            .iter()
            .filter(|note| **note == Note::Gap)
            .count(),
        2
    );
    bench.session.last_received += Duration::from_secs(60);
    assert_eq!(
        bench.say("35=5|34=9"),
        "5 34=4 58=goodbye; close logout",
        "Logout cannot wait"
    );
}

/// A gap that nobody fills ends the session, however lively the client is otherwise.
#[test]
fn gap_never_filled() {
    let mut bench = Bench::logged_on();
    bench.say("35=0|34=3");
    for (second, number) in [(9.0, 4), (18.0, 5), (27.0, 6)] {
        bench.wait_until(second);
        assert_eq!(bench.say(&format!("35=0|34={number}")), "");
    }
    let shown = bench.wait_until(40.0);
    assert!(
        shown.ends_with("58=gap not filled; close sequence"),
        "{shown}"
    );
}

/// SequenceReset moves the expected number forward only.
#[test]
fn sequence_reset() {
    let mut bench = Bench::logged_on();
    assert_eq!(
        bench.say("35=4|34=9|36=20"),
        "",
        "reset mode ignores its own number"
    );
    assert_eq!(bench.say("35=1|34=20|112=x"), "0 34=2 112=x");
    assert_eq!(
        bench.say("35=4|34=21|36=3"),
        "3 34=3 45=21 58=expected at least 21 371=36 372=4 373=5"
    );
    assert_eq!(
        bench.say("35=4|34=21|123=Y|36=21"),
        "3 34=4 45=21 58=expected at least 22 371=36 372=4 373=5"
    );
}

/// A ResendRequest brings application messages again and skips the rest; wrong ranges are rejected.
#[test]
fn resend() {
    let mut bench = Bench::logged_on();
    let now = bench.now();
    for text in ["one", "two"] {
        let draft = Draft::new("8").with(tag::TEXT, text);
        bench.session.send(&draft, now, &mut bench.out);
    }
    assert_eq!(
        bench.shown(Verdict::Handled),
        "8 34=2 58=one; 8 34=3 58=two"
    );
    assert_eq!(bench.say("35=1|34=2|112=x"), "0 34=4 112=x");
    assert_eq!(
        bench.say("35=2|34=3|7=1|16=0"),
        "4 34=1 43=Y 36=2 123=Y; 8 34=2 43=Y 58=one; 8 34=3 43=Y 58=two; 4 34=4 43=Y 36=5 123=Y"
    );
    assert_eq!(bench.say("35=2|34=4|7=3|16=3"), "8 34=3 43=Y 58=two");
    assert_eq!(bench.say("35=2|34=5|7=4|16=99"), "4 34=4 43=Y 36=5 123=Y");
    assert_eq!(
        bench.say("35=2|34=6|7=9|16=0"),
        "3 34=5 45=6 58=expected 1..=4, not above EndSeqNo 371=7 372=2 373=5"
    );
    assert_eq!(
        bench.say("35=2|34=7|7=0|16=0"),
        "3 34=6 45=7 58=expected 1..=5, not above EndSeqNo 371=7 372=2 373=5"
    );
}

/// Silence: heartbeats go out, then a TestRequest, then the session ends.
#[test]
fn silence() {
    let mut bench = Bench::logged_on();
    assert_eq!(
        bench.wait_until(60.0),
        "10s 0 34=2, 12s 1 34=3 112=1000000, 22s 0 34=4, 24s 5 34=5 58=no answer to TestRequest; close heartbeat_timeout"
    );
}

/// An answered TestRequest keeps the session.
#[test]
fn answered_test_request() {
    let mut bench = Bench::logged_on();
    assert_eq!(bench.wait_until(13.0), "10s 0 34=2, 12s 1 34=3 112=1000000");
    assert_eq!(bench.say("35=0|34=2|112=1000000"), "");
    assert_eq!(bench.wait_until(24.0), "22s 0 34=4");
}

/// A socket that never logs on is closed.
#[test]
fn logon_timeout() {
    assert_eq!(Bench::new().wait_until(60.0), "10s close logon_timeout");
}

/// We say Logout: orders are not taken any more, and the wait for the answer is bounded.
#[test]
fn leaving() {
    let mut polite = Bench::logged_on();
    let now = polite.now();
    polite
        .session
        .leave("closing", Ending::Shutdown, now, &mut polite.out);
    assert_eq!(polite.shown(Verdict::Handled), "5 34=2 58=closing");
    assert_eq!(
        polite.say("35=D|34=2|11=a"),
        "j 34=3 45=2 58=logging out 372=D 380=4"
    );
    assert_eq!(polite.say("35=5|34=3"), "close shutdown");

    let mut silent = Bench::logged_on();
    let now = silent.now();
    silent
        .session
        .leave("closing", Ending::Shutdown, now, &mut silent.out);
    silent.shown(Verdict::Handled);
    assert_eq!(silent.wait_until(60.0), "2s close shutdown");
}
