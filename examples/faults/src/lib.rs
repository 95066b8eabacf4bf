//! Switchable faults for the reference services: one file each, with symptom, mechanism and the finding that must appear.
//!
//! A service declares the [`Point`]s it has, shares one [`Plan`] and calls it at those points. Every fault is off until it
//! is switched on by name while the service runs:
//!
//! ```
//! use faults::{Plan, Point, Settings};
//!
//! let plan = Plan::new("chat", &[Point::Handler]);
//! plan.on("block-sleep", Settings { duration_ms: 20, ..Settings::default() })?;
//! plan.handler(); // sleeps 20 ms in `block_sleep.rs`, as a careless handler would
//! let status = plan.off("block-sleep")?;
//! assert_eq!(status.fired, 1);
//! # Ok::<(), faults::Error>(())
//! ```
//!
//! [`CATALOGUE`] says what must be found: which verdict on which line of this crate, or which metric must rise. The line
//! numbers are read from the sources themselves, so they cannot go stale. A visit costs one relaxed load while nothing is
//! on.
//!
//! This crate must not know the toolkit that observes the services: the toolkit has to find what it was not told.

mod error;
mod fault;
mod marker;
mod plan;
mod point;
mod settings;
mod status;
mod switch;
mod turn;

pub mod act;
pub mod block_cpu;
pub mod block_sleep;
pub mod blocking_fs;
pub mod std_mutex;
pub mod task_leak;
pub mod unbounded_queue;

pub use error::Error;
pub use fault::{CATALOGUE, Fault, Finding};
pub use plan::Plan;
pub use point::Point;
pub use settings::{DURATION_MS, PAUSE_MS, Settings};
pub use status::Status;
