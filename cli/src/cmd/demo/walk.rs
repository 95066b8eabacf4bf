//! The walk through the faults: on, found, explained, off.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use faults::{Fault, Settings};
use pollscope::stall::Phase;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::sighting::{Outcome, Sighting};
use super::stage::{Seen, Stage};
use super::symptom::Symptom;
use crate::ending::Failure;
use crate::render::DemoShow;
use crate::service::Service;

/// Longest wait for a fault to be found. It fires with the next message and is reported some milliseconds later; the rest
/// is for machines that do much else.
const FIND_PATIENCE: Duration = Duration::from_secs(12);

/// Longest wait for the report of the end of a stall that was found.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Pause between two looks at the findings and the metrics of a service.
const LOOK: Duration = Duration::from_millis(200);

/// Calm between two faults: the service recovers, the load measures it, and a person reads.
const CALM: Duration = Duration::from_secs(1);

/// A pause that is long enough to ask the fault about its last firing before the next one.
const SETTINGS: Settings = Settings {
    duration_ms: Some(300),
    pause_ms: Some(2000),
    count: None,
};

/// A stall of this length that no fault explains, and the machine does not either, is worth a word.
const UNEXPECTED_MS: f64 = 100.0;

/// What the walk has found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) outcomes: Vec<Outcome>,
    /// When the first report was shown, since the start of the demo.
    pub(super) first_report: Option<Duration>,
    /// Stalls of 100 ms or more that no fault and no machine explains.
    pub(super) unexpected: Vec<(Service, u64)>,
}

/// The walk, under way.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) stage: &'a Stage,
    pub(super) events: &'a mut mpsc::Receiver<Seen>,
    pub(super) show: &'a DemoShow,
    pub(super) started: Instant,
    pub(super) deadline: Option<Instant>,
    pub(super) found: &'a mut Found,
}

impl Walk<'_> {
    /// Walks through `faults`, alternating between the services that have them, until the deadline.
    pub(super) async fn through(&mut self, faults: &[&'static Fault]) -> Result<(), Failure> {
        let services = Service::ALL.into_iter().cycle();
        for (number, (fault, service)) in faults.iter().zip(services).enumerate() {
            if self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
            {
                break;
            }
            let service = if service.has(fault) {
                service
            } else {
                Service::Chat
            };
            self.show.fault(number + 1, faults.len(), fault, service)?;
            let outcome = if fault.is_blocking() {
                self.find(fault, service).await?
            } else {
                self.find_symptom(fault, service).await?
            };
            self.show.outcome(&outcome)?;
            self.found.outcomes.push(outcome);
            let calm = Instant::now() + CALM;
            while let Some(seen) = self.next(Some(calm)).await? {
                self.is_unexpected(&seen, Some(fault));
            }
        }
        Ok(())
    }

    /// Watches without any fault on, until the deadline.
    pub(super) async fn watch(&mut self) -> Result<(), Failure> {
        while let Some(seen) = self.next(self.deadline).await? {
            if self.is_unexpected(&seen, None) {
                self.show.stall(&seen.stall, None)?;
            }
        }
        Ok(())
    }

    /// Passes over one event; says whether there may be another before the deadline.
    pub(super) async fn watch_quietly(&mut self) -> Result<bool, Failure> {
        Ok(self.next(self.deadline).await?.is_some())
    }

    async fn find(&mut self, fault: &'static Fault, service: Service) -> Result<Outcome, Failure> {
        let Some(running) = self.stage.service(service) else {
            return Err(Failure::Unable(format!("{service} does not run")));
        };
        let mut sighting = Sighting::new(fault, service);
        running.client.switch_on(fault.name, SETTINGS).await?;
        self.gather(&mut sighting, fault, FIND_PATIENCE, Sighting::is_complete)
            .await?;
        if let Some((found, stall)) = sighting.best() {
            self.found
                .first_report
                .get_or_insert(self.started.elapsed());
            self.show.stall(stall, Some((fault, found)))?;
            self.gather(&mut sighting, fault, CLOSE_PATIENCE, Sighting::is_closed)
                .await?;
        }
        let state = running.client.switch_off(fault.name).await?;
        Ok(sighting.outcome(state.last_blocked_ms, why_not_found(&state)))
    }

    /// Finds a fault that is no stall.
    async fn find_symptom(
        &mut self,
        fault: &'static Fault,
        service: Service,
    ) -> Result<Outcome, Failure> {
        let Some(running) = self.stage.service(service) else {
            return Err(Failure::Unable(format!("{service} does not run")));
        };
        let client = &running.client;
        let symptom = Symptom::before(fault, service, client).await?;
        client.switch_on(fault.name, Settings::default()).await?;
        let own = Instant::now() + FIND_PATIENCE;
        let end = self.deadline.map_or(own, |deadline| deadline.min(own));
        let mut shown_by = None;
        while shown_by.is_none() && Instant::now() < end {
            let look = end.min(Instant::now() + LOOK);
            while let Some(seen) = self.next(Some(look)).await? {
                self.is_unexpected(&seen, Some(fault));
            }
            shown_by = symptom.look().await?;
        }
        if shown_by.is_some() {
            self.found
                .first_report
                .get_or_insert(self.started.elapsed());
        }
        let state = client.switch_off(fault.name).await?;
        Ok(symptom.outcome(shown_by, why_not_found(&state)))
    }

    /// Gives events to the sighting until `is_done`, for `patience` at most.
    async fn gather(
        &mut self,
        sighting: &mut Sighting,
        fault: &Fault,
        patience: Duration,
        is_done: impl Fn(&Sighting) -> bool,
    ) -> Result<(), Failure> {
        let own = Instant::now() + patience;
        let end = self.deadline.map_or(own, |deadline| deadline.min(own));
        while !is_done(sighting) {
            let Some(seen) = self.next(Some(end)).await? else {
                return Ok(());
            };
            self.is_unexpected(&seen, Some(fault));
            let after = age_ms(seen.at, seen.stall.started_at);
            if seen.service == sighting.service() {
                sighting.take(seen.stall, after);
            }
        }
        Ok(())
    }

    /// The next event before `end`; without an end it waits for ever.
    async fn next(&mut self, end: Option<Instant>) -> Result<Option<Seen>, Failure> {
        let received = match end {
            Some(end) => match timeout_at(end, self.events.recv()).await {
                Ok(received) => received,
                Err(_) => return Ok(None),
            },
            None => self.events.recv().await,
        };
        received
            .map(Some)
            .ok_or_else(|| Failure::Unable("both services have ended by themselves".to_owned()))
    }

    /// Remembers a stall that nothing explains; says whether it is a new one.
    fn is_unexpected(&mut self, seen: &Seen, on: Option<&Fault>) -> bool {
        let stall = &seen.stall;
        let key = (seen.service, stall.id);
        let is_explained = stall.verdict.is_machine()
            || stall.duration_ms < UNEXPECTED_MS
            || (on.is_some() && is_in_faults(seen))
            || (stall.phase == Phase::Close && is_in_faults(seen));
        if is_explained || self.found.unexpected.contains(&key) {
            return false;
        }
        self.found.unexpected.push(key);
        true
    }
}

/// Whether the blamed line is one of the faults' own.
fn is_in_faults(seen: &Seen) -> bool {
    let file = seen.stall.line.as_ref().map(|line| line.file.as_str());
    file.is_some_and(|file| file.contains("examples/faults/src/"))
}

/// What the fault says for itself when it did not act.
fn why_not_found(state: &crate::client::FaultState) -> Option<String> {
    state
        .last_error
        .clone()
        .or_else(|| match (state.visits, state.fired) {
            (0, _) => Some("its place in the service was never visited".to_owned()),
            (_, 0) => Some("it never acted".to_owned()),
            _ => None,
        })
}

/// Milliseconds from an event's begin to `at`; 0 if the clock was set back.
fn age_ms(at: SystemTime, started_at: u64) -> f64 {
    let begin = UNIX_EPOCH + Duration::from_millis(started_at);
    at.duration_since(begin).unwrap_or_default().as_secs_f64() * 1000.0
}
