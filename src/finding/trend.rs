//! Whether a count grows steadily, or only grew; PURE.
//!
//! The window is cut into segments, and the *lowest* count of each is compared: a leak lifts even the low-water mark,
//! segment after segment. A burst that ends comes down again, a warm-up stops growing, and neither lifts the last ones.

use std::collections::VecDeque;
use std::time::Duration;

use super::ledger::Level;

/// Samples in a window: enough for a minimum in each segment, 1 KiB for each count that is watched.
const SAMPLES: u32 = 60;

/// Segments of a window.
const SEGMENTS: usize = 6;

/// Each step between two segments must be at least this part of the mean step, or the growth is not steady.
const STEP_SHARE: f64 = 0.5;

/// The latest counts, one in each sixtieth of the window.
#[derive(Debug)]
pub(crate) struct Trend {
    stride: Duration,
    next: Duration,
    counts: VecDeque<u64>,
}

impl Trend {
    /// A trend over `window`.
    pub(crate) fn new(now: Duration, window: Duration) -> Self {
        Self {
            stride: window / SAMPLES,
            next: now,
            counts: VecDeque::new(),
        }
    }

    /// Notes the count now. Missed strides are filled with the count before: nobody looked because everybody was idle, and
    /// then no task begins or ends.
    pub(crate) fn note(&mut self, now: Duration, count: u64) {
        let kept = usize::try_from(SAMPLES).unwrap_or(usize::MAX);
        for _ in 0..SAMPLES {
            if now < self.next + self.stride {
                break;
            }
            self.push(self.counts.back().copied().unwrap_or(count), kept);
            self.next += self.stride;
        }
        if now >= self.next {
            self.push(count, kept);
            self.next = now + self.stride;
        }
    }

    fn push(&mut self, count: u64, kept: usize) {
        if self.counts.len() == kept {
            self.counts.pop_front();
        }
        self.counts.push_back(count);
    }

    /// How the count stands against a growth of `floor` in a window, and how much it grew.
    pub(crate) fn judge(&self, floor: u64) -> (Level, u64) {
        if self.counts.len() < usize::try_from(SAMPLES).unwrap_or(usize::MAX) {
            return (Level::Below, 0);
        }
        let counts: Vec<u64> = self.counts.iter().copied().collect();
        let lows: Vec<u64> = counts
            .chunks(counts.len() / SEGMENTS)
            .filter_map(|segment| segment.iter().copied().min())
            .collect();
        let (Some(first), Some(last)) = (lows.first(), lows.last()) else {
            return (Level::Below, 0);
        };
        let growth = last.saturating_sub(*first);
        let step_min = growth as f64 / (SEGMENTS - 1) as f64 * STEP_SHARE;
        let is_steady = lows
            .windows(2)
            .all(|pair| pair[1].saturating_sub(pair[0]) as f64 >= step_min.max(1.0));
        let still_grows = lows.windows(2).last().is_some_and(|pair| pair[1] > pair[0]);
        let level = match (is_steady && growth >= floor, still_grows) {
            (true, _) => Level::Above,
            (false, true) => Level::Between,
            (false, false) => Level::Below,
        };
        (level, growth)
    }

    /// The window's begin is this long ago.
    pub(crate) fn window(&self) -> Duration {
        self.stride * SAMPLES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: u64 = 100;

    /// The levels, without repetitions, of a count that is asked once a second over a window of a minute.
    fn levels(seconds: u64, count: impl Fn(u64) -> u64) -> Vec<Level> {
        let mut trend = Trend::new(Duration::ZERO, Duration::from_secs(60));
        let mut levels: Vec<Level> = (0..seconds)
            .map(|second| {
                trend.note(Duration::from_secs(second), count(second));
                trend.judge(FLOOR).0
            })
            .collect();
        levels.dedup();
        levels
    }

    /// A steady growth is found, also under a sawtooth of honest tasks, and is over when it stops.
    #[test]
    fn finds_steady_growth() {
        use Level::{Above, Below};
        assert_eq!(levels(200, |second| 5 * second), [Below, Above]);
        let noisy = |second| 5 * second + second * 7919 % 50;
        assert!(levels(200, noisy).contains(&Above));
        let stops = |second: u64| 5 * second.min(100);
        let levels_of = levels(200, stops);
        assert_eq!((levels_of[1], levels_of.last()), (Above, Some(&Below)));
        let drops = |second: u64| if second < 100 { 5 * second } else { 3 };
        assert_eq!(levels(200, drops).last(), Some(&Below));
    }

    /// A warm-up, a burst, bursts again and again, a wide sawtooth and slow growth under the floor are no leak.
    #[test]
    fn honest_growth_is_none() {
        let warm_up = |second: u64| 5 * second.min(40);
        let burst = |second: u64| if (10..30).contains(&second) { 1000 } else { 2 };
        let bursts = |second: u64| if second % 20 < 10 { 1000 } else { second / 10 };
        let sawtooth = |second: u64| second % 37 * 40;
        let slow = |second: u64| second;
        let settling = |second: u64| 1000 - 1000 / (1 << (second / 10).min(10));
        for count in [warm_up, burst, bursts, sawtooth, slow, settling] {
            assert!(!levels(400, count).contains(&Level::Above));
        }
    }

    /// While everybody is idle nobody looks; the count then stands, and a burst before is no growth.
    #[test]
    fn idle_time_counts_as_standing() {
        let mut trend = Trend::new(Duration::ZERO, Duration::from_secs(60));
        for second in 0..20 {
            trend.note(Duration::from_secs(second), second * 50);
        }
        trend.note(Duration::from_secs(3600), 1000);
        assert_eq!(trend.judge(FLOOR), (Level::Below, 0));
    }
}
