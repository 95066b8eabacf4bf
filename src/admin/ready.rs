//! `/readyz`: 503 with the reason while a runtime is stuck.

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::router::Shared;

pub(super) async fn ready(
    extract::State(shared): extract::State<Shared>,
) -> (StatusCode, Json<Value>) {
    match (shared.state.stuck)() {
        None => (StatusCode::OK, Json(json!({ "ready": true }))),
        Some(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "ready": false, "reason": reason })),
        ),
    }
}
