//! A running exchange on a free port, on either kind of runtime.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use exchange::{METRICS, Options, POINTS};
use pollscope::metrics::Registry;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;

/// An exchange that runs until [`Floor::close`].
pub(crate) struct Floor {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    stop: oneshot::Sender<()>,
    running: JoinHandle<std::io::Result<()>>,
}

impl Floor {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub(crate) async fn open_with(change: impl FnOnce(&mut Options)) -> Self {
        let registry = Registry::new();
        let faults = Arc::new(faults::Plan::new("exchange", POINTS));
        let mut options = Options::new(registry.clone(), faults);
        change(&mut options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(exchange::run(listener, options, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            registry,
            stop,
            running,
        }
    }

    /// A client that has logged on under `name`.
    pub(crate) async fn logon(&self, name: &str) -> Client {
        let mut client = Client::connect(self.address, name).await;
        client.send("35=A|98=0|108=30").await;
        client.expect("35=A|108=30").await;
        client
    }

    /// The value of one series, zero if it never moved.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.registry.render();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until a series has at least this value; the test's own time limit is the patience of the client.
    pub(crate) async fn wait_for(&self, series: &str, least: f64) {
        for _ in 0..1_000 {
            if self.metric(series) >= least {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{series} is {}, expected {least}", self.metric(series));
    }

    /// Stops it, and checks that it stops well and broke no rule of the book.
    pub(crate) async fn close(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
        let text = self.registry.render();
        let broken = text
            .lines()
            .filter(|line| line.starts_with("exchange_invariant_violations_total{"));
        for line in broken {
            assert!(line.ends_with(" 0"), "{line}");
        }
        assert!(METRICS.iter().any(|metric| text.contains(metric.name)));
    }
}

/// Runs a test on a `current_thread` and on a `multi_thread` runtime, each of its own.
pub(crate) fn on_both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    let builders = [
        tokio::runtime::Builder::new_current_thread(),
        tokio::runtime::Builder::new_multi_thread(),
    ];
    for mut builder in builders {
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(test());
    }
}
