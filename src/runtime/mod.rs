//! What Tokio tells us: runtimes, their workers and tasks, per tier.
//!
//! The heartbeat (`slots`) is the hot path; everything else happens once a runtime or once a look. Tokio's unstable
//! hooks are named in `builder` alone, because their signatures are about to change.

pub(crate) mod attach;
mod bell;
mod builder;
mod built;
pub(crate) mod coarse_clock;
pub(crate) mod delays;
mod driving;
mod farewell;
pub(crate) mod records;
mod registry;
mod root;
#[cfg_attr(
    not(any(tokio_unstable, test)),
    expect(dead_code, reason = "nobody tells of spawns without task hooks")
)]
mod sites;
pub(crate) mod slots;
mod spawn;
pub(crate) mod stacks;
mod status;
mod survey;
mod task_cell;
mod task_id;
pub(crate) mod task_record;
mod wake;

pub(crate) use bell::BELL;
pub use builder::RuntimeBuilder;
pub use built::{LocalRuntime, Runtime};
pub(crate) use registry::{Runtimes, WatchedRuntime};
pub use spawn::{spawn, spawn_local};
pub use status::{RuntimeStatus, Tier, WorkerState, WorkerStatus};
pub(crate) use survey::{sample, survey};
