//! Spans over real sockets, to collectors that only remember what they were sent.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Traces, from_lookup};
use crate::metrics::Registry;

/// How long a test waits for what must happen; only a broken export takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A collector on a thread of its own; hands out the bytes of each request.
struct Collector {
    address: SocketAddr,
    bodies: mpsc::Receiver<Vec<u8>>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Collector {
    fn start<F>(serve: impl Fn(TcpStream, mpsc::Sender<Vec<u8>>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (bodies, received) = mpsc::channel();
        let (bound, address) = mpsc::channel();
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                bound.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    tokio::select! {
                        accepted = listener.accept() => {
                            tokio::spawn(serve(accepted.unwrap().0, bodies.clone()));
                        }
                        _ = &mut stopped => return,
                    }
                }
            });
        });
        Self {
            address: address.recv_timeout(PATIENCE).unwrap(),
            bodies: received,
            _stop: stop,
        }
    }

    /// OTLP over HTTP/1.1: reads requests by their length and answers each with an empty success.
    fn http() -> Self {
        Self::start(|mut socket, bodies| async move {
            let mut bytes = Vec::new();
            while socket.read_buf(&mut bytes).await.unwrap_or(0) > 0 {
                let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
                    continue;
                };
                let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |length| length.parse().unwrap());
                if bytes.len() < at + 4 + length {
                    continue;
                }
                let request: Vec<u8> = bytes.drain(..at + 4 + length).collect();
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
                socket.write_all(answer).await.unwrap();
                let _ = bodies.send(request);
            }
        })
    }

    /// OTLP over gRPC: takes each call's message and ends it with status 0.
    fn grpc() -> Self {
        Self::start(|socket, bodies| async move {
            let mut connection = h2::server::handshake(socket).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let bodies = bodies.clone();
                tokio::spawn(async move {
                    let mut received = request.uri().path().as_bytes().to_vec();
                    let mut body = request.into_body();
                    while let Some(Ok(part)) = body.data().await {
                        let _ = body.flow_control().release_capacity(part.len());
                        received.extend_from_slice(&part);
                    }
                    let head = http::Response::builder()
                        .header("content-type", "application/grpc")
                        .body(())
                        .unwrap();
                    let mut answer = respond.send_response(head, false).unwrap();
                    // One uncompressed message of no bytes: an empty ExportTraceServiceResponse.
                    answer.send_data(vec![0; 5].into(), false).unwrap();
                    let status = http::HeaderMap::from_iter([(
                        http::HeaderName::from_static("grpc-status"),
                        http::HeaderValue::from_static("0"),
                    )]);
                    answer.send_trailers(status).unwrap();
                    let _ = bodies.send(received);
                });
            }
        })
    }

    fn next(&self) -> Vec<u8> {
        self.bodies.recv_timeout(PATIENCE).unwrap()
    }
}

fn traces(pairs: &[(&str, &str)]) -> Option<Traces> {
    from_lookup("orders", |name| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
    .unwrap()
}

/// Ends one span named `pay`, one below the level, and one of the exporter's own.
fn work(traces: &Traces) {
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("pay", amount = 12).in_scope(|| {
            tracing::debug_span!("too-fine").in_scope(|| {});
            tracing::info_span!(target: "hyper::client", "own-work").in_scope(|| {});
        });
    });
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn check_arrival(collector: &Collector, traces: Traces, path: &str) {
    let registry = Registry::new();
    traces.register(&registry).unwrap();
    work(&traces);
    let begin = Instant::now();
    traces.shutdown(PATIENCE).unwrap();
    assert!(begin.elapsed() < PATIENCE);
    let received = collector.next();
    for text in [path, "service.name", "orders", "pay", "amount"] {
        assert!(contains(&received, text), "{text} is missing");
    }
    for text in ["too-fine", "own-work", "code.", "thread.id"] {
        assert!(!contains(&received, text), "{text} was sent");
    }
    let text = registry.render();
    assert!(text.contains("pollscope_spans_exported_total 1"), "{text}");
    assert!(text.contains("pollscope_spans_failed_total 0"), "{text}");
}

/// A span arrives over HTTP with the service's name, and nothing that was to be left out.
#[test]
fn a_span_arrives_over_http() {
    let collector = Collector::http();
    let endpoint = format!("http://{}", collector.address);
    let traces = traces(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]).unwrap();
    check_arrival(&collector, traces, "POST /v1/traces");
}

/// A span arrives over gRPC too, even from inside a current-thread runtime that is blocked by the shutdown itself.
#[tokio::test]
async fn a_span_arrives_over_grpc() {
    let collector = Collector::grpc();
    let endpoint = format!("http://{}", collector.address);
    let traces = traces(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ])
    .unwrap();
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    check_arrival(&collector, traces, path);
}

/// Without an endpoint nothing is started.
#[test]
fn nothing_without_the_variables() {
    assert!(traces(&[]).is_none());
}

/// An endpoint that makes no sense to the exporter is refused with the cause.
#[test]
fn a_bad_endpoint_is_refused() {
    let error = from_lookup("orders", |name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("http://exa mple:1".to_owned()),
        _ => None,
    })
    .unwrap_err();
    assert!(error.is_configuration(), "{error:?}");
    assert!(format!("{error:?}").contains("exa mple"), "{error:?}");
}

/// A collector that is down costs counted spans, a bounded shutdown, and one line.
#[test]
fn a_dead_collector_costs_counted_spans() {
    let address = {
        let collector = Collector::http();
        collector.address
    };
    let endpoint = format!("http://{address}");
    let traces = traces(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
    ])
    .unwrap();
    let registry = Registry::new();
    traces.register(&registry).unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..100 {
            tracing::info_span!("pay").in_scope(|| {});
        }
    });
    // Whether the shutdown calls that a success is the SDK's business; the counters tell the truth.
    let _ = traces.shutdown(PATIENCE);
    let text = registry.render();
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(value("pollscope_spans_exported_total"), 0.0, "{text}");
    let failed = value("pollscope_spans_failed_total");
    let full = value("pollscope_spans_dropped_total{reason=\"queue-full\"}");
    let late = value("pollscope_spans_dropped_total{reason=\"shutdown\"}");
    assert!(failed >= 1.0 && full >= 1.0, "{text}");
    assert_eq!(failed + full + late, 100.0, "{text}");
}
