//! What can be set when a fault is switched on, and within which bounds.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Bounds of [`Settings::duration_ms`]. Less than 1 ms is no stall. With more than 10 s, clients' heartbeats run out and
/// what is seen is a broken service, no longer a stalled one.
pub const DURATION_MS: RangeInclusive<u64> = 1..=10_000;

/// Bounds of [`Settings::pause_ms`]. With less than 10 ms a runtime of one thread would hardly answer between two firings.
/// More than an hour is as good as off.
pub const PAUSE_MS: RangeInclusive<u64> = 10..=3_600_000;

/// How a blocking fault acts. The other faults take the settings and have no use for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long one firing blocks, in milliseconds, within [`DURATION_MS`]. Default 300: three times the time within
    /// which a stall has to be reported.
    pub duration_ms: u64,
    /// Pause from the end of one firing to the next, in milliseconds, within [`PAUSE_MS`]. Default 1000: the service
    /// stays usable while the fault is on.
    pub pause_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            duration_ms: 300,
            pause_ms: 1000,
        }
    }
}

impl Settings {
    /// How long one firing blocks.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }

    /// Pause from the end of one firing to the next.
    #[must_use]
    pub const fn pause(&self) -> Duration {
        Duration::from_millis(self.pause_ms)
    }

    /// Holds every value against its bounds.
    ///
    /// # Errors
    ///
    /// The first setting that is out of bounds, with the bounds.
    pub fn check(&self) -> Result<(), Error> {
        within("duration_ms", self.duration_ms, &DURATION_MS)?;
        within("pause_ms", self.pause_ms, &PAUSE_MS)
    }
}

fn within(name: &str, value: u64, bounds: &RangeInclusive<u64>) -> Result<(), Error> {
    if bounds.contains(&value) {
        return Ok(());
    }
    Err(Error::setting(format!(
        "{name} is {value}; expected {} to {} milliseconds",
        bounds.start(),
        bounds.end()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the bounds themselves are accepted, their neighbours are refused with the bounds in the message.
    #[test]
    fn bounds_are_inclusive() {
        let settings = |duration_ms, pause_ms| Settings {
            duration_ms,
            pause_ms,
        };
        for good in [
            Settings::default(),
            settings(1, 10),
            settings(10_000, 3_600_000),
        ] {
            good.check().unwrap();
        }
        for (bad, message) in [
            (
                settings(0, 1000),
                "duration_ms is 0; expected 1 to 10000 milliseconds",
            ),
            (
                settings(10_001, 1000),
                "duration_ms is 10001; expected 1 to 10000 milliseconds",
            ),
            (
                settings(300, 9),
                "pause_ms is 9; expected 10 to 3600000 milliseconds",
            ),
            (
                settings(300, 3_600_001),
                "pause_ms is 3600001; expected 10 to 3600000 milliseconds",
            ),
        ] {
            let error = bad.check().unwrap_err();
            assert!(error.is_setting());
            assert_eq!(error.to_string(), message);
        }
    }

    /// Goal: a request body may leave fields out, but may not misspell them.
    #[test]
    fn json_fields_are_optional_and_strict() {
        let partial: Settings = serde_json::from_str(r#"{"duration_ms":50}"#).unwrap();
        assert_eq!(
            partial,
            Settings {
                duration_ms: 50,
                ..Settings::default()
            }
        );
        assert!(serde_json::from_str::<Settings>(r#"{"duration":50}"#).is_err());
    }
}
