//! The exporter as the SDK sees it: counts what arrives, and speaks once a minute instead of at each batch.
//!
//! The SDK and its exporter log one or two lines a failed batch. A collector that is down for a night would fill the
//! service's log, so their lines are silenced while a batch is sent, failures end here, and what is lost is in the
//! counters. Spans that a collector takes in part count as exported: the SDK does not say which.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;

use super::metrics;
use crate::metrics::Samples;

/// Least time between two warnings about the same dead collector.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// What became of the spans.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Spans handed over and not yet exported or failed.
    pub(super) waiting: AtomicU64,
    pub(super) exported: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) dropped_full: AtomicU64,
    pub(super) dropped_shutdown: AtomicU64,
}

impl Counts {
    pub(super) fn sample(&self, samples: &mut Samples) {
        // Exact up to 2^53 spans.
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
        samples.set(&metrics::EXPORTED, &[], read(&self.exported));
        samples.set(&metrics::FAILED, &[], read(&self.failed));
        samples.set(&metrics::DROPPED, &["queue-full"], read(&self.dropped_full));
        samples.set(
            &metrics::DROPPED,
            &["shutdown"],
            read(&self.dropped_shutdown),
        );
    }
}

/// An exporter whose outcomes are counted.
pub(super) struct Counted<E> {
    inner: E,
    counts: Arc<Counts>,
    speech: Mutex<Speech>,
}

impl<E> Counted<E> {
    pub(super) fn new(inner: E, counts: Arc<Counts>) -> Self {
        Self {
            inner,
            counts,
            speech: Mutex::default(),
        }
    }

    fn account(&self, spans: u64, result: &OTelSdkResult) {
        let counter = match result {
            Ok(()) => &self.counts.exported,
            Err(_) => &self.counts.failed,
        };
        counter.fetch_add(spans, Ordering::Relaxed);
        self.counts.waiting.fetch_sub(spans, Ordering::Relaxed);
        let mut speech = self.speech.lock().unwrap_or_else(PoisonError::into_inner);
        match (result, speech.after(Instant::now(), spans, result.is_ok())) {
            (Err(error), Some(lost)) => {
                tracing::warn!(lost, %error, "spans are lost: the collector does not take them");
            }
            (Ok(()), Some(lost)) => tracing::info!(lost, "spans are delivered again"),
            (_, None) => {}
        }
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let result = self
            .inner
            .export(batch)
            .with_subscriber(Dispatch::none())
            .await;
        self.account(spans, &result);
        // An error would make the SDK log it, and change nothing else.
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> Result<(), OTelSdkError> {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: fmt::Debug> fmt::Debug for Counted<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted")
            .field("inner", &self.inner)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// When to say something; PURE.
#[derive(Debug, Default)]
struct Speech {
    warned_at: Option<Instant>,
    lost: u64,
}

impl Speech {
    /// Takes one outcome; the number of spans lost since it last spoke, when it is time to speak.
    fn after(&mut self, now: Instant, spans: u64, delivered: bool) -> Option<u64> {
        if delivered {
            let was_down = self.warned_at.take().is_some();
            let lost = std::mem::take(&mut self.lost);
            return was_down.then_some(lost);
        }
        self.lost += spans;
        let due = self
            .warned_at
            .is_none_or(|warned_at| now.duration_since(warned_at) >= WARN_INTERVAL);
        if !due {
            return None;
        }
        self.warned_at = Some(now);
        Some(std::mem::take(&mut self.lost))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tracing::Subscriber;
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt as _};

    use super::*;

    /// An exporter like those of the SDK: it fails, and logs that it does.
    #[derive(Debug)]
    struct Down;

    impl SpanExporter for Down {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            tracing::warn!("connection refused");
            Err(OTelSdkError::InternalFailure("refused".to_owned()))
        }
    }

    /// Counts events.
    struct Lines(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, _event: &tracing::Event<'_>, _context: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A collector that is down for many batches is one line in the log, and the SDK hears nothing to complain about.
    #[test]
    fn a_dead_collector_is_one_line() {
        let lines = Arc::new(AtomicUsize::new(0));
        let subscriber = tracing_subscriber::registry().with(Lines(Arc::clone(&lines)));
        let exporter = Counted::new(Down, Arc::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..20 {
                runtime.block_on(exporter.export(Vec::new())).unwrap();
            }
        });
        assert_eq!(lines.load(Ordering::Relaxed), 1);
    }

    /// The first loss is told at once, the next ones once a minute, the recovery once.
    #[test]
    fn speaks_once_a_minute() {
        let begin = Instant::now();
        let mut speech = Speech::default();
        for (second, spans, delivered, said) in [
            (0, 3, true, None),
            (1, 5, false, Some(5)),
            (6, 5, false, None),
            (11, 2, false, None),
            (61, 1, false, Some(8)),
            (66, 4, false, None),
            (70, 9, true, Some(4)),
            (75, 9, true, None),
            (80, 1, false, Some(1)),
        ] {
            let now = begin + Duration::from_secs(second);
            assert_eq!(speech.after(now, spans, delivered), said, "second {second}");
        }
    }
}
