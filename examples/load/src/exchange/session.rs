//! The client's side of one FIX session: logs on, sends orders, matches answers to them, keeps the session alive. Pure.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;

use super::fix::{Draft, Message};
use super::flow::{Flow, What};
use super::timestamp::utc;
use crate::session::{Event, Session};

/// Seconds between heartbeats that the session asks for; more than twice what the generator keeps connections open with.
const HEARTBEAT_SECONDS: u64 = 30;

/// Bits of what has been seen for one message: any answer at all, and each kind of report that may come only once.
mod seen {
    pub(super) const ANSWER: u8 = 1;
    pub(super) const NEW: u8 = 1 << 1;
    pub(super) const CANCELED: u8 = 1 << 2;
    pub(super) const REJECTED: u8 = 1 << 3;
}

/// One session of the load.
#[derive(Debug)]
pub(crate) struct FixSession {
    flow: Arc<Flow>,
    sender: String,
    target: Arc<str>,
    client: usize,
    is_in: bool,
    next_out: u64,
    next_in: u64,
    /// What was seen for each message of this session, by its turn.
    seen: Vec<u8>,
}

impl FixSession {
    pub(crate) fn new(flow: Arc<Flow>, sender: String, target: Arc<str>, client: usize) -> Self {
        Self {
            flow,
            sender,
            target,
            client,
            is_in: false,
            next_out: 1,
            next_in: 1,
            seen: Vec::new(),
        }
    }

    /// Begins a message with the next number.
    fn draft(&mut self, kind: &str, clock: SystemTime) -> Draft {
        let number = self.next_out;
        self.next_out += 1;
        self.numbered(kind, number, clock)
    }

    fn numbered(&self, kind: &str, number: u64, clock: SystemTime) -> Draft {
        Draft::new(kind)
            .field(49, &self.sender)
            .field(56, &self.target)
            .number(34, number)
            .field(52, utc(clock))
    }

    fn message(
        &mut self,
        message: &Message,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
        clock: SystemTime,
    ) -> Result<(), String> {
        self.check_number(message, events);
        match message.kind() {
            "A" if !self.is_in => {
                self.is_in = true;
                events.push(Event::Ready);
            }
            "0" | "A" => {}
            "1" => {
                let id = message.get(112).unwrap_or_default().to_owned();
                self.draft("0", clock).field(112, id).finish(out);
            }
            "2" => {
                events.push(Event::Fault(
                    "the service asked for messages again".to_owned(),
                ));
                self.fill_gap(message, out, clock);
            }
            "4" => self.next_in = message.number(36).unwrap_or(self.next_in),
            "5" => {
                return Err(format!(
                    "logged out: {}",
                    message.get(58).unwrap_or("no reason given")
                ));
            }
            "8" | "9" => self.report(message, events),
            "3" | "j" => events.push(Event::Fault(format!(
                "message {} was rejected: {}",
                message.get(45).unwrap_or("?"),
                message.get(58).unwrap_or("no reason given")
            ))),
            other => events.push(Event::Fault(format!(
                "a message of type {other:?}; expected a report"
            ))),
        }
        Ok(())
    }

    /// Each message must have the number after the one before.
    fn check_number(&mut self, message: &Message, events: &mut Vec<Event>) {
        let Some(number) = message.number(34) else {
            events.push(Event::Fault("a message without number".to_owned()));
            return;
        };
        if number > self.next_in {
            events.push(Event::Fault(format!(
                "message {number} came; expected {}",
                self.next_in
            )));
        } else if number < self.next_in && message.get(43) != Some("Y") {
            events.push(Event::Reordered);
        }
        self.next_in = self.next_in.max(number.saturating_add(1));
    }

    /// Nothing is kept to be sent again, so a request is answered by skipping what it asks for.
    fn fill_gap(&mut self, request: &Message, out: &mut Vec<u8>, clock: SystemTime) {
        let from = request.number(7).unwrap_or(1).clamp(1, self.next_out);
        self.numbered("4", from, clock)
            .field(43, "Y")
            .field(123, "Y")
            .number(36, self.next_out)
            .finish(out);
    }

    /// An ExecutionReport or OrderCancelReject: the first one for a ClOrdID is the answer.
    fn report(&mut self, message: &Message, events: &mut Vec<Event>) {
        let exec_type = message.get(150).unwrap_or_default();
        if message.kind() == "8" && exec_type == "8" {
            let reason = message.get(58).unwrap_or("no reason given");
            events.push(Event::Fault(format!("an order was rejected: {reason}")));
        }
        let index = message.number(11).and_then(|id| usize::try_from(id).ok());
        let Some((index, turn)) = index.and_then(|index| Some((index, self.turn_of(index)?)))
        else {
            let id = message.get(11).unwrap_or("none");
            events.push(Event::Fault(format!(
                "a report for the unknown ClOrdID {id}"
            )));
            return;
        };
        let once = match (message.kind(), exec_type) {
            ("8", "0") => seen::NEW,
            ("8", "4") => seen::CANCELED,
            ("8", "8") | ("9", _) => seen::REJECTED,
            _ => 0,
        };
        let before = self.seen[turn];
        self.seen[turn] |= seen::ANSWER | once;
        if before & once != 0 {
            events.push(Event::Duplicate);
        } else if before & seen::ANSWER == 0 {
            events.push(Event::Answer {
                index,
                intended_ns: None,
            });
        }
    }

    /// Which message of this session has the index, if it is one that was sent.
    fn turn_of(&self, index: usize) -> Option<usize> {
        let sessions = self.flow.sessions();
        let turn = index / sessions;
        (index % sessions == self.client && turn < self.seen.len()).then_some(turn)
    }
}

impl Session for FixSession {
    fn open(&mut self, out: &mut Vec<u8>, clock: SystemTime) {
        self.draft("A", clock)
            .number(98, 0)
            .number(108, HEARTBEAT_SECONDS)
            .field(141, "Y")
            .finish(out);
    }

    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
        clock: SystemTime,
    ) -> Result<(), String> {
        while let Some(message) = Message::take(input)? {
            self.message(&message, out, events, clock)?;
        }
        Ok(())
    }

    fn send(&mut self, index: usize, _intended_ns: u64, out: &mut Vec<u8>, clock: SystemTime) {
        let turn = index / self.flow.sessions();
        self.seen.resize(self.seen.len().max(turn + 1), 0);
        let order = self.flow.order(index);
        let kind = match order.what {
            What::New { .. } => "D",
            What::Cancel { .. } => "F",
        };
        let mut draft = self.draft(kind, clock).field(11, index.to_string());
        if let What::Cancel { index } = order.what {
            draft = draft.field(41, index.to_string());
        }
        draft = draft
            .field(55, &order.symbol)
            .field(54, order.side.code())
            .field(60, utc(clock))
            .number(38, order.quantity);
        if let What::New { price } = order.what {
            // Limit, good till cancelled: resting orders end by our own cancels.
            draft = draft.field(40, "2").field(44, price).field(59, "1");
        }
        draft.finish(out);
    }

    fn keep_alive(&mut self, out: &mut Vec<u8>, clock: SystemTime) {
        self.draft("0", clock).finish(out);
    }

    fn close(&mut self, out: &mut Vec<u8>, clock: SystemTime) {
        self.draft("5", clock).finish(out);
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// Session 1 of 3.
    fn session() -> FixSession {
        FixSession::new(
            Arc::new(Flow::new(1, 3, 2)),
            "LOAD".to_owned(),
            Arc::from("EX"),
            1,
        )
    }

    fn parsed(bytes: &[u8]) -> Vec<Message> {
        let mut input = BytesMut::from(bytes);
        let messages = std::iter::from_fn(|| Message::take(&mut input).unwrap()).collect();
        assert!(input.is_empty());
        messages
    }

    fn receive(
        session: &mut FixSession,
        drafts: Vec<Draft>,
    ) -> (Vec<Message>, Vec<Event>, Result<(), String>) {
        let (mut bytes, mut out, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for draft in drafts {
            draft.finish(&mut bytes);
        }
        let mut input = BytesMut::from(bytes.as_slice());
        let result = session.receive(&mut input, &mut out, &mut events, UNIX_EPOCH);
        (parsed(&out), events, result)
    }

    fn from_service(kind: &str, number: u64) -> Draft {
        Draft::new(kind)
            .field(49, "EX")
            .field(56, "LOAD")
            .number(34, number)
    }

    fn report(number: u64, exec_type: &str, index: usize) -> Draft {
        from_service("8", number)
            .field(150, exec_type)
            .field(11, index.to_string())
    }

    /// A session that is in and has sent messages 1 and 4.
    fn session_in() -> FixSession {
        let mut session = session();
        session.open(&mut Vec::new(), UNIX_EPOCH);
        assert_eq!(
            receive(&mut session, vec![from_service("A", 1)]).1,
            [Event::Ready]
        );
        for index in [1, 4] {
            session.send(index, 0, &mut Vec::new(), UNIX_EPOCH);
        }
        session
    }

    /// Goal: the logon has what FIX 4.4 asks for and resets the numbers.
    #[test]
    fn logs_on() {
        let mut out = Vec::new();
        session().open(&mut out, UNIX_EPOCH);
        let message = &parsed(&out)[0];
        for (tag, value) in [
            (35, "A"),
            (49, "LOAD"),
            (56, "EX"),
            (34, "1"),
            (98, "0"),
            (108, "30"),
            (141, "Y"),
        ] {
            assert_eq!(message.get(tag), Some(value), "{tag}");
        }
        assert_eq!(message.get(52), Some("19700101-00:00:00.000"));
    }

    /// Goal: orders and cancels carry every field that an exchange asks for, and count up.
    #[test]
    fn writes_orders_and_cancels() {
        let mut session = session();
        let mut out = Vec::new();
        for turn in 0..4 {
            session.send(1 + 3 * turn, 0, &mut out, UNIX_EPOCH);
        }
        let messages = parsed(&out);
        let kinds: Vec<_> = messages.iter().map(Message::kind).collect();
        assert_eq!(kinds, ["D", "D", "D", "F"]);
        for (number, message) in messages.iter().enumerate() {
            assert_eq!(message.number(34), Some(u64::try_from(number).unwrap() + 1));
            assert!(
                [11, 38, 54, 55, 60]
                    .iter()
                    .all(|tag| message.get(*tag).is_some())
            );
        }
        assert_eq!(
            (messages[0].get(40), messages[0].get(59)),
            (Some("2"), Some("1"))
        );
        assert_eq!(
            (messages[3].get(11), messages[3].get(41)),
            (Some("10"), Some("1"))
        );
        assert_eq!(messages[3].get(44), None);
    }

    /// Goal: the first report answers, later ones of other kinds are no news, the same kind again is a repeat.
    #[test]
    fn first_report_answers() {
        let mut session = session_in();
        let (_, events, _) = receive(
            &mut session,
            vec![report(2, "0", 1), report(3, "F", 1), report(4, "F", 1)],
        );
        assert_eq!(
            events,
            [Event::Answer {
                index: 1,
                intended_ns: None
            }]
        );
        assert_eq!(
            receive(&mut session, vec![report(5, "0", 1)]).1,
            [Event::Duplicate]
        );
        let cancel_reject = from_service("9", 6).field(11, "4");
        let (_, events, _) = receive(&mut session, vec![cancel_reject]);
        assert_eq!(
            events,
            [Event::Answer {
                index: 4,
                intended_ns: None
            }]
        );
    }

    /// Goal: a rejected order is answered, but counts as an error too.
    #[test]
    fn rejected_order_is_an_error() {
        let rejection = report(2, "8", 1).field(58, "unknown symbol");
        let (_, events, _) = receive(&mut session_in(), vec![rejection]);
        assert!(matches!(&events[0], Event::Fault(text) if text.contains("unknown symbol")));
        assert_eq!(
            events[1],
            Event::Answer {
                index: 1,
                intended_ns: None
            }
        );
    }

    /// Goal: reports for what this session did not send are errors.
    #[test]
    fn foreign_reports_are_errors() {
        let mut session = session_in();
        for (number, id) in [
            (2, "2"),
            (3, "7"),
            (4, "x"),
            (5, "-1"),
            (6, "99999999999999999999"),
        ] {
            let (_, events, _) =
                receive(&mut session, vec![from_service("8", number).field(11, id)]);
            assert!(
                matches!(events.as_slice(), [Event::Fault(_)]),
                "{id}: {events:?}"
            );
        }
    }

    /// Goal: gaps and steps back in the numbers are seen; a gap is told once.
    #[test]
    fn numbers_are_checked() {
        let mut session = session_in();
        let heartbeat = |number| vec![from_service("0", number)];
        assert!(receive(&mut session, heartbeat(2)).1.is_empty());
        assert!(matches!(
            receive(&mut session, heartbeat(5)).1.as_slice(),
            [Event::Fault(_)]
        ));
        assert!(receive(&mut session, heartbeat(6)).1.is_empty());
        assert_eq!(receive(&mut session, heartbeat(3)).1, [Event::Reordered]);
        assert!(receive(&mut session, heartbeat(7)).1.is_empty());
    }

    /// Goal: the session keeps to the protocol: it answers tests and requests, and says goodbye.
    #[test]
    fn keeps_the_session() {
        let mut session = session_in();
        let (out, ..) = receive(&mut session, vec![from_service("1", 2).field(112, "T")]);
        assert_eq!(
            (out[0].kind(), out[0].get(112), out[0].number(34)),
            ("0", Some("T"), Some(4))
        );
        let (out, ..) = receive(
            &mut session,
            vec![from_service("2", 3).number(7, 2).number(16, 0)],
        );
        let gap = &out[0];
        assert_eq!(
            (gap.kind(), gap.number(34), gap.number(36), gap.get(123)),
            ("4", Some(2), Some(5), Some("Y"))
        );
        let mut bye = Vec::new();
        session.close(&mut bye, UNIX_EPOCH);
        assert_eq!(
            (parsed(&bye)[0].kind(), parsed(&bye)[0].number(34)),
            ("5", Some(5))
        );
    }

    /// Goal: a logout ends the session with the service's own words, a reject is counted.
    #[test]
    fn goodbyes_and_rejects() {
        let logout = from_service("5", 1).field(58, "bad CompID");
        assert!(
            receive(&mut session(), vec![logout])
                .2
                .unwrap_err()
                .contains("bad CompID")
        );
        let reject = from_service("3", 2).number(45, 2).field(58, "tag missing");
        let (_, events, result) = receive(&mut session_in(), vec![reject]);
        assert!(result.is_ok());
        assert!(matches!(&events[0], Event::Fault(text) if text.contains("tag missing")));
    }
}
