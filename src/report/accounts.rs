//! Running totals of stalls for the metrics; PURE but for being shared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::stuck::OpenStalls;
use crate::metrics::Samples;
use crate::metrics::catalogue as table;
use crate::stall::{Phase, Stall, Victims};

/// Sites with a series of their own; later ones go into `other`, so that a service with a thousand stalling lines
/// cannot flood a metrics store.
const SITES_MAX: usize = 50;

/// Runtimes with series of their own; a process that names a runtime for each tenant cannot flood a metrics store.
const RUNTIMES_MAX: usize = 64;

const OTHER: &str = "other";

/// Totals by runtime, verdict and site.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    opened: BTreeMap<(String, &'static str), u64>,
    seconds: BTreeMap<(String, &'static str), f64>,
    sites: BTreeMap<(String, &'static str), f64>,
    victim_seconds: BTreeMap<(String, &'static str, &'static str), f64>,
    active: BTreeMap<String, BTreeSet<u64>>,
    open: OpenStalls,
    excused: u64,
    announced: BTreeMap<String, f64>,
    suppressed: u64,
    unlogged: Arc<AtomicU64>,
}

impl Accounts {
    /// Books one event.
    pub(crate) fn book(&mut self, stall: &Stall) {
        self.open.book(stall);
        let runtime = self.label_of(&stall.runtime);
        let verdict = stall.verdict.name();
        match stall.phase {
            Phase::Open => {
                *self.opened.entry((runtime.clone(), verdict)).or_default() += 1;
                self.active.entry(runtime).or_default().insert(stall.id);
            }
            Phase::Again => (),
            Phase::Close => {
                let seconds = stall.duration_ms / 1e3;
                *self.seconds.entry((runtime.clone(), verdict)).or_default() += seconds;
                let was_open = self
                    .active
                    .entry(runtime.clone())
                    .or_default()
                    .remove(&stall.id);
                if !was_open {
                    // What is found when it is over has no other event.
                    *self.opened.entry((runtime, verdict)).or_default() += 1;
                }
                let site = self.site_of(stall);
                if let Some(victims) = &stall.victims {
                    let site = (site.clone(), verdict, basis_of(victims));
                    *self.victim_seconds.entry(site).or_default() += victims.delay_ms / 1e3;
                }
                *self.sites.entry((site, verdict)).or_default() += seconds;
            }
        }
    }

    /// Of the stalls up to number `latest` only those in `open` last still; the closes of others were lost.
    pub(crate) fn reconcile(&mut self, latest: u64, open: &BTreeSet<u64>) {
        let lasts = |id: &u64| *id > latest || open.contains(id);
        self.open.retain(lasts);
        for active in self.active.values_mut() {
            active.retain(lasts);
        }
    }

    /// Books a long poll that was no stall.
    pub(crate) fn excuse(&mut self) {
        self.excused += 1;
    }

    /// Books the end of a block that was announced to the runtime.
    pub(crate) fn announced(&mut self, runtime: &str, length: Duration) {
        let known = self.announced.contains_key(runtime) || self.announced.len() < RUNTIMES_MAX;
        let label = if known { runtime } else { OTHER };
        *self.announced.entry(label.to_owned()).or_default() += length.as_secs_f64();
    }

    /// Books a log report held back.
    pub(crate) fn suppress(&mut self) {
        self.suppressed += 1;
    }

    /// The counter of reports that no log subscriber got, for the log's thread.
    pub(crate) fn unlogged(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.unlogged)
    }

    /// What `/readyz` calls stuck: the longest open stall that is at least `limit` old.
    pub(crate) fn stuck(&self, now: SystemTime, limit: Duration) -> Option<String> {
        self.open.longest(now, limit)
    }

    fn label_of(&self, runtime: &str) -> String {
        let known = self.active.contains_key(runtime);
        if known || self.active.len() < RUNTIMES_MAX {
            runtime
        } else {
            OTHER
        }
        .to_owned()
    }

    fn site_of(&self, stall: &Stall) -> String {
        let Some(line) = &stall.line else {
            return OTHER.to_owned();
        };
        let site = format!("{}:{}", short_path(&line.file), line.line);
        let known = self
            .sites
            .contains_key(&(site.clone(), stall.verdict.name()));
        if known || self.sites.len() < SITES_MAX {
            site
        } else {
            OTHER.to_owned()
        }
    }

    /// Shows the totals to a scrape.
    pub(crate) fn sample(&self, samples: &mut Samples) {
        for ((runtime, verdict), count) in &self.opened {
            samples.set(&table::STALLS, &[runtime, verdict], to_f64(*count));
        }
        for ((runtime, verdict), seconds) in &self.seconds {
            samples.set(&table::STALL_SECONDS, &[runtime, verdict], *seconds);
        }
        for (runtime, active) in &self.active {
            samples.set(&table::STALLS_ACTIVE, &[runtime], active.len() as f64);
        }
        for ((site, verdict), seconds) in &self.sites {
            samples.set(&table::STALL_SITE_SECONDS, &[site, verdict], *seconds);
        }
        for ((site, verdict, basis), seconds) in &self.victim_seconds {
            let labels = [site, *verdict, *basis];
            samples.set(&table::STALL_VICTIM_SECONDS, &labels, *seconds);
        }
        samples.set(
            &table::STALLS_EXCUSED,
            &["block-in-place"],
            to_f64(self.excused),
        );
        for (runtime, seconds) in &self.announced {
            samples.set(&table::BLOCK_IN_PLACE_SECONDS, &[runtime], *seconds);
        }
        samples.set(&table::REPORTS_SUPPRESSED, &[], to_f64(self.suppressed));
        let unlogged = self.unlogged.load(Ordering::Relaxed);
        samples.set(&table::REPORTS_DROPPED, &["log"], to_f64(unlogged));
    }
}

/// What the victims of a stall are known from, as a label.
fn basis_of(victims: &Victims) -> &'static str {
    if victims.measured {
        "measured"
    } else {
        "estimated"
    }
}

/// The last three parts of a path: enough to find the file, short enough for a label.
pub(crate) fn short_path(path: &str) -> &str {
    path.rmatch_indices('/')
        .nth(2)
        .map_or(path, |(index, _)| &path[index + 1..])
}

/// Prometheus values are floats; counts are far below 2^53, above which one would round.
pub(crate) fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::recorded;

    /// Long paths are cut to what tells files apart.
    #[test]
    fn paths_are_short() {
        assert_eq!(short_path("/home/u/app/src/db/mod.rs"), "src/db/mod.rs");
        assert_eq!(short_path("mod.rs"), "mod.rs");
    }

    /// What has only a close is counted as well, and is not open; a stall with both counts once.
    #[test]
    fn a_close_alone_counts() {
        let mut accounts = Accounts::default();
        for (id, phase) in [(1, Phase::Open), (1, Phase::Close), (2, Phase::Close)] {
            accounts.book(&recorded::stall(id, phase));
        }
        assert_eq!(accounts.opened[&("main".to_owned(), "sleep")], 2);
        assert!(accounts.active["main"].is_empty());
    }

    /// A stall whose close was lost is forgotten; one that lasts, and one that is newer than the list, is not.
    #[test]
    fn lost_closes_are_reconciled() {
        let mut accounts = Accounts::default();
        for id in 1..=3 {
            accounts.book(&Stall {
                tid: i32::try_from(id).unwrap(),
                ..recorded::stall(id, Phase::Open)
            });
        }
        let active = |accounts: &Accounts| accounts.active["main"].clone();
        accounts.reconcile(2, &BTreeSet::from([2]));
        assert_eq!(active(&accounts), BTreeSet::from([2, 3]));
        accounts.reconcile(3, &BTreeSet::new());
        assert_eq!(active(&accounts), BTreeSet::new());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(9);
        assert_eq!(accounts.stuck(now, Duration::from_secs(1)), None);
    }

    /// Victims' time is booked by the line that made them wait, what was measured apart from what is an estimate.
    #[test]
    fn victims_are_booked_by_site() {
        let mut accounts = Accounts::default();
        for (phase, measured, delay_ms) in [
            (Phase::Open, true, 9000.0),
            (Phase::Close, true, 1500.0),
            (Phase::Close, false, 250.0),
        ] {
            accounts.book(&Stall {
                victims: Some(Victims {
                    count: 4,
                    delay_ms,
                    measured,
                    ..Victims::default()
                }),
                ..recorded::stall(1, phase)
            });
        }
        let site = |basis| ("src/orders/db.rs:41".to_owned(), "sleep", basis);
        let expected = [(site("measured"), 1.5), (site("estimated"), 0.25)];
        assert_eq!(accounts.victim_seconds, BTreeMap::from(expected));
    }

    /// However many runtimes there are, their labels are bounded.
    #[test]
    fn runtime_labels_are_bounded() {
        let mut accounts = Accounts::default();
        for index in 0..1000 {
            let label = accounts.label_of(&format!("tenant-{index}"));
            accounts.active.entry(label).or_default();
        }
        assert_eq!(accounts.active.len(), RUNTIMES_MAX + 1);
    }
}
