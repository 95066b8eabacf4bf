//! The watchdog as its own control: what each of its rounds took, and what it was meant to take.
//!
//! What is cheap is read every round. CPU time of the whole process (the kernel adds up all its threads), the quota and
//! the stolen time are read ten times a second; their differences then reach back at most that much further.

use std::time::Duration;

use super::pace::Round;
use crate::capture::sys;
use crate::procfs::{Environment, ThreadFiles, process_cpu_time, suspended_time};

/// Age at which the dear values are read anew.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

/// The watchdog's own counters at the begin of the round.
#[derive(Debug)]
pub(crate) struct Rounds {
    own: ThreadFiles,
    cpus: u32,
    began: Duration,
    cpu: Option<Duration>,
    run_queue: Option<Duration>,
    suspended: Option<Duration>,
    dear: Dear,
}

#[derive(Debug, Clone, Copy, Default)]
struct Dear {
    at: Duration,
    process_cpu: Option<Duration>,
    throttled: Option<Duration>,
    steal: Option<Duration>,
}

impl Rounds {
    /// Begins the first round on the calling thread, which is the watchdog.
    pub(crate) fn begin(now: Duration, cpus: u32, environment: &Environment) -> Self {
        let own = ThreadFiles::open(sys::current_tid());
        Self {
            cpus,
            began: now,
            cpu: own.cpu_time(),
            run_queue: run_queue(&own),
            suspended: suspended_time(),
            dear: Dear::read(now, environment),
            own,
        }
    }

    /// CPU time of the watchdog so far.
    pub(crate) fn own_cpu(&self) -> Option<Duration> {
        self.cpu
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
        let (cpu, run_queue) = (self.own.cpu_time(), run_queue(&self.own));
        let suspended = suspended_time();
        let round = Round {
            took,
            wanted: wanted.unwrap_or(took),
            cpu: since(cpu, self.cpu),
            run_queue: since(run_queue, self.run_queue),
            suspended: since(suspended, self.suspended),
            cpus: self.cpus,
            ..Round::default()
        };
        (self.began, self.cpu, self.run_queue) = (now, cpu, run_queue);
        // One that could not be read to the millisecond is tried again in the next round.
        self.suspended = suspended.or(self.suspended);
        if !round.is_late() && now.saturating_sub(self.dear.at) < REFRESH_PAUSE {
            return round;
        }
        let before = std::mem::replace(&mut self.dear, Dear::read(now, environment));
        Round {
            process_cpu: since(self.dear.process_cpu, before.process_cpu),
            process_took: now.saturating_sub(before.at),
            throttled: since(self.dear.throttled, before.throttled),
            steal: since(self.dear.steal, before.steal),
            ..round
        }
    }
}

impl Dear {
    fn read(now: Duration, environment: &Environment) -> Self {
        Self {
            at: now,
            process_cpu: process_cpu_time(),
            throttled: environment.throttled(),
            steal: environment.steal(),
        }
    }
}

fn run_queue(own: &ThreadFiles) -> Option<Duration> {
    own.schedule().map(|schedule| schedule.run_queue)
}
