//! Which rates to try, to find the highest one that a service bears. Pure.
//!
//! Above its capacity a service has no latency worth telling: it grows as long as the run lasts. So capacity is found first,
//! by rates that double until one misses the goal and then close in on the knee between the best good one and the lowest bad
//! one; latencies are then read from the good runs below it.

use crate::report::Report;

/// The knee is close enough when the lowest bad rate is this much above the highest good one.
const CLOSE_ENOUGH: f64 = 1.1;

/// Most runs of one sweep: from 1 per second to a million and then five halvings.
const RUNS_LEN_MAX: usize = 25;

/// What a run at one rate must be like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// The 99th percentile of the response times may be at most this, in milliseconds.
    pub p99_ms: f64,
}

impl Goal {
    /// Whether a run meets it: the report may be believed, nothing is missing, and the latency is within the goal.
    #[must_use]
    pub fn is_met(&self, report: &Report) -> bool {
        report.is_good() && report.response_ms.p99.is_some_and(|p99| p99 <= self.p99_ms)
    }
}

/// A search in progress.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    next: Option<f64>,
    good: Option<f64>,
    bad: Option<f64>,
    runs: usize,
    rate_max: f64,
}

impl Sweep {
    /// A search from `start` per second up, which goes to `rate_max` at most.
    #[must_use]
    pub fn starting_at(start: f64, rate_max: f64) -> Self {
        Self {
            next: Some(start.min(rate_max)),
            good: None,
            bad: None,
            runs: 0,
            rate_max,
        }
    }

    /// The rate to try next; `None` when the knee is found.
    #[must_use]
    pub fn next(&self) -> Option<f64> {
        self.next
    }

    /// The highest rate that met the goal; `None` if none did.
    #[must_use]
    pub fn knee(&self) -> Option<f64> {
        self.good
    }

    /// The run at the rate of [`Sweep::next`] did or did not meet the goal.
    pub fn record(&mut self, is_met: bool) {
        let Some(rate) = self.next else {
            return;
        };
        self.runs += 1;
        if is_met {
            self.good = Some(self.good.map_or(rate, |good| good.max(rate)));
        } else {
            self.bad = Some(self.bad.map_or(rate, |bad| bad.min(rate)));
        }
        let next = match (self.good, self.bad) {
            (Some(good), None) => Some(good * 2.0).filter(|_| good < self.rate_max),
            // Not even the start: down, as far as a message a second.
            (None, Some(bad)) => Some(bad / 2.0).filter(|next| *next >= 1.0),
            // In the middle by ratio, as the doubling went.
            (Some(good), Some(bad)) => {
                Some((good * bad).sqrt()).filter(|_| bad > good * CLOSE_ENOUGH)
            }
            (None, None) => None,
        };
        self.next = next
            .filter(|_| self.runs < RUNS_LEN_MAX)
            .map(|next| next.min(self.rate_max));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a service that bears `capacity`; the rates tried and the knee.
    fn search(start: f64, capacity: f64) -> (Vec<f64>, Option<f64>) {
        let mut sweep = Sweep::starting_at(start, 1_000_000.0);
        let mut tried = Vec::new();
        while let Some(rate) = sweep.next() {
            tried.push(rate);
            sweep.record(rate <= capacity);
        }
        (tried, sweep.knee())
    }

    /// Goal: from below or from above, the knee is found within a tenth, in few runs.
    #[test]
    fn knee_is_found() {
        for (start, capacity) in [
            (100.0, 5_300.0),
            (100.0, 100.0),
            (100.0, 7.0),
            (1.0, 999_000.0),
        ] {
            let (tried, knee) = search(start, capacity);
            let knee = knee.unwrap();
            assert!(
                knee <= capacity && knee * CLOSE_ENOUGH * 1.01 >= capacity.min(1_000_000.0),
                "{start} {capacity}: {knee} after {tried:?}"
            );
            assert!(tried.len() <= RUNS_LEN_MAX);
        }
        assert_eq!(search(100.0, 5_300.0).0[..3], [100.0, 200.0, 400.0]);
    }

    /// Goal: a service that bears nothing and one that bears everything both end the search.
    #[test]
    fn extremes_end() {
        let (tried, knee) = search(100.0, 0.0);
        assert_eq!(knee, None);
        assert!(tried.last().unwrap() < &2.0);
        let (tried, knee) = search(100.0, f64::INFINITY);
        assert_eq!(knee, Some(1_000_000.0));
        assert!(tried.len() <= RUNS_LEN_MAX);
    }
}
