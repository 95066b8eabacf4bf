//! `/faults` on the admin server of a reference service: look, switch on, switch off.
//!
//! The routes stand behind the admin server's own token check and body limit. They know the plan and nothing of the
//! service; switching is a few loads and stores under a short lock, so it never holds the admin server up.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use faults::{Error, Plan, Settings, Status};
use serde_json::{Map, Value};

/// `GET /faults`, `PUT /faults/{name}` with optional settings as JSON, `DELETE /faults/{name}`.
pub(crate) fn router(plan: Arc<Plan>) -> Router {
    Router::new()
        .route("/faults", get(list))
        .route("/faults/{name}", put(switch_on).delete(switch_off))
        .with_state(plan)
}

async fn list(State(plan): State<Arc<Plan>>) -> Json<Vec<Status>> {
    Json(plan.status())
}

async fn switch_on(
    State(plan): State<Arc<Plan>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Status>, Problem> {
    Ok(Json(plan.on(&name, settings(&body)?)?))
}

async fn switch_off(
    State(plan): State<Arc<Plan>>,
    Path(name): Path<String>,
) -> Result<Json<Status>, Problem> {
    Ok(Json(plan.off(&name)?))
}

/// The settings of a body; none for an empty one.
fn settings(body: &[u8]) -> Result<Settings, Problem> {
    if body.is_empty() {
        return Ok(Settings::default());
    }
    // By name only: an array of three numbers would be read as the three settings.
    let fields = serde_json::from_slice::<Map<String, Value>>(body);
    let settings = fields.and_then(|fields| serde_json::from_value(Value::Object(fields)));
    settings.map_err(|error| Problem {
        status: StatusCode::BAD_REQUEST,
        error: format!(
            "settings cannot be read ({error}), expected JSON such as {{\"duration_ms\": 300, \"pause_ms\": 1000}}, or no body"
        ),
    })
}

/// A refused request: a status, and what was expected.
#[derive(Debug)]
struct Problem {
    status: StatusCode,
    error: String,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = if error.is_setting() {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            // Unknown everywhere, or unknown to this service: there is no such thing at this path.
            StatusCode::NOT_FOUND
        };
        Self {
            status,
            error: error.to_string(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.error });
        (self.status, Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: an empty body sets nothing, a partial one sets what it names, anything else is refused with an example.
    #[test]
    fn bodies() {
        assert_eq!(settings(b"").unwrap(), Settings::default());
        let partial = settings(br#"{"duration_ms": 50}"#).unwrap();
        assert_eq!((partial.duration_ms, partial.pause_ms), (Some(50), None));
        for body in [
            "{",
            "[1, 2, 3]",
            r#"{"duration": 1}"#,
            r#"{"duration_ms": -1}"#,
        ] {
            let problem = settings(body.as_bytes()).unwrap_err();
            assert_eq!(problem.status, StatusCode::BAD_REQUEST);
            assert!(
                problem.error.contains("expected JSON such as"),
                "{}",
                problem.error
            );
        }
    }

    /// Goal: a fault that is not there and a setting out of bounds are told apart.
    #[test]
    fn statuses() {
        let plan = Plan::new("chat", &[faults::Point::Handler]);
        let status =
            |name: &str, settings| Problem::from(plan.on(name, settings).unwrap_err()).status;
        assert_eq!(status("nap", Settings::default()), StatusCode::NOT_FOUND);
        assert_eq!(
            status("task-leak", Settings::default()),
            StatusCode::NOT_FOUND
        );
        let too_long = Settings {
            duration_ms: Some(60_000),
            ..Settings::default()
        };
        assert_eq!(
            status("block-sleep", too_long),
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }
}
