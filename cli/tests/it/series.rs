//! The series that Prometheus stores for the metrics of the tables in the code.

use std::collections::BTreeMap;

use pollscope::metrics::catalogue::TOOLKIT;
use pollscope::metrics::{Kind, Metric, Table};

/// Every table of a running service, by its section in `docs/metrics.md`: the one place that knows all of them.
pub(crate) fn tables() -> [(&'static str, Table); 6] {
    [
        ("Stalls, runtimes and process", TOOLKIT),
        ("Admin server", pollscope::ADMIN_METRICS),
        ("Traces", pollscope::trace::TABLE),
        ("Chat", chat::METRICS),
        ("Exchange", exchange::METRICS),
        ("Faults", pollscope_cli::FAULTS),
    ]
}

fn known_metrics() -> impl Iterator<Item = &'static Metric> {
    tables()
        .into_iter()
        .flat_map(|(_, table)| table.iter().copied())
}

/// A series name that Prometheus stores for a metric of ours.
pub(crate) struct Series {
    pub(crate) metric: &'static Metric,
    pub(crate) counts: bool,
    pub(crate) is_bucket: bool,
}

impl Series {
    pub(crate) fn labels(&self) -> impl Iterator<Item = &'static str> {
        let le = self.is_bucket.then_some("le");
        self.metric.labels.iter().copied().chain(le)
    }
}

pub(crate) fn known_series() -> BTreeMap<String, Series> {
    let mut known = BTreeMap::new();
    for metric in known_metrics() {
        let mut add = |suffix: &str, counts| {
            let series = Series {
                metric,
                counts,
                is_bucket: suffix == "_bucket",
            };
            let twice = known.insert(format!("{}{suffix}", metric.name), series);
            assert!(
                twice.is_none(),
                "two metrics make `{}{suffix}`",
                metric.name
            );
        };
        match metric.kind {
            Kind::Histogram(_) => ["_bucket", "_sum", "_count"]
                .into_iter()
                .for_each(|suffix| add(suffix, true)),
            kind => add("", kind == Kind::Counter),
        }
    }
    known
}
