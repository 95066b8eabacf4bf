//! The lints that wait for the watchdog, each mistake once.
//!
//! Told from workers, so it is bounded and never waits for whoever reads. A mistake in a loop is told at its first time,
//! its tenth, its hundredth: the line is what a developer needs, not the number of times.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lint::Lint;
use super::switch;

/// Lints that wait at once; the watchdog takes them a thousand times a second.
const WAITING_LEN_MAX: usize = 256;

/// Mistakes remembered; a program with more lines that are wrong tells some of them twice.
const MISTAKES_LEN_MAX: usize = 1024;

static INBOX: Mutex<Option<Inbox>> = Mutex::new(None);

/// Lints that were repeats or did not fit.
static UNTOLD: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Default)]
struct Inbox {
    waiting: VecDeque<Lint>,
    times: HashMap<(u8, usize), u64>,
}

impl Inbox {
    /// Whether it waits to be told now.
    fn put(&mut self, lint: Lint) -> bool {
        if self.times.len() >= MISTAKES_LEN_MAX {
            self.times.clear();
        }
        let times = self.times.entry(lint.mistake()).or_default();
        *times += 1;
        if !is_power_of_ten(*times) || self.waiting.len() >= WAITING_LEN_MAX {
            return false;
        }
        self.waiting.push_back(lint);
        true
    }
}

fn is_power_of_ten(times: u64) -> bool {
    times == 10_u64.pow(times.max(1).ilog10())
}

/// Tells a lint, if the debug mode is on.
#[cold]
pub(crate) fn tell(lint: Lint) {
    if switch::is_on() && !lock().get_or_insert_default().put(lint) {
        UNTOLD.fetch_add(1, Ordering::Relaxed);
    }
}

/// What waits.
pub(crate) fn take_lints() -> VecDeque<Lint> {
    lock()
        .as_mut()
        .map(|inbox| std::mem::take(&mut inbox.waiting))
        .unwrap_or_default()
}

/// Forgets everything: the mode was switched, and a mistake is told again.
pub(super) fn clear() {
    *lock() = None;
}

/// Lints that were repeats or did not fit.
pub(crate) fn untold() -> u64 {
    UNTOLD.load(Ordering::Relaxed)
}

fn lock() -> MutexGuard<'static, Option<Inbox>> {
    // A list and a table of counts, valid at every step.
    INBOX.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;

    /// A mistake is told at its first, tenth and hundredth time; another line is another mistake.
    #[test]
    fn tells_each_mistake_once() {
        let mut inbox = Inbox::default();
        let (here, there) = (Location::caller(), other_line());
        let panicked = |spawned_at| Lint::TaskPanicked {
            runtime: 1,
            task: 7,
            spawned_at,
        };
        let told: Vec<usize> = (1..=120).filter(|_| inbox.put(panicked(here))).collect();
        assert_eq!(told, [1, 10, 100]);
        assert!(inbox.put(panicked(there)));
        assert_eq!(inbox.waiting.len(), 4);
    }

    fn other_line() -> &'static Location<'static> {
        Location::caller()
    }

    /// What does not fit is refused.
    #[test]
    fn is_bounded() {
        let mut inbox = Inbox::default();
        let dropped = |number| Lint::DroppedWithTasks {
            runtime: String::new(),
            number,
            tasks: 1,
            sites: Vec::new(),
        };
        let told = (0..2000).filter(|number| inbox.put(dropped(*number)));
        assert_eq!(told.count(), WAITING_LEN_MAX);
        assert!(inbox.times.len() <= MISTAKES_LEN_MAX);
    }
}
