//! How many reports are sent: all of a new cause, few of an old one; PURE.
//!
//! Per fingerprint the first three stalls are sent in full, then the 4th, 8th, 16th … and whatever is held back is
//! counted and told with the next one. A bucket for the whole process bounds the rest: a service with a thousand bad
//! sites must not drown its own log.

use std::collections::HashMap;
use std::time::Duration;

use super::bucket::Bucket;

/// Fingerprints remembered; a service has tens. When full, all are forgotten: that only sends more again.
const FINGERPRINTS_MAX: usize = 1024;

/// Stalls of one fingerprint that are all sent.
const FIRST_SENT: u64 = 3;

/// Reports a minute for the whole process; as many may come at once.
const PER_MINUTE: f64 = 30.0;

/// The limiter's memory.
#[derive(Debug)]
pub(crate) struct Limiter {
    seen: HashMap<String, Seen>,
    bucket: Bucket,
}

#[derive(Debug, Default)]
struct Seen {
    stalls: u64,
    held_back: u64,
}

impl Limiter {
    pub(crate) fn new() -> Self {
        Self {
            seen: HashMap::new(),
            bucket: Bucket::new(PER_MINUTE / 60.0, PER_MINUTE),
        }
    }

    /// Whether the stall is sent; `Some(suppressed)` with how many of its kind were held back before it.
    pub(crate) fn admit(&mut self, now: Duration, fingerprint: &str) -> Option<u64> {
        if self.seen.len() >= FINGERPRINTS_MAX && !self.seen.contains_key(fingerprint) {
            self.seen.clear();
        }
        let seen = self.seen.entry(fingerprint.to_owned()).or_default();
        seen.stalls += 1;
        let wanted = seen.stalls <= FIRST_SENT || seen.stalls.is_power_of_two();
        if wanted && self.bucket.take(now) {
            return Some(std::mem::take(&mut seen.held_back));
        }
        seen.held_back += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1, 2, 3, 4, 8, 16 … are sent, and each tells what was held back before it.
    #[test]
    fn thins_out_repetitions() {
        let mut limiter = Limiter::new();
        let sent: Vec<(u64, u64)> = (1..=16)
            .filter_map(|count| Some((count, limiter.admit(Duration::ZERO, "a")?)))
            .collect();
        assert_eq!(sent, [(1, 0), (2, 0), (3, 0), (4, 0), (8, 3), (16, 7)]);
        assert_eq!(limiter.admit(Duration::ZERO, "b"), Some(0));
    }

    /// The process as a whole is bounded, and recovers with time.
    #[test]
    fn bounds_the_process() {
        let mut limiter = Limiter::new();
        let sent = (0..1000)
            .filter(|site| limiter.admit(Duration::ZERO, &site.to_string()).is_some())
            .count();
        assert_eq!(sent, 30);
        assert!(limiter.admit(Duration::from_secs(4), "new").is_some());
    }
}
