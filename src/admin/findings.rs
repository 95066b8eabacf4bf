//! `/findings`: the kept findings as a JSON array, newest last.

use std::sync::Arc;

use axum::Json;
use axum::extract;

use super::problem::Problem;
use super::query::{self, Given};
use super::router::Shared;
use crate::finding::{Finding, FindingPhase};

/// Largest `?limit=`; far beyond what the board keeps, so it only catches slips of the finger.
const LIMIT_MAX: u32 = 100_000;

pub(super) async fn findings(
    extract::State(shared): extract::State<Shared>,
    given: Given,
) -> Result<Json<Vec<Finding>>, Problem> {
    let pairs = query::pairs(given, &["limit", "phase"])?;
    let limit = query::number(&pairs, "limit", 1..=LIMIT_MAX, LIMIT_MAX)?;
    let phase = match query::value(&pairs, "phase") {
        None => None,
        Some("open") => Some(FindingPhase::Open),
        Some("close") => Some(FindingPhase::Close),
        Some("once") => Some(FindingPhase::Once),
        Some(other) => {
            return Err(Problem::query(format!(
                "phase={other:?} is not a phase of a finding, expected open, close or once"
            )));
        }
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(Json(chosen(shared.state.board.events(), limit, phase)))
}

/// The newest `limit` events of the phase, newest last.
fn chosen(
    mut events: Vec<Arc<Finding>>,
    limit: usize,
    phase: Option<FindingPhase>,
) -> Vec<Finding> {
    events.retain(|event| phase.is_none_or(|phase| event.phase == phase));
    let surplus = events.len().saturating_sub(limit);
    events.drain(..surplus);
    events.iter().map(|event| Finding::clone(event)).collect()
}
