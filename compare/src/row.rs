//! One measured figure, and how figures are shown; PURE.

use std::fmt::Write as _;

use serde::Serialize;

/// One figure of one candidate.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) metric: &'static str,
    pub(crate) unit: &'static str,
    /// Median of the repetitions.
    pub(crate) value: f64,
    /// The same metric of the group's first candidate.
    pub(crate) baseline: f64,
    pub(crate) added: f64,
    pub(crate) ratio: f64,
    /// Largest minus smallest repetition.
    pub(crate) spread: f64,
    pub(crate) note: String,
}

impl Row {
    /// From the repetitions of one figure; `baseline` is the first candidate's median.
    pub(crate) fn new(
        group: &'static str,
        name: &str,
        metric: &'static str,
        unit: &'static str,
        mut values: Vec<f64>,
        baseline: Option<f64>,
    ) -> Self {
        values.sort_by(f64::total_cmp);
        let value = values[values.len() / 2];
        let baseline = baseline.unwrap_or(value);
        let spread = values[values.len() - 1] - values[0];
        Self {
            group,
            name: name.to_owned(),
            metric,
            unit,
            value,
            baseline,
            added: value - baseline,
            ratio: value / baseline,
            spread,
            note: String::new(),
        }
    }
}

/// Aligned text.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<22} {:<28} {:>12} {:>8} {:>12}  {}",
        "candidate", "metric", "median", "ratio", "spread", "unit"
    );
    for row in rows {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{:<22} {:<28} {:>12.2} {:>8.2} {:>12.2}  {}",
            row.name, row.metric, row.value, row.ratio, row.spread, row.unit
        );
    }
    text
}

/// The shape that scripts read.
pub(crate) fn json(rows: &[Row]) -> String {
    let versions =
        serde_json::json!({ "addr2line": "0.26", "backtrace": "0.3", "blazesym": "0.2" });
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let machine = serde_json::json!({ "os": std::env::consts::OS, "arch": std::env::consts::ARCH, "cpus": cpus });
    serde_json::json!({ "rows": rows, "versions": versions, "machine": machine }).to_string()
}
