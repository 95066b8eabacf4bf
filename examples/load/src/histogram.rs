//! Latencies in a histogram of fixed error, and the percentiles that a report shows.
//!
//! Every latency is recorded, none is sampled; percentiles of several histograms are never averaged: the histograms are
//! added. As JSON a histogram is the list of its buckets, so that the parts of a run in several processes can be added too.

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Smallest latency told apart: 1 µs. Below that the clock and the system calls dominate.
const LOWEST_NS: u64 = 1_000;
/// Largest latency: 60 s. Longer ones count as that; a run gives up on answers long before.
const HIGHEST_NS: u64 = 60_000_000_000;
/// Three significant digits: an error below 0.1 % in about 200 KB.
const DIGITS: u8 = 3;
/// The quantiles that a report shows.
const QUANTILES: [f64; 6] = [0.5, 0.9, 0.95, 0.99, 0.999, 0.9999];
/// A curve ends at 99.9999 %: more would take a hundred million samples.
const CURVE_NINES_MAX: u32 = 6;
/// Points of a curve for each nine.
const CURVE_STEPS: u32 = 10;
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

    /// Adds everything that `other` recorded.
    #[expect(
        clippy::missing_panics_doc,
        reason = "all histograms have the same constant bounds"
    )]
    pub fn add(&mut self, other: &Self) {
        self.0
            .add(&other.0)
            .expect("all histograms have the same bounds");
    }

    /// Number of latencies recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// How many were longer than this, in nanoseconds.
    pub(crate) fn count_above(&self, latency_ns: u64) -> u64 {
        self.0.count_between(latency_ns + 1, HIGHEST_NS)
    }

    /// The latency in milliseconds that a share of `quantile` (0 to 1) of all were not above; `None` if there are none.
    #[must_use]
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| milliseconds(self.0.value_at_quantile(quantile)))
    }

    /// The percentiles of everything recorded so far.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.quantile_ms(quantile);
        let count = self.count();
        Percentiles {
            count,
            mean: (count > 0).then(|| self.0.mean() / 1e6),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: at(1.0),
            backed: QUANTILES
                .into_iter()
                .rfind(|quantile| is_backed(count, *quantile)),
        }
    }

    /// The whole distribution for a plot: points at steps of a tenth of a nine, up to the last that is backed, and the
    /// maximum.
    #[must_use]
    pub fn curve(&self) -> Vec<CurvePoint> {
        let point = |quantile| {
            self.quantile_ms(quantile)
                .map(|ms| CurvePoint { quantile, ms })
        };
        let steps = (0..=CURVE_NINES_MAX * CURVE_STEPS).map(|step| {
            let nines = f64::from(step) / f64::from(CURVE_STEPS);
            1.0 - 10.0_f64.powf(-nines)
        });
        let backed = steps.take_while(|quantile| is_backed(self.count(), *quantile));
        backed
            .chain(std::iter::once(1.0))
            .filter_map(point)
            .collect()
    }

    /// The buckets that hold something: a value of each, in nanoseconds, and how many.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0
            .iter_recorded()
            .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
    }

    /// The histogram with these buckets.
    pub(crate) fn from_buckets(buckets: &[(u64, u64)]) -> Self {
        let mut latencies = Self::new();
        for (value, count) in buckets {
            latencies.0.saturating_record_n(*value, *count);
        }
        latencies
    }

    /// The histogram itself, for writers of its own formats.
    pub(crate) fn raw(&self) -> &Histogram<u64> {
        &self.0
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.buckets())
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let buckets = Vec::<(u64, u64)>::deserialize(deserializer)?;
        Ok(Self::from_buckets(&buckets))
    }
}

/// One point of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// A share of all, 0 to 1.
    pub quantile: f64,
    /// What that share was not above, in milliseconds.
    pub ms: f64,
}

fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// Percentiles in milliseconds; `None` where there was no sample at all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// Number of samples.
    pub count: u64,
    /// Mean.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 9 of 10 were at most this.
    pub p90: Option<f64>,
    /// 19 of 20 were at most this.
    pub p95: Option<f64>,
    /// 99 of 100 were at most this.
    pub p99: Option<f64>,
    /// 999 of 1000 were at most this.
    pub p999: Option<f64>,
    /// 9999 of 10,000 were at most this.
    pub p9999: Option<f64>,
    /// The longest, never rounded away.
    pub max: Option<f64>,
    /// The highest of these quantiles (0 to 1) with a hundred samples beyond it: those above it rest on a few outliers and
    /// are not to be quoted.
    pub backed: Option<f64>,
}

impl Percentiles {
    /// Whether enough samples lie beyond `quantile` (0 to 1) for its value to mean something.
    #[must_use]
    pub fn is_backed(&self, quantile: f64) -> bool {
        is_backed(self.count, quantile)
    }
}

fn is_backed(count: u64, quantile: f64) -> bool {
    // A billionth for the rounding of 1 − quantile.
    count as f64 * (1.0 - quantile) >= BEYOND_LEN_MIN - 1e-9 * count as f64
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

    /// Goal: what is longer than a limit is counted, what equals it is not.
    #[test]
    fn counts_above_a_limit() {
        let mut latencies = Latencies::new();
        for ms in [1, 2, 2, 3, 70_000] {
            latencies.record_ns(ms * 1_000_000);
        }
        assert_eq!(latencies.count_above(2_100_000), 2);
        assert_eq!(latencies.count_above(500_000), 5);
        assert_eq!(Latencies::new().count_above(0), 0);
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
        let with = |count| {
            let mut latencies = Latencies::new();
            latencies.0.record_n(1_000_000, count).unwrap();
            latencies.percentiles()
        };
        for (count, quantile, backed) in [
            (199, 0.5, false),
            (200, 0.5, true),
            (9_000, 0.99, false),
            (10_000, 0.99, true),
            (100_000, 0.999, true),
            (0, 0.5, false),
        ] {
            assert_eq!(
                with(count).is_backed(quantile),
                backed,
                "{count} at {quantile}"
            );
        }
        for (count, highest) in [
            (0, None),
            (199, None),
            (200, Some(0.5)),
            (10_000, Some(0.99)),
            (1_000_000, Some(0.9999)),
        ] {
            assert_eq!(with(count).backed, highest, "{count}");
        }
    }

    /// Goal: histograms of several threads, seconds or processes add up to what one would have recorded, by way of JSON too.
    #[test]
    fn histograms_add_up() {
        let (mut whole, mut even, mut odd) = (Latencies::new(), Latencies::new(), Latencies::new());
        for step in 1..=20_000 {
            let latency = step * step;
            whole.record_ns(latency);
            if step % 2 == 0 { &mut even } else { &mut odd }.record_ns(latency);
        }
        let json = serde_json::to_string(&odd).unwrap();
        even.add(&serde_json::from_str(&json).unwrap());
        for quantile in [0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
            assert_eq!(
                even.quantile_ms(quantile),
                whole.quantile_ms(quantile),
                "{quantile}"
            );
        }
        assert_eq!(even.count(), 20_000);
    }

    /// Goal: a curve rises, ends with the maximum, and shows nothing that rests on a few outliers.
    #[test]
    fn curve_ends_where_it_is_backed() {
        let mut latencies = Latencies::new();
        for step in 1..=10_000 {
            latencies.record_ns(step * 10_000);
        }
        let curve = latencies.curve();
        assert!(curve.is_sorted_by(|a, b| a.quantile < b.quantile && a.ms <= b.ms));
        let (last, before) = (curve[curve.len() - 1], curve[curve.len() - 2]);
        close(Some(last.ms), 100.0);
        assert!(last.quantile >= 1.0 && (before.quantile - 0.99).abs() < 1e-9);
        assert!(Latencies::new().curve().is_empty());
    }
}
