//! The metrics of the export: what arrived, what did not, and why.

use crate::metrics::{Metric, Table};

/// Spans that the collector took.
pub(super) static EXPORTED: Metric = Metric::counter(
    "pollscope_spans_exported_total",
    &[],
    "Spans that the collector accepted.",
    "More traffic or more spans a request; it should rise with the work done.",
);

/// Spans that were sent in vain.
pub(super) static FAILED: Metric = Metric::counter(
    "pollscope_spans_failed_total",
    &[],
    "Spans that were lost because the collector was down, too slow or refused them.",
    "Traces have holes: look at the collector and at OTEL_EXPORTER_OTLP_ENDPOINT.",
);

/// Spans that were not even sent.
pub(super) static DROPPED: Metric = Metric::counter(
    "pollscope_spans_dropped_total",
    &["reason"],
    "Spans that were dropped before they were sent.",
    "`queue-full`: more spans than the collector takes; sample (OTEL_TRACES_SAMPLER) or raise OTEL_BSP_MAX_QUEUE_SIZE. `shutdown`: spans ended after the export stopped or were still queued then.",
);

/// All of them.
pub static TABLE: Table = &[&EXPORTED, &FAILED, &DROPPED];
