//! Logs, spans and tokio-console of a reference service: one subscriber, made before its runtime is.

use std::io;
use std::net::SocketAddr;

use pollscope::trace::Traces;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::ending::Failure;

/// What is logged when `RUST_LOG` does not say: what a person who started the service wants to know.
const LOG_DEFAULT: &str = "info";

/// Installs the subscriber of this process: logs to standard error, spans to a collector if the `OTEL_*` variables name
/// one, and tokio-console at `console` if given. The result must be kept until the service has ended.
///
/// # Errors
///
/// When a variable cannot be used, or the console's address is taken.
pub(crate) fn start(service: &str, console: Option<SocketAddr>) -> Result<Option<Traces>, Failure> {
    let filter = log_filter(std::env::var("RUST_LOG").ok().as_deref())?;
    let traces = pollscope::trace::from_env(service).map_err(|error| refused(&error, ""))?;
    let console = console
        .map(pollscope::console::layer)
        .transpose()
        .map_err(|error| refused(&error, "; choose another with --console"))?;
    tracing_subscriber::registry()
        .with(console)
        .with(traces.as_ref().map(Traces::layer))
        .with(
            tracing_subscriber::fmt::layer()
                .with_writer(io::stderr)
                .with_filter(filter),
        )
        .try_init()
        .map_err(|error| Failure::unable("the subscriber cannot be installed", &error))?;
    Ok(traces)
}

/// A refusal of the library: wrong use if the user's value was at fault, else something was missing or taken.
pub(crate) fn refused(error: &pollscope::Error, remedy: &str) -> Failure {
    // The `Debug` form is the whole chain of causes.
    if error.is_configuration() {
        Failure::Usage(format!("{error:?}"))
    } else {
        Failure::Unable(format!("{error:?}{remedy}"))
    }
}

/// The filter that `RUST_LOG` asks for.
fn log_filter(value: Option<&str>) -> Result<EnvFilter, Failure> {
    let value = value
        .filter(|value| !value.trim().is_empty())
        .unwrap_or(LOG_DEFAULT);
    EnvFilter::try_new(value).map_err(|error| {
        Failure::Usage(format!(
            "RUST_LOG={value:?} is no filter ({error}), expected levels such as info, or chat=debug,warn"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what is no filter is refused with the variable's name; nothing set means the default.
    #[test]
    fn filters() {
        for good in [None, Some(""), Some("debug"), Some("chat=trace,warn")] {
            assert!(log_filter(good).is_ok(), "{good:?}");
        }
        let Err(Failure::Usage(text)) = log_filter(Some("chat=loud")) else {
            panic!("expected a refusal");
        };
        assert!(
            text.contains("RUST_LOG") && text.contains("chat=loud"),
            "{text}"
        );
    }
}
