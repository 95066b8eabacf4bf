//! The client's side of one IRC connection: registers, joins its room, talks, listens, answers pings. Pure.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;

use super::arrivals::{Arrival, Arrivals};
use super::line::{Line, Text};
use super::rooms::Rooms;
use crate::session::{Event, Session};

/// Longest line read: 512 bytes of IRC with the longest tags (8191). A service that sends more speaks something else.
const LINE_LEN_MAX: usize = 8191 + 512;

/// How often another nickname is tried when one is taken, by somebody or by an earlier run that is still leaving.
const NICK_TRIES_MAX: usize = 3;

/// "There is no message of the day": a complaint by its number only.
const NO_MOTD: u16 = 422;
/// "This nickname is taken".
const NICK_TAKEN: u16 = 433;

/// One client of the load.
#[derive(Debug)]
pub(crate) struct IrcSession {
    rooms: Arc<Rooms>,
    client: usize,
    run: u32,
    nick: String,
    nick_tries: usize,
    stage: Stage,
    arrivals: Arrivals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Registering,
    Joining,
    In,
}

impl IrcSession {
    pub(crate) fn new(rooms: Arc<Rooms>, client: usize, run: u32) -> Self {
        Self {
            nick: nick(run, client),
            rooms,
            client,
            run,
            nick_tries: 1,
            stage: Stage::Registering,
            arrivals: Arrivals::default(),
        }
    }

    fn room(&self) -> String {
        format!("#room-{}", self.rooms.room_of(self.client))
    }

    fn line(
        &mut self,
        text: &str,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<(), String> {
        let Some(line) = Line::parse(text) else {
            return Ok(());
        };
        match (line.command, self.stage) {
            ("PING", _) => say(out, &format!("PONG :{}", line.text())),
            ("PRIVMSG", Stage::In) => self.message(&line, events),
            ("001", Stage::Registering) => {
                self.stage = Stage::Joining;
                say(out, &format!("JOIN {}", self.room()));
            }
            // The end of the list of names: the room knows us from here on.
            ("366", Stage::Joining) => {
                self.stage = Stage::In;
                events.push(Event::Ready);
            }
            ("ERROR", _) => return Err(format!("the service said: {}", line.text())),
            _ => return self.complaint(&line, text, out, events),
        }
        Ok(())
    }

    fn message(&mut self, line: &Line<'_>, events: &mut Vec<Event>) {
        let Some(text) = Text::read(line.text(), self.run) else {
            return;
        };
        if line.params.first() != Some(&self.room().as_str()) || !self.is_from_our_room(text.sender)
        {
            events.push(Event::Fault(format!(
                "{} got a message of another room",
                self.nick
            )));
            return;
        }
        let index = self.rooms.index_of(text.sender, text.number);
        let intended_ns = Some(text.intended_ns);
        let seat = self.rooms.seat_of(text.sender);
        events.push(match self.arrivals.arrive(seat, text.number) {
            Arrival::InOrder => Event::Answer { index, intended_ns },
            Arrival::Late => Event::Late { index, intended_ns },
            Arrival::Duplicate => Event::Duplicate,
        });
    }

    /// Our own messages do not come back to us in IRC.
    fn is_from_our_room(&self, sender: usize) -> bool {
        sender < self.rooms.clients()
            && sender != self.client
            && self.rooms.room_of(sender) == self.rooms.room_of(self.client)
    }

    fn complaint(
        &mut self,
        line: &Line<'_>,
        text: &str,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<(), String> {
        match line.complaint() {
            None | Some(NO_MOTD) => {}
            Some(NICK_TAKEN)
                if self.stage == Stage::Registering && self.nick_tries < NICK_TRIES_MAX =>
            {
                self.nick_tries += 1;
                self.nick.push('_');
                say(out, &format!("NICK {}", self.nick));
            }
            Some(_) if self.stage == Stage::In => {
                events.push(Event::Fault(format!("the service said: {text}")))
            }
            Some(_) => return Err(format!("the service said: {text}")),
        }
        Ok(())
    }
}

impl Session for IrcSession {
    fn open(&mut self, out: &mut Vec<u8>, _clock: SystemTime) {
        say(out, &format!("NICK {}", self.nick));
        say(
            out,
            &format!("USER {} 0 * :load client {}", self.nick, self.client),
        );
    }

    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
        _clock: SystemTime,
    ) -> Result<(), String> {
        while let Some(end) = input.iter().position(|byte| *byte == b'\n') {
            let line = input.split_to(end + 1);
            // What is not UTF-8 was not sent by us; it is read as far as it goes.
            let text = String::from_utf8_lossy(&line);
            self.line(text.trim_end_matches(['\r', '\n']), out, events)?;
        }
        if input.len() > LINE_LEN_MAX {
            return Err(format!(
                "a line of more than {LINE_LEN_MAX} bytes; expected IRC"
            ));
        }
        Ok(())
    }

    fn send(&mut self, index: usize, intended_ns: u64, out: &mut Vec<u8>, _clock: SystemTime) {
        let text = Text {
            sender: self.client,
            number: self.rooms.number_of(index),
            intended_ns,
        };
        say(
            out,
            &format!("PRIVMSG {} :{}", self.room(), text.write(self.run)),
        );
    }

    fn keep_alive(&mut self, _out: &mut Vec<u8>, _clock: SystemTime) {
        // The service pings, we answer: nothing to do unasked.
    }

    fn close(&mut self, out: &mut Vec<u8>, _clock: SystemTime) {
        say(out, "QUIT :load done");
    }
}

fn say(out: &mut Vec<u8>, line: &str) {
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// A nickname of at most nine characters, which every IRC service takes: two letters from the run and the client's number.
fn nick(run: u32, client: usize) -> String {
    let letter = |number: u32| char::from_digit(number % 26 + 10, 36).unwrap_or('a');
    format!("{}{}{client}", letter(run), letter(run / 26))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// Client 0 of four in rooms of two: client 2 is in the same room, 1 and 3 are not.
    fn session() -> IrcSession {
        IrcSession::new(Arc::new(Rooms::new(4, 2)), 0, 5)
    }

    fn receive(session: &mut IrcSession, input: &str) -> (String, Vec<Event>, Result<(), String>) {
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let mut input = BytesMut::from(input);
        let result = session.receive(&mut input, &mut out, &mut events, UNIX_EPOCH);
        (String::from_utf8(out).unwrap(), events, result)
    }

    fn session_in_room() -> IrcSession {
        let mut session = session();
        let way_in = ":s 001 fa0 :hi\r\n:s 366 fa0 #room-0 :end\r\n";
        assert_eq!(receive(&mut session, way_in).1, [Event::Ready]);
        assert_eq!(session.stage, Stage::In);
        session
    }

    /// Goal: the way in, as a real service leads a client through it.
    #[test]
    fn registers_and_joins() {
        let mut session = session();
        let mut out = Vec::new();
        session.open(&mut out, UNIX_EPOCH);
        assert_eq!(out, b"NICK fa0\r\nUSER fa0 0 * :load client 0\r\n");
        let (out, events, _) = receive(
            &mut session,
            "PING :x\r\n:s 001 fa0 :hi\r\n:s 422 fa0 :no motd\r\n",
        );
        assert_eq!(
            (out.as_str(), events.len()),
            ("PONG :x\r\nJOIN #room-0\r\n", 0)
        );
        let (out, events, _) = receive(
            &mut session,
            ":fa0!u@h JOIN #room-0\r\n:s 366 fa0 #room-0 :end\r\n",
        );
        assert_eq!((out.as_str(), events), ("", vec![Event::Ready]));
    }

    /// Goal: a message is written with all that a receiver needs, and a receiver reads it back to the same index.
    #[test]
    fn messages_find_their_index() {
        let rooms = Arc::new(Rooms::new(4, 2));
        let mut sender = IrcSession::new(rooms, 2, 5);
        let mut out = Vec::new();
        sender.send(6, 777, &mut out, UNIX_EPOCH);
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line, "PRIVMSG #room-0 :load 5 2 2 777\r\n");
        let mut receiver = session_in_room();
        let (_, events, _) = receive(&mut receiver, &format!(":x!y@z {line}:x!y@z {line}"));
        let first = Event::Answer {
            index: 6,
            intended_ns: Some(777),
        };
        assert_eq!(events, [first, Event::Duplicate]);
        let (_, events, _) = receive(&mut receiver, ":x!y@z PRIVMSG #room-0 :load 5 2 1 5\r\n");
        assert_eq!(
            events,
            [Event::Late {
                index: 2,
                intended_ns: Some(5)
            }]
        );
    }

    /// Goal: what people or other runs say is passed over; what should not have reached this client is an error.
    #[test]
    fn foreign_messages() {
        let mut session = session_in_room();
        for line in ["hello", "load 6 2 1 1", "load 5 2"] {
            let (_, events, result) =
                receive(&mut session, &format!(":x PRIVMSG #room-0 :{line}\r\n"));
            assert!(events.is_empty() && result.is_ok(), "{line}");
        }
        for (room, line) in [
            ("#room-1", "load 5 2 1 1"),
            ("#room-0", "load 5 1 1 1"),
            ("#room-0", "load 5 0 1 1"),
        ] {
            let (_, events, _) = receive(&mut session, &format!(":x PRIVMSG {room} :{line}\r\n"));
            assert!(
                matches!(events.as_slice(), [Event::Fault(_)]),
                "{room} {line}"
            );
        }
    }

    /// Goal: a taken nickname is varied a few times; any other complaint on the way in ends it, in the room it is counted.
    #[test]
    fn complaints() {
        let mut entering = session();
        assert_eq!(
            receive(&mut entering, ":s 433 * fa0 :taken\r\n").0,
            "NICK fa0_\r\n"
        );
        assert_eq!(
            receive(&mut entering, ":s 433 * fa0_ :taken\r\n").0,
            "NICK fa0__\r\n"
        );
        assert!(
            receive(&mut entering, ":s 433 * fa0__ :taken\r\n")
                .2
                .unwrap_err()
                .contains("433")
        );
        assert!(
            receive(&mut session(), ":s 465 fa0 :banned\r\n")
                .2
                .unwrap_err()
                .contains("banned")
        );
        let (_, events, result) = receive(
            &mut session_in_room(),
            ":s 404 fa0 #room-0 :cannot send\r\n",
        );
        assert!(result.is_ok() && matches!(events.as_slice(), [Event::Fault(_)]));
        assert!(
            receive(&mut session_in_room(), "ERROR :SendQ exceeded\r\n")
                .2
                .unwrap_err()
                .contains("SendQ")
        );
    }

    /// Goal: bytes that never make a line end the connection, split lines are put together.
    #[test]
    fn lines_are_bounded_and_joined() {
        let mut session = session();
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let mut input = BytesMut::from("PI");
        session
            .receive(&mut input, &mut out, &mut events, UNIX_EPOCH)
            .unwrap();
        input.extend_from_slice(b"NG a\n\xff\xfe\n");
        session
            .receive(&mut input, &mut out, &mut events, UNIX_EPOCH)
            .unwrap();
        assert_eq!(out, b"PONG :a\r\n");
        assert!(receive(&mut session, &"x".repeat(10_000)).2.is_err());
    }

    /// Goal: nicknames fit the shortest limit, start with a letter, and differ.
    #[test]
    fn nicks_fit() {
        for (run, client) in [(0, 0), (4_194_304, 27_999), (25, 1), (26, 1)] {
            let nick = nick(run, client);
            assert!(
                nick.len() <= 9 && nick.starts_with(|c: char| c.is_ascii_lowercase()),
                "{nick}"
            );
        }
        assert_ne!(nick(25, 1), nick(26, 1));
    }
}
