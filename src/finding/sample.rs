//! What a beat sees of one runtime: values only.

use super::fact::Site;

/// The blocking pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockingPool {
    pub(crate) threads: u64,
    pub(crate) idle: u64,
    pub(crate) queued: u64,
}

/// The driver, when it has been left alone for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unturned {
    /// Since when, on the watchdog's clock.
    pub(crate) since: std::time::Duration,
    /// Registered descriptors.
    pub(crate) descriptors: u64,
    /// A worker that stands in a poll, if one is known.
    pub(crate) worker: Option<usize>,
    pub(crate) task: Option<u64>,
    pub(crate) site: Option<Site>,
}

/// The tasks of one spawn site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SiteTasks {
    pub(crate) site: Site,
    pub(crate) alive: u64,
}

/// One runtime at one beat; `None` is what the tier cannot know.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RuntimeSample {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) workers: u64,
    pub(crate) alive_tasks: u64,
    /// Tasks in the queue that all workers share.
    pub(crate) shared_queue: u64,
    /// Tasks in the workers' own queues.
    pub(crate) local_queues: Option<u64>,
    /// Whether every poll of the runtime is seen, so that polls can be counted.
    pub(crate) sees_every_poll: bool,
    /// Times that tasks were made to yield because their budget was spent.
    pub(crate) forced_yields: Option<u64>,
    pub(crate) blocking: Option<BlockingPool>,
    pub(crate) unturned: Option<Unturned>,
    /// Tasks of the spawn sites that are counted.
    pub(crate) sites: Vec<SiteTasks>,
    /// Whether there are tasks of other sites.
    pub(crate) has_other_sites: bool,
}

impl RuntimeSample {
    /// Tasks that are known to be ready.
    pub(crate) fn ready(&self) -> u64 {
        self.shared_queue + self.local_queues.unwrap_or(0)
    }
}

/// One worker at one look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glance {
    pub(crate) runtime: u32,
    /// Slot and generation.
    pub(crate) slot: (usize, u64),
    /// Heartbeats, two a poll.
    pub(crate) seq: u64,
    pub(crate) in_poll: bool,
    pub(crate) task: u64,
    pub(crate) site: Option<Site>,
}
