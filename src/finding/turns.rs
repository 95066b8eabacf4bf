//! Since when nobody has turned the I/O and timer driver of a runtime; PURE.
//!
//! A worker turns the driver when it parks on it, and between tasks every so many turns of its loop, which is when Tokio
//! publishes the worker's counters. So the driver is alone while no counter of any worker moves and no parked worker waits
//! in the driver: they wait for each other on a futex, since the one that held the driver is inside a poll.

use std::time::Duration;

/// The workers' counters at the last beat.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    tokens: Vec<u64>,
    since: Option<Duration>,
}

impl Turns {
    /// Notes the counters; gives since when the driver is alone, if that is `suspicious` long ago. Only then is it asked
    /// whether it `is_attended`, which costs a read a worker.
    pub(crate) fn note(
        &mut self,
        now: Duration,
        tokens: Vec<u64>,
        suspicious: Duration,
        is_attended: impl FnOnce() -> bool,
    ) -> Option<Duration> {
        let has_turned = self.tokens != tokens;
        self.tokens = tokens;
        let since = *self.since.get_or_insert(now);
        if has_turned {
            self.since = Some(now);
            return None;
        }
        if now.saturating_sub(since) < suspicious {
            return None;
        }
        if is_attended() {
            self.since = Some(now);
            return None;
        }
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUSPICIOUS: Duration = Duration::from_millis(100);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The driver is alone from the last turn on, unless a worker moves or waits in it.
    #[test]
    fn alone_until_somebody_turns() {
        let mut turns = Turns::default();
        let mut note =
            |at, token, attended| turns.note(ms(at), vec![token, 7], SUSPICIOUS, || attended);
        assert_eq!(note(0, 1, false), None);
        assert_eq!(note(50, 1, false), None);
        assert_eq!(note(100, 1, false), Some(ms(0)));
        assert_eq!(note(300, 1, false), Some(ms(0)));
        assert_eq!(note(400, 2, false), None);
        assert_eq!(note(600, 2, true), None);
        assert_eq!(note(650, 2, false), None);
        assert_eq!(note(750, 2, false), Some(ms(600)));
    }
}
