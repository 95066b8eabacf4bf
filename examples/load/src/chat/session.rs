//! The client's side of one IRC connection: registers, joins its room, talks, listens, comes and goes, answers pings. Pure.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;

use super::arrivals::{Arrival, Arrivals};
use super::hall::Hall;
use super::line::{Line, Text};
use super::turns::Turn;
use crate::session::{Event, Role, Session};

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
    hall: Arc<Hall>,
    client: usize,
    room: String,
    nick: String,
    nick_tries: usize,
    stage: Stage,
    arrivals: Arrivals,
    /// Moves that the service has not confirmed, the oldest first, with their indexes in the schedule.
    moves: VecDeque<(usize, Move)>,
    /// Whether the last move, confirmed or not, was out of the room.
    is_away: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Registering,
    Joining,
    In,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Out,
    Back,
}

impl IrcSession {
    pub(crate) fn new(hall: Arc<Hall>, client: usize) -> Self {
        Self {
            room: hall.room(client),
            nick: hall.nick(client),
            hall,
            client,
            nick_tries: 1,
            stage: Stage::Registering,
            arrivals: Arrivals::default(),
            moves: VecDeque::new(),
            is_away: false,
        }
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
            ("PONG", Stage::In) if !self.hall.has_rooms() => self.pong(&line, events),
            ("001", Stage::Registering) if !self.hall.has_rooms() => {
                self.stage = Stage::In;
                events.push(Event::Ready);
            }
            ("001", Stage::Registering) => {
                self.stage = Stage::Joining;
                say(out, &format!("JOIN {}", self.room));
            }
            // The end of the list of names: the room knows us from here on.
            ("366", Stage::Joining) => {
                self.stage = Stage::In;
                events.push(Event::Ready);
            }
            ("366", Stage::In) => self.moved(Move::Back, events),
            ("PART", Stage::In) if line.source == self.nick => self.moved(Move::Out, events),
            ("ERROR", _) => return Err(format!("the service said: {}", line.text())),
            _ => return self.complaint(&line, text, out, events),
        }
        Ok(())
    }

    fn message(&mut self, line: &Line<'_>, events: &mut Vec<Event>) {
        // A mover hears only what is said while it is there, which nobody keeps account of.
        if self.hall.role(self.client) == Role::Mover {
            return;
        }
        let Some(text) = Text::read(line.text(), self.hall.run) else {
            return;
        };
        if line.params.first() != Some(&self.room.as_str())
            || !self.hall.is_heard(text.sender, self.client)
        {
            events.push(Event::Fault(format!(
                "{} got a message of another room",
                self.nick
            )));
            return;
        }
        let seat = self.hall.rooms.seat_of(text.sender);
        self.arrived(seat, text, events);
    }

    /// The answer to a sign of life carries what was asked with.
    fn pong(&mut self, line: &Line<'_>, events: &mut Vec<Event>) {
        match Text::read(line.text(), self.hall.run) {
            Some(text) if text.sender == self.client => self.arrived(0, text, events),
            Some(_) => events.push(Event::Fault(format!("{} got another's PONG", self.nick))),
            None => {}
        }
    }

    fn arrived(&mut self, seat: usize, text: Text, events: &mut Vec<Event>) {
        let index = self.hall.turns.index_of(text.sender, text.number);
        let intended_ns = Some(text.intended_ns);
        events.push(match self.arrivals.arrive(seat, text.number) {
            Arrival::InOrder => Event::Answer { index, intended_ns },
            Arrival::Late => Event::Late { index, intended_ns },
            Arrival::Duplicate => Event::Duplicate,
        });
    }

    /// The service has confirmed a move.
    fn moved(&mut self, done: Move, events: &mut Vec<Event>) {
        match self.moves.pop_front() {
            Some((index, expected)) if expected == done => events.push(Event::Answer {
                index,
                intended_ns: None,
            }),
            Some(_) => events.push(Event::Reordered),
            None => {}
        }
    }

    /// Leaves the room, or comes back.
    fn change_place(&mut self, index: usize, out: &mut Vec<u8>) {
        let (word, next) = if self.is_away {
            ("JOIN", Move::Back)
        } else {
            ("PART", Move::Out)
        };
        self.is_away = !self.is_away;
        self.moves.push_back((index, next));
        say(out, &format!("{word} {}", self.room));
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
        let number = match self.hall.turns.turn(index) {
            Turn::Talk { number, .. } => number,
            Turn::Move { .. } => return self.change_place(index, out),
        };
        let text = Text {
            sender: self.client,
            number,
            intended_ns,
        };
        let text = text.write(self.hall.run);
        if self.hall.has_rooms() {
            say(out, &format!("PRIVMSG {} :{text}", self.room));
        } else {
            say(out, &format!("PING :{text}"));
        }
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

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::profile::Profile;
    use super::super::rooms::Rooms;
    use super::*;

    /// Four clients in rooms of two: clients 0 and 2 are in the same room, 1 and 3 in the other.
    fn hall(profile: Profile) -> Arc<Hall> {
        Arc::new(Hall::new(profile, Rooms::equal(4, 2), 0, 5))
    }

    fn session() -> IrcSession {
        IrcSession::new(hall(Profile::Rooms), 0)
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
        let mut sender = IrcSession::new(hall(Profile::Rooms), 2);
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

    /// Goal: an idle client is in without a room, and the answer to its sign of life finds the message.
    #[test]
    fn idle_asks_for_signs_of_life() {
        let mut session = IrcSession::new(hall(Profile::Idle), 1);
        let (out, events, _) = receive(&mut session, ":s 001 fa1 :hi\r\n:s 422 fa1 :no motd\r\n");
        assert_eq!((out.as_str(), events), ("", vec![Event::Ready]));
        let mut out = Vec::new();
        session.send(5, 900, &mut out, UNIX_EPOCH);
        assert_eq!(out, b"PING :load 5 1 2 900\r\n");
        let answer = ":s PONG s :load 5 1 2 900\r\n";
        let (_, events, _) = receive(&mut session, &format!("{answer}{answer}"));
        let first = Event::Answer {
            index: 5,
            intended_ns: Some(900),
        };
        assert_eq!(events, [first, Event::Duplicate]);
        let (_, events, _) = receive(&mut session, ":s PONG s :load 5 0 1 0\r\n:s PONG s :x\r\n");
        assert!(matches!(events.as_slice(), [Event::Fault(_)]), "{events:?}");
    }

    /// Goal: a mover leaves and comes back, each move is answered by its own confirmation only, in order.
    #[test]
    fn movers_come_and_go() {
        let hall = Arc::new(Hall::new(Profile::Churn, Rooms::equal(20, 10), 0, 5));
        let mut mover = IrcSession::new(hall, 18);
        let way_in = ":s 001 fa18 :hi\r\n:s 366 fa18 #room-0 :end\r\n";
        assert_eq!(receive(&mut mover, way_in).1, [Event::Ready]);
        let mut out = Vec::new();
        for index in [9, 29] {
            mover.send(index, 0, &mut out, UNIX_EPOCH);
        }
        assert_eq!(out, b"PART #room-0\r\nJOIN #room-0\r\n");
        let answered = |index| Event::Answer {
            index,
            intended_ns: None,
        };
        for (line, expect) in [
            (":fa16!u@h PART #room-0\r\n", vec![]),
            (":fa2!u@h PRIVMSG #room-0 :load 5 2 1 1\r\n", vec![]),
            (":fa18!u@h PART #room-0\r\n", vec![answered(9)]),
            (":s 366 fa18 #room-0 :end\r\n", vec![answered(29)]),
            (":s 366 fa18 #room-0 :end\r\n", vec![]),
        ] {
            assert_eq!(receive(&mut mover, line).1, expect, "{line}");
        }
        mover.send(49, 0, &mut out, UNIX_EPOCH);
        let (_, events, _) = receive(&mut mover, ":s 366 fa18 #room-0 :end\r\n");
        assert_eq!(events, [Event::Reordered]);
    }
}
