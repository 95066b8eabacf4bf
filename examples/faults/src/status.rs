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
    /// The settings it was last switched on with; the fault's defaults before that.
    pub settings: Settings,
    /// Visits of the fault's point while it was on, as far as it has to be asked there.
    pub visits: u64,
    /// How often it acted, counted at the begin.
    pub fired: u64,
    /// How often it should have acted but could not; [`last_error`](Self::last_error) says why.
    pub failed: u64,
    /// When it last began to act, in milliseconds since the Unix epoch.
    pub last_fired_at: Option<u64>,
    /// How long the last finished firing kept its thread, or those that wait for it, in milliseconds: the truth to hold a
    /// report against.
    pub last_blocked_ms: Option<f64>,
    /// Why it last could not act.
    pub last_error: Option<String>,
    /// What the fault has made and that is still there: waiting tasks, calls under way, ticking connections, descriptors
    /// held. Comes to 0 when the fault is switched off, at once or with the next breath of those concerned.
    pub leaked: usize,
}
