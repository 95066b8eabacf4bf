//! A refused request, as the client sees it: a status and one JSON object saying what was expected.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::catalogue::{ENDPOINTS, Endpoint};

/// The body of every error answer.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    status: StatusCode,
    error: String,
    #[serde(skip_serializing_if = "<[Endpoint]>::is_empty")]
    endpoints: &'static [Endpoint],
}

impl Problem {
    /// A problem with this status; `error` says what is wrong and what was expected.
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            status,
            error: error.into(),
            endpoints: &[],
        }
    }

    /// A query parameter that cannot be used.
    pub(super) fn query(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// A path that leads nowhere, with the list of those that lead somewhere.
    pub(super) fn not_found(path: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            error: format!("nothing at {path}, expected one of the endpoints listed here"),
            endpoints: ENDPOINTS,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"pollscope\""),
            );
        }
        response
    }
}
