//! `blocking-pool-exhausted`: more slow calls in `spawn_blocking` than the blocking pool has threads.
//!
//! Symptom: file access, name lookups and whatever else runs in the blocking pool takes seconds; workers and CPUs are idle.
//! Mechanism: nothing limits how many calls are handed over; with the pool's threads (512 unless set otherwise) all taken,
//! every further call waits in a queue without a bound.
//! Finding: the condition `blocking-pool-exhausted`, while calls wait.
//!
//! Each message hands over calls until as many as wanted are under way. They sleep, and are woken when the fault is
//! switched off; those that have not begun then return at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;

use crate::counted::Counted;
use crate::effects::Effect;
use crate::fault::Fault;
use crate::finding::Finding;
use crate::gate::Gate;
use crate::parameter::{Parameter, Parameters};
use crate::point::Point;
use crate::settings::Settings;

/// Calls that one message hands over at most: each may start a thread, and hundreds at once would be a stall of their own.
/// With this many, five messages a second keep the pool full.
const CALLS_PER_MESSAGE_MAX: usize = 64;

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "blocking-pool-exhausted",
    symptom: "everything that uses the blocking pool takes seconds while workers and CPUs are idle",
    mechanism: "spawn_blocking without a limit: slow calls take every thread of the pool, and the others queue behind them",
    point: Point::Handler,
    parameters: Parameters {
        duration_ms: Some(Parameter::new(2000, 100..=10_000, "long each call sleeps")),
        pause_ms: None,
        count: Some(Parameter::new(
            600,
            1..=1024,
            "many calls are under way at once",
        )),
    },
    finding: Finding::Condition {
        condition: "blocking-pool-exhausted",
    },
    block: None,
};

/// The calls of one plan.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    gate: Arc<Gate>,
    len: Arc<AtomicUsize>,
}

impl Calls {
    /// Hands over what is missing to the wanted number of calls, some at a time; returns how many it were.
    ///
    /// # Errors
    ///
    /// That there is no runtime here.
    pub(crate) fn top_up(&self, settings: &Settings) -> Result<usize, &'static str> {
        let runtime = Handle::try_current().map_err(
            |_| "a message was handled outside a runtime; expected one with a blocking pool",
        )?;
        let place = self.gate.place();
        let duration = settings.duration();
        let mut added = 0;
        while added < CALLS_PER_MESSAGE_MAX
            && let Some(counted) = Counted::new(&self.len, settings.count())
        {
            let gate = Arc::clone(&self.gate);
            // Detached on purpose: nobody awaits the answer of a call that is made on the side.
            drop(runtime.spawn_blocking(move || {
                gate.wait(place, duration);
                drop(counted);
            }));
            added += 1;
        }
        Ok(added)
    }
}

impl Effect for Calls {
    fn undo(&self) {
        self.gate.open();
    }

    fn left(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn wanted(count: u64) -> Settings {
        Settings {
            duration_ms: Some(10_000),
            count: Some(count),
            ..Settings::default()
        }
    }

    /// Goal: calls are topped up to the wanted number and no further, and all of them end when the gate opens, also those
    /// that wait behind the others.
    #[tokio::test]
    async fn tops_up_and_ends() {
        let calls = Calls::default();
        assert_eq!(calls.top_up(&wanted(100)), Ok(64));
        assert_eq!(calls.top_up(&wanted(100)), Ok(36));
        assert_eq!(calls.top_up(&wanted(100)), Ok(0));
        assert_eq!(calls.left(), 100);
        calls.undo();
        while calls.left() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(calls.top_up(&wanted(1)), Ok(1));
        calls.undo();
    }

    /// Goal: without a runtime there is an error, not a panic.
    #[test]
    fn outside_a_runtime_is_an_error() {
        let error = Calls::default().top_up(&wanted(1)).unwrap_err();
        assert!(error.contains("outside a runtime"));
    }
}
