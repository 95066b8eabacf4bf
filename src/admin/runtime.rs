//! `/runtime`: a JSON array of the runtimes, each with its workers.

use axum::Json;
use axum::extract;

use super::router::Shared;
use crate::runtime::RuntimeStatus;

pub(super) async fn runtime(
    extract::State(shared): extract::State<Shared>,
) -> Json<Vec<RuntimeStatus>> {
    Json((shared.state.runtimes)())
}
