//! The meter of one guarded thread: what the kernel has counted before and after each poll.
//!
//! A thread without a guard pays one thread-local load a poll. Polls inside polls belong to the outermost one.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::ledger::{FoundPoll, Ledger, PollSubject};
use super::seat::Seat;
use super::violation::ViolationKind;
use crate::capture::sys::{self, ThreadWaits};

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
    static METER: RefCell<Option<Meter>> = const { RefCell::new(None) };
}

/// Counts the polls of this thread for a guard.
#[derive(Debug)]
struct Meter {
    ledger: Arc<Ledger>,
    seat: Arc<Seat>,
    /// Polls inside polls.
    depth: u32,
    /// `allow_blocking` inside `allow_blocking`.
    allowed_depth: u32,
    subject: Option<PollSubject>,
    begin: Usage,
    allow_begin: Usage,
    /// Used inside `allow_blocking` in this poll.
    allowed: Usage,
}

/// What the kernel has counted for a thread.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    waits: ThreadWaits,
    cpu: Duration,
}

impl Usage {
    fn now(meter: &Meter) -> Self {
        let cpu = meter
            .ledger
            .cpu_limit
            .map(|_| sys::thread_cpu_time(meter.seat.tid));
        Self {
            waits: sys::own_waits().unwrap_or_default(),
            cpu: cpu.flatten().unwrap_or_default(),
        }
    }

    fn since(self, earlier: Self) -> Self {
        let since = |field: fn(&ThreadWaits) -> u64| {
            field(&self.waits).saturating_sub(field(&earlier.waits))
        };
        Self {
            waits: ThreadWaits {
                voluntary_switches: since(|waits| waits.voluntary_switches),
                major_faults: since(|waits| waits.major_faults),
            },
            cpu: self.cpu.saturating_sub(earlier.cpu),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            waits: ThreadWaits {
                voluntary_switches: self.waits.voluntary_switches + other.waits.voluntary_switches,
                major_faults: self.waits.major_faults + other.waits.major_faults,
            },
            cpu: self.cpu + other.cpu,
        }
    }

    /// Switches that the code made: each page that had to come from storage cost one, and whether a page of the
    /// program is in memory is no property of a test.
    fn own_switches(&self) -> u64 {
        self.waits
            .voluntary_switches
            .saturating_sub(self.waits.major_faults)
    }
}

/// Guards the calling thread until it is dropped.
#[derive(Debug)]
pub(super) struct Guarded {
    before: Option<Meter>,
}

impl Guarded {
    pub(super) fn begin(ledger: &Arc<Ledger>) -> Self {
        let before = METER.with_borrow_mut(|meter| meter.replace(Meter::new(ledger)));
        IS_GUARDED.set(true);
        Self { before }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        IS_GUARDED.set(self.before.is_some());
        METER.set(self.before.take());
    }
}

/// Guards the calling thread until it ends.
pub(super) fn guard_thread(ledger: &Arc<Ledger>) {
    METER.set(Some(Meter::new(ledger)));
    IS_GUARDED.set(true);
}

impl Meter {
    fn new(ledger: &Arc<Ledger>) -> Self {
        let seat = Arc::new(Seat::of_this_thread());
        ledger.seat(Arc::clone(&seat));
        Self {
            ledger: Arc::clone(ledger),
            seat,
            depth: 0,
            allowed_depth: 0,
            subject: None,
            begin: Usage::default(),
            allow_begin: Usage::default(),
            allowed: Usage::default(),
        }
    }

    fn enter(&mut self, subject: PollSubject) {
        self.depth += 1;
        if self.depth > 1 {
            // A task that was spawned through pollscope knows its future's type, the hook round it does not.
            let known = self.subject.get_or_insert(subject);
            known.future = known.future.or(subject.future);
            return;
        }
        self.subject = Some(subject);
        self.allowed = Usage::default();
        self.begin = Usage::now(self);
        self.seat.begin(self.begin.cpu);
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        let Some(subject) = self.subject.filter(|_| self.depth == 0) else {
            return;
        };
        let used = Usage::now(self).since(self.begin).since(self.allowed);
        let has_blocked = used.own_switches() > 0 && !has_lost_its_worker();
        let is_over_limit = self.ledger.cpu_limit.is_some_and(|limit| used.cpu > limit);
        if has_blocked || is_over_limit {
            let (asleep, computing) = self
                .seat
                .sightings_of_ending()
                .into_iter()
                .partition(|sighting| sighting.is_asleep);
            let find = |kind, sightings| {
                self.ledger.find(FoundPoll {
                    kind,
                    subject,
                    switches: used.own_switches(),
                    cpu: self.ledger.cpu_limit.map(|_| used.cpu),
                    sightings,
                });
            };
            if has_blocked {
                find(ViolationKind::Blocked, asleep);
            }
            if is_over_limit {
                find(ViolationKind::OverLimit, computing);
            }
        }
        self.seat.end();
    }
}

/// Whether `block_in_place` has given this thread's worker to another thread: then blocking here was announced.
#[cfg(tokio_unstable)]
fn has_lost_its_worker() -> bool {
    let Some(index) = tokio::runtime::worker_index() else {
        return false;
    };
    tokio::runtime::Handle::try_current().is_ok_and(|handle| {
        let runs_it = handle.metrics().worker_thread_id(index);
        runs_it.is_some_and(|thread| thread != std::thread::current().id())
    })
}

/// Stable Tokio does not tell which thread runs a worker; stacks still show `block_in_place`.
#[cfg(not(tokio_unstable))]
fn has_lost_its_worker() -> bool {
    false
}

/// A poll begins on this thread.
#[inline]
pub(super) fn enter(subject: impl FnOnce() -> PollSubject) {
    if IS_GUARDED.get() {
        with_meter(|meter| meter.enter(subject()));
    }
}

/// The poll ends.
#[inline]
pub(super) fn leave() {
    if IS_GUARDED.get() {
        with_meter(Meter::leave);
    }
}

/// One poll of a watched future, if its thread is guarded.
#[derive(Debug)]
pub(crate) struct Metered;

impl Metered {
    #[inline]
    pub(crate) fn enter(spawned_at: &'static Location<'static>, future: &'static str) -> Self {
        enter(|| PollSubject {
            task: tokio::task::try_id(),
            spawned_at,
            future: Some(future),
        });
        Self
    }
}

impl Drop for Metered {
    #[inline]
    fn drop(&mut self) {
        leave();
    }
}

/// Blocking is allowed on this thread from now on. A scope without a reason is a finding of its own.
pub(super) fn begin_allowed(reason: &str, here: &'static Location<'static>) {
    with_meter(|meter| {
        if reason.trim().is_empty() {
            meter.ledger.find(FoundPoll {
                kind: ViolationKind::NoReason,
                subject: PollSubject {
                    task: tokio::task::try_id(),
                    spawned_at: here,
                    future: None,
                },
                switches: 0,
                cpu: None,
                sightings: Vec::new(),
            });
        }
        meter.allowed_depth += 1;
        if meter.allowed_depth == 1 {
            meter.seat.allow(true);
            meter.allow_begin = Usage::now(meter);
        }
    });
}

/// The scope ends.
pub(super) fn end_allowed() {
    with_meter(|meter| {
        meter.allowed_depth = meter.allowed_depth.saturating_sub(1);
        if meter.allowed_depth == 0 {
            let used = Usage::now(meter).since(meter.allow_begin);
            meter.allowed = meter.allowed.plus(used);
            meter.seat.allow(false);
        }
    });
}

/// Whether this thread is guarded.
#[inline]
pub(super) fn is_guarded() -> bool {
    IS_GUARDED.get()
}

fn with_meter(act: impl FnOnce(&mut Meter)) {
    // A thread whose locals are being torn down has polled its last.
    let _ = METER.try_with(|meter| {
        if let Ok(mut meter) = meter.try_borrow_mut()
            && let Some(meter) = meter.as_mut()
        {
            act(meter);
        }
    });
}
