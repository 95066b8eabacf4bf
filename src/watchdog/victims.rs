//! The ledger of who waited for which stall, between the first suspicion and the told close.
//!
//! Workers are asked for waits from the suspicion on, so that those who are polled elsewhere while the stall lasts count
//! too. Most victims are polled just after it has ended: a close is held back until no more of them come.

use std::time::Duration;

use super::observe::Observed;
use super::source::Key;
use crate::report::Message;
use crate::runtime::delays;
use crate::runtime::records;
use crate::runtime::slots::{NO_WORKER, Slot, SlotView};
use crate::runtime::task_record::TaskState;
use crate::runtime::{Runtimes, Tier};
use crate::stall::{Stretch, TaskDelay, VictimTally, Victims, charge};

/// Looks without a new victim after which a close is told.
const QUIET_LOOKS: u32 = 2;

/// Looks after which it is told in any case: a tenth of a second at the default threshold, in which a worker has seen
/// to a queue of tens of thousands.
const SETTLING_LOOKS_MAX: u32 = 22;

/// All stalls that can have victims.
#[derive(Debug)]
pub(crate) struct VictimLedger {
    /// Shorter waits are within the resolution of the stamps.
    least: Duration,
    cases: Vec<Case>,
    last_look: Duration,
    is_asking: bool,
}

#[derive(Debug)]
struct Case {
    key: Key,
    worker: Option<usize>,
    stretch: Stretch,
    tally: VictimTally,
    close: Option<HeldClose>,
}

#[derive(Debug)]
struct HeldClose {
    observed: Box<Observed>,
    looks: u32,
    quiet_looks: u32,
}

impl VictimLedger {
    /// A ledger for stamps that are `resolution` apart.
    pub(crate) fn new(resolution: Duration) -> Self {
        Self {
            least: resolution,
            cases: Vec::new(),
            last_look: Duration::ZERO,
            is_asking: false,
        }
    }

    /// A poll that began at `started` may become a stall.
    pub(crate) fn suspect(&mut self, key: Key, view: &SlotView, started: Duration) {
        if self.case(key).is_some() {
            return;
        }
        let known = |worker| usize::try_from(worker).ok();
        self.cases.push(Case {
            key,
            worker: Some(view.worker)
                .filter(|worker| *worker != NO_WORKER)
                .and_then(known),
            stretch: Stretch {
                runtime: view.runtime,
                tid: view.tid,
                culprit: 0,
                started,
                ended: None,
            },
            tally: VictimTally::default(),
            close: None,
        });
    }

    /// It has ended, and was no stall.
    pub(crate) fn forget(&mut self, key: Key) {
        self.cases
            .retain(|case| case.key != key || case.close.is_some());
    }

    /// The process stood still for that long: nobody waited for a poll then.
    pub(crate) fn excuse(&mut self, gap: Duration) {
        let lasting = self.cases.iter_mut().filter(|case| case.close.is_none());
        lasting.for_each(|case| case.stretch.started += gap);
    }

    /// Takes what the workers have noted since the last look.
    pub(crate) fn look(&mut self, now: Duration, runtimes: &Runtimes) {
        let since = std::mem::replace(&mut self.last_look, now);
        if self.cases.is_empty() {
            return;
        }
        for case in &mut self.cases {
            if let Some(close) = &mut case.close {
                close.looks += 1;
                close.quiet_looks += 1;
            }
        }
        for delay in delays::take() {
            let delay = TaskDelay {
                runtime: delay.here.runtime,
                tid: delay.here.tid,
                task: delay.task,
                spawned_at: delay.spawned_at,
                ready: delay.ready,
                polled: delay.polled,
            };
            self.charge(&delay);
        }
        self.sample_queues(now.saturating_sub(since), runtimes);
    }

    fn charge(&mut self, delay: &TaskDelay) {
        let stretches = self.cases.iter().map(|case| &case.stretch);
        let Some((index, share)) = charge(delay, stretches, self.least) else {
            return;
        };
        for (other, case) in self.cases.iter_mut().enumerate() {
            if other == index {
                case.tally.add(delay.spawned_at, share);
            } else if case.stretch.share_of(delay) >= self.least {
                case.tally.charged_elsewhere();
            } else {
                continue;
            }
            if let Some(close) = &mut case.close {
                close.quiet_looks = 0;
            }
        }
    }

    /// Ready tasks behind each stall: its worker's own queue, and the shared one if no other worker is left to serve it.
    fn sample_queues(&mut self, length: Duration, runtimes: &Runtimes) {
        let stalled: Vec<u32> = self
            .cases
            .iter()
            .filter(|case| case.close.is_none())
            .map(|case| case.stretch.runtime)
            .collect();
        for case in self.cases.iter_mut().filter(|case| case.close.is_none()) {
            let number = case.stretch.runtime;
            let (Some(runtime), Some(worker)) = (runtimes.get(number), case.worker) else {
                continue;
            };
            let stalled = stalled.iter().filter(|other| **other == number).count();
            let shared = if stalled >= runtime.metrics.num_workers() {
                runtime.shared_queue()
            } else {
                0
            };
            case.tally.queue(runtime.own_queue(worker) + shared, length);
        }
    }

    /// Who has waited so far: those that were polled elsewhere, and those that still wait.
    pub(crate) fn so_far(&mut self, key: Key, culprit: u64, now: Duration) -> Option<Victims> {
        let index = self.case(key)?;
        self.cases[index].stretch.culprit = culprit;
        let stretches: Vec<Stretch> = self.cases.iter().map(|case| case.stretch).collect();
        let mut tally = self.cases[index].tally.clone();
        records::visit(|task| {
            // Woken in its own poll it waits for nobody.
            if task.state == TaskState::Polling {
                return;
            }
            let Some(ready) = task.ready else { return };
            let delay = TaskDelay {
                runtime: task.runtime,
                tid: 0,
                task: task.id,
                spawned_at: task.spawned_at,
                ready,
                polled: now,
            };
            if let Some((charged, share)) = charge(&delay, stretches.iter(), self.least)
                && charged == index
            {
                tally.add(task.spawned_at, share);
            }
        });
        // A task that still waits is seen by its record alone, so nobody seen is not yet nobody.
        tally.victims(false)
    }

    /// The stall has ended: its close is held back until its victims are known. Without a case it is given back.
    pub(crate) fn close(&mut self, key: Key, observed: Box<Observed>) -> Option<Box<Observed>> {
        let Some(index) = self.case(key) else {
            return Some(observed);
        };
        let case = &mut self.cases[index];
        case.stretch.ended = Some(observed.span.started + observed.span.length);
        case.close = Some(HeldClose {
            observed,
            looks: 0,
            quiet_looks: 0,
        });
        None
    }

    /// Closes whose victims are known.
    pub(crate) fn settled(&mut self, runtimes: &Runtimes) -> Vec<Message> {
        self.release(runtimes, |close| {
            close.quiet_looks >= QUIET_LOOKS || close.looks >= SETTLING_LOOKS_MAX
        })
    }

    /// Closes of a thread that stalls again, which come before its next open.
    pub(crate) fn settled_of(&mut self, tid: i32, runtimes: &Runtimes) -> Vec<Message> {
        self.release(runtimes, |close| close.observed.subject.tid == tid)
    }

    /// All closes that are held back, at the end of the watch.
    pub(crate) fn all_settled(&mut self, runtimes: &Runtimes) -> Vec<Message> {
        self.release(runtimes, |_| true)
    }

    fn release(
        &mut self,
        runtimes: &Runtimes,
        is_due: impl Fn(&HeldClose) -> bool,
    ) -> Vec<Message> {
        let is_due = |case: &mut Case| case.close.as_ref().is_some_and(&is_due);
        self.cases
            .extract_if(.., is_due)
            .filter_map(|case| {
                let victims = case.tally.victims(sees_all(&case, runtimes));
                let mut observed = case.close?.observed;
                observed.victims = victims;
                Some(Message::Observed(observed))
            })
            .collect()
    }

    /// Numbers of the stalls whose closes are held back.
    pub(crate) fn held(&self) -> impl Iterator<Item = u64> {
        let closes = self.cases.iter().filter_map(|case| case.close.as_ref());
        closes.map(|close| close.observed.id)
    }

    /// Whether a close is held back.
    pub(crate) fn is_settling(&self) -> bool {
        self.cases.iter().any(|case| case.close.is_some())
    }

    /// Asks the workers of the runtimes concerned for waits, and nobody else.
    pub(crate) fn ask(&mut self, slots: &[Slot]) {
        if self.cases.is_empty() && !self.is_asking {
            return;
        }
        self.is_asking = !self.cases.is_empty();
        for slot in slots {
            let Some(view) = slot.view() else { continue };
            let concerns = |case: &Case| {
                case.stretch.tid == view.tid
                    || (case.stretch.runtime == view.runtime && view.runtime != 0)
            };
            let is_asked = self.cases.iter().any(concerns);
            slot.ask_for_delays(if is_asked { self.least } else { Duration::ZERO });
        }
    }

    fn case(&self, key: Key) -> Option<usize> {
        self.cases
            .iter()
            .position(|case| case.key == key && case.close.is_none())
    }
}

/// Whether every task's wait is measured, so that no note means no victim.
fn sees_all(case: &Case, runtimes: &Runtimes) -> bool {
    let is_hooked = runtimes
        .get(case.stretch.runtime)
        .is_some_and(|runtime| runtime.tier == Tier::Hooks);
    cfg!(all(tokio_unstable, feature = "schedule-latency")) && is_hooked
}
