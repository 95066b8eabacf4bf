//! The kinds of findings, by their final words.

use serde::{Deserialize, Serialize};

/// A condition that is no stall but costs as much; its word is never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingKind {
    /// A block announced by `block_in_place` that lasts longer than such a block should.
    BlockInPlace,
    /// Every thread of the blocking pool is taken and work waits for one.
    BlockingPoolExhausted,
    /// Nobody misbehaves, but more tasks are ready than the workers get through.
    QueueStall,
    /// No worker turns the I/O and timer driver, so nobody notices what has arrived.
    DriverUnpolled,
    /// One or two tasks take most of a worker while others are ready.
    Hog,
    /// The tasks of one spawn site grow and grow.
    TaskLeak,
    /// A task waits, and nobody holds a waker that could wake it.
    LostWaker,
    /// A task wakes itself again and again while it is being polled.
    SelfWakeStorm,
    /// Debug mode: a guard of `pollscope::sync` lived across an await.
    LockAcrossAwait,
    /// Debug mode: a task of `pollscope::spawn` panicked.
    TaskPanicked,
    /// Debug mode: a task waits for its first poll.
    NeverPolled,
    /// Debug mode: a spawn site creates tasks faster than they end.
    UnboundedSpawn,
    /// Debug mode: a runtime was dropped while tasks were alive.
    RuntimeDroppedWithTasks,
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::BlockInPlace,
        Self::BlockingPoolExhausted,
        Self::QueueStall,
        Self::DriverUnpolled,
        Self::Hog,
        Self::TaskLeak,
        Self::LostWaker,
        Self::SelfWakeStorm,
        Self::LockAcrossAwait,
        Self::TaskPanicked,
        Self::NeverPolled,
        Self::UnboundedSpawn,
        Self::RuntimeDroppedWithTasks,
    ];

    /// The word in events and labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BlockInPlace => "block-in-place",
            Self::BlockingPoolExhausted => "blocking-pool-exhausted",
            Self::QueueStall => "queue-stall",
            Self::DriverUnpolled => "driver-unpolled",
            Self::Hog => "hog",
            Self::TaskLeak => "task-leak",
            Self::LostWaker => "lost-waker",
            Self::SelfWakeStorm => "self-wake-storm",
            Self::LockAcrossAwait => "lock-across-await",
            Self::TaskPanicked => "task-panicked",
            Self::NeverPolled => "never-polled",
            Self::UnboundedSpawn => "unbounded-spawn",
            Self::RuntimeDroppedWithTasks => "runtime-dropped-with-tasks",
        }
    }

    /// Whether the condition is over as soon as every worker is parked: it consists of work going on.
    pub(crate) const fn needs_work(self) -> bool {
        matches!(
            self,
            Self::QueueStall | Self::DriverUnpolled | Self::Hog | Self::SelfWakeStorm
        )
    }

    /// Whether somebody waits because of it now, so that it is logged as a warning; the others are as information.
    pub(crate) const fn harms(self) -> bool {
        matches!(
            self,
            Self::BlockingPoolExhausted
                | Self::QueueStall
                | Self::DriverUnpolled
                | Self::TaskLeak
                | Self::LostWaker
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words in JSON and in labels are the same ones.
    #[test]
    fn words_agree() {
        for kind in FindingKind::ALL {
            let word = serde_json::to_string(&kind).unwrap();
            assert_eq!(word, format!("\"{}\"", kind.name()));
        }
    }
}
