//! Latencies in a histogram of fixed error, and the percentiles that a report shows.
//!
//! Every latency is recorded, none is sampled; percentiles of several histograms are never averaged.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Smallest latency told apart: 1 µs. Below that the clock and the system calls dominate.
const LOWEST_NS: u64 = 1_000;
/// Largest latency: 60 s. Longer ones count as that; a run gives up on answers long before.
const HIGHEST_NS: u64 = 60_000_000_000;
/// Three significant digits: an error below 0.1 % in about 200 KB.
const DIGITS: u8 = 3;
/// A percentile is backed when so many samples lie beyond it; with fewer it is one outlier's value.
const BEYOND_LEN_MIN: f64 = 100.0;

/// Latencies of one kind.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl Latencies {
    /// An empty histogram.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "the bounds are constants that a test covers"
    )]
    pub fn new() -> Self {
        Self(
            Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS)
                .expect("the constant bounds are valid"),
        )
    }

    /// Records one latency in nanoseconds; more than 60 s counts as 60 s.
    pub fn record_ns(&mut self, latency_ns: u64) {
        self.0.saturating_record(latency_ns.min(HIGHEST_NS));
    }

    /// The percentiles of everything recorded so far.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| {
            (!self.0.is_empty()).then(|| milliseconds(self.0.value_at_quantile(quantile)))
        };
        Percentiles {
            count: self.0.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
        }
    }
}

fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// Percentiles in milliseconds; `None` where there was no sample at all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// Number of samples.
    pub count: u64,
    /// Median.
    pub p50: Option<f64>,
    /// 99 of 100 were at most this.
    pub p99: Option<f64>,
    /// 999 of 1000 were at most this.
    pub p999: Option<f64>,
    /// The longest, never rounded away.
    pub max: Option<f64>,
}

impl Percentiles {
    /// Whether enough samples lie beyond `quantile` (0 to 1) for its value to mean something.
    #[must_use]
    pub fn is_backed(&self, quantile: f64) -> bool {
        self.count as f64 * (1.0 - quantile) >= BEYOND_LEN_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: Option<f64>, expect: f64) {
        let value = value.unwrap();
        assert!(
            (value - expect).abs() <= expect * 0.002,
            "{value} is not {expect}"
        );
    }

    /// Goal: the percentiles of a known distribution come out within the histogram's error.
    #[test]
    fn percentiles_of_a_ramp() {
        let mut latencies = Latencies::new();
        for step in 1..=10_000 {
            latencies.record_ns(step * 10_000);
        }
        let percentiles = latencies.percentiles();
        assert_eq!(percentiles.count, 10_000);
        close(percentiles.p50, 50.0);
        close(percentiles.p99, 99.0);
        close(percentiles.p999, 99.9);
        close(percentiles.max, 100.0);
    }

    /// Goal: nothing recorded is shown as nothing, not as zero.
    #[test]
    fn empty_has_no_percentiles() {
        let percentiles = Latencies::new().percentiles();
        assert_eq!(
            (percentiles.count, percentiles.p50, percentiles.max),
            (0, None, None)
        );
    }

    /// Goal: the extremes are kept, not dropped.
    #[test]
    fn extremes_are_kept() {
        let mut latencies = Latencies::new();
        latencies.record_ns(0);
        latencies.record_ns(u64::MAX);
        let percentiles = latencies.percentiles();
        assert_eq!(percentiles.count, 2);
        close(percentiles.max, 60_000.0);
    }

    /// Goal: a percentile needs a hundred samples beyond it.
    #[test]
    fn backed_by_samples_beyond() {
        let with = |count| Percentiles {
            count,
            p50: None,
            p99: None,
            p999: None,
            max: None,
        };
        for (count, quantile, backed) in [
            (199, 0.5, false),
            (200, 0.5, true),
            (9_000, 0.99, false),
            (10_001, 0.99, true),
            (100_001, 0.999, true),
            (0, 0.5, false),
        ] {
            assert_eq!(
                with(count).is_backed(quantile),
                backed,
                "{count} at {quantile}"
            );
        }
    }
}
