//! `tracing` spans to an OpenTelemetry collector, set up by the standard environment variables.
//!
//! Everything that exports lives on a thread and a runtime of its own: a gRPC exporter on the application's runtime
//! cannot send while that runtime is stalled, and hangs its shutdown. Nothing global is installed; the caller puts
//! [`Traces::layer`] into their subscriber. A collector that is down costs the service counted spans and one log line a
//! minute: the exporter's own lines, one or two a batch, are silenced while it exports.
//!
//! # Example
//!
//! ```no_run
//! use tracing_subscriber::layer::SubscriberExt as _;
//! use tracing_subscriber::util::SubscriberInitExt as _;
//!
//! # fn main() -> Result<(), pollscope::Error> {
//! let traces = pollscope::trace::from_env("orders")?;
//! tracing_subscriber::registry()
//!     .with(traces.as_ref().map(|traces| traces.layer()))
//!     .with(tracing_subscriber::fmt::layer())
//!     .init();
//! // … run the service; dropping `traces` sends what is left.
//! # Ok(())
//! # }
//! ```

mod exporter;
mod metrics;
mod pipeline;
mod queue;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use crate::Error;
use crate::metrics::{Registry, Samples};
use exporter::Counts;
use pipeline::Pipeline;
use settings::Settings;

pub use metrics::TABLE;

/// Longest wait of a drop for spans that are still to be sent.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// Targets whose spans are the exporter's own work; exporting them would make new ones for ever. Prefixes of plain
/// text, hence `tower::`: `tower` alone would take the user's `tower_http` spans away.
const OWN_TARGETS: [&str; 6] = [
    "opentelemetry",
    "h2",
    "hyper",
    "tonic",
    "tower::",
    "reqwest",
];

/// Name under which the spans are made; the instrumentation scope.
const SCOPE: &str = "pollscope";

/// A running export of spans; dropping it sends what is left, for at most five seconds and a little.
#[derive(Debug)]
pub struct Traces {
    pipeline: Pipeline,
    counts: Arc<Counts>,
}

/// Starts the export that the `OTEL_*` variables of this process ask for; nothing when they ask for none.
///
/// Spans are sent when `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set, unless
/// `OTEL_SDK_DISABLED=true` or `OTEL_TRACES_EXPORTER=none`. `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`, else
/// `OTEL_EXPORTER_OTLP_PROTOCOL`, is `http/protobuf` (the default, as in the specification) or `grpc`. The service's
/// name is `OTEL_SERVICE_NAME`, else `service.name` in `OTEL_RESOURCE_ATTRIBUTES`, else `service`. Sampling
/// (`OTEL_TRACES_SAMPLER`), headers and limits are the SDK's own. An `https` endpoint needs a TLS feature of
/// `opentelemetry-otlp`, which the application turns on in its own manifest.
///
/// Blocks for some milliseconds.
///
/// # Errors
///
/// When a variable has a value that cannot be used (the error names it and what was expected), or the thread cannot start.
pub fn from_env(service: &str) -> Result<Option<Traces>, Error> {
    from_lookup(service, |name| {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    })
}

/// [`from_env`] over any source of variables.
fn from_lookup(
    service: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Option<Traces>, Error> {
    let Some(settings) = Settings::read(service, lookup)? else {
        return Ok(None);
    };
    let counts = Arc::new(Counts::default());
    let pipeline = Pipeline::start(settings, Arc::clone(&counts))?;
    Ok(Some(Traces { pipeline, counts }))
}

impl Traces {
    /// The layer that turns `tracing` spans of level INFO and above into exported ones.
    ///
    /// It is lean (no source location, no thread names: each costs an allocation a span) and leaves out the spans of the
    /// exporter's own libraries.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let own = OWN_TARGETS.map(|target| (target, LevelFilter::OFF));
        tracing_opentelemetry::layer()
            .with_tracer(self.pipeline.provider().tracer(SCOPE))
            .with_location(false)
            .with_threads(false)
            .with_filter(
                Targets::new()
                    .with_default(LevelFilter::INFO)
                    .with_targets(own),
            )
    }

    /// Adds the counters of exported, failed and dropped spans to `registry`.
    ///
    /// # Errors
    ///
    /// When their names are taken by another table.
    pub fn register(&self, registry: &Registry) -> Result<(), Error> {
        registry.register(TABLE)?;
        let counts = Arc::clone(&self.counts);
        registry.sample(move |samples: &mut Samples| counts.sample(samples));
        Ok(())
    }

    /// Sends what is left and stops, waiting at most `patience` and a second.
    ///
    /// # Errors
    ///
    /// When the spans could not be sent in that time.
    pub fn shutdown(mut self, patience: Duration) -> Result<(), Error> {
        self.pipeline.stop(patience)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // What was lost is in the counters; there is nobody to return an error to.
        let _ = self.pipeline.stop(FLUSH_PATIENCE);
    }
}
