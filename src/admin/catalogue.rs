//! The list of endpoints, as data: the page shows it, and a wrong path is answered with it.

use serde::Serialize;

/// One endpoint of the server.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Endpoint {
    pub(super) path: &'static str,
    pub(super) what: &'static str,
}

/// Every endpoint of pollscope itself; routes of the embedding service come on top.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/",
        what: "this page: stalls and workers, live",
    },
    Endpoint {
        path: "/healthz",
        what: "200 while the process lives; needs no token",
    },
    Endpoint {
        path: "/readyz",
        what: "200, or 503 with the reason while a runtime is stuck",
    },
    Endpoint {
        path: "/metrics",
        what: "every metric, as Prometheus text",
    },
    Endpoint {
        path: "/runtime",
        what: "runtimes, their workers and what each is doing, as JSON",
    },
    Endpoint {
        path: "/stalls",
        what: "the latest stall events as JSON, newest last; ?limit=N, ?phase=open|again|close",
    },
    Endpoint {
        path: "/stalls/stream",
        what: "every stall event from now on, as server-sent events",
    },
    Endpoint {
        path: "/findings",
        what: "the latest findings that are no stalls as JSON, newest last; ?limit=N, ?phase=open|close",
    },
    Endpoint {
        path: "/debug/pprof/",
        what: "index of the profiles",
    },
    Endpoint {
        path: "/debug/pprof/profile",
        what: "CPU profile; ?seconds=1..60, ?hz=1..250, ?format=pprof|svg|folded",
    },
];
