//! The finding event: one record for log, ring and HTTP, opened when a condition begins and closed when it is over.
//!
//! Field names are a promise: never renamed, only added to. What a tier cannot know is `None` or empty, never made up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kind::FindingKind;
use crate::stall::Advice;

/// Where in its life the finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingPhase {
    /// The condition has lasted for its threshold and goes on.
    Open,
    /// The condition is over; the duration is the total.
    Close,
    /// A mistake that was seen in one moment and has no duration: a lint of the debug mode.
    Once,
}

/// What a finding is about; a field is `None` where it does not apply or is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingSubject {
    /// Where the task or tasks were spawned, as `file:line:column`.
    pub site: Option<String>,
    /// Tokio's id of the task, or of one of them.
    pub task: Option<u64>,
    /// Index of the worker in its runtime.
    pub worker: Option<usize>,
}

/// One report about one condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Number of the finding in this process, from 1; `open` and `close` of one finding share it.
    pub id: u64,
    /// Where in its life the finding is.
    pub phase: FindingPhase,
    /// What was found.
    pub kind: FindingKind,
    /// The service's name from the configuration.
    pub service: String,
    /// Name of the runtime.
    pub runtime: String,
    /// Begin of the condition, in milliseconds since the Unix epoch.
    pub since: u64,
    /// Time since the begin; the total in a `close`.
    pub duration_ms: f64,
    /// What it is about.
    pub subject: FindingSubject,
    /// What it rests on, one sentence each.
    pub evidence: Vec<String>,
    /// The numbers behind the evidence, by name with unit.
    pub figures: BTreeMap<String, f64>,
    /// What to do.
    pub advice: Option<Advice>,
}
