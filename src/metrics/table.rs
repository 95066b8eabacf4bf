//! What a metric is, as data.
//!
//! Constants rather than calls, so that documentation and dashboards can be checked without running anything.

/// The Prometheus type of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Only ever goes up; the name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A classic histogram with these upper bounds, in the metric's unit.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word of the `# TYPE` line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// The unit of a metric; base units only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// A plain number of things.
    Count,
    /// Seconds; the name ends in `_seconds` or `_seconds_total`.
    Seconds,
    /// Bytes; the name ends in `_bytes` or `_bytes_total`.
    Bytes,
}

/// One metric: everything there is to say about it before it has a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Prometheus name, with its unit and `_total` suffix.
    pub name: &'static str,
    /// Type of the metric.
    pub kind: Kind,
    /// Unit of its values.
    pub unit: Unit,
    /// Label names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// One sentence for the `# HELP` line.
    pub help: &'static str,
    /// What an operator should think when it rises.
    pub rises: &'static str,
}

/// The metrics of one owner (the toolkit, a workload).
pub type Table = &'static [&'static Metric];

impl Metric {
    /// A counter of things; `name` ends in `_total`.
    #[must_use]
    pub const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        rises: &'static str,
    ) -> Self {
        Self {
            name,
            kind: Kind::Counter,
            unit: Unit::Count,
            labels,
            help,
            rises,
        }
    }

    /// A gauge of things.
    #[must_use]
    pub const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        rises: &'static str,
    ) -> Self {
        Self {
            name,
            kind: Kind::Gauge,
            unit: Unit::Count,
            labels,
            help,
            rises,
        }
    }

    /// A histogram of seconds with the given upper bounds.
    #[must_use]
    pub const fn histogram(
        name: &'static str,
        bounds: &'static [f64],
        labels: &'static [&'static str],
        help: &'static str,
        rises: &'static str,
    ) -> Self {
        Self {
            name,
            kind: Kind::Histogram(bounds),
            unit: Unit::Seconds,
            labels,
            help,
            rises,
        }
    }

    /// The same metric in another unit.
    #[must_use]
    pub const fn in_unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }
}
