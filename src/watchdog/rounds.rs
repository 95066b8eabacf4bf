//! The watchdog as its own control: what each of its rounds took, and what it was meant to take.
//!
//! Only clocks are read in every round. The watchdog's own counters are read forty times a second, CPU time of the whole
//! process (the kernel adds up all its threads), the quota and the stolen time ten times, and all of them when a round was
//! late; their differences then reach back at most that much further.

use std::time::Duration;

use super::pace::Round;
use crate::capture::sys;
use crate::procfs::{Environment, Quotas, ThreadFiles};

/// Age at which the watchdog's own counters are read anew: each read is a system call for which
/// the kernel prints a text.
const OWN_PAUSE: Duration = Duration::from_millis(25);

/// Age at which the dear values are read anew.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

/// The watchdog's own counters at the begin of the round.
#[derive(Debug)]
pub(crate) struct Rounds {
    own: ThreadFiles,
    cpus: u32,
    began: Duration,
    suspended: Option<Duration>,
    own_use: OwnUse,
    dear: Dear,
}

/// The watchdog's own counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct OwnUse {
    at: Duration,
    cpu: Option<Duration>,
    run_queue: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Dear {
    at: Duration,
    process_cpu: Option<Duration>,
    quotas: Quotas,
    steal: Option<Duration>,
}

impl Rounds {
    /// Begins the first round on the calling thread, which is the watchdog.
    pub(crate) fn begin(now: Duration, cpus: u32, environment: &Environment) -> Self {
        Self::read_from(
            ThreadFiles::open(sys::current_tid()),
            now,
            cpus,
            environment,
        )
    }

    /// The same for the watchdog that these files belong to.
    pub(crate) fn read_from(
        own: ThreadFiles,
        now: Duration,
        cpus: u32,
        environment: &Environment,
    ) -> Self {
        Self {
            cpus,
            began: now,
            suspended: environment.suspended(),
            own_use: OwnUse::read(now, &own),
            dear: Dear::read(now, environment),
            own,
        }
    }

    /// From now on these are the watchdog's files: a recording has others for each moment.
    pub(crate) fn reread_from(&mut self, own: ThreadFiles) {
        self.own = own;
    }

    /// CPU time of the watchdog, as last read.
    pub(crate) fn own_cpu(&self) -> Option<Duration> {
        self.own_use.cpu
    }

    /// Ends the round and begins the next; `wanted` of it was meant to be waited, `None` for a wait without an end.
    pub(crate) fn end(
        &mut self,
        now: Duration,
        wanted: Option<Duration>,
        environment: &Environment,
    ) -> Round {
        let since =
            |now: Option<Duration>, base: Option<Duration>| Some(now?.saturating_sub(base?));
        let took = now.saturating_sub(self.began);
        let suspended = environment.suspended();
        let mut round = Round {
            took,
            wanted: wanted.unwrap_or(took),
            suspended: since(suspended, self.suspended),
            cpus: self.cpus,
            ..Round::default()
        };
        self.began = now;
        // One that could not be read to the millisecond is tried again in the next round.
        self.suspended = suspended.or(self.suspended);
        if round.is_late() || now.saturating_sub(self.own_use.at) >= OWN_PAUSE {
            let before = std::mem::replace(&mut self.own_use, OwnUse::read(now, &self.own));
            round.cpu = since(self.own_use.cpu, before.cpu);
            round.run_queue = since(self.own_use.run_queue, before.run_queue);
        }
        if !round.is_late() && now.saturating_sub(self.dear.at) < REFRESH_PAUSE {
            return round;
        }
        let before = std::mem::replace(&mut self.dear, Dear::read(now, environment));
        Round {
            process_cpu: since(self.dear.process_cpu, before.process_cpu),
            process_took: now.saturating_sub(before.at),
            throttled: self
                .dear
                .quotas
                .since(&before.quotas)
                .map(|throttling| throttling.time),
            steal: since(self.dear.steal, before.steal),
            ..round
        }
    }
}

impl Dear {
    fn read(now: Duration, environment: &Environment) -> Self {
        Self {
            at: now,
            process_cpu: environment.process_cpu(),
            quotas: environment.quotas(),
            steal: environment.steal(),
        }
    }
}

impl OwnUse {
    fn read(now: Duration, own: &ThreadFiles) -> Self {
        Self {
            at: now,
            cpu: own.cpu_time(),
            run_queue: own.schedule().map(|schedule| schedule.run_queue),
        }
    }
}
