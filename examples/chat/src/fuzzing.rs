//! What is fed with garbage: framing and parsers, and a whole server in conversation.
//!
//! The entry functions are those of the targets in the repository's `fuzz/` and of the driver below, which runs in every
//! `cargo test` on inputs that are the same each time: real lines cut, mixed and changed.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::hall::{Hall, Outcome};
use crate::identity::ClientId;
use crate::moment::Moment;
use crate::protocol::capability::Capabilities;
use crate::protocol::command::Command;
use crate::protocol::framing::{Frame, Framing};
use crate::protocol::isupport::Limits;
use crate::protocol::line::{LINE_MAX, Line};
use crate::protocol::mask::{MASK_MAX, Mask};
use crate::protocol::message::{Message, PARAMS_MAX, TAGS_MAX};
use crate::protocol::mode::Changes;
use crate::protocol::motd::Motd;
use crate::protocol::name::{CaseMapping, is_nick, is_room};
use crate::protocol::tags::{CLIENT_DATA_MAX, SECTION_MAX, escape, unescape};
use crate::session::{Flood, FloodLimits, Policy};

/// People in the conversation; small, so that they meet.
const CLIENTS: usize = 3;

/// Most rooms one of them is in.
const ROOMS_MAX: usize = 4;

/// Most lines that may follow from one line; a LIST, a WHO and a long NAMES are far below.
const OUTCOMES_MAX: usize = 1000;

/// Bytes in pieces of changing size, as a socket gives them, through framing and parsers.
///
/// # Panics
///
/// When one panics, keeps more than its bound, loses count of bytes or gives what its documentation excludes.
pub fn parse(data: &[u8]) {
    let mut framing = Framing::default();
    let mut buffer = BytesMut::new();
    let mut consumed = 0;
    let mut rest = data;
    while let Some(first) = rest.first() {
        let (piece, after) = rest.split_at((usize::from(*first) + 1).min(rest.len()));
        rest = after;
        buffer.extend_from_slice(piece);
        while let Some(frame) = framing.next(&mut buffer) {
            if let Frame::Line { text, .. } = frame {
                line(&text);
            }
        }
        consumed += framing.take_consumed();
        assert!(buffer.len() <= TAGS_MAX + LINE_MAX, "{}", buffer.len());
    }
    assert_eq!(consumed + buffer.len(), data.len());
}

fn line(text: &str) {
    let Ok(message) = Message::parse(text) else {
        return;
    };
    assert!(message.params.len() <= PARAMS_MAX);
    let tags = message.tags.client_only();
    assert!(tags.as_str().len() <= CLIENT_DATA_MAX);
    assert!(!tags.as_str().contains([' ', '\0', '\r', '\n']));
    for (_, value) in message.tags.pairs() {
        let value = unescape(value);
        assert_eq!(unescape(&escape(&value)), value);
    }
    // The result is for the session; here only that there is one.
    let _ = Command::of(&message);
    let _ = Changes::parse(&message.params);
    for param in &message.params {
        let mask = Mask::new(param);
        assert!(mask.as_str().len() <= MASK_MAX);
        let _ = mask.matches(CaseMapping::Rfc1459, text);
        assert!(!is_nick(param) || !is_room(param));
    }
    check(
        &Line::new(Some(text), text, &message.params, Some(text))
            .tagged(tags)
            .at(u64::MAX),
    );
}

/// Lines of three people who are in rooms together: the first byte of each says whose it is.
///
/// # Panics
///
/// When the server panics, says something that is no line, says too much at once, keeps more than its limits, or does not
/// forget who has gone.
pub fn converse(data: &[u8]) {
    let start = Moment {
        instant: Instant::now(),
        unix_ms: 1_000_000,
    };
    let mut talk = Talk::new(start);
    let mut flood = Flood::new(FLOOD, start.instant);
    for (number, line) in data.split(|byte| *byte == b'\n').enumerate() {
        let Some((who, line)) = line.split_first() else {
            continue;
        };
        let after = Duration::from_millis(number as u64 * u64::from(*who));
        talk.now.instant = start.instant + after;
        talk.now.unix_ms += 1;
        // The bucket is of no consequence here but must cope with any sequence.
        let _ = flood.charge(line.len(), talk.now.instant);
        let seat = usize::from(*who) % CLIENTS;
        talk.say(seat, &String::from_utf8_lossy(line));
    }
    for seat in 0..CLIENTS {
        talk.leave(seat);
    }
    let census = talk.hall.directory().census();
    assert_eq!((census.clients, census.rooms), (0, 0));
    assert_eq!((census.unregistered, census.invisible), (0, 0));
}

/// A server and the people in it.
struct Talk {
    hall: Hall<usize>,
    /// The connection of each seat, `None` while nobody sits there.
    ids: [Option<ClientId>; CLIENTS],
    /// Connections so far.
    connections: u64,
    now: Moment,
}

impl Talk {
    /// Everybody is in one room.
    fn new(now: Moment) -> Self {
        let mut talk = Self {
            hall: Hall::new(policy()),
            ids: [None; CLIENTS],
            connections: 0,
            now,
        };
        for seat in 0..CLIENTS {
            talk.say(seat, &format!("NICK n{seat}"));
            talk.say(seat, "USER u 0 * :N");
            talk.say(seat, "JOIN #r");
        }
        talk
    }

    /// Says a line; who is not there comes first.
    fn say(&mut self, seat: usize, line: &str) {
        let id = match self.ids[seat] {
            Some(id) => id,
            None => {
                self.connections += 1;
                let id = ClientId(self.connections);
                self.hall.connect(id, "192.0.2.1".to_owned(), seat);
                self.ids[seat] = Some(id);
                id
            }
        };
        let Ok(message) = Message::parse(line) else {
            return;
        };
        let said = self.hall.message(id, &message, self.now);
        if outcomes(&said) {
            self.leave(seat);
        }
        assert!(self.hall.directory().census().rooms <= ROOMS_MAX * CLIENTS);
    }

    fn leave(&mut self, seat: usize) {
        if let Some(id) = self.ids[seat].take() {
            outcomes(&self.hall.disconnect(id, "gone", self.now));
        }
    }
}

/// Checks every line; gives whether the client must go.
fn outcomes(outcomes: &[Outcome<usize>]) -> bool {
    assert!(outcomes.len() < OUTCOMES_MAX, "{} lines", outcomes.len());
    for outcome in outcomes {
        if let Outcome::Line(_, line) = outcome {
            check(line);
        }
    }
    let is_end = |outcome: &Outcome<usize>| matches!(outcome, Outcome::End(..));
    outcomes.iter().any(is_end)
}

/// A line is one line within its limits, for whatever reader.
fn check(line: &Line) {
    let body = line.as_bytes();
    assert!(body.len() <= LINE_MAX && body.ends_with(b"\r\n"));
    let text = &body[..body.len() - 2];
    assert!(!text.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
    assert!(std::str::from_utf8(text).is_ok());
    for reader in [Capabilities::NONE, Capabilities::offered()] {
        let mut out = BytesMut::new();
        line.write(reader, &mut out);
        assert_eq!(out.len(), line.wire_len(reader));
        assert!(out.len() <= SECTION_MAX + LINE_MAX && out.ends_with(body));
    }
}

const FLOOD: FloodLimits = FloodLimits {
    burst_lines: 3,
    line_every: Duration::from_millis(100),
    patience_lines: 5,
};

fn policy() -> Policy {
    Policy {
        server: "irc.test".into(),
        limits: Limits {
            case_mapping: CaseMapping::Rfc1459,
            rooms_per_client_max: ROOMS_MAX,
        },
        password: None,
        motd: Motd::new("Hello"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 30] = [
        "JOIN #a,#b,#r key",
        "PART #r :bye",
        "PRIVMSG #r,n1,n2 :hello there",
        "@+a=b;time=x PRIVMSG #r :tagged",
        "@+typing=active TAGMSG #r",
        "NOTICE n0 :note",
        "MODE #r +ovb n1 n2 *!*@192.0.2.1",
        "MODE #r -o+imntkl n0 word 2",
        "MODE #r -b+b *!*@192.0.2.1",
        "MODE #r",
        "MODE n0 +i",
        "KICK #r n1,n2 :out",
        "INVITE n1 #r",
        "TOPIC #r :a topic",
        "NAMES #r,#a",
        "WHO #r",
        "WHO n*",
        "WHOIS n1",
        "LIST >0,#*,!#b",
        "AWAY :tea",
        "NICK n1",
        "NICK N{2}",
        "CAP REQ :server-time message-tags echo-message",
        "CAP REQ :-server-time multi-prefix away-notify",
        "CAP LS 302",
        "LUSERS",
        "QUIT :gone",
        "ISON n0 n1",
        "USERHOST n0 n1",
        "PASS x",
    ];

    const PIECES: [&[u8]; 14] = [
        b" ",
        b":",
        b",",
        b"#",
        b"@",
        b"!",
        b"*",
        b"+",
        b"-",
        b"\0",
        b"\r",
        b"\n",
        b"\xff",
        "é".as_bytes(),
    ];

    /// xorshift64*: the same inputs in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let next = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
            usize::try_from(next % (limit.max(1) as u64)).unwrap()
        }

        /// A conversation of real lines, some of them changed.
        fn conversation(&mut self) -> Vec<u8> {
            let mut data = Vec::new();
            for _ in 0..self.below(60) {
                data.push(u8::try_from(self.below(256)).unwrap());
                let mut line = LINES[self.below(LINES.len())].as_bytes().to_vec();
                for _ in 0..self.below(3) {
                    let at = self.below(line.len() + 1);
                    match self.below(4) {
                        0 => line.truncate(at),
                        1 => {
                            let again = line[at..].repeat(1 + self.below(40));
                            line.extend(again);
                        }
                        _ => {
                            let piece = PIECES[self.below(PIECES.len())];
                            line.splice(at..at, piece.iter().copied()).for_each(drop);
                        }
                    }
                }
                data.extend(line);
                data.push(b'\n');
            }
            data
        }
    }

    /// Neither garbage nor real lines in any order make the parsers or the server do what they must not.
    #[test]
    fn survives_garbage() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..600 {
            let data = random.conversation();
            parse(&data);
            converse(&data);
        }
        for _ in 0..200 {
            let noise: Vec<u8> = (0..random.below(6000))
                .map(|_| u8::try_from(random.below(256)).unwrap())
                .collect();
            parse(&noise);
            converse(&noise);
        }
    }
}
