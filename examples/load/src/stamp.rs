//! Whether a report's figures may be believed. Pure.

use std::fmt;

use serde::Serialize;

/// Less than this share of what was offered means that the service did not keep up.
const ACHIEVED_SHARE_MIN: f64 = 0.99;
/// A generator that sends at most this late, in milliseconds, at the 99th percentile is good enough for any service.
const SEND_LAG_MS_FREE: f64 = 1.0;
/// Above that, its lateness may be at most this share of the response time's 99th percentile.
const SEND_LAG_SHARE_MAX: f64 = 0.1;

/// The verdict on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Stamp {
    /// The service was offered what the report says, and kept up.
    Ok,
    /// The service answered less than 99 % of what was offered in time: latencies then only tell how long the run was.
    Saturated,
    /// The generator itself was late: the figures say nothing about the service.
    Invalid,
}

impl Stamp {
    /// Judges a run by its rates per second and the 99th percentiles of its send lag and response time in milliseconds.
    ///
    /// A late generator is told first: it also offers less, which must not be held against the service.
    #[must_use]
    pub fn judge(
        offered: f64,
        achieved: f64,
        send_lag_p99: Option<f64>,
        response_p99: Option<f64>,
    ) -> Self {
        let send_lag_max = SEND_LAG_MS_FREE.max(response_p99.unwrap_or(0.0) * SEND_LAG_SHARE_MAX);
        if send_lag_p99.is_some_and(|lag| lag > send_lag_max) {
            Self::Invalid
        } else if achieved < offered * ACHIEVED_SHARE_MIN || offered <= 0.0 {
            Self::Saturated
        } else {
            Self::Ok
        }
    }

    /// The word in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Saturated => "SATURATED",
            Self::Invalid => "INVALID",
        }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each limit holds on both sides, and a late generator is told before a slow service.
    #[test]
    fn judges() {
        use Stamp::{Invalid, Ok, Saturated};
        for (offered, achieved, lag, response, expect) in [
            (100.0, 100.0, Some(0.1), Some(5.0), Ok),
            (100.0, 99.0, Some(0.1), Some(5.0), Ok),
            (100.0, 98.9, Some(0.1), Some(5.0), Saturated),
            (100.0, 100.0, Some(1.0), Some(5.0), Ok),
            (100.0, 100.0, Some(1.1), Some(5.0), Invalid),
            (100.0, 100.0, Some(1.1), Some(11.0), Ok),
            (100.0, 100.0, Some(1.2), Some(11.0), Invalid),
            (100.0, 50.0, Some(9.0), Some(11.0), Invalid),
            (100.0, 0.0, Some(0.1), None, Saturated),
            (100.0, 0.0, None, None, Saturated),
            (0.0, 0.0, None, None, Saturated),
        ] {
            let stamp = Stamp::judge(offered, achieved, lag, response);
            assert_eq!(stamp, expect, "{offered} {achieved} {lag:?} {response:?}");
        }
    }

    /// Goal: JSON and text use the same words.
    #[test]
    fn json_is_the_name() {
        for stamp in [Stamp::Ok, Stamp::Saturated, Stamp::Invalid] {
            assert_eq!(serde_json::to_value(stamp).unwrap(), stamp.to_string());
        }
    }
}
