//! `lock-across-await`: a handler holds the lock of the room table while it waits for something slow.
//!
//! Symptom: messages of every room are late together, while workers and CPUs are idle; no poll is long.
//! Mechanism: the guard of a `tokio::sync::Mutex` lives across an `.await`; everybody else who needs the table queues
//! behind the slowest.
//! Finding: the time from receiving a message to the last send queue grows by as long as the lock is held.
//!
//! No thread is blocked, so no stall is to be found. The table is the fault's own, so that the service needs none; it
//! keeps a bounded number of names.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

use crate::effects::Effect;
use crate::fault::Fault;
use crate::finding::Finding;
use crate::parameter::Parameters;
use crate::point::Point;

/// Names the table keeps; with more it begins anew.
const ROOMS_LEN_MAX: usize = 256;

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "lock-across-await",
    symptom: "messages of every room are late together while workers and CPUs are idle",
    mechanism: "the guard of an async lock on the room table lives across an .await, so everybody queues behind the slowest",
    point: Point::RoomLookup,
    parameters: Parameters::waiting("long the lock is held"),
    finding: Finding::Slow {
        histogram: "chat_fanout_seconds",
        above_ms: 100,
    },
    block: None,
};

/// Messages by room, behind one lock.
#[derive(Debug, Default)]
pub(crate) struct RoomTable {
    rooms: Mutex<HashMap<String, u64>>,
    /// What the slow handler waits for; given only when the fault is switched off.
    answer: Notify,
}

impl RoomTable {
    /// Looks `room` up under the lock. `is_slow` is asked then, and says for how long this handler keeps the lock; returns
    /// how long it did.
    pub(crate) async fn look_up(
        &self,
        room: &str,
        is_slow: impl FnOnce() -> Option<Duration>,
    ) -> Option<Duration> {
        // Before the question, so that whoever switches the fault off after the answer is heard.
        let answer = self.answer.notified();
        let mut rooms = self.rooms.lock().await;
        if rooms.len() >= ROOMS_LEN_MAX && !rooms.contains_key(room) {
            rooms.clear();
        }
        *rooms.entry(room.to_owned()).or_default() += 1;
        let slow = is_slow()?;
        let began = Instant::now();
        // Time runs out or the answer comes; either way the handler goes on.
        let _ = timeout(slow, answer).await;
        drop(rooms);
        Some(began.elapsed())
    }
}

impl Effect for RoomTable {
    fn undo(&self) {
        self.answer.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Goal: others wait for as long as a slow one holds the lock, and no longer once it is let go.
    #[tokio::test(start_paused = true)]
    async fn others_wait_for_the_slow_one() {
        let table = Arc::new(RoomTable::default());
        let slow = |length| {
            let table = Arc::clone(&table);
            tokio::spawn(async move { table.look_up("#a", || Some(length)).await })
        };
        let task = slow(Duration::from_secs(5));
        tokio::task::yield_now().await;
        let began = tokio::time::Instant::now();
        assert_eq!(table.look_up("#b", || None).await, None);
        assert!(began.elapsed() >= Duration::from_secs(5));
        task.await.unwrap().unwrap();

        let task = slow(Duration::from_secs(3600));
        tokio::task::yield_now().await;
        let began = tokio::time::Instant::now();
        table.undo();
        assert_eq!(table.look_up("#b", || None).await, None);
        task.await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(3600));
    }

    /// Goal: however many rooms are looked up, the table stays small.
    #[tokio::test]
    async fn table_is_bounded() {
        let table = RoomTable::default();
        for number in 0..2 * ROOMS_LEN_MAX + 1 {
            table.look_up(&format!("#{number}"), || None).await;
        }
        assert!(table.rooms.lock().await.len() <= ROOMS_LEN_MAX);
    }
}
