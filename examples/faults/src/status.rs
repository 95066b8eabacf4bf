//! What one fault has done so far in one service, as data for `GET /faults`.

use serde::Serialize;

use crate::fault::Fault;
use crate::settings::Settings;

/// One fault in one service: what it is, whether it is on, and what it has done.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// What the fault is and what must be found; its fields stand beside the others in JSON.
    #[serde(flatten)]
    pub fault: &'static Fault,
    /// Whether it is on.
    pub on: bool,
    /// The settings it was last switched on with; the defaults before that.
    pub settings: Settings,
    /// Visits of the fault's point while it was on.
    pub visits: u64,
    /// How often it acted, counted at the begin.
    pub fired: u64,
    /// How often it should have acted but could not; [`last_error`](Self::last_error) says why.
    pub failed: u64,
    /// When it last began to act, in milliseconds since the Unix epoch.
    pub last_fired_at: Option<u64>,
    /// How long the last finished firing of a blocking fault kept its thread, in milliseconds: the truth to hold a report
    /// against.
    pub last_blocked_ms: Option<f64>,
    /// Why it last could not act.
    pub last_error: Option<String>,
    /// Tasks that `task-leak` has left behind and that still wait; 0 for the other faults.
    pub leaked: usize,
}
