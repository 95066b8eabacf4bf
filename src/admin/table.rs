//! The admin server's own metrics: who asked, who was refused, and why.

use crate::metrics::{Metric, Table};

/// Requests answered. `endpoint` is a path of the catalogue or `other`, so the number of series is bounded.
pub(super) static REQUESTS: Metric = Metric::counter(
    "pollscope_admin_requests_total",
    &["endpoint", "status"],
    "Requests that the admin server answered.",
    "More scrapes or more people looking; a rise of 4xx is a client set up wrongly.",
);

/// Refusals, by reason.
pub(super) static REFUSED: Metric = Metric::counter(
    "pollscope_admin_refused_total",
    &["reason"],
    "Connections and requests that the admin server refused.",
    "`unauthorized` and `foreign-host`: somebody without the token; `connections`, `subscribers`, `profile-busy`: a limit was met; `accept`: the process is short of file descriptors.",
);

/// Stall events that a subscriber of the stream was too slow for.
pub(super) static MISSED: Metric = Metric::counter(
    "pollscope_admin_missed_events_total",
    &[],
    "Stall events that a slow subscriber of /stalls/stream lost.",
    "A subscriber reads slower than stalls are reported; the ring behind /stalls still has them.",
);

/// Connections open now.
pub(super) static CONNECTIONS: Metric = Metric::gauge(
    "pollscope_admin_connections",
    &[],
    "Connections to the admin server that are open now.",
    "Clients that do not hang up; at the limit new ones are refused.",
);

/// Subscribers of the stream now.
pub(super) static SUBSCRIBERS: Metric = Metric::gauge(
    "pollscope_admin_subscribers",
    &[],
    "Subscribers of /stalls/stream now.",
    "More pages open or more `stalls --follow`; at the limit new ones are refused.",
);

/// Every metric of the admin server.
pub static TABLE: Table = &[&REQUESTS, &REFUSED, &MISSED, &CONNECTIONS, &SUBSCRIBERS];
