//! The watchdog's own rounds, and what follows for the polls when one took too long.

use std::time::Duration;

use super::Watch;
use super::reports::unix_ms_before;
use crate::report::Message;
use crate::watchdog::pace::{Lateness, Round};
use crate::watchdog::rounds::Rounds;
use crate::watchdog::standstill::{Beside, Standstill};

impl Watch {
    /// Begins to observe the calling thread, the watchdog, itself.
    pub(crate) fn begin_rounds(&self, now: Duration) -> Rounds {
        Rounds::begin(now, self.cpus, &self.environment)
    }

    /// What the round that ends took.
    pub(crate) fn end_round(
        &self,
        rounds: &mut Rounds,
        now: Duration,
        wanted: Option<Duration>,
    ) -> Round {
        rounds.end(now, wanted, &self.environment)
    }

    /// The time since the last call in which threads were waited for.
    pub(crate) fn take_waited(&mut self) -> Duration {
        self.captures.take_waited()
    }

    /// The watchdog itself was late by that much: the machine is crowded, or the CPU quota is used up.
    pub(crate) fn note_lateness(&mut self, late: Duration, by_quota: bool) {
        self.workers
            .values_mut()
            .for_each(|worker| worker.note_lateness(late, by_quota));
    }

    /// If the round shows that the process stood still: nobody's poll is to blame, and that is told.
    pub(crate) fn stand_still(&mut self, round: &Round, lateness: Lateness) {
        let (Lateness::Frozen(gap) | Lateness::Suspended { gap, .. }) = lateness else {
            return;
        };
        let polls = self.workers.values();
        let beside = Beside {
            tracer: self.environment.tracer(),
            polls: polls.filter(|worker| worker.episode.is_busy()).count(),
        };
        let found = Standstill::of(round, lateness, beside);
        self.workers
            .values_mut()
            .for_each(|worker| worker.episode.excuse(gap));
        self.victims.excuse(gap);
        self.sampler.stand_still(gap);
        if let Some(found) = found {
            let id = self.next_id;
            self.next_id += 1;
            self.tell(Message::Standstill(Box::new(Standstill {
                id,
                started_at_unix_ms: unix_ms_before(found.length),
                ..found
            })));
        }
    }
}
