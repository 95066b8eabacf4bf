//! The stacks that the watchdog takes: within their budgets, and for how long in one look.
//!
//! A thread that does not answer its signal costs its whole patience, and with many workers stalled at once that would add
//! up and blind the watchdog. So captures begin only while a look is young; what comes later is put off to the next look.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::capture_budgets::CaptureBudgets;
use super::pace;
use super::stats::Stats;
use super::worker::Worker;
use crate::capture::{Captured, Capturer, sys};
use crate::config::SignalPolicy;
use crate::procfs::ThreadFiles;
use crate::runtime::slots;
use crate::stall::Verdict;

/// Captures begin only in this first part of a look: thirty at 0.3 ms. The last one may take the patience of one signal
/// (40 ms) more, so however many threads are silent, a look ends 50 ms after it began.
const BEGIN_MAX: Duration = Duration::from_millis(10);

/// Looks to which the stack of one stall is put off; then the stall is told without.
const DEFERRALS_MAX: u32 = 3;

/// Takes stacks within the budgets, and counts.
pub(super) struct Captures {
    capturer: Capturer,
    stats: Arc<Stats>,
    budgets: CaptureBudgets,
    look_began: Duration,
    waited: Duration,
}

impl Captures {
    /// Full budgets; installs the signal's handler if the policy has use for it.
    pub(super) fn new(policy: SignalPolicy, stats: Arc<Stats>) -> Self {
        let capturer = match policy {
            SignalPolicy::Auto => Capturer::new(sys::CaptureSignal::install()),
            SignalPolicy::Always => Capturer::new(sys::CaptureSignal::install()).interrupting(),
            SignalPolicy::Never => Capturer::new(None),
        };
        Self {
            capturer,
            stats,
            budgets: CaptureBudgets::new(),
            look_began: Duration::ZERO,
            waited: Duration::ZERO,
        }
    }

    /// A look begins.
    pub(super) fn begin_look(&mut self, now: Duration) {
        self.look_began = now;
    }

    /// The time since the last call in which threads were waited for, to answer for their stacks.
    pub(super) fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    /// The first stack of a poll that may become a stall. `None` when it is put off (the worker then still wants it) or
    /// when there have been too many.
    pub(super) fn first(&mut self, now: Duration, worker: &mut Worker) -> Option<Captured> {
        if !self.may_begin() {
            return None;
        }
        worker.wants_sample = false;
        self.budgets
            .take_sample(now)
            .then(|| self.timed(|capturer| worker.capture(capturer)))
    }

    /// The stack of a stall that is to be told now; `None` when it is put off to the next look.
    pub(super) fn of_stall(
        &mut self,
        now: Duration,
        worker: &mut Worker,
        verdict: Verdict,
    ) -> Option<Captured> {
        if verdict.is_machine() {
            return Some(Captured::none(
                "not taken: a starved thread stands wherever the kernel stopped it",
            ));
        }
        if !self.may_begin() {
            if worker.deferrals < DEFERRALS_MAX {
                worker.deferrals += 1;
                return None;
            }
            return Some(
                self.saved("not taken: more threads stand still than a look has time for"),
            );
        }
        worker.deferrals = 0;
        if !self.budgets.take(now) {
            return Some(self.saved("not taken: more stalls than the capture budget allows"));
        }
        let captured = self.timed(|capturer| worker.capture(capturer));
        self.stats.count(&captured);
        Some(captured)
    }

    /// The stack of a thread beside the stall, such as the probable holder of a lock.
    pub(super) fn of_other(
        &mut self,
        now: Duration,
        tid: i32,
        stack: &Range<u64>,
    ) -> Option<Captured> {
        (self.may_begin() && self.budgets.take(now)).then_some(())?;
        let files = ThreadFiles::open(tid);
        Some(self.timed(|capturer| capturer.capture(tid, stack, &files)))
    }

    fn may_begin(&self) -> bool {
        let is_young = is_young(self.look_began, slots::monotonic());
        if !is_young {
            self.stats.captures_deferred.fetch_add(1, Ordering::Relaxed);
        }
        is_young
    }

    fn saved(&self, note: &'static str) -> Captured {
        self.stats.captures_saved.fetch_add(1, Ordering::Relaxed);
        Captured::none(note)
    }

    fn timed(&mut self, capture: impl FnOnce(&mut Capturer) -> Captured) -> Captured {
        let began = slots::monotonic();
        let captured = capture(&mut self.capturer);
        self.waited += pace::meant(slots::monotonic().saturating_sub(began));
        self.stats
            .interrupted_calls
            .store(self.capturer.interrupted_calls(), Ordering::Relaxed);
        self.stats
            .signalled_in_call
            .store(self.capturer.signalled_in_call(), Ordering::Relaxed);
        captured
    }
}

/// Whether a capture may begin in a look that began at `look_began`.
fn is_young(look_began: Duration, now: Duration) -> bool {
    now.saturating_sub(look_began) < BEGIN_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::Environment;
    use crate::runtime::slots::{Slot, SlotView};

    /// This thread's slot.
    fn view() -> SlotView {
        slots::enter(1, 1, std::panic::Location::caller());
        let mut views = slots::claimed_slots().iter().filter_map(Slot::view);
        views.find(|view| view.tid == sys::current_tid()).unwrap()
    }

    fn captures() -> (Captures, Arc<Stats>) {
        let stats = Arc::new(Stats::default());
        let captures = Captures::new(SignalPolicy::Never, Arc::clone(&stats));
        (captures, stats)
    }

    /// A look that is young takes stacks; one that has spent its time puts them off, counts that, and gives up in the end.
    #[test]
    fn an_old_look_puts_off() {
        let (mut captures, stats) = captures();
        let now = slots::monotonic();
        let mut worker = Worker::new(now, &view());
        worker.suspect(&Environment::open(slots::monotonic));
        captures.begin_look(now + Duration::from_secs(3600));
        assert!(
            captures
                .of_stall(now, &mut worker, Verdict::Sleep)
                .is_some()
        );
        // The begin of this look lies further back than it may.
        while slots::monotonic() < BEGIN_MAX {
            std::hint::spin_loop();
        }
        captures.begin_look(Duration::ZERO);
        worker.wants_sample = true;
        assert_eq!(captures.first(now, &mut worker), None);
        assert!(worker.wants_sample, "it is still wanted at the next look");
        for _ in 0..DEFERRALS_MAX {
            assert_eq!(captures.of_stall(now, &mut worker, Verdict::Sleep), None);
        }
        let given_up = captures.of_stall(now, &mut worker, Verdict::Sleep).unwrap();
        assert!(given_up.note.unwrap().contains("has time for"));
        let deferred = stats.captures_deferred.load(Ordering::Relaxed);
        assert_eq!(deferred, u64::from(DEFERRALS_MAX) + 2);
        assert_eq!(stats.captures_saved.load(Ordering::Relaxed), 1);
    }

    /// Where the limit lies.
    #[test]
    fn youth_ends() {
        let began = Duration::from_secs(5);
        assert!(is_young(began, began) && is_young(began, began + BEGIN_MAX / 2));
        assert!(!is_young(began, began + BEGIN_MAX));
        assert!(is_young(began, Duration::ZERO), "a clock behind the look's");
    }

    /// More stalls than the budget allows are told without stacks, and first stacks have a budget of their own.
    #[test]
    fn budgets_end() {
        let (mut captures, stats) = captures();
        let now = Duration::from_secs(1);
        captures.begin_look(now + Duration::from_secs(3600));
        let mut worker = Worker::new(now, &view());
        let mut take =
            |captures: &mut Captures| captures.of_stall(now, &mut worker, Verdict::Sleep);
        let taken = std::iter::repeat_with(|| take(&mut captures).unwrap())
            .take(100)
            .filter(|captured| !captured.note.unwrap_or_default().starts_with("not taken"))
            .count();
        assert_eq!(taken, 40);
        assert_eq!(stats.captures_saved.load(Ordering::Relaxed), 60);
        assert!(captures.first(now, &mut worker).is_some());
    }
}
