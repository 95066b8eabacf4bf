//! When attached runtimes are sent probes: to meet workers, to notice that a worker has moved, to find that all has ended.

use std::collections::HashMap;
use std::time::Duration;

use super::pace::QUIET_PAUSE;
use crate::runtime::attach::{self, Probes};
use crate::runtime::{Runtimes, Tier, WatchedRuntime};

/// Pauses between rounds of probes while a busy worker of an attached runtime is not known: short while a runtime
/// starts its threads, long when a worker stays out of reach, since each round costs the others up to half a
/// millisecond.
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Rounds that also look for idle workers, over about half a second after the attach: a worker must be met before it
/// blocks. Later an idle one is left alone.
const EARLY_ROUNDS: u32 = 8;

/// Parks and unparks that a probe causes itself.
const OWN_TURNS: u64 = 2;

/// The probes of all attached runtimes.
#[derive(Debug, Default)]
pub(crate) struct Probing {
    rounds: HashMap<u32, Round>,
}

#[derive(Debug)]
struct Round {
    next: Duration,
    pause: Duration,
    early: u32,
    sent: Option<Probes>,
    /// Parks and unparks when the driver was last probed, and busy time.
    turns: u64,
    busy: Duration,
}

impl Round {
    fn new(now: Duration) -> Self {
        Self {
            next: now,
            pause: PAUSE_MIN,
            early: EARLY_ROUNDS,
            sent: None,
            turns: 0,
            busy: Duration::ZERO,
        }
    }
}

impl Probing {
    /// Looks for a worker that no probe has met, or finds that the runtime has ended.
    pub(crate) fn meet(
        &mut self,
        now: Duration,
        number: u32,
        runtime: &WatchedRuntime,
        is_awake: bool,
        runtimes: &Runtimes,
    ) {
        let Some(handle) = &runtime.handle else {
            return;
        };
        let round = self.rounds.entry(number).or_insert(Round::new(now));
        if now < round.next || (round.early == 0 && !is_awake) {
            return;
        }
        round.early = round.early.saturating_sub(1);
        round.pause = (round.pause * 2).min(PAUSE_MAX);
        round.next = now + round.pause;
        if round.sent.as_ref().is_some_and(Probes::show_the_end) {
            runtimes.remove(number);
            return;
        }
        round.sent = Some(attach::probe(number, handle));
    }

    /// Asks a current_thread runtime, while it works, who drives it: that is whichever thread stands in `block_on`, and
    /// another one may by now.
    pub(crate) fn ask_the_driver(&mut self, now: Duration, number: u32, runtime: &WatchedRuntime) {
        let Some(handle) = &runtime.handle else {
            return;
        };
        if runtime.tier != Tier::Attached || runtime.flavor != attach::CURRENT_THREAD {
            return;
        }
        let round = self.rounds.entry(number).or_insert(Round::new(now));
        let turns = runtime.metrics.worker_park_unpark_count(0);
        let busy = runtime.metrics.worker_total_busy_duration(0);
        // A probe must not be the reason for the next one, or an idle runtime would never rest.
        let has_worked = turns > round.turns + OWN_TURNS || busy > round.busy + QUIET_PAUSE;
        if now >= round.next && has_worked {
            round.next = now + QUIET_PAUSE;
            (round.turns, round.busy) = (turns, busy);
            round.sent = Some(attach::probe(number, handle));
        }
    }

    /// Forgets runtimes that are no longer watched.
    pub(crate) fn keep(&mut self, is_watched: impl Fn(u32) -> bool) {
        self.rounds.retain(|number, _| is_watched(*number));
    }
}
