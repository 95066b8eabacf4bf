//! A token bucket; PURE.

use std::time::Duration;

/// Allows so many things a second on average, and so many at once.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    refilled: Duration,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(per_second: f64, burst: f64) -> Self {
        Self {
            per_second,
            burst,
            tokens: burst,
            refilled: Duration::ZERO,
        }
    }

    /// Takes one token, if there is one at `now`.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let elapsed = now.saturating_sub(self.refilled);
        self.tokens = (self.tokens + elapsed.as_secs_f64() * self.per_second).min(self.burst);
        self.refilled = now;
        let available = self.tokens >= 1.0;
        if available {
            self.tokens -= 1.0;
        }
        available
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The burst is used up, then tokens come back at the rate, never beyond the burst.
    #[test]
    fn fills_at_its_rate() {
        let mut bucket = Bucket::new(2.0, 3.0);
        let taken = |bucket: &mut Bucket, second| {
            (0..10)
                .filter(|_| bucket.take(Duration::from_secs(second)))
                .count()
        };
        assert_eq!(
            [
                taken(&mut bucket, 0),
                taken(&mut bucket, 1),
                taken(&mut bucket, 100)
            ],
            [3, 2, 3]
        );
    }
}
