//! Who is logged on, and the sequence numbers of those who were.
//!
//! FIX numbers outlive a connection: a client that reconnects without ResetSeqNumFlag goes on counting, and may ask
//! for reports it missed. They are kept in memory for the last [`REMEMBERED_MAX`] clients; a client forgotten after that
//! starts at 1 again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fix::logon::Identity;
use crate::fix::session::Continuity;

/// Most clients remembered after they left: with full replay rings about 64 MB.
pub(crate) const REMEMBERED_MAX: usize = 1_024;

/// All identities in use or remembered.
#[derive(Default)]
pub(crate) struct Logons {
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    /// `None` while a connection uses the identity.
    states: HashMap<Identity, Option<Continuity>>,
    /// Remembered identities, longest gone first.
    idle: VecDeque<Identity>,
}

/// One connection's hold on its identity; dropping it lets the next connection in.
pub(crate) struct Claim {
    logons: Arc<Logons>,
    identity: Identity,
    /// Whether it was remembered from an earlier connection.
    known: bool,
    /// What to remember, set when the session ends in order.
    keep: Option<Continuity>,
}

impl Logons {
    /// Takes an identity and its numbers; `None` while another connection has it.
    pub(crate) fn claim(self: &Arc<Self>, identity: Identity) -> Option<(Claim, Continuity)> {
        let mut names = self.lock();
        let (known, state) = match names.states.get_mut(&identity) {
            None => (false, Continuity::default()),
            Some(state) => (true, state.take()?),
        };
        names.idle.retain(|idle| *idle != identity);
        names.states.insert(identity.clone(), None);
        drop(names);
        let claim = Claim {
            logons: Arc::clone(self),
            identity,
            known,
            keep: None,
        };
        Some((claim, state))
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Whether this client was connected before.
    pub(crate) const fn is_known(&self) -> bool {
        self.known
    }

    /// Gives the identity back with its numbers; says whether another one was forgotten for it.
    pub(crate) fn release(mut self, state: Continuity) -> bool {
        self.keep = Some(state);
        let full = self.logons.lock().idle.len() >= REMEMBERED_MAX;
        drop(self);
        full
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut names = self.logons.lock();
        let Some(state) = self.keep.take() else {
            names.states.remove(&self.identity);
            return;
        };
        if names.idle.len() >= REMEMBERED_MAX
            && let Some(oldest) = names.idle.pop_front()
        {
            names.states.remove(&oldest);
        }
        names.states.insert(self.identity.clone(), Some(state));
        names.idle.push_back(self.identity.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(client: usize) -> Identity {
        Identity {
            client: client.to_string(),
            exchange: "X".to_owned(),
        }
    }

    fn leave(logons: &Arc<Logons>, client: usize, next_in: u64) -> bool {
        let (claim, mut state) = logons.claim(identity(client)).unwrap();
        state.next_in = next_in;
        claim.release(state)
    }

    /// One connection an identity; the next one goes on where it stopped.
    #[test]
    fn one_at_a_time() {
        let logons = Arc::new(Logons::default());
        let (claim, mut state) = logons.claim(identity(1)).unwrap();
        assert_eq!(state.next_in, 1);
        assert!(logons.claim(identity(1)).is_none());
        assert!(logons.claim(identity(2)).is_some());
        state.next_in = 7;
        claim.release(state);
        let (claim, state) = logons.claim(identity(1)).unwrap();
        assert_eq!(state.next_in, 7);
        drop(claim);
        assert_eq!(
            logons.claim(identity(1)).unwrap().1.next_in,
            1,
            "not released in order"
        );
    }

    /// Memory of the gone is bounded; the longest gone is forgotten.
    #[test]
    fn bounded() {
        let logons = Arc::new(Logons::default());
        for client in 0..REMEMBERED_MAX {
            assert!(!leave(&logons, client, 9));
        }
        assert!(leave(&logons, REMEMBERED_MAX, 9));
        assert_eq!(logons.claim(identity(0)).unwrap().1.next_in, 1);
        assert_eq!(logons.claim(identity(1)).unwrap().1.next_in, 9);
    }
}
