//! Quantiles of a few measured values. PURE.

/// The middle one; the upper of two.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    quantile(values, 0.5)
}

/// The smallest value that at least this share of them does not exceed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks are small and not negative"
)]
pub(super) fn quantile(values: impl Iterator<Item = f64>, share: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: ranks are those of the nearest-rank method, and nothing has no quantile.
    #[test]
    fn nearest_rank() {
        let values = || [3.0, 1.0, 2.0, 4.0].into_iter();
        assert_eq!(quantile(values(), 0.5), Some(2.0));
        assert_eq!(quantile(values(), 0.99), Some(4.0));
        assert_eq!(quantile(values(), 0.0), Some(1.0));
        assert_eq!(median(std::iter::empty()), None);
    }
}
