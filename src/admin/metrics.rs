//! `/metrics`: everything in the registry, as Prometheus text.

use axum::extract;
use axum::http::header;
use axum::response::IntoResponse;

use super::router::Shared;

/// The exposition format's own content type (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(
    extract::State(shared): extract::State<Shared>,
) -> impl IntoResponse + use<> {
    (
        [(header::CONTENT_TYPE, TEXT_FORMAT)],
        shared.state.registry.render(),
    )
}
