//! `/stalls/stream`: one server-sent event a stall event, from now on.
//!
//! Nothing is replayed (`/stalls` has the past). A subscriber that reads too slowly loses the oldest events and is told
//! how many by an event named `lagged`; it never slows the reporter down.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract;
use axum::http::StatusCode;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{Stream, StreamExt};

use super::problem::Problem;
use super::router::Shared;
use super::table;
use crate::stall::Stall;

/// Subscribers at a time: some open pages and `stalls --follow`; more would be a proxy's job. Well below the limit of
/// connections, so that subscribers cannot keep a scrape out.
pub(super) const SUBSCRIBERS_MAX: usize = 16;

/// Comments between events, so that proxies keep the connection and a vanished client is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) async fn stream(
    extract::State(shared): extract::State<Shared>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, Problem> {
    let Some(place) = shared.subscribers.take() else {
        shared.refused("subscribers");
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "{SUBSCRIBERS_MAX} subscribers are connected already, expected at most that many; try again later or read /stalls"
            ),
        ));
    };
    let missed = shared.state.registry.counter(&table::MISSED, &[]);
    let stalls = BroadcastStream::new(shared.state.ring.subscribe()).map(move |received| {
        // The place is given back when the connection drops this stream.
        let _held = &place;
        if let Err(BroadcastStreamRecvError::Lagged(count)) = received {
            missed.increment(count);
        }
        Ok(event(&received))
    });
    // The first bytes at once: the client knows that it is subscribed.
    let greeting = tokio_stream::once(Ok(Event::default().comment("subscribed")));
    Ok(Sse::new(greeting.chain(stalls)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn event(received: &Result<Arc<Stall>, BroadcastStreamRecvError>) -> Event {
    match received {
        Ok(stall) => Event::default()
            .event("stall")
            .id(stall.id.to_string())
            .json_data(&**stall)
            .unwrap_or_else(|error| {
                Event::default().comment(format!("stall {} lost: {error}", stall.id))
            }),
        Err(BroadcastStreamRecvError::Lagged(count)) => Event::default()
            .event("lagged")
            .data(format!("{{\"missed\":{count}}}")),
    }
}
