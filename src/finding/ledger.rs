//! Conditions from their begin to their end: raise above, clear below, so that one condition is one finding; PURE.
//!
//! A judge says at each beat how high a condition stands. It must stand above for its hold before it is opened and below
//! for its calm before it is closed; in between nothing changes, so a value that trembles round a threshold is not a
//! stream of findings.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::FindingPhase;
use super::fact::{Fact, Subject};
use super::kind::FindingKind;

/// Conditions remembered at once; more at a time would say nothing that these do not.
const ENTRIES_LEN_MAX: usize = 1024;

/// How high a condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// At or over the threshold that raises it.
    Above,
    /// Neither.
    Between,
    /// Under the threshold that clears it.
    Below,
}

/// How long a condition must stand above to be opened, and below to be closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) hold: Duration,
    pub(crate) calm: Duration,
}

/// What a judge says about one condition.
#[derive(Debug, Clone)]
pub(crate) struct Signal {
    pub(crate) subject: Subject,
    pub(crate) level: Level,
    pub(crate) fact: Fact,
    /// When it began, if the judge knows better than the beat at which it is told first.
    pub(crate) since: Option<Duration>,
}

/// A finding that opens or closes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) id: u64,
    pub(crate) phase: FindingPhase,
    /// Name of the runtime.
    pub(crate) runtime: String,
    /// Begin on the watchdog's clock.
    pub(crate) since: Duration,
    pub(crate) length: Duration,
    pub(crate) fact: Fact,
}

/// Runtime number, kind and subject.
type Key = (u32, FindingKind, Subject);

#[derive(Debug)]
struct Entry {
    runtime: String,
    since: Duration,
    below_since: Option<Duration>,
    open: Option<u64>,
    fact: Fact,
}

/// Every condition that stands above, or did a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<Key, Entry>,
    changes: Vec<Change>,
    last_id: u64,
}

impl Ledger {
    /// Books what the judge of `kind` says about one runtime; a condition it does not mention stands below.
    pub(crate) fn book(
        &mut self,
        now: Duration,
        runtime: (u32, &str),
        kind: FindingKind,
        patience: Patience,
        signals: Vec<Signal>,
    ) {
        let mut silent: Vec<Key> = self
            .entries
            .keys()
            .filter(|key| (key.0, key.1) == (runtime.0, kind))
            .copied()
            .collect();
        for signal in signals {
            let key = (runtime.0, kind, signal.subject);
            match signal.level {
                Level::Above => self.above(now, key, runtime.1, patience.hold, signal),
                Level::Between => self.between(key),
                Level::Below => continue,
            }
            silent.retain(|other| *other != key);
        }
        for key in silent {
            self.below(now, key, patience.calm);
        }
    }

    fn above(&mut self, now: Duration, key: Key, runtime: &str, hold: Duration, signal: Signal) {
        if !self.entries.contains_key(&key) && self.entries.len() >= ENTRIES_LEN_MAX {
            return;
        }
        let entry = self.entries.entry(key).or_insert_with(|| Entry {
            runtime: runtime.to_owned(),
            since: signal.since.unwrap_or(now),
            below_since: None,
            open: None,
            fact: signal.fact.clone(),
        });
        entry.below_since = None;
        entry.fact = signal.fact;
        if entry.open.is_none() && now.saturating_sub(entry.since) >= hold {
            self.last_id += 1;
            entry.open = Some(self.last_id);
            self.changes.push(Change {
                id: self.last_id,
                phase: FindingPhase::Open,
                runtime: entry.runtime.clone(),
                since: entry.since,
                length: now.saturating_sub(entry.since),
                fact: entry.fact.clone(),
            });
        }
    }

    fn between(&mut self, key: Key) {
        match self.entries.get_mut(&key) {
            Some(entry) if entry.open.is_some() => entry.below_since = None,
            Some(_) => drop(self.entries.remove(&key)),
            None => (),
        }
    }

    fn below(&mut self, now: Duration, key: Key, calm: Duration) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        let since = *entry.below_since.get_or_insert(now);
        if entry.open.is_none() || now.saturating_sub(since) >= calm {
            self.end(key, since);
        }
    }

    fn end(&mut self, key: Key, at: Duration) {
        let Some(entry) = self.entries.remove(&key) else {
            return;
        };
        if let Some(id) = entry.open {
            self.changes.push(Change {
                id,
                phase: FindingPhase::Close,
                runtime: entry.runtime,
                since: entry.since,
                length: at.saturating_sub(entry.since),
                fact: entry.fact,
            });
        }
    }

    /// Books what was seen in one moment and is told at once.
    pub(crate) fn moment(&mut self, now: Duration, runtime: &str, fact: Fact) {
        self.last_id += 1;
        self.changes.push(Change {
            id: self.last_id,
            phase: FindingPhase::Once,
            runtime: runtime.to_owned(),
            since: now,
            length: Duration::ZERO,
            fact,
        });
    }

    /// Ends every condition that `is_over`, without its calm.
    pub(crate) fn end_all(&mut self, now: Duration, is_over: impl Fn(u32, FindingKind) -> bool) {
        let over: Vec<Key> = self
            .entries
            .keys()
            .filter(|key| is_over(key.0, key.1))
            .copied()
            .collect();
        for key in over {
            self.end(key, now);
        }
    }

    /// A time that counts for no condition: what is not open yet began later by so much.
    pub(crate) fn excuse(&mut self, gap: Duration) {
        let unopened = self
            .entries
            .values_mut()
            .filter(|entry| entry.open.is_none());
        unopened.for_each(|entry| entry.since += gap);
    }

    /// Whether some condition of these kinds stands above or waits to be closed.
    pub(crate) fn has_any(&self, wanted: impl Fn(FindingKind) -> bool) -> bool {
        self.entries.keys().any(|key| wanted(key.1))
    }

    /// What has opened and closed since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: FindingKind = FindingKind::BlockingPoolExhausted;
    const PATIENCE: Patience = Patience {
        hold: Duration::from_secs(2),
        calm: Duration::from_secs(3),
    };

    /// Books a level a second and gives "second:phase" of every change.
    fn run(levels: &[Option<Level>]) -> Vec<String> {
        let mut ledger = Ledger::default();
        let mut told = Vec::new();
        for (second, level) in levels.iter().enumerate() {
            let now = Duration::from_secs(second as u64);
            let signal = level.map(|level| Signal {
                subject: Subject::Runtime,
                level,
                fact: Fact::BlockingPool {
                    threads: 1,
                    queued: 1,
                },
                since: None,
            });
            ledger.book(
                now,
                (1, "main"),
                KIND,
                PATIENCE,
                signal.into_iter().collect(),
            );
            told.extend(
                ledger.take_changes().iter().map(|change| {
                    format!("{second}:{:?}:{}", change.phase, change.length.as_secs())
                }),
            );
        }
        told
    }

    /// A condition is opened after its hold and closed after its calm, once each; its length ends where the calm began.
    #[test]
    fn one_condition_is_one_finding() {
        let (up, down) = (Some(Level::Above), None);
        assert_eq!(
            run(&[up, up, up, up, up, down, down, down, down, down]),
            ["2:Open:2", "8:Close:5"]
        );
    }

    /// Trembling round the threshold opens nothing, and closes nothing that is open.
    #[test]
    fn trembling_changes_nothing() {
        let (up, mid, down) = (Some(Level::Above), Some(Level::Between), Some(Level::Below));
        assert!(run(&[up, up, down, up, up, mid, up, up, down]).is_empty());
        assert_eq!(
            run(&[up, up, up, mid, down, down, up, down, mid, down, down]),
            ["2:Open:2"]
        );
    }

    /// What ends with its runtime, or because everybody went idle, is closed at once.
    #[test]
    fn ends_at_once() {
        let mut ledger = Ledger::default();
        let signal = Signal {
            subject: Subject::Task(3),
            level: Level::Above,
            fact: Fact::BlockingPool {
                threads: 1,
                queued: 1,
            },
            since: Some(Duration::ZERO),
        };
        let now = Duration::from_secs(9);
        ledger.book(now, (1, "main"), KIND, PATIENCE, vec![signal]);
        assert_eq!(ledger.take_changes().len(), 1);
        ledger.end_all(now, |runtime, _| runtime == 2);
        assert!(ledger.has_any(|kind| kind == KIND));
        ledger.end_all(now, |runtime, _| runtime == 1);
        let closed = ledger.take_changes();
        assert_eq!((closed[0].phase, closed[0].id), (FindingPhase::Close, 1));
    }
}
