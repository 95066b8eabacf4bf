//! A fault that is no stall, looked for in the findings and the metrics of its service.
//!
//! Compares with how it was before the fault, over the admin API that anybody has. What must move, and by how much, the
//! fault declares itself.

use std::collections::HashSet;

use faults::{Exposition, Fault, Finding};
use pollscope::finding::FindingPhase;
use tokio::time::Instant;

use super::sighting::Outcome;
use crate::client::Client;
use crate::ending::Failure;
use crate::service::Service;

/// How a service was before a fault.
#[derive(Debug)]
pub(super) struct Symptom {
    fault: &'static Fault,
    service: Service,
    client: Client,
    /// The metrics.
    before: String,
    /// Findings told already.
    known: HashSet<u64>,
    began: Instant,
}

impl Symptom {
    /// Takes note of how the service is now.
    pub(super) async fn before(
        fault: &'static Fault,
        service: Service,
        client: &Client,
    ) -> Result<Self, Failure> {
        Ok(Self {
            fault,
            service,
            client: client.clone(),
            before: client.metrics().await?,
            known: client
                .findings()
                .await?
                .iter()
                .map(|told| told.id)
                .collect(),
            began: Instant::now(),
        })
    }

    /// What shows the fault by now, in words.
    pub(super) async fn look(&self) -> Result<Option<String>, Failure> {
        if let Finding::Condition { .. } = self.fault.finding {
            let findings = self.client.findings().await?;
            let shown = findings.into_iter().find(|told| {
                told.phase != FindingPhase::Close
                    && !self.known.contains(&told.id)
                    && self.fault.finding.is_condition(told.kind.name())
            });
            return Ok(
                shown.map(|told| format!("{}: {}", told.kind.name(), told.evidence.join("; ")))
            );
        }
        let now = self.client.metrics().await?;
        Ok(self.fault.finding.shown_by(
            Exposition::new(&self.before),
            Exposition::new(&now),
            self.began.elapsed(),
        ))
    }

    /// The result.
    pub(super) fn outcome(&self, shown_by: Option<String>, note: Option<String>) -> Outcome {
        let found = shown_by.is_some();
        Outcome {
            fault: self.fault.name,
            service: self.service,
            declared: self.fault.finding.name(),
            shown_by,
            found,
            right_verdict: found,
            right_line: found,
            id: None,
            verdict: None,
            opened_after_ms: None,
            seen_after_ms: None,
            reported_ms: None,
            true_ms: None,
            error_pct: None,
            note,
        }
    }
}
