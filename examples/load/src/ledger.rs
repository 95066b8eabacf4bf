//! Keeps account of every message: when it was intended and sent, what it should bring, and what came back.
//!
//! The pacing thread writes [`Flights`] (atomics, one cell per message), the reading thread owns the [`Ledger`]. Neither
//! reads a clock: times are given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::histogram::Latencies;
use crate::schedule::{Schedule, nanoseconds};
use crate::seconds::SecondsClock;
use crate::session::{Event, Role};

/// Stands for "not sent": no run lasts 584 years.
const NEVER: u64 = u64::MAX;

/// An answer counts as in time if it comes at most this share of the run after its end. The last messages' answers come after
/// the end even from a service that keeps up; one that falls behind is further behind than that.
const AFTER_END_SHARE: f64 = 0.01;

/// Where a response time begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    /// When the message was intended: the open loop.
    Intended,
    /// When it was sent, as a closed loop has it; only to show the error that makes.
    Sent,
}

/// What was sent, written before the bytes are, so that no answer can come first.
#[derive(Debug)]
pub(crate) struct Flights {
    schedule: Schedule,
    /// Messages intended before are sent and must arrive, but their times are not reported.
    warm_up: Duration,
    begins: Begins,
    sent_ns: Vec<AtomicU64>,
    expected: Vec<AtomicU32>,
    /// Sum over everything sent, so that waiting for the rest need not look at every message.
    expected_total: AtomicU64,
}

impl Flights {
    pub(crate) fn new(schedule: Schedule, warm_up: Duration, begins: Begins) -> Self {
        let len = schedule.intended_ns().len();
        Self {
            schedule,
            warm_up,
            begins,
            sent_ns: (0..len).map(|_| AtomicU64::new(NEVER)).collect(),
            expected: (0..len).map(|_| AtomicU32::new(0)).collect(),
            expected_total: AtomicU64::new(0),
        }
    }

    pub(crate) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    pub(crate) fn warm_up(&self) -> Duration {
        self.warm_up
    }

    /// Whether the message's times are reported.
    fn is_measured(&self, index: usize) -> bool {
        let intended = self.schedule.intended_ns().get(index);
        intended.is_some_and(|intended| *intended >= nanoseconds(self.warm_up))
    }

    /// Messages whose times are reported and that were to be sent, or in a closed loop were sent, before `end`.
    fn offered(&self, end: Duration, is_headline: impl Fn(usize) -> bool) -> usize {
        self.schedule
            .indexes_between(self.warm_up, end)
            .filter(|index| is_headline(*index))
            .filter(|index| self.begins == Begins::Intended || self.sent_ns(*index).is_some())
            .count()
    }

    /// Message `index` is about to be sent and should bring `expected` answers.
    pub(crate) fn begin(&self, index: usize, now_ns: u64, expected: u32) {
        self.expected[index].store(expected, Ordering::Relaxed);
        self.expected_total
            .fetch_add(u64::from(expected), Ordering::Relaxed);
        self.sent_ns[index].store(now_ns, Ordering::Release);
    }

    /// Message `index` could not be sent after all.
    pub(crate) fn revoke(&self, index: usize) {
        self.sent_ns[index].store(NEVER, Ordering::Release);
        let expected = u64::from(self.expected(index));
        self.expected_total.fetch_sub(expected, Ordering::Relaxed);
    }

    fn sent_ns(&self, index: usize) -> Option<u64> {
        let sent = self.sent_ns.get(index)?.load(Ordering::Acquire);
        (sent != NEVER).then_some(sent)
    }

    fn expected(&self, index: usize) -> u32 {
        self.expected[index].load(Ordering::Relaxed)
    }

    /// Index, intended and sent time of every message that was sent.
    fn sent(&self) -> impl Iterator<Item = (usize, u64, u64)> {
        let times = self.schedule.intended_ns().iter().enumerate();
        times.filter_map(|(index, intended)| Some((index, *intended, self.sent_ns(index)?)))
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Ledger {
    flights: Arc<Flights>,
    received: Vec<u32>,
    received_total: u64,
    /// When the last expected answer of each message came.
    completed_ns: Vec<u64>,
    response: Latencies,
    service: Latencies,
    /// What clients of another role than [`Role::Member`] waited.
    apart: Latencies,
    seconds: SecondsClock,
    /// When the last answer came.
    last_ns: u64,
    duplicated: u64,
    reordered: u64,
    first_error: Option<String>,
}

/// What an event means for the counters that others watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// An answer to a message that was sent.
    Received,
    /// Something went wrong.
    Error,
    /// Neither.
    Other,
}

/// The account of a whole run.
#[derive(Debug)]
pub(crate) struct Balance {
    pub(crate) response: Latencies,
    pub(crate) service: Latencies,
    pub(crate) send_lag: Latencies,
    pub(crate) apart: Latencies,
    /// Messages that were due.
    pub(crate) offered: usize,
    /// Messages that brought all they should, in time.
    pub(crate) completed: usize,
    /// From the start of the run to the last answer.
    pub(crate) last: Duration,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) first_error: Option<String>,
}

impl Ledger {
    pub(crate) fn new(flights: Arc<Flights>) -> Self {
        let len = flights.schedule.intended_ns().len();
        Self {
            flights,
            received: vec![0; len],
            received_total: 0,
            completed_ns: vec![NEVER; len],
            response: Latencies::new(),
            service: Latencies::new(),
            apart: Latencies::new(),
            seconds: SecondsClock::new(),
            last_ns: 0,
            duplicated: 0,
            reordered: 0,
            first_error: None,
        }
    }

    /// Enters what a session of a client with this role saw at `now_ns`.
    pub(crate) fn enter(&mut self, event: Event, role: Role, now_ns: u64) -> Entry {
        match event {
            Event::Ready => Entry::Other,
            Event::Answer { index, intended_ns } => self.answer(index, intended_ns, role, now_ns),
            Event::Late { index, intended_ns } => {
                self.reordered += 1;
                self.answer(index, intended_ns, role, now_ns)
            }
            Event::Duplicate => {
                self.duplicated += 1;
                Entry::Other
            }
            Event::Reordered => {
                self.reordered += 1;
                Entry::Other
            }
            Event::Fault(message) => self.fault(message),
        }
    }

    /// Keeps the first message of all that went wrong: later ones are usually its consequences.
    pub(crate) fn fault(&mut self, message: String) -> Entry {
        self.first_error.get_or_insert(message);
        Entry::Error
    }

    fn answer(&mut self, index: usize, carried_ns: Option<u64>, role: Role, now_ns: u64) -> Entry {
        let Some(sent) = self.flights.sent_ns(index) else {
            return self.fault(format!("an answer to message {index}, which was not sent"));
        };
        let intended = self.flights.schedule.intended_ns()[index];
        if carried_ns.is_some_and(|carried| carried != intended) {
            return self.fault(format!("message {index} came back changed"));
        }
        let begin = match self.flights.begins {
            Begins::Intended => intended,
            Begins::Sent => sent,
        };
        let response = now_ns.saturating_sub(begin);
        let is_measured = self.flights.is_measured(index);
        if !role.is_headline() {
            if is_measured {
                self.apart.record_ns(response);
            }
            return Entry::Other;
        }
        if is_measured {
            self.response.record_ns(response);
            self.service.record_ns(now_ns.saturating_sub(sent));
        }
        self.seconds.record(now_ns, response);
        self.last_ns = self.last_ns.max(now_ns);
        self.received[index] += 1;
        self.received_total += 1;
        if self.received[index] == self.flights.expected(index) {
            self.completed_ns[index] = now_ns;
        }
        Entry::Received
    }

    /// The seconds that have ended since the last call, with the response times of the answers that came in them.
    pub(crate) fn take_seconds(&mut self) -> Vec<(u64, Latencies)> {
        self.seconds.take_finished()
    }

    /// As [`Ledger::take_seconds`], with the one that has not ended.
    pub(crate) fn take_all_seconds(&mut self) -> Vec<(u64, Latencies)> {
        self.seconds.take_all()
    }

    /// Whether as much has come as was expected in all; cheap, for those who wait for it.
    pub(crate) fn is_complete(&self) -> bool {
        self.received_total >= self.flights.expected_total.load(Ordering::Relaxed)
    }

    /// How many answers are still missing; looks at every message.
    fn missing(&self) -> u64 {
        let missing = |index| {
            self.flights
                .expected(index)
                .saturating_sub(self.received[index])
        };
        self.flights
            .sent()
            .map(|(index, ..)| u64::from(missing(index)))
            .sum()
    }

    /// Closes the account of a run in which messages were sent until `end`; `is_headline` says which ones count as offered.
    pub(crate) fn balance(&self, end: Duration, is_headline: impl Fn(usize) -> bool) -> Balance {
        let in_time = nanoseconds(end.mul_f64(1.0 + AFTER_END_SHARE));
        let mut send_lag = Latencies::new();
        for (index, intended, sent) in self.flights.sent() {
            if self.flights.is_measured(index) {
                send_lag.record_ns(sent.saturating_sub(intended));
            }
        }
        let completed = self
            .completed_ns
            .iter()
            .enumerate()
            .filter(|(index, at)| **at <= in_time && self.flights.is_measured(*index))
            .count();
        Balance {
            response: self.response.clone(),
            service: self.service.clone(),
            send_lag,
            apart: self.apart.clone(),
            offered: self.flights.offered(end, is_headline),
            completed,
            last: Duration::from_nanos(self.last_ns),
            lost: self.missing(),
            duplicated: self.duplicated,
            reordered: self.reordered,
            first_error: self.first_error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Distribution;

    const MS: u64 = 1_000_000;

    /// Ten messages, one every 100 ms.
    fn ledger() -> (Arc<Flights>, Ledger) {
        let schedule =
            Schedule::new(10.0, Duration::from_secs(1), 1, Distribution::Constant).unwrap();
        ledger_of(Flights::new(schedule, Duration::ZERO, Begins::Intended))
    }

    fn ledger_of(flights: Flights) -> (Arc<Flights>, Ledger) {
        let flights = Arc::new(flights);
        (Arc::clone(&flights), Ledger::new(flights))
    }

    impl Ledger {
        /// What a member saw.
        fn see(&mut self, event: Event, now_ns: u64) -> Entry {
            self.enter(event, Role::Member, now_ns)
        }

        /// The account after a second of messages.
        fn close(&self) -> Balance {
            self.balance(Duration::from_secs(1), |_| true)
        }
    }

    fn answer(index: usize) -> Event {
        Event::Answer {
            index,
            intended_ns: None,
        }
    }

    /// Goal: response time runs from the intended time, service time from the sending, send lag is the difference.
    #[test]
    fn three_times_per_message() {
        let (flights, mut ledger) = ledger();
        flights.begin(1, 130 * MS, 1);
        assert!(!ledger.is_complete());
        assert_eq!(ledger.see(answer(1), 150 * MS), Entry::Received);
        assert!(ledger.is_complete());
        let balance = ledger.close();
        let near = |latencies: &Latencies, ms: f64| {
            let max = latencies.percentiles().max.unwrap();
            assert!((max - ms).abs() < ms * 0.01, "{max} is not {ms}");
        };
        near(&balance.response, 50.0);
        near(&balance.service, 20.0);
        near(&balance.send_lag, 30.0);
        assert_eq!((balance.completed, balance.lost), (1, 0));
    }

    /// Goal: a message counts as complete with its last delivery, and what never came is lost.
    #[test]
    fn completeness_counts_every_delivery() {
        let (flights, mut ledger) = ledger();
        flights.begin(0, 0, 3);
        flights.begin(1, 100 * MS, 2);
        for index in [0, 0, 0, 1] {
            ledger.see(answer(index), 110 * MS);
        }
        let balance = ledger.close();
        assert_eq!((balance.completed, balance.lost), (1, 1));
        assert_eq!(balance.response.percentiles().count, 4);
    }

    /// Goal: an answer long after the end does not count as achieved, but is not lost either.
    #[test]
    fn after_the_end_is_not_achieved() {
        for (at_ms, completed) in [(999, 1), (1009, 1), (1011, 0), (5000, 0)] {
            let (flights, mut ledger) = ledger();
            flights.begin(9, 900 * MS, 1);
            ledger.see(answer(9), at_ms * MS);
            let balance = ledger.close();
            assert_eq!(
                (balance.completed, balance.lost),
                (completed, 0),
                "{at_ms} ms"
            );
        }
    }

    /// Goal: what cannot be true is an error with a reason, not a latency.
    #[test]
    fn impossible_answers_are_errors() {
        let (flights, mut ledger) = ledger();
        flights.begin(0, 0, 1);
        flights.begin(1, 100 * MS, 1);
        flights.revoke(1);
        assert!(!ledger.is_complete());
        let changed = Event::Answer {
            index: 0,
            intended_ns: Some(5),
        };
        for event in [
            answer(1),
            answer(2),
            answer(99),
            changed,
            Event::Fault("no".to_owned()),
        ] {
            assert_eq!(ledger.see(event, 200 * MS), Entry::Error);
        }
        let balance = ledger.close();
        assert_eq!(balance.response.percentiles().count, 0);
        assert_eq!(
            balance.first_error.as_deref(),
            Some("an answer to message 1, which was not sent")
        );
        assert_eq!(balance.lost, 1);
    }

    /// Goal: repeats and late comers are counted apart.
    #[test]
    fn disorder_is_counted() {
        let (flights, mut ledger) = ledger();
        flights.begin(0, 0, 2);
        ledger.see(answer(0), MS);
        ledger.see(Event::Duplicate, MS);
        ledger.see(Event::Reordered, MS);
        ledger.see(
            Event::Late {
                index: 0,
                intended_ns: Some(0),
            },
            MS,
        );
        let balance = ledger.close();
        assert_eq!(
            (balance.duplicated, balance.reordered, balance.lost),
            (1, 2, 0)
        );
    }
    /// Goal: what happens during the warm-up must arrive, but makes no figure.
    #[test]
    fn warm_up_makes_no_figure() {
        let schedule =
            Schedule::new(10.0, Duration::from_secs(1), 1, Distribution::Constant).unwrap();
        let warm_up = Duration::from_millis(300);
        let (flights, mut ledger) = ledger_of(Flights::new(schedule, warm_up, Begins::Intended));
        for index in [0, 2, 3] {
            flights.begin(index, 350 * MS, 1);
        }
        for index in [0, 3] {
            assert_eq!(ledger.see(answer(index), 400 * MS), Entry::Received);
        }
        let balance = ledger.close();
        assert_eq!(
            (balance.offered, balance.completed, balance.lost),
            (7, 1, 1)
        );
        assert_eq!((balance.response.count(), balance.send_lag.count()), (1, 1));
    }

    /// Goal: what slow clients and movers see is told apart and completes nothing.
    #[test]
    fn other_roles_are_apart() {
        let (flights, mut ledger) = ledger();
        flights.begin(0, 0, 1);
        for role in [Role::Slow, Role::Mover, Role::Dead] {
            assert_eq!(ledger.enter(answer(0), role, 500 * MS), Entry::Other);
        }
        assert!(!ledger.is_complete());
        let balance = ledger.close();
        assert_eq!((balance.apart.count(), balance.response.count()), (3, 0));
        assert_eq!((balance.completed, balance.lost), (0, 1));
    }

    /// Goal: a closed loop forgets what it did not send and how long that would have waited; this shows exactly that error.
    #[test]
    fn closed_loop_begins_with_the_sending() {
        let schedule =
            Schedule::new(10.0, Duration::from_secs(1), 1, Distribution::Constant).unwrap();
        let (flights, mut ledger) = ledger_of(Flights::new(schedule, Duration::ZERO, Begins::Sent));
        flights.begin(1, 600 * MS, 1);
        ledger.see(answer(1), 610 * MS);
        let balance = ledger.close();
        assert!(balance.response.quantile_ms(1.0).unwrap() < 10.1);
        assert_eq!((balance.offered, balance.completed), (1, 1));
    }
}
