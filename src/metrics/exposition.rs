//! Text exposition of sampled values; PURE.
//!
//! Follows the Prometheus text format 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>): one
//! `# HELP` and `# TYPE` a name, all its series together.

use std::fmt::Write as _;

use super::table::Metric;

/// One sampled series.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) metric: &'static Metric,
    pub(crate) labels: Vec<String>,
    pub(crate) value: f64,
}

/// Appends all samples to `text`, grouped by metric in the order of first appearance.
pub(crate) fn write(text: &mut String, samples: &[Sample]) {
    let mut done: Vec<&str> = Vec::new();
    for sample in samples {
        let metric = sample.metric;
        if done.contains(&metric.name) {
            continue;
        }
        done.push(metric.name);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# HELP {} {}\n# TYPE {} {}",
            metric.name,
            escape_help(metric.help),
            metric.name,
            metric.kind.name()
        );
        for series in samples
            .iter()
            .filter(|other| other.metric.name == metric.name)
        {
            write_series(text, series);
        }
        text.push('\n');
    }
}

fn write_series(text: &mut String, series: &Sample) {
    text.push_str(series.metric.name);
    if !series.labels.is_empty() {
        let pairs: Vec<String> = series
            .metric
            .labels
            .iter()
            .zip(&series.labels)
            .map(|(name, value)| format!("{name}=\"{}\"", escape_label(value)))
            .collect();
        let _ = write!(text, "{{{}}}", pairs.join(","));
    }
    let _ = writeln!(text, " {}", series.value);
}

fn escape_help(help: &str) -> String {
    help.replace('\\', "\\\\").replace('\n', "\\n")
}

fn escape_label(value: &str) -> String {
    escape_help(value).replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    static DEPTH: Metric = Metric::gauge("depth", &["queue"], "Depth of\na queue.", "Backlog.");

    /// Series of one name stand together, with label values escaped.
    #[test]
    fn groups_and_escapes() {
        let sample = |label: &str, value| Sample {
            metric: &DEPTH,
            labels: vec![label.to_owned()],
            value,
        };
        let mut text = String::new();
        write(&mut text, &[sample("a", 1.0), sample("b\"\\\n", 2.5)]);
        assert_eq!(
            text,
            "# HELP depth Depth of\\na queue.\n# TYPE depth gauge\ndepth{queue=\"a\"} 1\ndepth{queue=\"b\\\"\\\\\\n\"} 2.5\n\n"
        );
    }
}
