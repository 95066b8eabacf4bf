//! The watcher: one thread for all guards of the process, which sees where a guarded thread sleeps inside a poll.
//!
//! It looks while a guarded test runs and sleeps otherwise; it stays, because its unwinder learns as it works. A sleeping thread is read from outside and notices
//! nothing; only a poll beyond a limit that the test has set is asked for its stack by signal.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ledger::Ledger;
use super::seat::{Seat, Sighting};
use crate::capture::{Capturer, sys};
use crate::procfs::{SyscallState, ThreadFiles, syscall_name};

/// Pause between two looks: what blocks for several of them is seen with its stack. Ten thousand looks a second cost
/// under a tenth of a core, which only a test pays.
const LOOK_PAUSE: Duration = Duration::from_micros(100);

/// Places kept of one poll: a poll that blocks at more of them has shown enough.
pub(super) const SIGHTINGS_LEN_MAX: usize = 4;

static WATCHED: Mutex<Watched> = Mutex::new(Watched {
    ledgers: Vec::new(),
    watcher: Watcher::Absent,
});

/// Somebody is to be watched, or the watcher is ready.
static CHANGED: Condvar = Condvar::new();

#[derive(Debug)]
struct Watched {
    ledgers: Vec<Arc<Ledger>>,
    watcher: Watcher,
}

#[derive(Debug, PartialEq, Eq)]
enum Watcher {
    Absent,
    /// Reads the unwind tables, some milliseconds: a first block in that time would get no line.
    Starting,
    Ready,
}

/// The threads of one guard are watched until this is dropped.
#[derive(Debug)]
pub(super) struct Watching {
    ledger: Arc<Ledger>,
}

impl Watching {
    pub(super) fn begin(ledger: &Arc<Ledger>) -> Self {
        let mut watched = watched();
        if watched.watcher == Watcher::Absent {
            let thread = std::thread::Builder::new().name("pollscope-guard".to_owned());
            // Without the thread violations are still counted, they only have no lines.
            if thread.spawn(watch).is_ok() {
                watched.watcher = Watcher::Starting;
            }
        }
        let mut watched = CHANGED
            .wait_while(watched, |watched| watched.watcher == Watcher::Starting)
            .unwrap_or_else(PoisonError::into_inner);
        watched.ledgers.push(Arc::clone(ledger));
        CHANGED.notify_all();
        Self {
            ledger: Arc::clone(ledger),
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        watched()
            .ledgers
            .retain(|ledger| !Arc::ptr_eq(ledger, &self.ledger));
    }
}

fn watched() -> MutexGuard<'static, Watched> {
    // A list of whole guards, valid at every step.
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The watcher's thread; sleeps without a timer while nobody is guarded.
#[expect(clippy::disallowed_methods, reason = "the watcher's own thread")]
fn watch() {
    let mut asleep = Capturer::new(None);
    let mut running = None;
    let own = sys::current_tid();
    asleep.capture(own, &(0..0), &ThreadFiles::open(own));
    watched().watcher = Watcher::Ready;
    CHANGED.notify_all();
    loop {
        let ledgers = CHANGED
            .wait_while(watched(), |watched| watched.ledgers.is_empty())
            .unwrap_or_else(PoisonError::into_inner)
            .ledgers
            .clone();
        for ledger in ledgers {
            for seat in ledger.seats() {
                look_at(&seat, ledger.cpu_limit, &mut asleep, &mut running);
            }
        }
        std::thread::sleep(LOOK_PAUSE);
    }
}

fn look_at(
    seat: &Seat,
    cpu_limit: Option<Duration>,
    asleep: &mut Capturer,
    running: &mut Option<Capturer>,
) {
    let Some(poll) = seat.open_poll() else {
        return;
    };
    note_sleep(seat, poll, asleep);
    let is_over = |limit| seat.cpu_in_poll().is_some_and(|cpu| cpu > limit);
    if cpu_limit.is_some_and(is_over) {
        // A signal is taken only once a test has asked for a limit and met it.
        let capturer = || Capturer::new(sys::CaptureSignal::install());
        note_computing(seat, poll, running.get_or_insert_with(capturer));
    }
}

/// Notes where the thread sleeps, if it does.
fn note_sleep(seat: &Seat, poll: u64, capturer: &mut Capturer) {
    let mut sight = seat.sight(poll);
    let state = match sight.files.syscall() {
        None => return,
        Some(SyscallState::Running) => {
            // Asleep again is another wait.
            sight.last = None;
            return;
        }
        Some(state) => state,
    };
    if sight.last == Some(state) || sight.sightings.len() >= SIGHTINGS_LEN_MAX {
        return;
    }
    let captured = capturer.capture(seat.tid, &seat.stack, &sight.files);
    let call = match state {
        SyscallState::Blocked(call) => Some(call),
        SyscallState::Outside { .. } | SyscallState::Running => None,
    };
    let sighting = Sighting {
        captured,
        is_asleep: true,
        waits: 1,
        syscall: call.map(|call| syscall_name(call.number)),
        object: call.and_then(|call| sight.files.wait_object(&call)),
    };
    // A poll that did not block ends without waiting for the watcher: then this was the sleep after it.
    if seat.open_poll() == Some(poll) {
        sight.last = Some(state);
        let is_same = |known: &&mut Sighting| {
            known.is_asleep && known.captured.addresses == sighting.captured.addresses
        };
        match sight.sightings.iter_mut().find(is_same) {
            Some(known) => known.waits += 1,
            None => sight.sightings.push(sighting),
        }
    }
}

/// Notes where a poll beyond its limit computes, once.
fn note_computing(seat: &Seat, poll: u64, capturer: &mut Capturer) {
    let mut sight = seat.sight(poll);
    if sight.sightings.iter().any(|known| !known.is_asleep) {
        return;
    }
    let captured = capturer.capture(seat.tid, &seat.stack, &sight.files);
    if seat.open_poll() == Some(poll) && !seat.is_ending() && captured.call.is_none() {
        sight.sightings.push(Sighting {
            captured,
            is_asleep: false,
            waits: 0,
            syscall: None,
            object: None,
        });
    }
}
