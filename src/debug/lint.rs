//! A mistake that stalls nobody yet: what it is, where it is, in numbers and places; nothing formatted.

use std::panic::Location;

use std::time::Duration;

/// A source location.
pub(crate) type Place = &'static Location<'static>;

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lint {
    /// A guard of `pollscope::sync` lived across an await.
    LockAcrossAwait {
        runtime: u32,
        /// 0 for the future of `block_on`.
        task: u64,
        /// Where its task was spawned.
        spawned_at: Option<Place>,
        taken_at: Place,
        /// Where somebody had to wait for it, if that was how it was found.
        wanted_at: Option<Place>,
    },
    /// A task of `pollscope::spawn` panicked.
    TaskPanicked {
        runtime: u32,
        task: u64,
        spawned_at: Place,
    },
    /// Tasks of `pollscope::spawn` wait for their first poll.
    NeverPolled {
        runtime: u32,
        task: u64,
        spawned_at: Place,
        tasks: u64,
        longest: Duration,
    },
    /// A spawn site creates tasks faster than they end.
    UnboundedSpawn {
        runtime: u32,
        spawned_at: Place,
        alive: u64,
        growth: u64,
        pause: Duration,
    },
    /// A runtime ended while tasks were alive.
    DroppedWithTasks {
        /// Its name: nobody can be asked for it later.
        runtime: String,
        number: u32,
        tasks: u64,
        /// Spawn sites of those of `pollscope::spawn`, the most frequent first.
        sites: Vec<(Place, u64)>,
    },
}

impl Lint {
    /// Name of its runtime, given those of the ones that are registered.
    pub(crate) fn runtime_name(&self, name_of: impl FnOnce(u32) -> Option<String>) -> String {
        let number = match self {
            Self::DroppedWithTasks { runtime, .. } => return runtime.clone(),
            Self::LockAcrossAwait { runtime, .. }
            | Self::TaskPanicked { runtime, .. }
            | Self::NeverPolled { runtime, .. }
            | Self::UnboundedSpawn { runtime, .. } => *runtime,
        };
        name_of(number).unwrap_or_else(|| "unknown".to_owned())
    }

    /// What makes two lints the same mistake: the kind and a line.
    pub(super) fn mistake(&self) -> (u8, usize) {
        let line = |place: Place| std::ptr::from_ref(place).addr();
        match self {
            Self::LockAcrossAwait { taken_at, .. } => (0, line(taken_at)),
            Self::TaskPanicked { spawned_at, .. } => (1, line(spawned_at)),
            Self::NeverPolled { spawned_at, .. } => (2, line(spawned_at)),
            Self::UnboundedSpawn { spawned_at, .. } => (3, line(spawned_at)),
            Self::DroppedWithTasks { number, .. } => (4, *number as usize),
        }
    }
}
