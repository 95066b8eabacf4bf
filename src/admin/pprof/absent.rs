//! The CPU profile of a build without the `profile` feature: a 501 that says what is missing.

use axum::http::StatusCode;
use axum::response::Response;

use super::super::problem::Problem;
use super::super::router::Core;
use super::Question;

pub(super) async fn answer(_core: &Core, question: Question) -> Result<Response, Problem> {
    Err(Problem::new(
        StatusCode::NOT_IMPLEMENTED,
        format!(
            "no {} Hz profile of {} s as {:?}: this build has no profiler, expected pollscope with the feature `profile`",
            question.hz, question.seconds, question.format
        ),
    ))
}
