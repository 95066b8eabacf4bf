//! The text format of Prometheus, as far as the truth about a fault needs it. PURE.
//!
//! Reads what a service shows at `/metrics`: one series a line, without timestamps. Label values with a comma are not
//! expected among the metrics that faults declare.

use std::time::Duration;

/// A page of metrics.
#[derive(Debug, Clone, Copy)]
pub struct Exposition<'a>(&'a str);

/// One line of the page.
struct Series<'a> {
    name: &'a str,
    labels: &'a str,
    value: f64,
}

impl<'a> Exposition<'a> {
    /// The page with this text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The sum of the series that `selector` chooses, which is a name or `name{label="value"}`; `None` if there is none.
    #[must_use]
    pub fn sum(self, selector: &str) -> Option<f64> {
        let (name, wanted) = split(selector);
        let mut chosen = self
            .series()
            .filter(|series| series.name == name)
            .filter(|series| {
                let mut labels = wanted.split(',').filter(|label| !label.is_empty());
                labels.all(|label| series.labels.split(',').any(|have| have == label))
            })
            .map(|series| series.value)
            .peekable();
        chosen.peek()?;
        Some(chosen.sum())
    }

    /// How many observations of a histogram of seconds were longer than `above`, or than the next bound of a bucket after
    /// it.
    #[must_use]
    pub fn slower(self, histogram: &str, above: Duration) -> f64 {
        let bucket = format!("{histogram}_bucket");
        let buckets = || {
            self.series()
                .filter(|series| series.name == bucket)
                .filter_map(|series| Some((bound(series.labels)?, series.value)))
        };
        let bounds = buckets().map(|(bound, _)| bound);
        let edge = bounds
            .filter(|bound| *bound >= above.as_secs_f64())
            .fold(f64::INFINITY, f64::min);
        let at_most: f64 = buckets()
            .filter(|(bound, _)| bound.total_cmp(&edge).is_eq())
            .map(|(_, count)| count)
            .sum();
        self.sum(&format!("{histogram}_count")).unwrap_or(0.0) - at_most
    }

    fn series(self) -> impl Iterator<Item = Series<'a>> {
        let lines = self.0.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = split(series);
            let value = value.parse().ok()?;
            Some(Series {
                name,
                labels,
                value,
            })
        })
    }
}

/// Name and labels, which are empty without braces.
fn split(series: &str) -> (&str, &str) {
    match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap_or(labels)),
        None => (series, ""),
    }
}

/// The upper bound of a bucket.
fn bound(labels: &str) -> Option<f64> {
    let quoted = labels
        .split(',')
        .find_map(|label| label.strip_prefix("le="))?;
    quoted.trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# HELP chat_rooms Rooms.
# TYPE chat_rooms gauge
chat_rooms 3

closed_total{reason=\"eof\"} 4
closed_total{reason=\"error\"} 1
parks_total{runtime=\"chat\",worker=\"0\"} 10
parks_total{runtime=\"chat\",worker=\"1\"} 5
fanout_seconds_bucket{le=\"0.05\"} 7
fanout_seconds_bucket{le=\"0.1\"} 8
fanout_seconds_bucket{le=\"0.25\"} 9
fanout_seconds_bucket{le=\"+Inf\"} 12
fanout_seconds_sum 3.5
fanout_seconds_count 12
";

    /// Goal: a selector chooses by whole name and by each label it has; nothing chosen is not zero.
    #[test]
    fn sums_what_is_selected() {
        for (selector, sum) in [
            ("chat_rooms", Some(3.0)),
            ("closed_total", Some(5.0)),
            ("closed_total{reason=\"error\"}", Some(1.0)),
            ("parks_total{worker=\"1\",runtime=\"chat\"}", Some(5.0)),
            ("closed_total{reason=\"panic\"}", None),
            ("chat_room", None),
            ("fanout_seconds", None),
        ] {
            assert_eq!(Exposition::new(PAGE).sum(selector), sum, "{selector}");
        }
    }

    /// Goal: only observations above the bound count; between two bounds of buckets the higher one decides.
    #[test]
    fn counts_what_was_slower() {
        let slower = |ms| Exposition::new(PAGE).slower("fanout_seconds", Duration::from_millis(ms));
        for (ms, count) in [(50, 5.0), (100, 4.0), (120, 3.0), (250, 3.0), (5000, 0.0)] {
            assert!((slower(ms) - count).abs() < 1e-9, "{ms} ms: {}", slower(ms));
        }
        let absent = Exposition::new("").slower("fanout_seconds", Duration::from_millis(1));
        assert!(absent.abs() < 1e-9);
    }
}
