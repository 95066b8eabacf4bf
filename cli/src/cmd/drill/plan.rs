//! Which runs a drill has, in which order, and how many at a time. PURE.

use std::sync::Arc;

use super::scenario::{Combination, Deed, Disturbance, Scenario};
use crate::args::Drill;

/// Watching time of a silent scenario: what the project promises, and a look for a quick drill.
const SILENT_SECONDS: u64 = 600;
const SILENT_SECONDS_QUICK: u64 = 6;

/// Subjects at a time: as many as the smallest machine has CPUs, so that reports are made on a busy machine.
const JOBS: usize = 2;

/// Silent subjects at a time; most of them wait.
const JOBS_SILENT: usize = 4;

/// One run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) number: usize,
    pub(super) scenario: Arc<Scenario>,
    pub(super) combination: Combination,
    pub(super) seconds: u64,
}

/// All runs of a drill.
#[derive(Debug)]
pub(super) struct Plan {
    runs: Vec<Run>,
    jobs: usize,
    silent_jobs: usize,
    silent_seconds: u64,
}

impl Plan {
    pub(super) fn new(scenarios: Vec<Scenario>, drill: &Drill) -> Self {
        let usual = if drill.quick {
            SILENT_SECONDS_QUICK
        } else {
            SILENT_SECONDS
        };
        let seconds = drill.silent_seconds.unwrap_or(usual);
        let wanted = |scenario: &Scenario, run: &Combination| {
            let is_chosen = drill.runtime.is_none_or(|runtime| runtime == run.runtime)
                && drill.tier.is_none_or(|tier| tier == run.tier);
            is_chosen && (!drill.quick || scenario.quick.contains(run))
        };
        let mut runs = Vec::new();
        // Recorded system calls have the numbers of their machine.
        let can_run = |scenario: &Scenario| match &scenario.deed {
            Deed::Recorded(recorded) => recorded.recording.is_native(),
            Deed::Stall(_) | Deed::Silent(_) | Deed::Finding(_) => true,
        };
        for scenario in scenarios.into_iter().filter(can_run) {
            let scenario = Arc::new(scenario);
            for combination in scenario.combinations().filter(|run| wanted(&scenario, run)) {
                runs.push(Run {
                    number: runs.len(),
                    scenario: Arc::clone(&scenario),
                    combination,
                    seconds,
                });
            }
        }
        Self {
            runs,
            jobs: drill.jobs.map_or(JOBS, usize::from),
            silent_jobs: drill.silent_jobs.map_or(JOBS_SILENT, usize::from),
            silent_seconds: seconds,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How long each silent run is watched.
    pub(super) fn silent_seconds(&self) -> u64 {
        self.silent_seconds
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Runs that may run together, and how many of them at a time: acts, whose reports are timed; then findings, which take long,
    /// and silent ones; those that disturb the machine come last, by themselves.
    pub(super) fn batches(self) -> Vec<(usize, Vec<Run>)> {
        let is_timed = |run: &Run| matches!(run.scenario.deed, Deed::Stall(_) | Deed::Recorded(_));
        let is_finding = |run: &Run| matches!(run.scenario.deed, Deed::Finding(_));
        let disturbs = |run: &Run| matches!(&run.scenario.deed, Deed::Silent(quiet) if quiet.disturbance == Disturbance::Hogs);
        let (disturbing, others): (Vec<_>, Vec<_>) = self.runs.iter().cloned().partition(disturbs);
        let (held, mut silent): (Vec<_>, Vec<_>) = others.into_iter().partition(is_timed);
        silent.sort_by_key(|run| !is_finding(run));
        vec![
            (self.jobs, held),
            (self.silent_jobs, silent),
            (self.silent_jobs, disturbing),
        ]
    }
}
