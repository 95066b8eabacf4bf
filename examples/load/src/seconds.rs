//! Response times second by second: when they were bad, which one histogram of a whole run cannot tell. Pure.
//!
//! A second belongs to the answers that came in it, so a stall is an empty second followed by a bad one. Kept are the
//! filled buckets only, some kilobytes a second. A run of more than an hour keeps longer intervals instead of more of them.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError};
use serde::{Deserialize, Serialize};

use crate::histogram::Latencies;

/// Most intervals kept: an hour of seconds, at some 10 KB each. When there are more, each two become one.
const INTERVALS_LEN_MAX: usize = 3600;

/// Nanoseconds of a second.
const SECOND_NS: u64 = 1_000_000_000;

/// The intervals of a run, in their order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seconds {
    /// Length of an interval in seconds: a power of two.
    length_s: u64,
    intervals: Vec<Interval>,
}

/// The response times of the answers that came in one interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Interval {
    /// Number of the interval from the start of the run.
    number: u64,
    /// A value of each filled bucket in nanoseconds, and how many are in it.
    buckets: Vec<(u64, u64)>,
}

impl Default for Seconds {
    fn default() -> Self {
        Self {
            length_s: 1,
            intervals: Vec::new(),
        }
    }
}

impl fmt::Debug for Seconds {
    /// How many there are: their buckets would fill pages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} intervals of {} s",
            self.intervals.len(),
            self.length_s
        )
    }
}

/// What one interval was like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Second {
    /// When it began, in seconds from the start of the run, warm-up included.
    pub at_s: u64,
    /// How long it is, in seconds.
    pub length_s: u64,
    /// Answers that came in it.
    pub count: u64,
    /// Median response time in milliseconds.
    pub p50: f64,
    /// 99 of 100 were at most this.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Seconds {
    /// Adds the answers of one second, counted from the start of the run.
    pub(crate) fn push(&mut self, second: u64, response: &Latencies) {
        if response.count() == 0 {
            return;
        }
        self.insert(second / self.length_s, response);
        while self.intervals.len() > INTERVALS_LEN_MAX {
            self.halve();
        }
    }

    /// Adds the intervals of another part of the same run.
    pub(crate) fn add(&mut self, other: &Self) {
        let mut other = other.clone();
        while other.length_s < self.length_s {
            other.halve();
        }
        while self.length_s < other.length_s {
            self.halve();
        }
        for interval in &other.intervals {
            let latencies = Latencies::from_buckets(&interval.buckets);
            self.insert(interval.number, &latencies);
        }
        while self.intervals.len() > INTERVALS_LEN_MAX {
            self.halve();
        }
    }

    /// What each interval was like.
    pub(crate) fn summaries(&self) -> Vec<Second> {
        let summary = |interval: &Interval| {
            let latencies = Latencies::from_buckets(&interval.buckets);
            let at = |quantile| latencies.quantile_ms(quantile).unwrap_or_default();
            Second {
                at_s: interval.number * self.length_s,
                length_s: self.length_s,
                count: latencies.count(),
                p50: at(0.5),
                p99: at(0.99),
                max: at(1.0),
            }
        };
        self.intervals.iter().map(summary).collect()
    }

    /// Writes an interval log as HdrHistogram's own tools read it, values in nanoseconds, the start of the run as base.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub(crate) fn write_log(
        &self,
        out: &mut impl Write,
        started: SystemTime,
        comment: &str,
    ) -> io::Result<()> {
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment(comment)
            .with_base_time(started)
            .with_start_time(started)
            // Only the column for people: milliseconds.
            .with_max_value_divisor(1e6)
            .begin_log_with(out, &mut serializer)?;
        for interval in &self.intervals {
            let latencies = Latencies::from_buckets(&interval.buckets);
            let begin = Duration::from_secs(interval.number * self.length_s);
            let length = Duration::from_secs(self.length_s);
            log.write_histogram(latencies.raw(), begin, length, None)
                .map_err(|error| match error {
                    IntervalLogWriterError::IoError(error) => error,
                    IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
                })?;
        }
        Ok(())
    }

    fn insert(&mut self, number: u64, response: &Latencies) {
        let at = self
            .intervals
            .partition_point(|interval| interval.number < number);
        match self.intervals.get_mut(at) {
            Some(interval) if interval.number == number => {
                let mut both = Latencies::from_buckets(&interval.buckets);
                both.add(response);
                interval.buckets = both.buckets().collect();
            }
            _ => self.intervals.insert(
                at,
                Interval {
                    number,
                    buckets: response.buckets().collect(),
                },
            ),
        }
    }

    /// Makes each two intervals one.
    fn halve(&mut self) {
        self.length_s *= 2;
        for interval in std::mem::take(&mut self.intervals) {
            self.insert(
                interval.number / 2,
                &Latencies::from_buckets(&interval.buckets),
            );
        }
    }
}

/// Sorts answers into seconds while they come.
#[derive(Debug)]
pub(crate) struct SecondsClock {
    second: u64,
    current: Latencies,
    finished: Vec<(u64, Latencies)>,
}

impl SecondsClock {
    pub(crate) fn new() -> Self {
        Self {
            second: 0,
            current: Latencies::new(),
            finished: Vec::new(),
        }
    }

    /// An answer came at `now_ns` after the start of the run. A second that ends costs one allocation here; the rest of
    /// its work is done by whoever takes it.
    pub(crate) fn record(&mut self, now_ns: u64, response_ns: u64) {
        let second = now_ns / SECOND_NS;
        if second > self.second {
            let finished = std::mem::take(&mut self.current);
            self.finished.push((self.second, finished));
            self.second = second;
        }
        self.current.record_ns(response_ns);
    }

    /// The seconds that have ended, once.
    pub(crate) fn take_finished(&mut self) -> Vec<(u64, Latencies)> {
        std::mem::take(&mut self.finished)
    }

    /// All that is left, the second that has not ended too.
    pub(crate) fn take_all(&mut self) -> Vec<(u64, Latencies)> {
        let current = std::mem::take(&mut self.current);
        self.finished.push((self.second, current));
        self.take_finished()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(milliseconds: &[u64]) -> Latencies {
        let mut latencies = Latencies::new();
        for ms in milliseconds {
            latencies.record_ns(ms * 1_000_000);
        }
        latencies
    }

    /// Goal: each answer counts in the second in which it came; a second without any is not there.
    #[test]
    fn answers_find_their_second() {
        let mut clock = SecondsClock::new();
        for (at_ms, response_ms) in [(10, 1), (999, 2), (3000, 2500), (3999, 3)] {
            clock.record(at_ms * 1_000_000, response_ms * 1_000_000);
        }
        let mut seconds = Seconds::default();
        let finished = clock.take_finished();
        assert_eq!(finished.len(), 1, "the fourth second has not ended");
        for (second, response) in finished.iter().chain(&clock.take_all()) {
            seconds.push(*second, response);
        }
        let summaries = seconds.summaries();
        let counts: Vec<_> = summaries.iter().map(|at| (at.at_s, at.count)).collect();
        assert_eq!(counts, [(0, 2), (3, 2)]);
        assert!(summaries[1].max > 2490.0 && summaries[0].max < 2.1);
    }

    /// Goal: parts of a run add up second by second, by way of JSON too.
    #[test]
    fn parts_add_up() {
        let (mut one, mut other) = (Seconds::default(), Seconds::default());
        one.push(0, &of(&[1]));
        one.push(2, &of(&[1, 2]));
        other.push(1, &of(&[5]));
        other.push(2, &of(&[7]));
        let json = serde_json::to_string(&other).unwrap();
        one.add(&serde_json::from_str(&json).unwrap());
        let counts: Vec<_> = one
            .summaries()
            .iter()
            .map(|at| (at.at_s, at.count))
            .collect();
        assert_eq!(counts, [(0, 1), (1, 1), (2, 3)]);
    }

    /// Goal: however long a run, the memory is bounded and no answer is forgotten.
    #[test]
    fn long_runs_are_bounded() {
        let mut seconds = Seconds::default();
        let len = 3 * u64::try_from(INTERVALS_LEN_MAX).unwrap();
        let one = of(&[1]);
        for second in 0..len {
            seconds.push(second, &one);
        }
        assert!(seconds.intervals.len() <= INTERVALS_LEN_MAX);
        let summaries = seconds.summaries();
        assert_eq!(summaries.iter().map(|at| at.count).sum::<u64>(), len);
        assert_eq!(summaries[1].at_s, seconds.length_s);
    }

    /// Goal: the log can be read back by the format's own reader, each interval at its time with its maximum.
    #[test]
    fn log_reads_back() {
        use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

        let mut seconds = Seconds::default();
        seconds.push(1, &of(&[1, 20]));
        seconds.push(4, &of(&[3]));
        let mut log = Vec::new();
        seconds
            .write_log(&mut log, SystemTime::UNIX_EPOCH, "a run")
            .unwrap();
        let read: Vec<_> = IntervalLogIterator::new(&log)
            .filter_map(|entry| match entry.unwrap() {
                LogEntry::Interval(interval) => Some((
                    interval.start_timestamp().as_secs(),
                    interval.duration().as_secs(),
                    interval.max(),
                )),
                _ => None,
            })
            .collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].0, read[0].1, read[1].0), (1, 1, 4));
        assert!((read[0].2 - 20.0).abs() < 0.1, "{read:?}");
    }
}
