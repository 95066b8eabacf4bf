//! The admin server: what pollscope knows, over HTTP.
//!
//! It runs on an OS thread and a current-thread runtime of its own, so that it answers while every worker of the
//! watched service stands still. It reads what other rooms keep (registry, ring, runtimes) through [`State`] and none
//! of them knows it. One file an endpoint; [`catalogue`] lists them for the page and for whoever asks a wrong path.

mod auth;
mod catalogue;
mod findings;
mod health;
mod metrics;
mod page;
mod patience;
mod pprof;
mod problem;
mod query;
mod ready;
mod router;
mod runtime;
mod server;
mod stalls;
mod stream;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::finding::Board;
use crate::metrics::Registry;
use crate::report::Ring;
use crate::runtime::RuntimeStatus;

pub(crate) use server::{AdminServer, start};
pub use table::TABLE;

/// What the server reads; everything in it is shared with the rooms that write it.
///
/// The two closures are called on the server's only thread at each request, so they must not block.
pub(crate) struct State {
    /// Name of the service, for the page and for profiles.
    pub(crate) service: String,
    /// What `/metrics` renders; the server's own table is added to it.
    pub(crate) registry: Registry,
    /// What `/stalls` lists and `/stalls/stream` follows.
    pub(crate) ring: Ring,
    /// What `/findings` lists.
    pub(crate) board: Board,
    /// What `/runtime` shows.
    pub(crate) runtimes: Arc<dyn Fn() -> Vec<RuntimeStatus> + Send + Sync>,
    /// What is stuck, in words, or nothing; `/readyz` fails while there is something.
    pub(crate) stuck: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// Bearer token that every request but `/healthz` must carry.
    pub(crate) token: Option<String>,
}

impl fmt::Debug for State {
    // The token is a secret and the closures have nothing to show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("service", &self.service)
            .field("registry", &self.registry)
            .field("guarded", &self.token.is_some())
            .finish_non_exhaustive()
    }
}
