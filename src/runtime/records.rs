//! The records of all live tasks of `pollscope::spawn`.
//!
//! In shards, because tasks are born and die on every worker at once, and a lock is held for one insertion, one removal or
//! a few views. A task beyond the maximum is watched as the others are, it is only not listed, and counted.

use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::task_record::{TaskRecord, TaskView};

/// Tasks listed at once: the connections of a large service. At 8 bytes each for the list, half a mebibyte.
const RECORDS_LEN_MAX: usize = 65_536;

const SHARDS_LEN: usize = 16;
const SHARD_LEN_MAX: usize = RECORDS_LEN_MAX / SHARDS_LEN;

/// Records viewed under one hold of a lock, about a microsecond.
const VIEWS_PER_HOLD: usize = 64;

static SHARDS: [Mutex<Shard>; SHARDS_LEN] = [const { Mutex::new(Shard::new()) }; SHARDS_LEN];
static NEXT: AtomicU64 = AtomicU64::new(1);
static UNLISTED: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Shard {
    records: Vec<Option<Arc<TaskRecord>>>,
    free: Vec<u32>,
}

impl Shard {
    const fn new() -> Self {
        Self {
            records: Vec::new(),
            free: Vec::new(),
        }
    }

    fn insert(&mut self, record: Arc<TaskRecord>) -> bool {
        if let Some(place) = self.free.pop() {
            record.place.store(place, Ordering::Relaxed);
            self.records[place as usize] = Some(record);
            return true;
        }
        let Ok(place) = u32::try_from(self.records.len()) else {
            return false;
        };
        if self.records.len() >= SHARD_LEN_MAX {
            return false;
        }
        record.place.store(place, Ordering::Relaxed);
        self.records.push(Some(record));
        true
    }

    fn remove(&mut self, place: u32) -> Option<Arc<TaskRecord>> {
        let record = self.records.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(record)
    }
}

/// A new record, listed until it is passed to [`remove`].
pub(super) fn insert(spawned_at: &'static Location<'static>, runtime: u32) -> Arc<TaskRecord> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let record = Arc::new(TaskRecord::new(number, spawned_at, runtime));
    if !shard_of(number).insert(Arc::clone(&record)) {
        UNLISTED.fetch_add(1, Ordering::Relaxed);
    }
    record
}

/// The task has ended, or its future was dropped.
pub(super) fn remove(record: &TaskRecord) {
    let place = record.place.load(Ordering::Relaxed);
    // Dropped after the lock is let go: it may hold the last reference to the task.
    let removed = shard_of(record.number).remove(place);
    drop(removed);
}

/// Shows every listed task to `see`, outside all locks.
pub(crate) fn visit(mut see: impl FnMut(&TaskView)) {
    let mut views = Vec::with_capacity(VIEWS_PER_HOLD);
    for shard in &SHARDS {
        let mut from = 0;
        loop {
            let len = {
                let shard = lock(shard);
                let to = shard.records.len().min(from + VIEWS_PER_HOLD);
                let held = shard.records.get(from..to).unwrap_or_default();
                views.extend(held.iter().flatten().map(TaskRecord::view));
                shard.records.len()
            };
            views.drain(..).for_each(|view| see(&view));
            from += VIEWS_PER_HOLD;
            if from >= len {
                break;
            }
        }
    }
}

/// Whether a task was ever listed.
pub(crate) fn is_used() -> bool {
    NEXT.load(Ordering::Relaxed) > 1
}

/// Tasks that were not listed because too many were alive.
pub(crate) fn unlisted() -> u64 {
    UNLISTED.load(Ordering::Relaxed)
}

fn shard_of(number: u64) -> MutexGuard<'static, Shard> {
    let index = usize::try_from(number).unwrap_or(0) % SHARDS_LEN;
    lock(&SHARDS[index])
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // A list and its free places; no code of others runs while it is changed.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places are used again, and what does not fit is refused.
    #[test]
    fn is_bounded() {
        let record = |number| Arc::new(TaskRecord::new(number, Location::caller(), 0));
        let mut shard = Shard::new();
        for number in 0..SHARD_LEN_MAX as u64 {
            assert!(shard.insert(record(number)));
        }
        assert!(!shard.insert(record(1)));
        assert_eq!(shard.remove(7).map(|record| record.number), Some(7));
        assert!(shard.remove(7).is_none());
        assert!(shard.insert(record(99)));
        assert_eq!(shard.records.len(), SHARD_LEN_MAX);
    }

    /// A record is seen from its insertion to its removal.
    #[test]
    fn are_listed_while_alive() {
        let seen = |number| {
            let mut seen = 0;
            visit(|view| seen += usize::from(view.number == number));
            seen
        };
        let record = insert(Location::caller(), 5);
        assert_eq!(seen(record.number), 1);
        remove(&record);
        assert_eq!(seen(record.number), 0);
    }
}
