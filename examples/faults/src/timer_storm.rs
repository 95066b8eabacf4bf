//! `timer-storm`: every connection looks after itself once a millisecond instead of when something is due.
//!
//! Symptom: the service uses CPU while nobody says anything, and the more the more clients there are; workers never rest.
//! Mechanism: an interval of 1 ms in the task of each connection: a thousand wake-ups a second each, for nothing.
//! Finding: workers park far more often than the traffic explains, as each wake-up ends in going idle again.
//!
//! With more connections than a machine can wake in a millisecond its workers would not park at all, so only so many tick.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::time::{MissedTickBehavior, interval};

use crate::counted::Counted;
use crate::effects::Effect;
use crate::fault::Fault;
use crate::finding::Finding;
use crate::parameter::{Parameter, Parameters};
use crate::point::Point;
use crate::settings::Settings;

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "timer-storm",
    symptom: "the service uses CPU while nobody says anything, the more the more clients there are",
    mechanism: "an interval of 1 ms in the task of each connection wakes it a thousand times a second for nothing",
    point: Point::Connection,
    parameters: Parameters {
        duration_ms: None,
        pause_ms: Some(Parameter::new(
            1,
            1..=1000,
            "long it is from one tick to the next",
        )),
        count: Some(Parameter::new(
            1000,
            1..=10_000,
            "many connections tick at most",
        )),
    },
    finding: Finding::Rate {
        counter: "tokio_worker_parks_total",
        per_second: 500,
    },
    block: None,
};

/// The intervals of one plan.
#[derive(Debug, Default)]
pub(crate) struct Ticks {
    ticking: Arc<AtomicUsize>,
    ticks: AtomicU64,
}

impl Ticks {
    /// Ticks for ever, or waits for ever if enough others do; dropped when the fault is switched.
    pub(crate) async fn tick(&self, settings: &Settings) {
        let Some(_ticking) = Counted::new(&self.ticking, settings.count()) else {
            return pending().await;
        };
        let mut interval = interval(settings.pause());
        // Made up for one by one, the ticks of a stall would be a storm of another kind.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.ticks.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Effect for Ticks {
    fn left(&self) -> usize {
        self.ticking.load(Ordering::Relaxed)
    }

    fn acts(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    /// Goal: as many tick as may, once each time, and none is left when they are dropped.
    #[tokio::test(start_paused = true)]
    async fn ticks_within_the_bound() {
        let ticks = Ticks::default();
        let settings = Settings {
            pause_ms: Some(1),
            count: Some(1),
            ..Settings::default()
        };
        let second = Duration::from_secs(1);
        let (one, other) = tokio::join!(
            timeout(second, ticks.tick(&settings)),
            timeout(second, ticks.tick(&settings))
        );
        assert!(one.is_err() && other.is_err());
        assert!((999..=1002).contains(&ticks.acts()), "{}", ticks.acts());
        assert_eq!(ticks.left(), 0);
    }
}
