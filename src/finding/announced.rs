//! Long polls that turned out to be announced by `block_in_place`, from the reporter, which sees the stack, to the sampler,
//! which knows time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fact::{Fact, Site, Subject};
use super::ledger::{Level, Signal};

/// Blocks remembered at once; as many as threads are watched.
const BLOCKS_LEN_MAX: usize = 1024;

/// One block that is going on.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) runtime: String,
    /// Begin on the watchdog's clock.
    pub(crate) since: Duration,
    pub(crate) task: Option<u64>,
    pub(crate) site: Option<Site>,
    pub(crate) worker: Option<usize>,
}

/// Announced blocks by the number of their poll; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Announced(Arc<Mutex<BTreeMap<u64, Block>>>);

impl Announced {
    /// A block that is going on.
    pub(crate) fn begin(&self, poll: u64, block: Block) {
        let mut blocks = self.lock();
        if blocks.len() < BLOCKS_LEN_MAX {
            blocks.insert(poll, block);
        }
    }

    /// It is over; gives what it was, if it was one.
    pub(crate) fn end(&self, poll: u64) -> Option<Block> {
        self.lock().remove(&poll)
    }

    /// All of them, by the runtime's name.
    pub(crate) fn signals(&self) -> Vec<(String, Signal)> {
        self.lock()
            .iter()
            .map(|(poll, block)| {
                let signal = Signal {
                    subject: Subject::Poll(*poll),
                    level: Level::Above,
                    fact: Fact::BlockInPlace {
                        task: block.task,
                        site: block.site,
                        worker: block.worker,
                    },
                    since: Some(block.since),
                };
                (block.runtime.clone(), signal)
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Block>> {
        // A plain map, valid at every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
