//! What a judge has seen of a condition: numbers and places, nothing formatted.

use std::panic::Location;
use std::time::Duration;

use super::kind::FindingKind;
use super::lint;
use crate::debug::Lint;

/// A spawn site.
pub(crate) type Site = &'static Location<'static>;

/// What a condition is about; with kind and runtime it names the condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// The runtime as a whole.
    Runtime,
    /// One task.
    Task(u64),
    /// All tasks of one spawn site.
    Site(Site),
    /// The long poll that the watchdog has numbered.
    Poll(u64),
}

/// One task, its part of the looks, and how many different polls of it they met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TaskShare {
    pub(crate) task: u64,
    pub(crate) site: Option<Site>,
    pub(crate) share: f64,
    pub(crate) polls_seen: u32,
}

/// The numbers of one condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    /// A block that was announced.
    BlockInPlace {
        task: Option<u64>,
        site: Option<Site>,
        worker: Option<usize>,
    },
    /// A blocking pool without a free thread.
    BlockingPool { threads: u64, queued: u64 },
    /// A long queue of short polls.
    Backlog {
        ready: u64,
        polls_per_second: f64,
        delay: Duration,
        mean_poll: Duration,
        sites: Vec<(Site, f64)>,
    },
    /// A driver that nobody turns.
    Driver {
        descriptors: u64,
        worker: Option<usize>,
        task: Option<u64>,
        site: Option<Site>,
    },
    /// One or two tasks that take most of a worker.
    Hog {
        tasks: Vec<TaskShare>,
        polls_per_second: f64,
        ready: u64,
        forced_yields_per_second: Option<f64>,
    },
    /// A count that grows; without a site it is that of all tasks.
    Leak {
        site: Option<Site>,
        alive: u64,
        growth: u64,
        window: Duration,
    },
    /// Tasks that nobody can wake.
    LostWaker { site: Site, task: u64, tasks: u64 },
    /// A task that wakes itself.
    SelfWakes {
        site: Site,
        task: u64,
        per_second: f64,
        share: f64,
    },
    /// A mistake that the debug mode has seen.
    Lint(Lint),
}

impl Fact {
    /// The kind of finding that these are the numbers of.
    pub(crate) fn kind(&self) -> FindingKind {
        match self {
            Self::BlockInPlace { .. } => FindingKind::BlockInPlace,
            Self::BlockingPool { .. } => FindingKind::BlockingPoolExhausted,
            Self::Backlog { .. } => FindingKind::QueueStall,
            Self::Driver { .. } => FindingKind::DriverUnpolled,
            Self::Hog { .. } => FindingKind::Hog,
            Self::Leak { .. } => FindingKind::TaskLeak,
            Self::LostWaker { .. } => FindingKind::LostWaker,
            Self::SelfWakes { .. } => FindingKind::SelfWakeStorm,
            Self::Lint(lint) => lint::kind(lint),
        }
    }
}
