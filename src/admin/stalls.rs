//! `/stalls`: the kept stall events as a JSON array, newest last.

use std::sync::Arc;

use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::query::{self, Given};
use super::router::Shared;
use crate::stall::{Phase, Stall};

/// Largest `?limit=`; far beyond what the ring keeps, so it only catches slips of the finger.
const LIMIT_MAX: u32 = 100_000;

pub(super) async fn stalls(
    extract::State(shared): extract::State<Shared>,
    given: Given,
) -> Result<Response, Problem> {
    let selection = Selection::parse(given)?;
    let kept = shared.state.ring.snapshot();
    let body = serde_json::to_vec(&selection.of(&kept)).map_err(|error| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("stalls could not be written as JSON: {error}"),
        )
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Which of the kept events were asked for.
#[derive(Debug, PartialEq, Eq)]
struct Selection {
    limit: usize,
    phase: Option<Phase>,
}

impl Selection {
    fn parse(given: Given) -> Result<Self, Problem> {
        let pairs = query::pairs(given, &["limit", "phase"])?;
        let limit = query::number(&pairs, "limit", 1..=LIMIT_MAX, LIMIT_MAX)?;
        let phase = match query::value(&pairs, "phase") {
            None => None,
            Some("open") => Some(Phase::Open),
            Some("again") => Some(Phase::Again),
            Some("close") => Some(Phase::Close),
            Some(other) => {
                return Err(Problem::query(format!(
                    "phase={other:?} is not a phase, expected open, again or close"
                )));
            }
        };
        Ok(Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            phase,
        })
    }

    /// The newest `limit` events of the phase, newest last.
    fn of<'a>(&self, kept: &'a [Arc<Stall>]) -> Vec<&'a Stall> {
        let mut chosen: Vec<&Stall> = kept
            .iter()
            .map(AsRef::as_ref)
            .filter(|stall| self.phase.is_none_or(|phase| stall.phase == phase))
            .collect();
        let surplus = chosen.len().saturating_sub(self.limit);
        chosen.drain(..surplus);
        chosen
    }
}
