//! What a fault can be told when it is switched on: each parameter with its default and its bounds.

use std::ops::RangeInclusive;

use serde::Serialize;

use crate::error::Error;
use crate::settings::Settings;

/// Bounds of how long a blocking fault blocks, in milliseconds. Less than 1 ms is no stall. With more than 10 s, clients'
/// heartbeats run out and what is seen is a broken service, no longer a stalled one.
const BLOCK_MS: RangeInclusive<u64> = 1..=10_000;

/// Bounds of the pause between two firings, in milliseconds. With less than 10 ms a runtime of one thread would hardly
/// answer in between. More than an hour is as good as off.
const PAUSE_MS: RangeInclusive<u64> = 10..=3_600_000;

/// One number that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// What it is while nobody sets it.
    pub default: u64,
    /// The values it may have.
    pub bounds: RangeInclusive<u64>,
    /// What it sets, in words that follow "how" or "how many".
    pub meaning: &'static str,
}

impl Parameter {
    pub(crate) const fn new(
        default: u64,
        bounds: RangeInclusive<u64>,
        meaning: &'static str,
    ) -> Self {
        Self {
            default,
            bounds,
            meaning,
        }
    }
}

/// The parameters of one fault; `None` for those it has no use for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameters {
    /// How long one firing lasts, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Parameter>,
    /// Pause from the end of one firing to the next, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<Parameter>,
    /// How many there are of what the fault makes, takes or leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Parameter>,
}

impl Parameters {
    /// Nothing can be set.
    pub(crate) const NONE: Self = Self {
        duration_ms: None,
        pause_ms: None,
        count: None,
    };

    /// Of a fault that makes somebody wait. 300 ms are three times the time within which a stall has to be reported; with a
    /// second between two of them the service stays usable.
    pub(crate) const fn waiting(duration_meaning: &'static str) -> Self {
        Self {
            duration_ms: Some(Parameter::new(300, BLOCK_MS, duration_meaning)),
            pause_ms: Some(Parameter::new(
                1000,
                PAUSE_MS,
                "long it rests before the next time",
            )),
            count: None,
        }
    }

    /// The settings of the fault `name`: what was asked for, and the defaults for the rest.
    ///
    /// # Errors
    ///
    /// The first setting that is out of bounds, or that this fault does not take.
    pub fn fill(&self, name: &str, asked: &Settings) -> Result<Settings, Error> {
        let stranger = |asked: &str| {
            let taken: Vec<_> = self.iter().map(|(name, _)| name).collect();
            let taken = if taken.is_empty() {
                "nothing".to_owned()
            } else {
                taken.join(", ")
            };
            Error::setting(format!("fault `{name}` takes no {asked}; it takes {taken}"))
        };
        Ok(Settings {
            duration_ms: one(
                "duration_ms",
                asked.duration_ms,
                &self.duration_ms,
                stranger,
            )?,
            pause_ms: one("pause_ms", asked.pause_ms, &self.pause_ms, stranger)?,
            count: one("count", asked.count, &self.count, stranger)?,
        })
    }

    /// The settings of a fault of which nothing was asked.
    pub(crate) fn defaults(&self) -> Settings {
        let default = |parameter: &Option<Parameter>| parameter.as_ref().map(|of| of.default);
        Settings {
            duration_ms: default(&self.duration_ms),
            pause_ms: default(&self.pause_ms),
            count: default(&self.count),
        }
    }

    /// Those there are, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Parameter)> {
        let all = [
            ("duration_ms", &self.duration_ms),
            ("pause_ms", &self.pause_ms),
            ("count", &self.count),
        ];
        all.into_iter()
            .filter_map(|(name, parameter)| Some((name, parameter.as_ref()?)))
    }
}

/// The value of one parameter: what was asked for within bounds, else the default; `stranger` is for what is not taken.
fn one(
    name: &str,
    asked: Option<u64>,
    parameter: &Option<Parameter>,
    stranger: impl Fn(&str) -> Error,
) -> Result<Option<u64>, Error> {
    match (asked, parameter) {
        (None, parameter) => Ok(parameter.as_ref().map(|of| of.default)),
        (Some(_), None) => Err(stranger(name)),
        (Some(value), Some(Parameter { bounds, .. })) if bounds.contains(&value) => Ok(Some(value)),
        (Some(value), Some(Parameter { bounds, .. })) => {
            let unit = if name.ends_with("_ms") {
                " milliseconds"
            } else {
                ""
            };
            Err(Error::setting(format!(
                "{name} is {value}; expected {} to {}{unit}",
                bounds.start(),
                bounds.end()
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::CATALOGUE;

    fn asked(duration_ms: u64, pause_ms: u64) -> Settings {
        Settings {
            duration_ms: Some(duration_ms),
            pause_ms: Some(pause_ms),
            count: None,
        }
    }

    /// Goal: the bounds themselves are accepted, their neighbours are refused with the bounds in the message.
    #[test]
    fn bounds_are_inclusive() {
        let parameters = Parameters::waiting("long it lasts");
        for good in [asked(300, 1000), asked(1, 10), asked(10_000, 3_600_000)] {
            assert_eq!(parameters.fill("nap", &good).unwrap(), good);
        }
        for (bad, message) in [
            (
                asked(0, 1000),
                "duration_ms is 0; expected 1 to 10000 milliseconds",
            ),
            (
                asked(10_001, 1000),
                "duration_ms is 10001; expected 1 to 10000 milliseconds",
            ),
            (
                asked(300, 9),
                "pause_ms is 9; expected 10 to 3600000 milliseconds",
            ),
            (
                asked(300, 3_600_001),
                "pause_ms is 3600001; expected 10 to 3600000 milliseconds",
            ),
        ] {
            let error = parameters.fill("nap", &bad).unwrap_err();
            assert!(error.is_setting());
            assert_eq!(error.to_string(), message);
        }
    }

    /// Goal: what is left out has its default, what a fault has no use for is refused rather than ignored.
    #[test]
    fn defaults_fill_and_strangers_are_refused() {
        let parameters = Parameters::waiting("long it lasts");
        let filled = parameters.fill("nap", &Settings::default()).unwrap();
        assert_eq!(filled, asked(300, 1000));
        assert_eq!(filled, parameters.defaults());
        let error = Parameters::NONE.fill("nap", &filled).unwrap_err();
        assert!(error.is_setting());
        assert_eq!(
            error.to_string(),
            "fault `nap` takes no duration_ms; it takes nothing"
        );
        let count = Settings {
            count: Some(1),
            ..filled
        };
        assert_eq!(
            parameters.fill("nap", &count).unwrap_err().to_string(),
            "fault `nap` takes no count; it takes duration_ms, pause_ms"
        );
    }

    /// Goal: every default of the catalogue lies within its own bounds.
    #[test]
    fn defaults_are_within_bounds() {
        for fault in CATALOGUE {
            for (name, parameter) in fault.parameters.iter() {
                assert!(
                    parameter.bounds.contains(&parameter.default),
                    "{name} of {}",
                    fault.name
                );
            }
            let defaults = fault.parameters.defaults();
            assert_eq!(
                fault.parameters.fill(fault.name, &defaults).unwrap(),
                defaults
            );
        }
    }
}
