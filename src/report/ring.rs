//! The ring of the latest stall events, and the live stream of new ones.
//!
//! Bounded on both sides: the ring forgets the oldest, and a subscriber that falls behind is told how many it missed
//! (`broadcast`'s `Lagged`), so neither can grow with a bad day.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::stall::Stall;

/// Events kept for `/stalls`: about an hour of one event a fingerprint and second-scale bursts, at 2 to 8 KiB each.
const RING_LEN_MAX: usize = 512;

/// Events a subscriber may lag behind before it loses the oldest.
const STREAM_LEN_MAX: usize = 256;

/// The latest stall events; clones share them.
#[derive(Debug, Clone)]
pub struct Ring {
    events: Arc<Mutex<VecDeque<Arc<Stall>>>>,
    stream: broadcast::Sender<Arc<Stall>>,
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            events: Arc::default(),
            stream: broadcast::Sender::new(STREAM_LEN_MAX),
        }
    }
}

impl Ring {
    /// Adds an event, forgetting the oldest when full, and hands it to all subscribers. Never blocks on them.
    pub fn push(&self, stall: Arc<Stall>) {
        {
            let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            if events.len() == RING_LEN_MAX {
                events.pop_front();
            }
            events.push_back(Arc::clone(&stall));
        }
        // An error only says that nobody listens.
        let _ = self.stream.send(stall);
    }

    /// The kept events, newest last.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Arc<Stall>> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Every event from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Stall>> {
        self.stream.subscribe()
    }
}
