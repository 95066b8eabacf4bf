//! What the sampler has found on its way to the reporter.

use std::time::Duration;

use super::Watch;
use super::reports::unix_ms_before;
use crate::debug;
use crate::finding::{Change, Told};
use crate::report::Message;
use crate::runtime::records;
use crate::watchdog::pace::QUIET_PAUSE;

impl Watch {
    /// Everybody has parked; gives how long the process may be left alone at most.
    pub(crate) fn goes_idle(&mut self, now: Duration) -> Option<Duration> {
        let changes = self.sampler.idle(now, &self.runtimes);
        self.tell_findings(now, changes);
        let patience = self.sampler.patience(&self.runtimes);
        if debug::is_on() {
            // A task that is never polled leaves everybody idle.
            return Some(patience.map_or(QUIET_PAUSE, |patience| patience.min(QUIET_PAUSE)));
        }
        patience
    }

    /// Tells what has opened and closed, and what there was no room for before.
    pub(super) fn tell_findings(&mut self, now: Duration, changes: Vec<Change>) {
        let told = |change: Change| Told {
            since_unix_ms: unix_ms_before(now.saturating_sub(change.since)),
            change,
        };
        let mut findings = std::mem::take(&mut self.late_findings);
        findings.extend(changes.into_iter().map(told));
        for finding in findings {
            self.tell(Message::Finding(Box::new(finding)));
        }
    }

    /// Tells the mistakes that the debug mode has seen.
    pub(super) fn tell_lints(&mut self, now: Duration) {
        let mut lints = self
            .task_pass
            .pass(now, |see| records::visit(|view| see(view)));
        lints.extend(debug::take_lints());
        for lint in lints {
            let changes = self.sampler.lint(now, &self.runtimes, lint);
            self.tell_findings(now, changes);
        }
    }
}
