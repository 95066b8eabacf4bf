//! `docs/metrics.md` from the tables; PURE.

use std::fmt::Write as _;

use super::table::{Kind, Table, Unit};

/// The Markdown of one section: a heading and a row a metric.
#[must_use]
pub fn document(title: &str, table: Table) -> String {
    let mut text = format!(
        "## {title}\n\n| metric | type | unit | labels | what it is | when it rises |\n|---|---|---|---|---|---|\n"
    );
    for metric in table {
        let unit = match metric.unit {
            Unit::Count => "",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
        };
        let kind = match metric.kind {
            Kind::Histogram(bounds) => format!("histogram, {} buckets", bounds.len()),
            other => other.name().to_owned(),
        };
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {kind} | {unit} | {} | {} | {} |",
            metric.name,
            labels.join(", "),
            metric.help,
            metric.rises
        );
    }
    text
}
