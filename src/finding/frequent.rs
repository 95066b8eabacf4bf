//! The most frequent of many things in little memory (the algorithm of Misra and Gries); PURE.
//!
//! A count that it gives is never too high, and too low by at most one seventeenth of all that were added: what it calls
//! frequent is frequent.

/// Things counted at once.
const COUNTERS: usize = 16;

/// Counters of the most frequent things so far.
#[derive(Debug, Clone)]
pub(crate) struct Frequent<T> {
    counts: Vec<(T, u32)>,
}

impl<T> Default for Frequent<T> {
    fn default() -> Self {
        Self { counts: Vec::new() }
    }
}

impl<T: Copy + PartialEq> Frequent<T> {
    /// Adds one.
    pub(crate) fn add(&mut self, thing: T) {
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == thing) {
            *count += 1;
        } else if self.counts.len() < COUNTERS {
            self.counts.push((thing, 1));
        } else {
            for (_, count) in &mut self.counts {
                *count -= 1;
            }
            self.counts.retain(|(_, count)| *count > 0);
        }
    }

    /// The most frequent ones with at least so many occurrences, most frequent first.
    pub(crate) fn top(&self) -> Vec<(T, u32)> {
        let mut top = self.counts.clone();
        top.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Among a thousand others the frequent one is found, with no more than it had.
    #[test]
    fn finds_the_frequent() {
        let mut frequent = Frequent::default();
        for index in 0..1000_u32 {
            frequent.add(index + 10);
            frequent.add(7);
        }
        let (thing, count) = frequent.top()[0];
        assert_eq!(thing, 7);
        assert!((880..=1000).contains(&count), "{count}");
    }

    /// Where nothing is frequent nothing seems so.
    #[test]
    fn nothing_frequent_among_equals() {
        let mut frequent = Frequent::default();
        for index in 0..10_000_u32 {
            frequent.add(index % 100);
        }
        assert!(frequent.top().iter().all(|(_, count)| *count <= 700));
    }
}
