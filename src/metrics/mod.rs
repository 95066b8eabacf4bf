//! Metrics: one table per owner, and the registry that makes them live.
//!
//! A [`Metric`] is a constant that says name, type, unit, labels, help and what it means when it rises. Registration,
//! the text exposition, `docs/metrics.md` and the dashboard checks are derived from the tables, so a metric that is
//! not in a table cannot be exported. The registry is a value, not a global: nothing is installed unasked.

pub mod catalogue;
mod document;
mod exposition;
mod own;
mod registry;
mod table;

pub use document::document;
pub(crate) use own::{sample_process, sample_watchdog};
pub use registry::{Registry, Samples};
pub use table::{Kind, Metric, Table, Unit};
