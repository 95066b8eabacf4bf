//! `await-in-fanout`: a room waits for one slow member before it goes on to the others.
//!
//! Symptom: everybody in a room gets messages late because one of them reads slowly; other rooms are fine.
//! Mechanism: the fan-out awaits each member in turn, as `queue.send(line).await` does when a member's queue is full.
//! Finding: the time from receiving a message to the last send queue grows by as long as the slow member takes.
//!
//! No thread is blocked, so no stall is to be found. The slow member is the fault's own: it reads when its time is over,
//! or when the fault is switched off.

use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::effects::Effect;
use crate::fault::Fault;
use crate::finding::Finding;
use crate::parameter::Parameters;
use crate::point::Point;

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "await-in-fanout",
    symptom: "everybody in a room gets messages late because one of them reads slowly",
    mechanism: "the fan-out awaits the send to each member, so the room goes at the pace of its slowest one",
    point: Point::FanOut,
    parameters: Parameters::waiting("long the member takes"),
    finding: Finding::Slow {
        histogram: "chat_fanout_seconds",
        above_ms: 100,
    },
    block: None,
};

/// A member whose queue is full.
#[derive(Debug, Default)]
pub(crate) struct SlowMember {
    reads: Notify,
}

impl SlowMember {
    /// Waits for a place in the member's queue for as long as `is_slow` says; returns how long it was.
    pub(crate) async fn send(
        &self,
        is_slow: impl FnOnce() -> Option<Duration>,
    ) -> Option<Duration> {
        // Before the question, so that whoever switches the fault off after the answer is heard.
        let reads = self.reads.notified();
        let slow = is_slow()?;
        let began = Instant::now();
        // Time runs out or the member reads; either way there is a place.
        let _ = timeout(slow, reads).await;
        Some(began.elapsed())
    }
}

impl Effect for SlowMember {
    fn undo(&self) {
        self.reads.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the room waits for as long as it was told, and goes on at once when the fault is switched off.
    #[tokio::test(start_paused = true)]
    async fn waits_until_released() {
        let member = SlowMember::default();
        let slow = Duration::from_secs(5);
        let began = tokio::time::Instant::now();
        assert!(member.send(|| Some(slow)).await.is_some());
        assert!(began.elapsed() >= slow);

        let began = tokio::time::Instant::now();
        let release = async {
            tokio::task::yield_now().await;
            member.undo();
        };
        tokio::join!(member.send(|| Some(slow)), release);
        assert!(began.elapsed() < slow);
        assert_eq!(member.send(|| None).await, None);
    }
}
