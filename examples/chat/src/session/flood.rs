//! How fast one client may send: a token bucket that slows down first and gives up later; PURE.
//!
//! Every line costs a token, long ones more. While there are tokens a line is handled at once; without, it waits for one, and
//! as nothing is read meanwhile, the kernel's buffers fill up and the client waits as well ("fake lag", as IRC servers have
//! called it for thirty years). So a paste or a script is slowed and nothing is lost. A client that goes on for
//! [`FloodLimits::patience_lines`] without ever letting the bucket recover is no person and no honest script: it must go.
//!
//! Takes the time as a value. Costs two integers and an instant a connection, and no timer.

use std::time::{Duration, Instant};

use crate::protocol::line::LINE_MAX;

/// How fast a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodLimits {
    /// Lines that may come at once after a silence; from 1. A client joins its rooms in one burst.
    pub burst_lines: u32,
    /// Time after which one more line may come; zero switches the whole control off.
    pub line_every: Duration,
    /// Lines that had to wait since the bucket was last full after which the client is disconnected.
    pub patience_lines: u32,
}

/// What to do with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Handle it now.
    Go,
    /// Handle it at this time, and read nothing before.
    Wait(Instant),
    /// The client floods: disconnect it.
    Excess,
}

/// The bucket of one connection.
#[derive(Debug)]
pub struct Flood {
    /// The limits.
    limits: FloodLimits,
    /// When the bucket is full again: the further in the future, the emptier it is. A bucket without counting tokens.
    full_at: Instant,
    /// Lines that had to wait since the bucket was last full.
    waited_lines: u32,
}

impl Flood {
    /// A full bucket.
    #[must_use]
    pub fn new(limits: FloodLimits, now: Instant) -> Self {
        Self {
            limits,
            full_at: now,
            waited_lines: 0,
        }
    }

    /// Charges a line that was complete at `now` and took `bytes` of the stream, what was skipped before it included.
    #[must_use]
    pub fn charge(&mut self, bytes: usize, now: Instant) -> Pace {
        let every = self.limits.line_every;
        if every.is_zero() {
            return Pace::Go;
        }
        let burst = self.limits.burst_lines.max(1);
        // One token for each length of an ordinary line that was begun. Never more than the bucket holds, or a long line
        // could be a debt of hours.
        let tokens = u32::try_from(bytes.div_ceil(LINE_MAX)).unwrap_or(u32::MAX);
        let tokens = tokens.clamp(1, burst);
        // What is left over from earlier lines, in time.
        let debt = self.full_at.saturating_duration_since(now);
        if debt.is_zero() {
            // Only a pause that fills the bucket is one: a single line in time may be a hiccup of the server.
            self.waited_lines = 0;
        }
        self.full_at = now + debt + every * tokens;
        let wait = (debt + every * tokens).saturating_sub(every * burst);
        if wait.is_zero() {
            return Pace::Go;
        }
        self.waited_lines += 1;
        if self.waited_lines > self.limits.patience_lines {
            return Pace::Excess;
        }
        Pace::Wait(now + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FloodLimits = FloodLimits {
        burst_lines: 4,
        line_every: Duration::from_millis(500),
        patience_lines: 6,
    };

    struct Client {
        flood: Flood,
        start: Instant,
        now: Instant,
    }

    impl Client {
        fn new(limits: FloodLimits) -> Self {
            let start = Instant::now();
            Self {
                flood: Flood::new(limits, start),
                start,
                now: start,
            }
        }

        /// Sends a line as soon as the one before was handled; gives the milliseconds since the start, or `None` for the end.
        fn send(&mut self, bytes: usize) -> Option<u128> {
            match self.flood.charge(bytes, self.now) {
                Pace::Go => {}
                Pace::Wait(until) => self.now = until,
                Pace::Excess => return None,
            }
            Some((self.now - self.start).as_millis())
        }

        fn pause(&mut self, ms: u64) {
            self.now += Duration::from_millis(ms);
        }
    }

    /// A burst passes at once, what follows comes at the rate, and what goes on too long is the end.
    #[test]
    fn slows_down_and_gives_up() {
        let mut client = Client::new(LIMITS);
        let handled: Vec<_> = (0..11).map(|_| client.send(10)).collect();
        let expect = [0, 0, 0, 0, 500, 1000, 1500, 2000, 2500, 3000].map(Some);
        assert_eq!(handled[..10], expect);
        assert_eq!(handled[10], None);
    }

    /// Who keeps to the rate is never slowed, for however long.
    #[test]
    fn leaves_the_patient_alone() {
        let mut client = Client::new(LIMITS);
        for number in 0..1000 {
            assert_eq!(client.send(10), Some(number * 500));
            client.pause(500);
        }
    }

    /// A silence fills the bucket again, never beyond its size, and the patience as well.
    #[test]
    fn recovers() {
        let mut client = Client::new(LIMITS);
        for _ in 0..9 {
            assert!(client.send(10).is_some());
        }
        client.pause(1_000_000);
        let before = (client.now - client.start).as_millis();
        let handled: Vec<_> = (0..10).map(|_| client.send(10).unwrap() - before).collect();
        assert_eq!(handled, [0, 0, 0, 0, 500, 1000, 1500, 2000, 2500, 3000]);
    }

    /// A line in time now and then is no recovery: the server itself may have been late.
    #[test]
    fn a_hiccup_is_no_pause() {
        let mut client = Client::new(LIMITS);
        let mut handled = 0;
        while client.send(10).is_some() {
            handled += 1;
            client.pause(if handled % 3 == 0 { 500 } else { 0 });
        }
        assert!(handled < 20, "{handled}");
    }

    /// Long lines cost more, but never more than the bucket holds.
    #[test]
    fn long_lines_cost_more() {
        let mut client = Client::new(LIMITS);
        assert_eq!(client.send(512), Some(0));
        assert_eq!(client.send(513), Some(0));
        assert_eq!(client.send(513), Some(500));
        let mut client = Client::new(LIMITS);
        assert_eq!(client.send(usize::MAX), Some(0));
        assert_eq!(client.send(1), Some(500));
    }

    /// Without a rate there is no control.
    #[test]
    fn can_be_off() {
        let mut client = Client::new(FloodLimits {
            line_every: Duration::ZERO,
            ..LIMITS
        });
        assert!((0..10_000).all(|_| client.send(4608) == Some(0)));
    }
}
