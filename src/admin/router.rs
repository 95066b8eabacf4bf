//! The routes, and what stands before and behind all of them: the token check, the limits, the 404.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{self, DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::auth::{self, Refusal};
use super::problem::Problem;
use super::stream::SUBSCRIBERS_MAX;
use super::table;
use super::{
    State, findings, health, metrics as exposition, page, pprof, ready, runtime, stalls, stream,
};

/// Largest request body: the only bodies are small JSON settings of the embedding service's own routes.
const BODY_LEN_MAX: usize = 64 * 1024;

/// What every handler gets; clones share it.
pub(super) type Shared = Arc<Core>;

/// The state with what the server counts and limits.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) state: State,
    pub(super) subscribers: Places,
}

impl Core {
    pub(super) fn new(state: State) -> Shared {
        let gauge = state.registry.gauge(&table::SUBSCRIBERS, &[]);
        Arc::new(Self {
            state,
            subscribers: Places::new(SUBSCRIBERS_MAX, gauge),
        })
    }

    /// Counts one refusal.
    pub(super) fn refused(&self, reason: &'static str) {
        self.state
            .registry
            .counter(&table::REFUSED, &[reason])
            .increment(1);
    }
}

/// A limited number of places, and the gauge that shows how many are taken.
pub(super) struct Places {
    free: Arc<Semaphore>,
    gauge: Gauge,
}

/// One taken place; given back on drop.
pub(super) struct Place {
    gauge: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(count: usize, gauge: Gauge) -> Self {
        gauge.set(0.0);
        Self {
            free: Arc::new(Semaphore::new(count)),
            gauge,
        }
    }

    /// A place, or nothing when all are taken; never waits.
    pub(super) fn take(&self) -> Option<Place> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        self.gauge.increment(1.0);
        Some(Place {
            gauge: self.gauge.clone(),
            _permit: permit,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gauge.decrement(1.0);
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places")
            .field("free", &self.free.available_permits())
            .finish_non_exhaustive()
    }
}

/// All routes. `extra` is asked where pollscope has no route of its own, so it can add paths but not replace any.
pub(super) fn router(shared: Shared, extra: Router) -> Router {
    let extra = extra
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method);
    Router::new()
        .route("/", get(page::page))
        .route("/healthz", get(health::health))
        .route("/readyz", get(ready::ready))
        .route("/metrics", get(exposition::metrics))
        .route("/runtime", get(runtime::runtime))
        .route("/stalls", get(stalls::stalls))
        .route("/findings", get(findings::findings))
        .route("/stalls/stream", get(stream::stream))
        .route("/debug/pprof/", get(pprof::index))
        .route("/debug/pprof/profile", get(pprof::profile))
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::clone(&shared))
        .fallback_service(extra)
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .layer(middleware::from_fn_with_state(shared, guard))
}

async fn not_found(uri: Uri) -> Problem {
    Problem::not_found(uri.path())
}

async fn wrong_method(request: Request) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!(
            "{} is not possible on {}, expected the method named in this answer's Allow header",
            request.method(),
            request.uri().path()
        ),
    )
}

/// Checks the request, lets it through or refuses it, and counts the answer.
async fn guard(
    extract::State(shared): extract::State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let endpoint = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let response = match admitted(&shared, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    shared
        .state
        .registry
        .counter(&table::REQUESTS, &[&endpoint, response.status().as_str()])
        .increment(1);
    response
}

fn admitted(shared: &Core, request: &Request) -> Result<(), Problem> {
    // A liveness probe has no token, and the answer tells nothing.
    if request.uri().path() == "/healthz" {
        return Ok(());
    }
    let token = shared.state.token.as_deref();
    let text = |name: HeaderName| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or("not text"))
    };
    match auth::check(token, text(header::AUTHORIZATION), text(header::HOST)) {
        Ok(()) => Ok(()),
        Err(Refusal::Unauthorized) => {
            shared.refused("unauthorized");
            Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "the token is missing or wrong, expected Authorization: Bearer with the value of POLLSCOPE_ADMIN_TOKEN",
            ))
        }
        Err(Refusal::ForeignHost) => {
            shared.refused("foreign-host");
            Err(Problem::new(
                StatusCode::FORBIDDEN,
                "the Host header names another machine, expected localhost or an address; set POLLSCOPE_ADMIN_TOKEN to open the server under other names",
            ))
        }
    }
}
