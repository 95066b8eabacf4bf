//! Which open stall is the longest; PURE.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::stall::{Phase, Stall};

/// The oldest stall that has not closed and is at least `limit` old at `now`, in one line.
pub(crate) fn longest_open(
    events: &[Arc<Stall>],
    now: SystemTime,
    limit: Duration,
) -> Option<String> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let closed = |id| {
        events
            .iter()
            .any(|event| event.id == id && event.phase == Phase::Close)
    };
    let age = |event: &Stall| now.saturating_sub(Duration::from_millis(event.started_at));
    let open = events
        .iter()
        .filter(|event| event.phase != Phase::Close && !closed(event.id));
    let longest = open
        .filter(|event| !event.verdict.is_machine() && age(event) >= limit)
        .max_by_key(|event| age(event))?;
    let place = longest.line.as_ref().map_or_else(String::new, |line| {
        format!(" at {}:{}", super::short_path(&line.file), line.line)
    });
    Some(format!(
        "runtime {} is stuck for {} ms ({}){place}",
        longest.runtime,
        age(longest).as_millis(),
        longest.verdict.name()
    ))
}
