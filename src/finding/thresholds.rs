//! When a condition becomes a finding: documented thresholds, and the environment that overrides them.

use std::time::Duration;

use crate::Error;

/// Shortest time of any threshold: two beats, below which there is nothing to compare.
pub const TIME_MIN: Duration = Duration::from_millis(200);

/// Longest time of any threshold: a day, beyond which a condition is a matter of capacity planning.
pub const TIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// When conditions that are no stalls become findings.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// let config = pollscope::Config {
///     findings: pollscope::finding::Thresholds {
///         leak_window: Duration::from_secs(3600),
///         ..Default::default()
///     },
///     ..Default::default()
/// };
/// assert_eq!(config.findings.leak_tasks, 100);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds {
    /// A block announced by `block_in_place` this long; `POLLSCOPE_FINDING_BLOCK_IN_PLACE_MS`, default 1000.
    ///
    /// Announced blocks are honest, but each holds a second thread; work of a second belongs into `spawn_blocking`, where
    /// it can be limited.
    pub block_in_place: Duration,
    /// Work has waited for a thread of the exhausted blocking pool for this long;
    /// `POLLSCOPE_FINDING_BLOCKING_POOL_MS`, default 1000.
    ///
    /// A burst may fill the pool for a moment; after a second file access and name lookups of everybody wait behind it.
    pub blocking_pool: Duration,
    /// A task that becomes ready now would wait this long for its poll although polls are short;
    /// `POLLSCOPE_FINDING_QUEUE_DELAY_MS`, default 200.
    ///
    /// Twice what a human notices, because the delay is an estimate from queue depth and poll rate.
    pub queue_delay: Duration,
    /// The I/O and timer driver has not been turned for this long; `POLLSCOPE_FINDING_DRIVER_MS`, default 250.
    ///
    /// Every timer and every connection of the runtime is late by that much. The stall behind it is reported much earlier.
    pub driver: Duration,
    /// One or two tasks have taken most of a worker for this long while others were ready;
    /// `POLLSCOPE_FINDING_HOG_MS`, default 5000.
    ///
    /// Tokio's budget bounds what the others lose at each turn, so only a lasting imbalance is worth a word.
    pub hog: Duration,
    /// Time over which the tasks of a spawn site must grow steadily to be a leak;
    /// `POLLSCOPE_FINDING_LEAK_WINDOW_MS`, default 300,000 (five minutes).
    ///
    /// Longer than start-ups and bursts of connections last; a service whose clients arrive for longer needs more.
    pub leak_window: Duration,
    /// Tasks by which a spawn site must grow in the window; `POLLSCOPE_FINDING_LEAK_TASKS`, default 100.
    ///
    /// Below it the memory does not matter yet.
    pub leak_tasks: u64,
    /// A task has waited for this long without anybody who could wake it; `POLLSCOPE_FINDING_LOST_WAKER_MS`, default
    /// 10,000.
    ///
    /// A waker can be stored a moment after the poll, never ten seconds after it.
    pub lost_waker: Duration,
    /// Wake-ups of a task by itself in a second; `POLLSCOPE_FINDING_SELF_WAKES`, default 10,000.
    ///
    /// A task that yields between pieces of work wakes itself a thousand times a second; ten thousand is a busy loop.
    pub self_wakes_per_second: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            block_in_place: Duration::from_secs(1),
            blocking_pool: Duration::from_secs(1),
            queue_delay: Duration::from_millis(200),
            driver: Duration::from_millis(250),
            hog: Duration::from_secs(5),
            leak_window: Duration::from_secs(300),
            leak_tasks: 100,
            lost_waker: Duration::from_secs(10),
            self_wakes_per_second: 10_000,
        }
    }
}

impl Thresholds {
    /// The defaults, overridden by variables.
    pub(crate) fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut thresholds = Self::default();
        for (name, time) in thresholds.times() {
            let variable = format!("POLLSCOPE_FINDING_{}_MS", name.to_uppercase());
            if let Some(value) = lookup(&variable) {
                *time = milliseconds(&variable, &value)?;
            }
        }
        for (variable, count) in [
            ("POLLSCOPE_FINDING_LEAK_TASKS", &mut thresholds.leak_tasks),
            (
                "POLLSCOPE_FINDING_SELF_WAKES",
                &mut thresholds.self_wakes_per_second,
            ),
        ] {
            if let Some(value) = lookup(variable) {
                *count = at_least_one(variable, &value)?;
            }
        }
        Ok(thresholds)
    }

    /// Refuses what cannot work.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (name, time) in self.clone().times() {
            if !(TIME_MIN..=TIME_MAX).contains(time) {
                return Err(Error::configuration(format!(
                    "threshold `findings.{name}` is {} ms, expected {} to {} ms",
                    time.as_millis(),
                    TIME_MIN.as_millis(),
                    TIME_MAX.as_millis()
                )));
            }
        }
        for (name, count) in [
            ("leak_tasks", self.leak_tasks),
            ("self_wakes_per_second", self.self_wakes_per_second),
        ] {
            if count == 0 {
                return Err(Error::configuration(format!(
                    "threshold `findings.{name}` is 0, expected at least 1"
                )));
            }
        }
        Ok(())
    }

    fn times(&mut self) -> [(&'static str, &mut Duration); 7] {
        [
            ("block_in_place", &mut self.block_in_place),
            ("blocking_pool", &mut self.blocking_pool),
            ("queue_delay", &mut self.queue_delay),
            ("driver", &mut self.driver),
            ("hog", &mut self.hog),
            ("leak_window", &mut self.leak_window),
            ("lost_waker", &mut self.lost_waker),
        ]
    }
}

fn milliseconds(variable: &str, value: &str) -> Result<Duration, Error> {
    let time = value.trim().parse().ok().map(Duration::from_millis);
    time.filter(|time| (TIME_MIN..=TIME_MAX).contains(time))
        .ok_or_else(|| {
            Error::configuration(format!(
                "{variable}={value:?} is not a time, expected whole milliseconds from {} to {}",
                TIME_MIN.as_millis(),
                TIME_MAX.as_millis()
            ))
        })
}

fn at_least_one(variable: &str, value: &str) -> Result<u64, Error> {
    value
        .trim()
        .parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| {
            Error::configuration(format!(
                "{variable}={value:?} is not a count, expected a whole number from 1"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(variable: &str, value: &str) -> Result<Thresholds, Error> {
        Thresholds::from_lookup(|name| (name == variable).then(|| value.to_owned()))
    }

    /// Every variable reaches a field of its own, and none is read that the guide does not name.
    #[test]
    fn reads_every_variable() {
        let guide = include_str!("../../docs/guide.md");
        let documented: Vec<&str> = guide
            .split('`')
            .filter(|word| word.starts_with("POLLSCOPE_FINDING_"))
            .collect();
        assert_eq!(documented.len(), 9);
        let mut seen = vec![Thresholds::default()];
        for variable in documented {
            let thresholds = parse(variable, "7654").unwrap();
            assert!(!seen.contains(&thresholds), "{variable} changes nothing");
            seen.push(thresholds);
        }
    }

    /// Bad values name the variable, the value and the form.
    #[test]
    fn refuses_what_does_not_parse() {
        for (variable, value, expected) in [
            ("POLLSCOPE_FINDING_HOG_MS", "soon", "whole milliseconds"),
            ("POLLSCOPE_FINDING_DRIVER_MS", "10", "from 200"),
            ("POLLSCOPE_FINDING_LEAK_TASKS", "0", "from 1"),
            ("POLLSCOPE_FINDING_SELF_WAKES", "-1", "whole number"),
        ] {
            let message = parse(variable, value).unwrap_err().to_string();
            assert!(
                message.contains(variable) && message.contains(value) && message.contains(expected),
                "{message}"
            );
        }
        let never = Thresholds {
            leak_window: Duration::ZERO,
            ..Thresholds::default()
        };
        assert!(
            never
                .check()
                .unwrap_err()
                .to_string()
                .contains("leak_window")
        );
    }
}
