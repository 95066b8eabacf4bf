//! When each message is to be sent, computed before the first one is.
//!
//! Pure: the same rate, distribution, duration and seed give the same schedule, and its hash in the report proves it. (Poisson
//! gaps take the platform's logarithm, so two platforms may differ by a nanosecond; the hash then says so.) Random numbers come from a generator of a few lines (splitmix64) rather than a crate, so that no update can
//! change what a seed means.

use std::time::Duration;

use crate::error::Error;

/// Most messages in one run: times and stamps take about 40 bytes each, so this is some 400 MB.
pub const MESSAGES_LEN_MAX: u32 = 10_000_000;

/// Highest rate: one thread paces, and a system call takes about a microsecond.
pub const RATE_PER_S_MAX: f64 = 1_000_000.0;

/// Longest run: a soak over a day. Longer ones are better made of several, each with its own report.
pub const DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How messages are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Distribution {
    /// Equal gaps.
    Constant,
    /// Independent arrivals with the given mean rate, as from many users: gaps are exponential.
    #[default]
    Poisson,
}

/// The intended times of all messages, in nanoseconds since the start, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        check(rate_per_s, duration)?;
        let mut random = Random::new(seed);
        let mut intended_ns = Vec::new();
        let mut at_s = 0.0;
        let mut index = 0.0;
        loop {
            at_s = match distribution {
                // From the index rather than by adding gaps, so that rounding does not add up.
                Distribution::Constant => index / rate_per_s,
                Distribution::Poisson => at_s - (1.0 - random.unit()).ln() / rate_per_s,
            };
            index += 1.0;
            let at = Duration::from_secs_f64(at_s);
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

    /// Number of messages intended before `end`.
    #[must_use]
    pub fn len_before(&self, end: Duration) -> usize {
        let end = nanoseconds(end);
        self.intended_ns.partition_point(|intended| *intended < end)
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

fn check(rate_per_s: f64, duration: Duration) -> Result<(), Error> {
    if !(rate_per_s > 0.0 && rate_per_s <= RATE_PER_S_MAX) {
        return Err(Error::plan(format!(
            "rate is {rate_per_s} per second; expected more than 0 and at most {RATE_PER_S_MAX}"
        )));
    }
    if duration.is_zero() || duration > DURATION_MAX {
        return Err(Error::plan(format!(
            "duration is {duration:?}; expected more than 0 s and at most {DURATION_MAX:?}"
        )));
    }
    let messages = rate_per_s * duration.as_secs_f64();
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
        assert_eq!(schedule.len_before(Duration::from_secs(1)), 4);
        assert_eq!(schedule.len_before(Duration::from_secs(9)), 8);
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
