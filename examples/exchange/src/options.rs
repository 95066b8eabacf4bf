//! What a run of the exchange can be told, with defaults and their reasons.

use std::sync::Arc;

use pollscope::metrics::Registry;

use crate::engine::Limits;

/// Options of [`crate::run`]; start from [`Options::new`] and change what you must.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the metrics live.
    pub registry: Registry,
    /// Which faults are on.
    pub faults: Arc<faults::Plan>,
    /// Our CompID towards a client that has not said what it calls us. Any SenderCompID is accepted, and the
    /// client's TargetCompID is echoed. Default `EXCHANGE`.
    pub comp_id: String,
    /// What the engine refuses to exceed.
    pub limits: Limits,
    /// Most connections at a time. Default 10,000: half the usual hard limit of file descriptors.
    pub sessions_max: usize,
    /// Events that may wait for one session. Default 8,192: an order may sweep thousands of resting ones at once, and
    /// at about 200 bytes each a full queue is 1.6 MB.
    pub session_queue: usize,
    /// Requests that may wait for the engine; above it orders are refused as busy. Default 16,384: some 50 ms of its work.
    pub engine_queue: usize,
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new(registry: Registry, faults: Arc<faults::Plan>) -> Self {
        Self {
            registry,
            faults,
            comp_id: "EXCHANGE".to_owned(),
            limits: Limits::default(),
            sessions_max: 10_000,
            session_queue: 8_192,
            engine_queue: 16_384,
        }
    }
}
