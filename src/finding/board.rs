//! The findings that everybody reads: the latest events, the open ones, and the totals for the metrics.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::event::{Finding, FindingPhase};
use super::kind::FindingKind;
use crate::metrics::Samples;
use crate::metrics::catalogue as table;
use crate::report::to_f64;

/// Events kept for `/findings`; a day of conditions that come and go every ten minutes, at about 1 KiB each.
const EVENTS_LEN_MAX: usize = 256;

/// Events a subscriber may lag behind before it loses the oldest.
const STREAM_LEN_MAX: usize = 64;

/// Runtimes with series of their own; a process that names a runtime for each tenant cannot flood a metrics store.
const RUNTIMES_MAX: usize = 64;

const OTHER: &str = "other";

/// Runtime's label and kind.
type Series = (String, FindingKind);

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<Finding>>,
    open: BTreeMap<u64, Arc<Finding>>,
    opened: BTreeMap<Series, u64>,
}

/// The board; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    kept: Arc<Mutex<Kept>>,
    stream: broadcast::Sender<Arc<Finding>>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            kept: Arc::default(),
            stream: broadcast::Sender::new(STREAM_LEN_MAX),
        }
    }
}

impl Board {
    /// Puts an event up, forgetting the oldest when full, and hands it to all subscribers. Never blocks on them.
    pub(crate) fn put(&self, finding: Arc<Finding>) {
        {
            let mut kept = self.lock();
            match finding.phase {
                FindingPhase::Open => {
                    let series = (kept.label_of(&finding.runtime), finding.kind);
                    *kept.opened.entry(series).or_default() += 1;
                    kept.open.insert(finding.id, Arc::clone(&finding));
                }
                FindingPhase::Once => {
                    let series = (kept.label_of(&finding.runtime), finding.kind);
                    *kept.opened.entry(series).or_default() += 1;
                }
                FindingPhase::Close => drop(kept.open.remove(&finding.id)),
            }
            if kept.events.len() == EVENTS_LEN_MAX {
                kept.events.pop_front();
            }
            kept.events.push_back(Arc::clone(&finding));
        }
        // An error only says that nobody listens.
        let _ = self.stream.send(finding);
    }

    /// The kept events, newest last.
    pub(crate) fn events(&self) -> Vec<Arc<Finding>> {
        self.lock().events.iter().cloned().collect()
    }

    /// Every event from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Finding>> {
        self.stream.subscribe()
    }

    /// Shows the totals to a scrape.
    pub(crate) fn sample(&self, samples: &mut Samples) {
        let kept = self.lock();
        for ((runtime, kind), opened) in &kept.opened {
            let active = kept
                .open
                .values()
                .filter(|open| open.kind == *kind && kept.label_of(&open.runtime) == *runtime)
                .count();
            let labels: &[&str] = &[runtime, kind.name()];
            samples.set(&table::FINDINGS, labels, to_f64(*opened));
            samples.set(&table::FINDINGS_ACTIVE, labels, active as f64);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Valid at every step.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn label_of(&self, runtime: &str) -> String {
        let is_known = self.opened.keys().any(|(known, _)| known == runtime);
        if is_known || self.opened.len() < RUNTIMES_MAX * FindingKind::ALL.len() {
            runtime.to_owned()
        } else {
            OTHER.to_owned()
        }
    }
}
