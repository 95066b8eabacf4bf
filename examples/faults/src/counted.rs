//! One of a bounded number of things that a fault keeps alive, in a count for as long as it lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One thing in the count, also if its owner is dropped in the middle.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    /// A further one, unless there are `len_max` already.
    pub(crate) fn new(len: &Arc<AtomicUsize>, len_max: usize) -> Option<Self> {
        let below = |len| (len < len_max).then_some(len + 1);
        len.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below)
            .ok()?;
        Some(Self(Arc::clone(len)))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the bound holds, and what is dropped makes room.
    #[test]
    fn counts_within_the_bound() {
        let len = Arc::new(AtomicUsize::new(0));
        let kept: Vec<_> = (0..3).map_while(|_| Counted::new(&len, 2)).collect();
        assert_eq!((kept.len(), len.load(Ordering::Relaxed)), (2, 2));
        drop(kept);
        assert!(Counted::new(&len, 1).is_some());
        assert_eq!(len.load(Ordering::Relaxed), 0);
    }
}
