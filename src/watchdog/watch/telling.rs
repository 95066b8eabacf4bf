//! What the watchdog hands to the reporter, which may have no room: closes are kept for it, the rest is counted.
//!
//! A send never waits, or a slow subscriber would blind the watchdog.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::mpsc::TrySendError;

use super::Watch;
use crate::report::Message;
use crate::stall::Phase;

/// Closes kept while the reporter has no room: one for each stall that can be open at once.
const LATE_CLOSES_MAX: usize = 1024;

/// Findings kept meanwhile, their opens and closes.
const LATE_FINDINGS_MAX: usize = 256;

impl Watch {
    /// Tells the reporter something; a full inbox is counted and forgotten.
    pub(crate) fn tell(&mut self, message: Message) {
        match self.outbox.try_send(message) {
            Ok(()) => (),
            // Without its close a stall would count as open for ever, so that is kept and sent later.
            Err(TrySendError::Full(Message::Observed(observed)))
                if observed.phase == Phase::Close && self.late_closes.len() < LATE_CLOSES_MAX =>
            {
                self.late_closes.push(*observed);
            }
            Err(TrySendError::Full(Message::Finding(told)))
                if self.late_findings.len() < LATE_FINDINGS_MAX =>
            {
                self.late_findings.push(*told);
            }
            Err(lost) => {
                self.owes_list |= matches!(lost, TrySendError::Full(_));
                self.stats.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn tell_late_closes(&mut self) {
        for observed in std::mem::take(&mut self.late_closes) {
            self.tell(Message::Observed(Box::new(observed)));
        }
        if self.owes_list {
            let lasting = Message::Lasting(self.next_id - 1, self.untold());
            self.owes_list = matches!(self.outbox.try_send(lasting), Err(TrySendError::Full(_)));
        }
    }

    /// Stalls whose closes the reporter is still to be told.
    fn untold(&self) -> BTreeSet<u64> {
        let open = self
            .workers
            .values()
            .filter_map(|worker| worker.open.as_ref());
        let late = self.late_closes.iter().map(|close| close.id);
        let held = self.victims.held();
        open.map(|open| open.id).chain(late).chain(held).collect()
    }

    /// The last look: closes are told as they are.
    pub(crate) fn finish(&mut self) {
        let held = self.victims.all_settled(&self.runtimes);
        held.into_iter().for_each(|close| self.tell(close));
    }
}
