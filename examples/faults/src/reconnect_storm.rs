//! `reconnect-storm`: every connection is closed at the same moment, so all clients come back together.
//!
//! Symptom: everybody is thrown out at once; registrations and joins then pile up, again and again.
//! Mechanism: a restart, a lost proxy or a common deadline closes all connections, and clients without jitter reconnect at
//! the same moment.
//! Finding: closed connections jump by the number of clients, and opened ones follow.
//!
//! The first storm comes when the fault is switched on, the next ones at equal distances.

use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::finding::Finding;
use crate::parameter::{Parameter, Parameters};
use crate::point::Point;

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "reconnect-storm",
    symptom: "everybody is thrown out at once, and registrations and joins pile up",
    mechanism: "all connections are closed at the same moment, so clients without jitter come back together",
    point: Point::Connection,
    parameters: Parameters {
        duration_ms: None,
        pause_ms: Some(Parameter::new(
            10_000,
            1000..=3_600_000,
            "long it is from one storm to the next",
        )),
        count: None,
    },
    finding: Finding::Metric {
        names: &["chat_connections_closed_total{reason=\"error\"}"],
        by: 5,
    },
    block: None,
};

/// The first storm after a connection was `opened`, of those at `since` and every `pause` later; PURE.
pub(crate) fn storm_after(opened: Instant, since: Instant, pause: Duration) -> Instant {
    let Some(behind) = opened.checked_duration_since(since) else {
        return since;
    };
    let storms = behind.as_nanos() / pause.as_nanos().max(1) + 1;
    since + pause * u32::try_from(storms).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: who is there when it begins goes at once, who comes later with the next storm, and nobody twice with one.
    #[test]
    fn storms_come_at_equal_distances() {
        let since = Instant::now() + Duration::from_secs(100);
        let pause = Duration::from_secs(10);
        let at = |seconds: i64| match u64::try_from(seconds) {
            Ok(after) => since + Duration::from_secs(after),
            Err(_) => since - Duration::from_secs(seconds.unsigned_abs()),
        };
        for (opened, storm) in [
            (-50, 0),
            (-1, 0),
            (0, 10),
            (1, 10),
            (9, 10),
            (10, 20),
            (95, 100),
        ] {
            assert_eq!(
                storm_after(at(opened), since, pause),
                at(storm),
                "opened at {opened}"
            );
        }
    }
}
