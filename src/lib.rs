//! A stethoscope for async Rust: names the task and the source line that stalls a Tokio runtime, while it is happening.

#[cfg(not(unix))]
compile_error!(
    "pollscope runs on Unix only: stacks and verdicts on Linux (x86-64, aarch64), lengths of stalls alone elsewhere; on other \
     systems make it a dependency of `[target.'cfg(unix)'.dependencies]`"
);

#[cfg(feature = "admin")]
mod admin;
mod capture;
pub mod config;
#[cfg(feature = "console")]
pub mod console;
mod debug;
pub mod error;
pub mod finding;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod metrics;
mod primitives;
mod procfs;
#[cfg(feature = "profile")]
#[cfg_attr(
    not(feature = "admin"),
    expect(dead_code, unused_imports, reason = "served by the admin room")
)]
mod profile;
pub mod replay;
pub mod report;
pub mod runtime;
mod scope;
pub mod stall;
mod symbolize;
pub mod sync;
pub mod testing;
#[cfg(feature = "otlp")]
pub mod trace;
mod watchdog;

#[cfg(feature = "admin")]
pub use admin::TABLE as ADMIN_METRICS;
pub use config::Config;
pub use error::Error;
pub use runtime::{spawn, spawn_local};
pub use scope::{Scope, install, install_with, run};
