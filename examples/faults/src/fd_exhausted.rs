//! `fd-exhausted`: the process has used up its file descriptors.
//!
//! Symptom: new clients connect and are not served, for seconds, while those who are there notice nothing.
//! Mechanism: descriptors that are never closed, up to the limit of open files; `accept` fails with EMFILE, and a loop that
//! tries again at once burns a CPU.
//! Finding: failed accepts are counted as `file_limit`; they stop when there are descriptors again.
//!
//! A thread of the fault's own takes all descriptors but a few, keeps them for a time, gives them back, and rests. So the
//! process is never without for long, however hard it is then to tell it to stop. Nothing in the service calls this fault:
//! descriptors belong to the process.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, getrlimit};

use crate::effects::Effect;
use crate::fault::Fault;
use crate::finding::Finding;
use crate::gate::{Gate, Place};
use crate::parameter::{Parameter, Parameters};
use crate::point::Point;
use crate::settings::Settings;

/// Highest limit of open files with which the fault acts: a million descriptors take a second and 8 MB, and containers
/// often allow just that. Beyond it the fault would be known by its own cost.
const LIMIT_MAX: u64 = 1 << 20;

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "fd-exhausted",
    symptom: "new clients connect and are not served, while those who are there notice nothing",
    mechanism: "descriptors that are never closed reach the limit of open files, and accept fails until some are",
    point: Point::Accept,
    parameters: Parameters {
        duration_ms: Some(Parameter::new(
            2000,
            100..=10_000,
            "long the descriptors are held",
        )),
        pause_ms: Some(Parameter::new(
            3000,
            100..=3_600_000,
            "long it rests before the next time",
        )),
        count: Some(Parameter::new(4, 0..=64, "many descriptors are left free")),
    },
    finding: Finding::Metric {
        names: &["chat_accept_errors_total{kind=\"file_limit\"}"],
        by: 1,
    },
    block: None,
};

/// The descriptors held by one plan.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    hoard: Arc<Hoard>,
}

/// What the plan and the thread share.
#[derive(Debug, Default)]
struct Hoard {
    gate: Gate,
    held: AtomicUsize,
    holds: AtomicU64,
}

impl Effect for Descriptors {
    fn begin(&self, settings: &Settings) -> Result<(), String> {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        if limit > LIMIT_MAX {
            return Err(format!(
                "the process may open {limit} files; expected a limit of at most {LIMIT_MAX}, as after `ulimit -n 4096`"
            ));
        }
        // With other settings than before: the thread that has those ends.
        self.hoard.gate.open();
        let (hoard, place, settings) =
            (Arc::clone(&self.hoard), self.hoard.gate.place(), *settings);
        thread::Builder::new()
            .name("fd-hoarder".to_owned())
            .spawn(move || hoard.hold_in_turns(place, &settings, usize::MAX))
            .map(drop)
            .map_err(|error| format!("no thread to hold descriptors: {error}"))
    }

    fn undo(&self) {
        self.hoard.gate.open();
    }

    fn left(&self) -> usize {
        self.hoard.held.load(Ordering::Relaxed)
    }

    fn acts(&self) -> u64 {
        self.hoard.holds.load(Ordering::Relaxed)
    }
}

impl Hoard {
    /// Holds all descriptors there are, `len_max` at most, and rests, in turns until the gate opens.
    fn hold_in_turns(&self, place: Place, settings: &Settings, len_max: usize) {
        loop {
            let held = all_but(settings.count(), len_max);
            self.held.store(held.len(), Ordering::Relaxed);
            self.holds.fetch_add(1, Ordering::Relaxed);
            let is_over = self.gate.wait(place, settings.duration());
            drop(held);
            self.held.store(0, Ordering::Relaxed);
            if is_over || self.gate.wait(place, settings.pause()) {
                return;
            }
        }
    }
}

/// All descriptors that can be had, but `len_max` at most, without the last `spare` ones. The same file behind each, so
/// they cost their numbers only.
fn all_but(spare: usize, len_max: usize) -> Vec<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let Ok(first) = open("/dev/null", flags, Mode::empty()) else {
        // The process is out of descriptors as it is.
        return Vec::new();
    };
    let more = || fcntl_dupfd_cloexec(&first, 0).ok();
    let mut held: Vec<OwnedFd> = std::iter::from_fn(more).take(len_max).collect();
    held.truncate(held.len().saturating_sub(spare));
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: descriptors are taken, without the spare ones, and given back when dropped.
    #[test]
    fn spare_ones_are_left() {
        let held = all_but(3, 10);
        assert_eq!(held.len(), 7);
        drop(held);
        assert!(all_but(3, 2).is_empty());
    }

    /// Goal: a thread that would hold for an hour ends as soon as the gate opens, and holds nothing then.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test waits for its thread")]
    fn ends_with_the_gate() {
        let hoard = Arc::new(Hoard::default());
        let place = hoard.gate.place();
        let settings = Settings {
            duration_ms: Some(3_600_000),
            ..FAULT.parameters.defaults()
        };
        // Ten at most, so that the other tests of this process do not run out of descriptors.
        let thread = thread::spawn({
            let hoard = Arc::clone(&hoard);
            move || hoard.hold_in_turns(place, &settings, 10)
        });
        while hoard.holds.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        assert_eq!(hoard.held.load(Ordering::Relaxed), 6);
        hoard.gate.open();
        thread.join().unwrap();
        assert_eq!(hoard.held.load(Ordering::Relaxed), 0);
        assert_eq!(hoard.holds.load(Ordering::Relaxed), 1);
    }
}
