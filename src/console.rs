//! tokio-console: the layer that feeds it, and the thread that serves it.
//!
//! console-subscriber's own `spawn` panics where this returns an error: without `--cfg tokio_unstable`, and on a taken
//! port. Its server shares no runtime with the service, so the console keeps working while workers stand still. It has
//! no access control: whoever reaches the address sees task names and source paths.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use console_subscriber::{ConsoleLayer, Server};
use tracing::{Dispatch, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::registry::LookupSpan;

use crate::Error;

/// How long finished tasks stay visible: a minute is enough to look at a burst, and the crate's hour keeps every task of
/// a busy service in memory.
const RETENTION: Duration = Duration::from_secs(60);

/// Events between two updates; beyond it the console misses some and says so. About a hundred thousand task events a
/// second pass, in some 20 MiB at worst.
const EVENTS_LEN_MAX: usize = 100 * 1024;

/// Updates, one a second, that a console may lag behind before it is cut off; a console that lags a minute is gone.
const UPDATES_LEN_MAX: usize = 64;

/// Longest poll that the console's histograms tell apart; a stall of a minute is what one looks for here.
const POLL_MAX: Duration = Duration::from_secs(60);

/// The layer for tokio-console, whose server listens on `address` (console's default is 127.0.0.1:6669).
///
/// Put it into the subscriber before the runtime starts; tasks that exist already are not seen. The server lives until
/// the process ends. Every poll and wake-up becomes a record, which costs microseconds each: for diagnosis, not for
/// every day.
///
/// # Errors
///
/// When the program was built without `--cfg tokio_unstable`, when `address` has no port or is taken, or when the
/// thread cannot start.
pub fn layer<S>(
    address: SocketAddr,
) -> Result<impl Layer<S> + Send + Sync + 'static + use<S>, Error>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    if !cfg!(tokio_unstable) {
        return Err(Error::setup(
            "tokio-console needs tokio's task events, expected a build with RUSTFLAGS=\"--cfg tokio_unstable\"",
        ));
    }
    probe(address)?;
    let (layer, server) = ConsoleLayer::builder()
        .server_addr(address)
        .retention(RETENTION)
        .event_buffer_capacity(EVENTS_LEN_MAX)
        .client_buffer_capacity(UPDATES_LEN_MAX)
        .poll_duration_histogram_max(POLL_MAX)
        .scheduled_duration_histogram_max(POLL_MAX)
        .build();
    thread::Builder::new()
        .name("pollscope-console".to_owned())
        .spawn(move || serve(server))
        .map_err(|source| Error::setup("the console thread cannot start").because(source))?;
    Ok(layer.with_filter(FilterFn::new(concerns_tasks)))
}

/// Refuses an address that cannot be bound. The server binds it again a moment later, because it takes no socket.
fn probe(address: SocketAddr) -> Result<(), Error> {
    if address.port() == 0 {
        return Err(Error::configuration(format!(
            "console address {address} has no port, expected one that tokio-console can be told, such as 6669"
        )));
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "set-up, once; no name is resolved"
    )]
    let probe = std::net::TcpListener::bind(address);
    probe.map(drop).map_err(|source| {
        Error::unavailable(format!(
            "console address {address} cannot be bound, expected a free ip:port"
        ))
        .because(source)
    })
}

fn serve(server: Server) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => {
            // The server's own tasks must not become events, which would become more of its work.
            let _silence = tracing::dispatcher::set_default(&Dispatch::none());
            runtime.block_on(server.serve())
        }
        Err(error) => Err(error.into()),
    };
    if let Err(error) = outcome {
        tracing::error!(error, "tokio-console is not served any more");
    }
}

/// Tokio's instrumentation: spans named `runtime.…`, and the targets of its events.
fn concerns_tasks(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    if metadata.is_event() {
        target.starts_with("runtime") || target.starts_with("tokio")
    } else {
        metadata.name().starts_with("runtime.") || target.starts_with("tokio")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::net::{TcpListener, TcpStream};
    use tracing_subscriber::Registry;

    use super::*;

    /// How long a test waits for what must happen; only a broken server takes that long.
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn free_address() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    /// With the flag the server listens; without it the error says which flag is missing.
    #[tokio::test]
    async fn serves_or_says_why_not() {
        let address = free_address().await;
        let served = layer::<Registry>(address);
        assert_eq!(served.is_ok(), cfg!(tokio_unstable));
        if let Err(error) = served {
            assert!(error.to_string().contains("tokio_unstable"), "{error}");
            return;
        }
        let begin = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            assert!(begin.elapsed() < PATIENCE, "nothing listens on {address}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A taken port and a missing one are errors that name the address, not panics.
    #[tokio::test]
    async fn refuses_what_it_cannot_bind() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = listener.local_addr().unwrap();
        let error = probe(taken).unwrap_err();
        assert!(error.is_unavailable() && error.to_string().contains(&taken.to_string()));
        let error = probe("127.0.0.1:0".parse().unwrap()).unwrap_err();
        assert!(error.is_configuration() && error.to_string().contains("port"));
    }
}
