//! `/healthz`: the process lives. It says nothing else, because it needs no token.

use axum::Json;
use serde_json::{Value, json};

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
