//! What an observer must find while a fault is on, as data that a program can hold against what was found.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use crate::exposition::Exposition;

/// What an observer must find while a fault is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Finding {
    /// A stalled worker with this verdict, whose innermost own frame stands on one of these lines.
    Stall {
        /// `cpu-user`, `sleep`, `lock-wait` or `pipe`.
        verdict: &'static str,
        /// Path as the compiler recorded it, relative to the workspace: compare with the end of a reported path.
        file: &'static str,
        /// Lines, from 1: one line for a blocking call, a range for a loop.
        lines: RangeInclusive<u32>,
    },
    /// A condition of the runtime that is no stall.
    Condition {
        /// The observer's word for it.
        condition: &'static str,
    },
    /// Metrics that rise, each in the services that have it.
    Metric {
        /// Prometheus names, or names with labels as in `name{label="value"}`.
        names: &'static [&'static str],
        /// By how much at least: more than the service moves it without the fault.
        by: u32,
    },
    /// Observations of a histogram that are longer than those of a healthy service.
    Slow {
        /// Prometheus name of a histogram in seconds.
        histogram: &'static str,
        /// How long, in milliseconds.
        above_ms: u32,
    },
    /// A counter that rises faster than a service under little traffic lets it.
    Rate {
        /// Prometheus name.
        counter: &'static str,
        /// How fast at least.
        per_second: u32,
    },
}

impl Finding {
    /// The word for its kind in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stall { .. } => "stall",
            Self::Condition { .. } => "condition",
            Self::Metric { .. } => "metric",
            Self::Slow { .. } => "slow",
            Self::Rate { .. } => "rate",
        }
    }

    /// Whether a reported verdict and source line are this finding.
    #[must_use]
    pub fn is_stall_at(&self, verdict: &str, file: &str, line: u32) -> bool {
        match self {
            Self::Stall {
                verdict: expected,
                file: suffix,
                lines,
            } => *expected == verdict && file.ends_with(suffix) && lines.contains(&line),
            _ => false,
        }
    }

    /// Whether a reported condition is this finding.
    #[must_use]
    pub fn is_condition(&self, word: &str) -> bool {
        matches!(self, Self::Condition { condition } if *condition == word)
    }

    /// What shows this finding in two pages of metrics, of before the fault and of `elapsed` later, in words; `None` if
    /// nothing does, or if no metric can.
    #[must_use]
    pub fn shown_by(
        &self,
        before: Exposition<'_>,
        now: Exposition<'_>,
        elapsed: Duration,
    ) -> Option<String> {
        match self {
            Self::Stall { .. } | Self::Condition { .. } => None,
            Self::Metric { names, by } => names.iter().find_map(|name| {
                let rise = rise(name, before, now)?;
                (rise >= f64::from(*by)).then(|| format!("{name} has risen by {rise:.0}"))
            }),
            Self::Slow {
                histogram,
                above_ms,
            } => {
                let above = Duration::from_millis((*above_ms).into());
                let slow = now.slower(histogram, above) - before.slower(histogram, above);
                (slow >= 1.0).then(|| {
                    format!("{histogram} has {slow:.0} more observations above {above_ms} ms")
                })
            }
            Self::Rate {
                counter,
                per_second,
            } => {
                let rate = rise(counter, before, now)? / elapsed.as_secs_f64();
                (rate.is_finite() && rate >= f64::from(*per_second))
                    .then(|| format!("{counter} rises by {rate:.0} a second"))
            }
        }
    }
}

/// By how much the sum has risen; a series that was not there before began at zero.
fn rise(selector: &str, before: Exposition<'_>, now: Exposition<'_>) -> Option<f64> {
    Some(now.sum(selector)? - before.sum(selector).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::CATALOGUE;

    fn shown(finding: &Finding, before: &str, now: &str) -> Option<String> {
        let (before, now) = (Exposition::new(before), Exposition::new(now));
        finding.shown_by(before, now, Duration::from_secs(2))
    }

    /// Goal: each kind that a metric shows is shown by enough of a move, and not by less.
    #[test]
    fn metrics_must_move_enough() {
        let metric = Finding::Metric {
            names: &["absent_total", "closed_total{reason=\"error\"}"],
            by: 5,
        };
        let before = "closed_total{reason=\"error\"} 1\nclosed_total{reason=\"eof\"} 1\n";
        let some = "closed_total{reason=\"error\"} 5\nclosed_total{reason=\"eof\"} 9\n";
        let enough = "closed_total{reason=\"error\"} 6\n";
        assert_eq!(shown(&metric, before, some), None);
        assert_eq!(
            shown(&metric, before, enough).as_deref(),
            Some("closed_total{reason=\"error\"} has risen by 5")
        );
        assert_eq!(
            shown(&metric, "", some).as_deref(),
            Some("closed_total{reason=\"error\"} has risen by 5")
        );

        let slow = Finding::Slow {
            histogram: "fanout_seconds",
            above_ms: 100,
        };
        let page = |fast: u32, all: u32| {
            format!("fanout_seconds_bucket{{le=\"0.1\"}} {fast}\nfanout_seconds_count {all}\n")
        };
        assert_eq!(shown(&slow, &page(3, 4), &page(9, 10)), None);
        assert_eq!(
            shown(&slow, &page(3, 4), &page(8, 10)).as_deref(),
            Some("fanout_seconds has 1 more observations above 100 ms")
        );

        let rate = Finding::Rate {
            counter: "parks_total",
            per_second: 500,
        };
        assert_eq!(shown(&rate, "parks_total 10", "parks_total 1009"), None);
        assert_eq!(
            shown(&rate, "parks_total 10", "parks_total 1010").as_deref(),
            Some("parks_total rises by 500 a second")
        );
    }

    /// Goal: stalls and conditions are told by reports, never by a page of metrics.
    #[test]
    fn reports_are_no_metrics() {
        let condition = Finding::Condition {
            condition: "blocking-pool-exhausted",
        };
        assert_eq!(shown(&condition, "x 1", "x 2"), None);
        assert!(condition.is_condition("blocking-pool-exhausted"));
        assert!(!condition.is_condition("hog"));
        assert!(!condition.is_stall_at("sleep", "src/lib.rs", 1));
    }

    /// Goal: the word for a kind is the one in JSON.
    #[test]
    fn words_agree() {
        for fault in CATALOGUE {
            let json = serde_json::to_value(&fault.finding).unwrap();
            assert_eq!(json["kind"], fault.finding.name());
        }
    }
}
