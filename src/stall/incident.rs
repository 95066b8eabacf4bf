//! Stalls that wait for the same lock are one incident; PURE.
//!
//! A convoy of eight workers is one cause and is told once. Holders that wait for each other's locks are a deadlock, which
//! shows as a cycle through the incidents.

use std::collections::{BTreeMap, HashMap};

/// Locks waited for at once: one for each worker that can be watched is more than enough.
const INCIDENTS_MAX: usize = 1024;

/// All waits for locks that are open now.
#[derive(Debug, Default)]
pub(crate) struct Incidents {
    by_address: HashMap<u64, Waits>,
}

#[derive(Debug)]
struct Waits {
    first_id: u64,
    /// Number of the stall and the thread that waits.
    waiters: BTreeMap<u64, i32>,
    holder: Option<i32>,
}

/// A stall's place in its incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership {
    /// Address of the futex.
    pub(crate) address: u64,
    /// Stalls that wait for it now.
    pub(crate) waiters: usize,
    /// The first of them.
    pub(crate) first_id: u64,
}

impl Incidents {
    /// The stall waits for the lock at `address`, which `holder` probably holds; it leaves any other it waited for.
    pub(crate) fn join(
        &mut self,
        address: u64,
        id: u64,
        waiter: i32,
        holder: Option<i32>,
    ) -> Option<Membership> {
        let is_here = |waits: &Waits| waits.waiters.contains_key(&id);
        if !self.by_address.get(&address).is_some_and(is_here) {
            self.leave(id);
        }
        if !self.by_address.contains_key(&address) && self.by_address.len() >= INCIDENTS_MAX {
            return None;
        }
        let waits = self.by_address.entry(address).or_insert_with(|| Waits {
            first_id: id,
            waiters: BTreeMap::new(),
            holder: None,
        });
        waits.waiters.insert(id, waiter);
        waits.holder = holder.or(waits.holder);
        Some(Membership {
            address,
            waiters: waits.waiters.len(),
            first_id: waits.first_id,
        })
    }

    /// The stall is over, or waits for no lock any more.
    pub(crate) fn leave(&mut self, id: u64) {
        self.by_address.retain(|_, waits| {
            waits.waiters.remove(&id);
            !waits.waiters.is_empty()
        });
    }

    /// Whether somebody waits for the lock at `address`.
    pub(crate) fn knows(&self, address: u64) -> bool {
        self.by_address.contains_key(&address)
    }

    /// The stalls that wait in a circle which goes through the lock at `address`; empty if there is none.
    pub(crate) fn cycle(&self, address: u64) -> Vec<u64> {
        let mut stalls = Vec::new();
        let mut at = address;
        // Each step goes to another lock, so there are at most as many.
        for _ in 0..self.by_address.len() {
            let Some((next, stall)) = self.step(at) else {
                return Vec::new();
            };
            stalls.push(stall);
            if next == address {
                stalls.sort_unstable();
                return stalls;
            }
            at = next;
        }
        // A circle, but this lock only leads to it.
        Vec::new()
    }

    /// The lock that the holder of this one waits for, and the stall in which it does.
    fn step(&self, address: u64) -> Option<(u64, u64)> {
        let holder = self.by_address.get(&address)?.holder?;
        self.by_address.iter().find_map(|(address, waits)| {
            let waiting = waits.waiters.iter().find(|(_, tid)| **tid == holder)?;
            Some((*address, *waiting.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u64 = 0xa000;
    const B: u64 = 0xb000;
    const C: u64 = 0xc000;

    fn place(address: u64, waiters: usize, first_id: u64) -> Option<Membership> {
        Some(Membership {
            address,
            waiters,
            first_id,
        })
    }

    /// Waits for one lock are counted together under the first, until the last has left.
    #[test]
    fn a_convoy_is_one_incident() {
        let mut incidents = Incidents::default();
        assert_eq!(incidents.join(A, 1, 11, None), place(A, 1, 1));
        assert_eq!(incidents.join(A, 2, 12, None), place(A, 2, 1));
        assert_eq!(incidents.join(A, 1, 11, None), place(A, 2, 1), "again");
        assert_eq!(incidents.join(B, 3, 13, None), place(B, 1, 3));
        incidents.leave(1);
        assert_eq!(incidents.join(A, 4, 14, None), place(A, 2, 1));
        assert_eq!(incidents.join(B, 4, 14, None), place(B, 2, 3), "moved");
        incidents.leave(2);
        assert_eq!(incidents.join(A, 5, 15, None), place(A, 1, 5), "a new one");
    }

    /// Holders that wait for each other's locks are a circle, from whichever lock it is looked at.
    #[test]
    fn circles() {
        let mut incidents = Incidents::default();
        incidents.join(A, 1, 11, Some(12));
        assert_eq!(incidents.cycle(A), [0; 0]);
        incidents.join(B, 2, 12, Some(11));
        assert_eq!(
            (incidents.cycle(A), incidents.cycle(B)),
            (vec![1, 2], vec![1, 2])
        );
        // A third one waits for the circle without being in it.
        incidents.join(C, 3, 13, Some(11));
        assert_eq!(incidents.cycle(C), [0; 0]);
        assert_eq!(incidents.cycle(A), [1, 2]);
        incidents.leave(2);
        assert_eq!(incidents.cycle(A), [0; 0]);
    }

    /// Three in a circle; and one thread that waits for what it holds itself.
    #[test]
    fn other_circles() {
        let mut incidents = Incidents::default();
        incidents.join(A, 1, 11, Some(12));
        incidents.join(B, 2, 12, Some(13));
        incidents.join(C, 3, 13, Some(11));
        assert_eq!(incidents.cycle(B), [1, 2, 3]);
        let mut alone = Incidents::default();
        alone.join(A, 1, 11, Some(11));
        assert_eq!(alone.cycle(A), [1]);
        assert_eq!(alone.cycle(B), [0; 0]);
    }

    /// However many locks are waited for, the memory is bounded.
    #[test]
    fn is_bounded() {
        let mut incidents = Incidents::default();
        for id in 0..3000 {
            incidents.join(id + 1, id, 1, None);
        }
        assert_eq!(incidents.by_address.len(), INCIDENTS_MAX);
    }
}
