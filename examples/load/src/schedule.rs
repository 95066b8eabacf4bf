//! When each message is to be sent, computed before the first one is.
//!
//! Pure: the same rate, distribution, duration, burst and seed give the same schedule, and its hash in the report proves it.
//! (Poisson gaps take the platform's logarithm, so two platforms may differ by a nanosecond; the hash then says so.) Random
//! numbers come from a generator of a few lines (splitmix64) rather than a crate, so that no update can change what a seed
//! means.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::Error;

/// Most messages in one run: times and stamps take about 40 bytes each, so this is some 400 MB.
pub const MESSAGES_LEN_MAX: u32 = 10_000_000;

/// Highest rate: one thread paces, and a system call takes about a microsecond.
pub const RATE_PER_S_MAX: f64 = 1_000_000.0;

/// Longest run: a soak over a day. Longer ones are better made of several, each with its own report.
pub const DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How messages are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Distribution {
    /// Equal gaps.
    Constant,
    /// Independent arrivals with the given mean rate, as from many users: gaps are exponential.
    #[default]
    Poisson,
}

/// Whether a slow answer delays the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pacing {
    /// Never: messages go when the schedule says, as from many users who do not wait for one another.
    #[default]
    Open,
    /// Each message waits for the answer before, and what was due meanwhile is left out. That hides the very stalls a load
    /// should show; it is here to show how much.
    Closed,
}

/// A while of a higher rate in the middle of a run, as when there is news.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Burst {
    /// When it begins, from the start of the schedule. In JSON seconds.
    #[serde(rename = "begin_s", serialize_with = "as_seconds")]
    pub begin: Duration,
    /// How long it lasts. In JSON seconds.
    #[serde(rename = "duration_s", serialize_with = "as_seconds")]
    pub duration: Duration,
    /// How many times the usual rate is offered meanwhile; above 0.
    pub factor: f64,
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

impl Burst {
    /// The usual one: ten times the rate for five seconds from `begin` on. Long enough to fill queues, short enough that a
    /// service must only survive it, not keep up with it.
    #[must_use]
    pub fn starting_at(begin: Duration) -> Self {
        Self {
            begin,
            duration: Duration::from_secs(5),
            factor: 10.0,
        }
    }
}

/// The intended times of all messages, in nanoseconds since the start, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    intended_ns: Vec<u64>,
    duration: Duration,
}

impl Schedule {
    /// Spreads messages at `rate_per_s` over `duration`.
    ///
    /// # Errors
    ///
    /// A rate or duration that is not positive or above its limit, or more messages than [`MESSAGES_LEN_MAX`].
    pub fn new(
        rate_per_s: f64,
        duration: Duration,
        seed: u64,
        distribution: Distribution,
    ) -> Result<Self, Error> {
        Self::with_burst(rate_per_s, duration, seed, distribution, None)
    }

    /// As [`Schedule::new`], with a burst.
    ///
    /// # Errors
    ///
    /// As [`Schedule::new`]; a burst whose factor is not positive.
    pub fn with_burst(
        rate_per_s: f64,
        duration: Duration,
        seed: u64,
        distribution: Distribution,
        burst: Option<Burst>,
    ) -> Result<Self, Error> {
        check(rate_per_s, duration, burst)?;
        let mut random = Random::new(seed);
        let mut intended_ns = Vec::new();
        // Messages at the plain rate lie one unit apart, on average or exactly; a burst only bends time round them.
        let mut unit = 0.0;
        let mut index = 0.0;
        loop {
            unit = match distribution {
                // From the index rather than by adding gaps, so that rounding does not add up.
                Distribution::Constant => index,
                Distribution::Poisson => unit - (1.0 - random.unit()).ln(),
            };
            index += 1.0;
            let at = Duration::from_secs_f64(bent(unit / rate_per_s, burst));
            if at >= duration || intended_ns.len() >= MESSAGES_LEN_MAX as usize {
                break;
            }
            intended_ns.push(nanoseconds(at));
        }
        Ok(Self {
            intended_ns,
            duration,
        })
    }

    /// `len` moments at equal gaps over the first part `over` of `duration`; all at once if `over` is zero. For storms, in
    /// which each client comes exactly once.
    ///
    /// # Errors
    ///
    /// A duration that is zero or above its limit, more moments than [`MESSAGES_LEN_MAX`].
    pub fn spread(len: usize, over: Duration, duration: Duration) -> Result<Self, Error> {
        check_duration(duration)?;
        if len > MESSAGES_LEN_MAX as usize {
            return Err(Error::plan(format!(
                "{len} arrivals; expected at most {MESSAGES_LEN_MAX}"
            )));
        }
        let over_ns = nanoseconds(over.min(duration));
        let moment = |index: usize| {
            let share = index as f64 / len.max(1) as f64;
            nanoseconds(Duration::from_nanos(over_ns).mul_f64(share))
        };
        Ok(Self {
            intended_ns: (0..len).map(moment).collect(),
            duration,
        })
    }

    /// What one of `parts` processes sends: every `parts`-th message, beginning with number `part` from 0. All parts
    /// together are the whole.
    #[must_use]
    pub fn part(&self, part: usize, parts: usize) -> Self {
        Self {
            intended_ns: self
                .intended_ns
                .iter()
                .copied()
                .skip(part)
                .step_by(parts.max(1))
                .collect(),
            duration: self.duration,
        }
    }

    /// The intended times, in nanoseconds since the start, ascending.
    #[must_use]
    pub fn intended_ns(&self) -> &[u64] {
        &self.intended_ns
    }

    /// How long the schedule lasts; the last message comes before its end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// The messages intended from `begin` on and before `end`, by their indexes.
    #[must_use]
    pub fn indexes_between(&self, begin: Duration, end: Duration) -> std::ops::Range<usize> {
        let before = |moment: Duration| {
            let moment = nanoseconds(moment);
            self.intended_ns
                .partition_point(|intended| *intended < moment)
        };
        before(begin)..before(end)
    }

    /// A fingerprint of all times: equal for equal schedules (FNV-1a, 64 bits, hexadecimal).
    #[must_use]
    pub fn hash(&self) -> String {
        let bytes = self.intended_ns.iter().flat_map(|time| time.to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        format!("{hash:016x}")
    }
}

/// When a message comes that would come at `plain_s` seconds without the burst.
fn bent(plain_s: f64, burst: Option<Burst>) -> f64 {
    let Some(burst) = burst else {
        return plain_s;
    };
    let (begin, length) = (burst.begin.as_secs_f64(), burst.duration.as_secs_f64());
    let after_begin = plain_s - begin;
    if after_begin <= 0.0 {
        plain_s
    } else if after_begin <= length * burst.factor {
        begin + after_begin / burst.factor
    } else {
        plain_s - length * (burst.factor - 1.0)
    }
}

fn check_duration(duration: Duration) -> Result<(), Error> {
    if duration.is_zero() || duration > DURATION_MAX {
        return Err(Error::plan(format!(
            "duration is {duration:?}; expected more than 0 s and at most {DURATION_MAX:?}"
        )));
    }
    Ok(())
}

fn check(rate_per_s: f64, duration: Duration, burst: Option<Burst>) -> Result<(), Error> {
    if !(rate_per_s > 0.0 && rate_per_s <= RATE_PER_S_MAX) {
        return Err(Error::plan(format!(
            "rate is {rate_per_s} per second; expected more than 0 and at most {RATE_PER_S_MAX}"
        )));
    }
    check_duration(duration)?;
    let mut messages = rate_per_s * duration.as_secs_f64();
    if let Some(burst) = burst {
        if !(burst.factor > 0.0 && burst.factor.is_finite()) {
            return Err(Error::plan(format!(
                "the burst's factor is {}; expected more than 0",
                burst.factor
            )));
        }
        messages += rate_per_s * burst.duration.as_secs_f64() * (burst.factor - 1.0).max(0.0);
    }
    // A tenth is left for the chance in a Poisson schedule.
    if messages > f64::from(MESSAGES_LEN_MAX) * 0.9 {
        return Err(Error::plan(format!(
            "{rate_per_s} per second for {duration:?} are {messages} messages; expected at most {}",
            f64::from(MESSAGES_LEN_MAX) * 0.9
        )));
    }
    Ok(())
}

/// Whole nanoseconds; 584 years fit.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// splitmix64: small, fast, and the same for ever.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 up to but not including 1.
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number from 0 up to but not including `end`; 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.bits().checked_rem(end).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: f64, seconds: u64, seed: u64, distribution: Distribution) -> Schedule {
        Schedule::new(rate, Duration::from_secs(seconds), seed, distribution).unwrap()
    }

    /// Goal: a constant rate has equal gaps, starts at zero and ends before the duration.
    #[test]
    fn constant_rate_is_even() {
        let schedule = schedule(4.0, 2, 1, Distribution::Constant);
        let expect: Vec<u64> = (0..8).map(|index| index * 250_000_000).collect();
        assert_eq!(schedule.intended_ns(), expect);
        let between = |begin, end| {
            schedule.indexes_between(Duration::from_millis(begin), Duration::from_millis(end))
        };
        assert_eq!(between(0, 1000), 0..4);
        assert_eq!(between(250, 9000), 1..8);
        assert_eq!(between(1001, 1001), 5..5);
    }

    /// Goal: a burst has as many messages as its factor says, and the rate before and after it is the plain one.
    #[test]
    fn burst_bends_time() {
        let burst = Burst {
            begin: Duration::from_secs(2),
            duration: Duration::from_secs(1),
            factor: 10.0,
        };
        let with = |distribution| {
            let duration = Duration::from_secs(5);
            Schedule::with_burst(1000.0, duration, 3, distribution, Some(burst)).unwrap()
        };
        let per_second = |schedule: &Schedule| {
            (0..5)
                .map(|second| {
                    let begin = Duration::from_secs(second);
                    schedule
                        .indexes_between(begin, begin + Duration::from_secs(1))
                        .len()
                })
                .collect::<Vec<_>>()
        };
        let constant = with(Distribution::Constant);
        assert_eq!(
            per_second(&constant),
            [1000, 1000, 10_000, 1000, 1000],
            "constant"
        );
        // Five standard deviations of each second are allowed.
        for (count, expect) in per_second(&with(Distribution::Poisson))
            .into_iter()
            .zip([1000_u32, 1000, 10_000, 1000, 1000])
        {
            let near = 5.0 * f64::from(expect).sqrt();
            assert!(
                (count as f64 - f64::from(expect)).abs() < near,
                "{count} is not {expect}"
            );
        }
    }

    /// Goal: the parts of several processes are the whole, each message in one of them.
    #[test]
    fn parts_are_the_whole() {
        let whole = schedule(1000.0, 1, 5, Distribution::Poisson);
        let mut together: Vec<u64> = (0..3)
            .flat_map(|part| whole.part(part, 3).intended_ns().to_vec())
            .collect();
        together.sort_unstable();
        assert_eq!(together, whole.intended_ns());
    }

    /// Goal: in a storm each client comes once, evenly or all at the same moment.
    #[test]
    fn storms_are_spread() {
        let duration = Duration::from_secs(2);
        let evenly = Schedule::spread(4, duration, duration).unwrap();
        assert_eq!(
            evenly.intended_ns(),
            [0, 500_000_000, 1_000_000_000, 1_500_000_000]
        );
        let at_once = Schedule::spread(3, Duration::ZERO, duration).unwrap();
        assert_eq!(at_once.intended_ns(), [0, 0, 0]);
        assert_eq!(at_once.duration(), duration);
    }

    /// Goal: the waiting times that a Poisson schedule causes in a single queue of fixed service time are those of theory
    /// (Pollaczek and Khinchine: mean wait ρ·s / 2(1 − ρ)), so that what is offered is what it claims to be.
    #[test]
    fn poisson_waits_as_in_theory() {
        for (rate, seconds) in [(500.0, 2_000), (700.0, 3_000)] {
            let service_s = 0.001;
            let schedule = schedule(rate, seconds, 11, Distribution::Poisson);
            let (mut free_at, mut waited) = (0.0_f64, 0.0);
            for intended in schedule.intended_ns() {
                let arrival = *intended as f64 / 1e9;
                waited += (free_at - arrival).max(0.0);
                free_at = free_at.max(arrival) + service_s;
            }
            let mean = waited / schedule.intended_ns().len() as f64;
            let load = rate * service_s;
            let theory = load * service_s / (2.0 * (1.0 - load));
            assert!(
                (mean / theory - 1.0).abs() < 0.03,
                "at load {load}: {mean} s is not {theory} s"
            );
        }
    }

    /// Goal: rounding does not add up over a long run.
    #[test]
    fn constant_rate_does_not_drift() {
        let schedule = schedule(3.0, 100_000 / 3, 1, Distribution::Constant);
        let last = *schedule.intended_ns().last().unwrap();
        assert!(last.abs_diff(33_332_666_666_667) <= 1, "{last}");
    }

    /// Goal: the same seed gives the same schedule, another seed another one, and the hash tells them apart.
    #[test]
    fn seed_decides() {
        let one = schedule(1000.0, 3, 7, Distribution::Poisson);
        let same = schedule(1000.0, 3, 7, Distribution::Poisson);
        let other = schedule(1000.0, 3, 8, Distribution::Poisson);
        assert_eq!(one, same);
        assert_eq!(one.hash(), same.hash());
        assert_ne!(one.hash(), other.hash());
    }

    /// Goal: what a seed means and how times are hashed never changes: reports of different versions can be compared.
    #[test]
    fn seed_and_hash_are_pinned() {
        let mut random = Random::new(0);
        assert_eq!(random.bits(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.bits(), 0x6e78_9e6a_a1b9_65f4);
        let hash = schedule(100.0, 1, 1, Distribution::Constant).hash();
        assert_eq!(hash, "495a38c8906951a2");
    }

    /// Goal: Poisson arrivals are ascending, have the rate they should, and gaps as uneven as they should be.
    #[test]
    fn poisson_has_rate_and_spread() {
        let schedule = schedule(1000.0, 50, 42, Distribution::Poisson);
        let times = schedule.intended_ns();
        assert!(times.is_sorted());
        // 50,000 arrivals have a standard deviation of 224; four of them are allowed.
        assert!(times.len().abs_diff(50_000) < 900, "{}", times.len());
        let long_gaps = times
            .windows(2)
            .filter(|pair| pair[1] - pair[0] > 1_000_000)
            .count();
        // A gap longer than the mean has probability 1/e.
        let share = long_gaps as f64 / times.len() as f64;
        assert!((share - 0.3679).abs() < 0.02, "{share}");
    }

    /// Goal: what cannot be run is refused with the bounds in the message.
    #[test]
    fn refuses_out_of_bounds() {
        for (rate, seconds, part) in [
            (0.0, 1, "rate is 0"),
            (-1.0, 1, "rate is -1"),
            (f64::NAN, 1, "rate is NaN"),
            (f64::INFINITY, 1, "rate is inf"),
            (1e7, 1, "rate is 10000000"),
            (1.0, 0, "duration is 0ns"),
            (1.0, 100_000, "duration is 100000s"),
            (100_000.0, 1000, "100000000 messages"),
        ] {
            let error = Schedule::new(
                rate,
                Duration::from_secs(seconds),
                1,
                Distribution::Constant,
            )
            .unwrap_err();
            assert!(
                error.is_plan() && error.to_string().contains(part),
                "{error}"
            );
        }
    }
}
