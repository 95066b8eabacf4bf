//! When to ping, when to give up on a client; PURE.
//!
//! Takes the time as a value. One timer a connection is enough: it asks [`Keepalive::check`] when it fires, so a busy
//! client costs one stored instant a message and no timer churn.

use std::time::{Duration, Instant};

/// The limits of a client's silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Longest time from connecting to a complete registration; half-open connections hold a file descriptor each.
    pub registration: Duration,
    /// Silence after which the server asks with PING.
    pub ping_after: Duration,
    /// Longest wait for any line after that PING. NAT tables forget idle connections without telling either side.
    pub pong_within: Duration,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing; look again at this time.
    Wait(Instant),
    /// Send a PING, then look again at this time.
    Ping(Instant),
    /// Not registered in time: close.
    RegistrationTimeout,
    /// No answer to the PING: close.
    PingTimeout,
}

/// The clock hands of one connection.
#[derive(Debug)]
pub struct Keepalive {
    /// The limits.
    patience: Patience,
    /// When the connection was accepted; the registration limit runs from here.
    opened: Instant,
    /// When the last line came.
    heard: Instant,
    /// When the unanswered PING was sent.
    pinged: Option<Instant>,
}

impl Keepalive {
    /// A connection accepted at `now`.
    #[must_use]
    pub fn new(patience: Patience, now: Instant) -> Self {
        Self {
            patience,
            opened: now,
            heard: now,
            pinged: None,
        }
    }

    /// A line came; any line answers the PING. Gives the time the answer took if there was one to answer.
    pub fn heard(&mut self, now: Instant) -> Option<Duration> {
        self.heard = now;
        let pinged = self.pinged.take()?;
        Some(now.saturating_duration_since(pinged))
    }

    /// What is due at `now`.
    #[must_use]
    pub fn check(&mut self, registered: bool, now: Instant) -> Due {
        if !registered {
            let deadline = self.opened + self.patience.registration;
            return if now >= deadline {
                Due::RegistrationTimeout
            } else {
                Due::Wait(deadline)
            };
        }
        if let Some(pinged) = self.pinged {
            let deadline = pinged + self.patience.pong_within;
            return if now >= deadline {
                Due::PingTimeout
            } else {
                Due::Wait(deadline)
            };
        }
        let silent_at = self.heard + self.patience.ping_after;
        if now < silent_at {
            return Due::Wait(silent_at);
        }
        self.pinged = Some(now);
        Due::Ping(now + self.patience.pong_within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        registration: Duration::from_secs(30),
        ping_after: Duration::from_secs(120),
        pong_within: Duration::from_secs(60),
    };

    /// A client that never registers is cut at its limit, however much it says.
    #[test]
    fn cuts_the_unregistered() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Keepalive::new(PATIENCE, start);
        assert_eq!(clock.check(false, at(1)), Due::Wait(at(30)));
        assert_eq!(clock.heard(at(29)), None);
        assert_eq!(clock.check(false, at(30)), Due::RegistrationTimeout);
    }

    /// Silence is asked about once, an answer starts over, no answer ends it.
    #[test]
    fn pings_the_silent() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Keepalive::new(PATIENCE, start);
        assert_eq!(clock.heard(at(10)), None);
        assert_eq!(clock.check(true, at(100)), Due::Wait(at(130)));
        assert_eq!(clock.check(true, at(130)), Due::Ping(at(190)));
        assert_eq!(clock.check(true, at(150)), Due::Wait(at(190)));
        assert_eq!(clock.heard(at(160)), Some(Duration::from_secs(30)));
        assert_eq!(clock.check(true, at(190)), Due::Wait(at(280)));
        assert_eq!(clock.check(true, at(280)), Due::Ping(at(340)));
        assert_eq!(clock.check(true, at(340)), Due::PingTimeout);
    }
}
