//! Live metrics behind the tables.
//!
//! Recorded metrics (counters, gauges, histograms that code increments) live in one `metrics-exporter-prometheus`
//! recorder per table, because that crate takes histogram bounds only when a recorder is built. Sampled metrics
//! (values somebody else keeps, such as Tokio's own counters) are read at scrape time and may be fractional, which
//! the `metrics` crate's integer counters cannot be. No recorder is installed globally.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use super::exposition;
use super::table::{Kind, Metric, Table};
use crate::Error;

/// The registry of one process; clones share it.
#[derive(Clone, Default)]
pub struct Registry {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    tables: Vec<Registered>,
    sources: Vec<Source>,
}

type Source = Arc<dyn Fn(&mut Samples) + Send + Sync>;

struct Registered {
    table: Table,
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

static METADATA: Metadata<'static> = Metadata::new("pollscope", Level::INFO, None);

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table; its metrics can be used from now on. Adding the same table again does nothing.
    ///
    /// # Errors
    ///
    /// When a name of the table is taken already by another metric, or a histogram has no bounds.
    pub fn register(&self, table: Table) -> Result<(), Error> {
        let mut inner = self.lock();
        if inner
            .tables
            .iter()
            .any(|known| std::ptr::eq(known.table, table))
        {
            return Ok(());
        }
        let taken = |name: &str| {
            inner
                .tables
                .iter()
                .flat_map(|known| known.table)
                .any(|metric| metric.name == name)
        };
        if let Some(double) = table.iter().find(|metric| taken(metric.name)) {
            return Err(Error::configuration(format!(
                "metric `{}` is registered twice, expected one owner a name",
                double.name
            )));
        }
        inner.tables.push(Registered::new(table)?);
        Ok(())
    }

    /// The live counter of `metric` with these label values; keep it, looking it up costs a lock and an allocation.
    ///
    /// A metric of no registered table gives a handle that counts nothing.
    pub fn counter(&self, metric: &'static Metric, labels: &[&str]) -> Counter {
        self.with(metric, labels, Counter::noop, |recorder, key| {
            recorder.register_counter(key, &METADATA)
        })
    }

    /// The live gauge of `metric` with these label values; see [`Registry::counter`].
    pub fn gauge(&self, metric: &'static Metric, labels: &[&str]) -> Gauge {
        self.with(metric, labels, Gauge::noop, |recorder, key| {
            recorder.register_gauge(key, &METADATA)
        })
    }

    /// The live histogram of `metric` with these label values; see [`Registry::counter`].
    pub fn histogram(&self, metric: &'static Metric, labels: &[&str]) -> Histogram {
        self.with(metric, labels, Histogram::noop, |recorder, key| {
            recorder.register_histogram(key, &METADATA)
        })
    }

    /// Adds a source that is asked at every scrape; it must not block.
    pub fn sample(&self, source: impl Fn(&mut Samples) + Send + Sync + 'static) {
        self.lock().sources.push(Arc::new(source));
    }

    /// Every metric of every table, in the order of registration.
    #[must_use]
    pub fn metrics(&self) -> Vec<&'static Metric> {
        self.lock()
            .tables
            .iter()
            .flat_map(|known| known.table.iter().copied())
            .collect()
    }

    /// The Prometheus text exposition of everything.
    #[must_use]
    pub fn render(&self) -> String {
        // Rendered outside the lock: a worker that looks up a handle must not wait for a scrape.
        let (handles, sources) = {
            let inner = self.lock();
            let handles: Vec<_> = inner
                .tables
                .iter()
                .map(|known| known.handle.clone())
                .collect();
            (handles, inner.sources.clone())
        };
        let mut text: String = handles.iter().map(PrometheusHandle::render).collect();
        let mut samples = Samples::default();
        for source in sources {
            source(&mut samples);
        }
        exposition::write(&mut text, &samples.values);
        text
    }

    /// Folds recorded histogram samples into their buckets; without a scrape they would pile up.
    pub fn upkeep(&self) {
        let handles: Vec<_> = self
            .lock()
            .tables
            .iter()
            .map(|known| known.handle.clone())
            .collect();
        for handle in handles {
            handle.run_upkeep();
        }
    }

    fn with<T>(
        &self,
        metric: &'static Metric,
        labels: &[&str],
        noop: fn() -> T,
        live: impl FnOnce(&PrometheusRecorder, &Key) -> T,
    ) -> T {
        let inner = self.lock();
        let owner = inner
            .tables
            .iter()
            .find(|known| known.table.iter().any(|known| known.name == metric.name));
        owner.map_or_else(noop, |known| live(&known.recorder, &key(metric, labels)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The lock guards plain lists, valid at every step, so a panicked holder left nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("metrics", &self.metrics().len())
            .finish()
    }
}

impl Registered {
    fn new(table: Table) -> Result<Self, Error> {
        let mut builder = PrometheusBuilder::new();
        for metric in table {
            if let Kind::Histogram(bounds) = metric.kind {
                builder = builder
                    .set_buckets_for_metric(Matcher::Full(metric.name.into()), bounds)
                    .map_err(|source| {
                        Error::configuration(format!("histogram `{}` has no bounds", metric.name))
                            .because(source)
                    })?;
            }
        }
        let recorder = builder.build_recorder();
        for metric in table {
            match metric.kind {
                Kind::Counter => {
                    recorder.describe_counter(metric.name.into(), None, metric.help.into())
                }
                Kind::Gauge => {
                    recorder.describe_gauge(metric.name.into(), None, metric.help.into())
                }
                Kind::Histogram(_) => {
                    recorder.describe_histogram(metric.name.into(), None, metric.help.into())
                }
            }
        }
        let handle = recorder.handle();
        Ok(Self {
            table,
            recorder,
            handle,
        })
    }
}

fn key(metric: &'static Metric, values: &[&str]) -> Key {
    debug_assert_eq!(
        metric.labels.len(),
        values.len(),
        "label values of {}",
        metric.name
    );
    let labels: Vec<Label> = metric
        .labels
        .iter()
        .zip(values)
        .map(|(name, value)| Label::new(*name, (*value).to_owned()))
        .collect();
    Key::from_parts(metric.name, labels)
}

/// Values read at scrape time.
#[derive(Debug, Default)]
pub struct Samples {
    values: Vec<exposition::Sample>,
}

impl Samples {
    /// Gives `metric` with these label values the value `value`, in the metric's unit.
    pub fn set(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        debug_assert_eq!(
            metric.labels.len(),
            labels.len(),
            "label values of {}",
            metric.name
        );
        self.values.push(exposition::Sample {
            metric,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            value,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static REQUESTS: Metric = Metric::counter(
        "test_requests_total",
        &["kind"],
        "Requests.",
        "More requests.",
    );
    static WAIT: Metric =
        Metric::histogram("test_wait_seconds", &[0.1, 1.0], &[], "Wait.", "Slower.");
    static BUSY: Metric =
        Metric::counter("test_busy_seconds_total", &["worker"], "Busy.", "Busier.");
    static TABLE: Table = &[&REQUESTS, &WAIT, &BUSY];
    static OTHER: Table = &[&REQUESTS];

    /// Recorded and sampled metrics stand in one exposition, fractions included.
    #[test]
    fn renders_recorded_and_sampled() {
        let registry = Registry::new();
        registry.register(TABLE).unwrap();
        registry.counter(&REQUESTS, &["a\"b"]).increment(3);
        registry.histogram(&WAIT, &[]).record(0.5);
        registry.sample(|samples| samples.set(&BUSY, &["0"], 1.25));
        let text = registry.render();
        assert!(
            text.contains("test_requests_total{kind=\"a\\\"b\"} 3"),
            "{text}"
        );
        assert!(
            text.contains("test_wait_seconds_bucket{le=\"1\"} 1"),
            "{text}"
        );
        assert!(
            text.contains(
                "# TYPE test_busy_seconds_total counter\ntest_busy_seconds_total{worker=\"0\"} 1.25"
            ),
            "{text}"
        );
    }

    /// A name has one owner; the same table twice is harmless.
    #[test]
    fn refuses_a_second_owner() {
        let registry = Registry::new();
        registry.register(TABLE).unwrap();
        registry.register(TABLE).unwrap();
        assert!(
            registry
                .register(OTHER)
                .unwrap_err()
                .to_string()
                .contains("test_requests_total")
        );
    }
}
