//! The queue before the exporter: the SDK's, with its losses counted.
//!
//! The SDK's processor drops spans when its queue is full and says how many only when it stops. Here the same bound is
//! held one step earlier, where the drop can be counted, so that the SDK's own queue is never full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::exporter::Counts;

/// A span processor that holds at most `len_max` spans.
#[derive(Debug)]
pub(super) struct Queue<P> {
    inner: P,
    len_max: u64,
    closed: AtomicBool,
    counts: Arc<Counts>,
}

impl<P> Queue<P> {
    pub(super) fn new(inner: P, len_max: usize, counts: Arc<Counts>) -> Self {
        Self {
            inner,
            len_max: len_max as u64,
            closed: AtomicBool::new(false),
            counts,
        }
    }
}

impl<P: SpanProcessor> SpanProcessor for Queue<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        // The SDK's processor would also send spans that a sampler only wants recorded.
        if !span.span_context.is_sampled() {
            return;
        }
        if self.closed.load(Ordering::Acquire) {
            self.counts.dropped_shutdown.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // Taken first and given back, so that threads that end spans together cannot pass the limit together.
        if self.counts.waiting.fetch_add(1, Ordering::Relaxed) >= self.len_max {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.dropped_full.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.closed.store(true, Ordering::Release);
        let result = self.inner.shutdown_with_timeout(timeout);
        let left = self.counts.waiting.load(Ordering::Relaxed);
        self.counts
            .dropped_shutdown
            .fetch_add(left, Ordering::Relaxed);
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
