//! The watchdog's loop: when to look, and how to sleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::pace::{self, Lateness};
use super::rounds::Rounds;
use super::stats::Stats;
use super::watch::Watch;
use crate::Error;
use crate::report::Message;
use crate::runtime::BELL;
use crate::runtime::coarse_clock;
use crate::runtime::slots::{self, Slot};

/// Pause between two calls of metrics upkeep while there is work; the recorder keeps raw samples until then.
const UPKEEP_PAUSE: Duration = Duration::from_secs(5);

/// Looks by the timer after a rest that ended before the next look would have been due. Where work comes and goes a thousand
/// times a second, each of it would ring and be looked at, and the pace of a busy process is enough.
const LOOKS_AFTER_SHORT_REST: u32 = 16;

/// The running thread; stops when dropped.
#[derive(Debug)]
pub(crate) struct WatchdogThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl WatchdogThread {
    /// Starts the thread.
    pub(crate) fn start(watch: Watch, stats: Arc<Stats>) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let watchdog = Loop {
            watch,
            stats,
            stop: Arc::clone(&stop),
            last_upkeep: Duration::ZERO,
        };
        let thread = std::thread::Builder::new()
            .name("pollscope-watch".to_owned())
            .spawn(move || watchdog.run())
            .map_err(|source| {
                Error::setup("the watchdog thread could not be started").because(source)
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for WatchdogThread {
    #[expect(
        clippy::disallowed_methods,
        reason = "the watchdog ends within one look"
    )]
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        BELL.wake();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A watchdog that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}

struct Loop {
    watch: Watch,
    stats: Arc<Stats>,
    stop: Arc<AtomicBool>,
    last_upkeep: Duration,
}

impl Loop {
    fn run(mut self) {
        BELL.belongs_to_this_thread();
        let mut rounds = self.watch.begin_rounds(slots::monotonic());
        let mut looks_before_rest: u32 = 0;
        let mut last_heartbeats = None;
        while !self.stop.load(Ordering::Acquire) {
            let stop = Arc::clone(&self.stop);
            let is_idle = || !stop.load(Ordering::Acquire) && all_parked();
            let heartbeats = (looks_before_rest > 0).then(heartbeats);
            // A process in which nothing has run since the last look is at rest, whatever it did before.
            let may_rest = heartbeats.is_none() || heartbeats == last_heartbeats;
            looks_before_rest = looks_before_rest.saturating_sub(1);
            last_heartbeats = heartbeats;
            if may_rest && !self.watch.has_open_stalls() && is_idle() {
                // No hook rings for an attached runtime, so it is looked at now and then.
                let attached = self.watch.has_attached().then_some(pace::QUIET_PAUSE);
                let limit = attached.or(self.watch.goes_idle(slots::monotonic()));
                coarse_clock::pause();
                let bedtime = slots::monotonic();
                BELL.sleep_while(limit, is_idle);
                let now = slots::monotonic();
                self.end(&mut rounds, now, limit);
                self.watch.idle_until(now);
                let rest = now.saturating_sub(bedtime);
                looks_before_rest = if rest < pace::pause(self.watch.threshold()) {
                    LOOKS_AFTER_SHORT_REST
                } else {
                    0
                };
                // At once, as what rang has begun just now, which no later look could tell.
                self.watch.look(now);
                continue;
            }
            let quiet = slots::monotonic() > self.watch.last_move() + pace::QUIET_AFTER
                && !self.watch.has_open_stalls();
            let wanted = if quiet {
                // A thread that never parks keeps the timer on, but the others still ring.
                coarse_clock::pause();
                BELL.sleep_while(Some(pace::QUIET_PAUSE), || !stop.load(Ordering::Acquire));
                pace::QUIET_PAUSE
            } else {
                let pause = self.watch.pause();
                sleep(pause);
                pause
            };
            let now = slots::monotonic();
            self.end(&mut rounds, now, Some(wanted));
            self.watch.look(now);
            self.upkeep(now);
        }
        self.watch.finish();
        coarse_clock::pause();
    }

    /// Ends a round, of which `wanted` was meant to be slept, and draws the conclusions if it took longer.
    fn end(&mut self, rounds: &mut Rounds, now: Duration, wanted: Option<Duration>) {
        let wanted = wanted.map(|wanted| wanted + self.watch.take_waited());
        let round = self.watch.end_round(rounds, now, wanted);
        if let Some(cpu) = rounds.own_cpu() {
            let cpu_ns = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
            self.stats.cpu_ns.store(cpu_ns, Ordering::Relaxed);
        }
        let lateness = pace::lateness(&round);
        let counter = match lateness {
            Lateness::OnTime => return,
            Lateness::Crowded(late) => {
                self.watch.note_lateness(late, false);
                &self.stats.crowded
            }
            Lateness::Throttled(late) => {
                self.watch.note_lateness(late, true);
                &self.stats.throttled
            }
            Lateness::Frozen(_) => &self.stats.frozen,
            Lateness::Suspended { .. } => &self.stats.suspended,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.watch.stand_still(&round, lateness);
    }

    fn upkeep(&mut self, now: Duration) {
        if now >= self.last_upkeep + UPKEEP_PAUSE {
            self.last_upkeep = now;
            self.watch.tell(Message::Upkeep);
        }
    }
}

/// Whether every hooked worker is idle. Attached workers have no hooks; they are looked at on a timer instead.
fn all_parked() -> bool {
    slots::claimed_slots()
        .iter()
        .filter_map(Slot::view)
        .all(|view| view.parked && !view.in_poll())
}

/// Changes with every poll of a hooked worker.
fn heartbeats() -> u64 {
    slots::claimed_slots()
        .iter()
        .fold(0, |sum: u64, slot| sum.wrapping_add(slot.heartbeats()))
}

#[expect(clippy::disallowed_methods, reason = "the watchdog's own thread")]
fn sleep(pause: Duration) {
    std::thread::sleep(pause);
}
