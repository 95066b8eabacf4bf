//! The thread of the export, with the runtime that gRPC needs to live as long as the exporter does.

use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use opentelemetry_otlp::{
    ExporterBuildError, Protocol as Wire, SpanExporter, WithExportConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tokio::sync::oneshot;

use super::exporter::{Counted, Counts};
use super::queue::Queue;
use super::settings::{Protocol, Settings};
use crate::Error;

/// Longest wait for the thread to end after the last export; it has nothing left to do then.
const JOIN_PATIENCE: Duration = Duration::from_secs(1);

/// A provider of tracers, and the thread it needs.
#[derive(Debug)]
pub(super) struct Pipeline {
    provider: SdkTracerProvider,
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Pipeline {
    /// Builds exporter and provider on the thread; returns when they are ready or refused. Connects to nothing yet.
    pub(super) fn start(settings: Settings, counts: Arc<Counts>) -> Result<Self, Error> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, built) = mpsc::sync_channel(1);
        let (end, ended) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("pollscope-otlp".to_owned())
            .spawn(move || {
                live(&settings, counts, &ready, stopped);
                let _ = end.send(());
            })
            .map_err(|source| Error::setup("the export thread cannot start").because(source))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "set-up, once; the thread answers as soon as the exporter is built"
        )]
        let provider = built
            .recv()
            .unwrap_or_else(|_| Err(Error::setup("the export thread ended before it was ready")))?;
        Ok(Self {
            provider,
            stop: Some(stop),
            ended,
            thread: Some(thread),
        })
    }

    pub(super) fn provider(&self) -> &SdkTracerProvider {
        &self.provider
    }

    /// Sends what is left within `patience`, then ends the thread. A second call does nothing.
    pub(super) fn stop(&mut self, patience: Duration) -> Result<(), Error> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        // First the spans, then the runtime: without it the exporter would report success and send nothing.
        let result = self.provider.shutdown_with_timeout(patience);
        drop(self.stop.take());
        if self.ended.recv_timeout(JOIN_PATIENCE) != Err(mpsc::RecvTimeoutError::Timeout) {
            #[expect(
                clippy::disallowed_methods,
                reason = "the thread has sent its last word and is returning"
            )]
            let _ = thread.join();
        }
        result.map_err(|source| {
            Error::unavailable(format!(
                "spans could not be sent within {patience:?}, the rest is lost"
            ))
            .because(source)
        })
    }
}

/// The thread's life: build, hand over, keep the runtime turning until `stopped` resolves.
fn live(
    settings: &Settings,
    counts: Arc<Counts>,
    ready: &mpsc::SyncSender<Result<SdkTracerProvider, Error>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(source) => {
            let error = Error::setup("the export runtime cannot be built").because(source);
            let _ = ready.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        // tonic's connection is a task of the runtime it is built in.
        let _ = ready.send(provider(settings, counts));
        let _ = stopped.await;
    });
    runtime.shutdown_background();
}

fn provider(settings: &Settings, counts: Arc<Counts>) -> Result<SdkTracerProvider, Error> {
    let exporter = exporter(settings).map_err(|source| {
        Error::configuration(format!(
            "no exporter can be built for {:?}, expected an endpoint such as http://127.0.0.1:4317",
            settings.endpoint
        ))
        .because(source)
    })?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(settings.queue_len)
        .with_max_export_batch_size(settings.batch_len)
        .with_scheduled_delay(settings.delay)
        .build();
    let processor = BatchSpanProcessor::builder(Counted::new(exporter, Arc::clone(&counts)))
        .with_batch_config(batches)
        .build();
    let mut resource = Resource::builder();
    if let Some(name) = &settings.service {
        resource = resource.with_service_name(name.clone());
    }
    Ok(SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_span_processor(Queue::new(processor, settings.queue_len, counts))
        .build())
}

fn exporter(settings: &Settings) -> Result<SpanExporter, ExporterBuildError> {
    match settings.protocol {
        Protocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_endpoint(settings.endpoint.clone())
            .with_timeout(settings.timeout)
            .build(),
        Protocol::HttpProtobuf => SpanExporter::builder()
            .with_http()
            .with_protocol(Wire::HttpBinary)
            .with_endpoint(settings.endpoint.clone())
            .with_timeout(settings.timeout)
            .build(),
    }
}
