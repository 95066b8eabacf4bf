//! Switchable faults for the reference services: one file each, with symptom, mechanism and the finding that must appear.
//!
//! A service declares the [`Point`]s it has, shares one [`Plan`] and calls it at those points. Every fault is off until it
//! is switched on by name while the service runs:
//!
//! ```
//! use faults::{Plan, Point, Settings};
//!
//! let plan = Plan::new("chat", &[Point::Handler]);
//! plan.on("block-sleep", Settings { duration_ms: Some(20), ..Settings::default() })?;
//! plan.handler(); // sleeps 20 ms in `block_sleep.rs`, as a careless handler would
//! let status = plan.off("block-sleep")?;
//! assert_eq!(status.fired, 1);
//! # Ok::<(), faults::Error>(())
//! ```
//!
//! [`CATALOGUE`] says what must be found: which verdict on which line of this crate, which condition of the runtime, or which
//! metric must move and by how much; a [`Finding`] can hold that against what an observer reports, and against two pages of
//! metrics. The line numbers are read from the sources themselves, so they cannot go stale. A visit costs one relaxed load
//! while nothing is on.
//!
//! Every fault is bounded in what it takes and how long, each time it acts; switched off, it leaves nothing behind.
//!
//! This crate must not know the toolkit that observes the services: the toolkit has to find what it was not told.

mod counted;
mod effects;
mod error;
mod exposition;
mod fault;
mod finding;
mod gate;
mod marker;
mod parameter;
mod plan;
mod point;
mod settings;
mod status;
mod switch;
mod turn;

pub mod act;
pub mod await_in_fanout;
pub mod block_cpu;
pub mod block_sleep;
pub mod blocking_fs;
pub mod blocking_pool;
pub mod fd_exhausted;
pub mod giant_room;
pub mod lock_across_await;
pub mod panic_detached;
pub mod reconnect_storm;
pub mod std_mutex;
pub mod task_leak;
pub mod timer_storm;
pub mod unbounded_queue;

pub use error::Error;
pub use exposition::Exposition;
pub use fault::{CATALOGUE, Fault};
pub use finding::Finding;
pub use parameter::{Parameter, Parameters};
pub use plan::Plan;
pub use point::Point;
pub use settings::Settings;
pub use status::Status;
