//! Which open stall is the longest; PURE.
//!
//! Kept apart from the ring: a bad day's newer events push an old stall out of that while it still lasts. A thread stands
//! in one stall at a time, so the thread is the key and a later stall replaces one whose close was lost; the watchdog's
//! list of open stalls ends the rest of those.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::short_path;
use crate::runtime::slots::SLOTS_LEN_MAX;
use crate::stall::{Phase, Stall};

/// Threads that can stand in a stall at once; what comes on top is not asked for readiness.
const OPEN_LEN_MAX: usize = SLOTS_LEN_MAX;

/// The stalls that have not ended.
#[derive(Debug, Default)]
pub(crate) struct OpenStalls {
    by_thread: BTreeMap<i32, OpenStall>,
}

#[derive(Debug)]
struct OpenStall {
    id: u64,
    /// Since the Unix epoch.
    started: Duration,
    is_machine: bool,
    runtime: String,
    verdict: &'static str,
    place: String,
}

impl OpenStalls {
    /// Books one event.
    pub(crate) fn book(&mut self, stall: &Stall) {
        if stall.phase == Phase::Close {
            let known = self.by_thread.get(&stall.tid);
            if known.is_some_and(|open| open.id == stall.id) {
                self.by_thread.remove(&stall.tid);
            }
        } else if self.by_thread.contains_key(&stall.tid) || self.by_thread.len() < OPEN_LEN_MAX {
            self.by_thread.insert(stall.tid, OpenStall::of(stall));
        }
    }

    /// Keeps only those whose number passes.
    pub(crate) fn retain(&mut self, lasts: impl Fn(&u64) -> bool) {
        self.by_thread.retain(|_, open| lasts(&open.id));
    }

    /// The oldest one that is at least `limit` old at `now`, in one line; the machine's own do not count.
    pub(crate) fn longest(&self, now: SystemTime, limit: Duration) -> Option<String> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = |open: &OpenStall| now.saturating_sub(open.started);
        let longest = self
            .by_thread
            .values()
            .filter(|open| !open.is_machine && age(open) >= limit)
            .max_by_key(|open| age(open))?;
        Some(format!(
            "runtime {} is stuck for {} ms ({}){}",
            longest.runtime,
            age(longest).as_millis(),
            longest.verdict,
            longest.place
        ))
    }
}

impl OpenStall {
    fn of(stall: &Stall) -> Self {
        let place = stall.line.as_ref().map_or_else(String::new, |line| {
            format!(" at {}:{}", short_path(&line.file), line.line)
        });
        Self {
            id: stall.id,
            started: Duration::from_millis(stall.started_at),
            is_machine: stall.verdict.is_machine(),
            runtime: stall.runtime.clone(),
            verdict: stall.verdict.name(),
            place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::recorded::stall;
    use crate::stall::Verdict;

    const LIMIT: Duration = Duration::from_secs(1);

    fn on_thread(tid: i32, id: u64, phase: Phase) -> Stall {
        Stall {
            tid,
            ..stall(id, phase)
        }
    }

    fn longest(open: &OpenStalls) -> Option<String> {
        open.longest(UNIX_EPOCH + LIMIT, LIMIT)
    }

    /// Whatever comes after it, an old stall is known until its own close.
    #[test]
    fn is_not_forgotten() {
        let mut open = OpenStalls::default();
        open.book(&on_thread(7, 1, Phase::Open));
        for id in 2..2000 {
            open.book(&on_thread(8, id, Phase::Open));
            open.book(&on_thread(8, id, Phase::Close));
        }
        let stuck = "runtime main is stuck for 1000 ms (sleep) at src/orders/db.rs:41";
        assert_eq!(longest(&open).as_deref(), Some(stuck));
        open.book(&on_thread(7, 1, Phase::Close));
        assert_eq!(longest(&open), None);
    }

    /// A lost close ends with the thread's next stall, and a late close does not end that one.
    #[test]
    fn a_lost_close_heals() {
        let mut open = OpenStalls::default();
        open.book(&on_thread(7, 1, Phase::Open));
        open.book(&on_thread(7, 2, Phase::Open));
        open.book(&on_thread(7, 1, Phase::Close));
        assert!(longest(&open).is_some());
        open.book(&on_thread(7, 2, Phase::Close));
        assert_eq!(longest(&open), None);
    }

    /// Young stalls and the machine's own leave the process ready, and the memory is bounded.
    #[test]
    fn ready_all_the_same() {
        let mut open = OpenStalls::default();
        open.book(&Stall {
            verdict: Verdict::Starved,
            ..stall(1, Phase::Open)
        });
        open.book(&Stall {
            started_at: 1,
            ..on_thread(8, 2, Phase::Open)
        });
        assert_eq!(longest(&open), None);
        for tid in 0..3000 {
            open.book(&on_thread(tid, 3, Phase::Open));
        }
        assert_eq!(open.by_thread.len(), OPEN_LEN_MAX);
    }
}
