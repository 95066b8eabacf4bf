//! Whether a report's figures may be believed. Pure.

use std::fmt;

use serde::Serialize;

/// Less than this share of what was offered means that the service did not keep up.
const ACHIEVED_SHARE_MIN: f64 = 0.99;
/// A generator that sends at most this late, in milliseconds, at the 99th percentile is good enough for any service.
const SEND_LAG_MS_FREE: f64 = 1.0;
/// Above that, its lateness may be at most this share of the response time's 99th percentile.
const SEND_LAG_SHARE_MAX: f64 = 0.1;

/// More than this share of a core, in percent, and a thread of the generator is no longer idle when its next message is due.
const GENERATOR_CPU_PCT_MAX: f64 = 80.0;

/// The verdict on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Stamp {
    /// The service was offered what the report says, and kept up.
    Ok,
    /// The service answered less than 99 % of what was offered in time: latencies then only tell how long the run was.
    Saturated,
    /// The generator itself was the limit: the figures say nothing about the service.
    Invalid,
}

/// What a run is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Grounds {
    /// Messages due per second.
    pub offered_per_s: f64,
    /// Messages per second that brought all they should, in time.
    pub achieved_per_s: f64,
    /// 99th percentile of the send lag in milliseconds; `None` if nothing was sent.
    pub send_lag_p99_ms: Option<f64>,
    /// 99th percentile of the response time in milliseconds; `None` if nothing came.
    pub response_p99_ms: Option<f64>,
    /// The busiest thread of the generator, in percent of a core, not counting the pacing thread's waiting; `None` if the
    /// kernel does not tell.
    pub generator_cpu_pct: Option<f64>,
}

impl Stamp {
    /// Judges a run, and says why if it is not good.
    ///
    /// A generator that was the limit is told first: it also offers less, which must not be held against the service.
    #[must_use]
    pub fn judge(grounds: &Grounds) -> (Self, Option<String>) {
        if let Some(reason) = generator_limit(grounds) {
            return (Self::Invalid, Some(format!("GENERATOR-LIMITED: {reason}")));
        }
        let (offered, achieved) = (grounds.offered_per_s, grounds.achieved_per_s);
        if offered <= 0.0 {
            return (Self::Saturated, Some("nothing was offered".to_owned()));
        }
        if achieved < offered * ACHIEVED_SHARE_MIN {
            let reason = format!(
                "{:.1} % of what was offered was answered in time; expected at least {:.0} %",
                100.0 * achieved / offered,
                100.0 * ACHIEVED_SHARE_MIN
            );
            return (Self::Saturated, Some(reason));
        }
        (Self::Ok, None)
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

fn generator_limit(grounds: &Grounds) -> Option<String> {
    let response = grounds.response_p99_ms.unwrap_or(0.0);
    let send_lag_max = SEND_LAG_MS_FREE.max(response * SEND_LAG_SHARE_MAX);
    if let Some(lag) = grounds.send_lag_p99_ms.filter(|lag| *lag > send_lag_max) {
        return Some(format!(
            "its send lag's p99 is {lag:.2} ms; expected at most {send_lag_max:.2} ms"
        ));
    }
    let cpu = grounds
        .generator_cpu_pct
        .filter(|cpu| *cpu > GENERATOR_CPU_PCT_MAX)?;
    Some(format!(
        "a thread of it used {cpu:.1} % of a core; expected at most {GENERATOR_CPU_PCT_MAX:.0} %"
    ))
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each limit holds on both sides, a generator at its limit is told before a slow service, and the reason is said.
    #[test]
    fn judges() {
        use Stamp::{Invalid, Ok, Saturated};
        for (offered, achieved, lag, response, cpu, expect, reason) in [
            (100.0, 100.0, Some(0.1), Some(5.0), None, Ok, ""),
            (100.0, 99.0, Some(0.1), Some(5.0), Some(80.0), Ok, ""),
            (100.0, 98.9, Some(0.1), Some(5.0), None, Saturated, "98.9 %"),
            (100.0, 100.0, Some(1.0), Some(5.0), None, Ok, ""),
            (
                100.0,
                100.0,
                Some(1.1),
                Some(5.0),
                None,
                Invalid,
                "send lag",
            ),
            (100.0, 100.0, Some(1.1), Some(11.0), None, Ok, ""),
            (
                100.0,
                100.0,
                Some(1.2),
                Some(11.0),
                None,
                Invalid,
                "send lag",
            ),
            (
                100.0,
                50.0,
                Some(9.0),
                Some(11.0),
                None,
                Invalid,
                "send lag",
            ),
            (
                100.0,
                50.0,
                Some(0.1),
                Some(5.0),
                Some(80.1),
                Invalid,
                "80.1 %",
            ),
            (100.0, 0.0, Some(0.1), None, None, Saturated, "0.0 %"),
            (0.0, 0.0, None, None, None, Saturated, "nothing was offered"),
        ] {
            let grounds = Grounds {
                offered_per_s: offered,
                achieved_per_s: achieved,
                send_lag_p99_ms: lag,
                response_p99_ms: response,
                generator_cpu_pct: cpu,
            };
            let (stamp, why) = Stamp::judge(&grounds);
            assert_eq!(stamp, expect, "{grounds:?}");
            assert_eq!(why.is_none(), stamp == Ok, "{grounds:?}");
            assert!(why.unwrap_or_default().contains(reason), "{grounds:?}");
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
