//! The life of one stall: looks at a worker in, "begun", "look closer" and "over" out; PURE.
//!
//! A worker shows a token that changes with every poll. The same token while busy for a whole threshold is a stall.
//! The begin of a poll was not timed by anybody, so it lies between the last look that did not show this poll and the
//! first that did; the middle is taken and the half-width kept as the uncertainty.

use std::time::Duration;

/// What one look at one worker showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Changes with every poll.
    pub(crate) token: u64,
    /// Whether the worker was inside a poll.
    pub(crate) busy: bool,
    /// The token and time of the last end that the worker stamped itself.
    pub(crate) ended: Option<(u64, Duration)>,
}

/// What a look means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing to do.
    Quiet,
    /// A poll was seen for the first time: take the base line of its evidence.
    Begun,
    /// Two fifths of the threshold have passed: flag the poll, so that its end will be stamped.
    Suspect,
    /// The threshold, or the next doubling, has passed: judge it.
    Due(Span),
    /// A reported stall is over.
    Over(Span),
    /// A poll that was flagged ended after it had surely lasted the threshold and before it was reported: no look fell into
    /// that time, or none that decided.
    Missed(Span),
}

/// Begin and length of a poll as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Token of the poll.
    pub(crate) token: u64,
    /// Begin, on the watchdog's clock.
    pub(crate) started: Duration,
    /// Time since then; the total in [`Step::Over`].
    pub(crate) length: Duration,
    /// How far off `length` can be.
    pub(crate) uncertainty: Duration,
    /// Whether the poll was reported already.
    pub(crate) reported: bool,
}

/// One worker's state between looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Episode {
    token: u64,
    busy: bool,
    /// Latest time at which the poll had not begun yet.
    last_other: Duration,
    first_seen: Duration,
    last_look: Duration,
    flagged: bool,
    /// Whether so long passed before it was first seen that the begin can only be said to be no later than that.
    is_wide: bool,
    /// When to report next, once reported.
    next_report: Option<Duration>,
}

impl Episode {
    /// A worker that has not been looked at before `now`.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            token: 0,
            busy: false,
            last_other: now,
            first_seen: now,
            last_look: now,
            flagged: false,
            is_wide: false,
            next_report: None,
        }
    }

    /// Takes one look.
    pub(crate) fn step(&mut self, now: Duration, look: Look, threshold: Duration) -> Step {
        let last_look = std::mem::replace(&mut self.last_look, now);
        if self.busy && look.busy && look.token == self.token {
            return self.same_poll(now, threshold);
        }
        let over = if self.busy {
            self.over(now, look, threshold)
        } else {
            None
        };
        // Another poll than at the last look began after that look, and after the stamped end of the one before it.
        let stamped = self.stamp(look).unwrap_or(last_look);
        let last_other = stamped.max(last_look);
        *self = Self {
            token: look.token,
            busy: look.busy,
            last_other,
            // The watchdog was kept from looking: half of that time would already be a stall.
            is_wide: now.saturating_sub(last_other) > threshold,
            ..Self::new(now)
        };
        match over {
            Some(over) => over,
            None if look.busy => Step::Begun,
            None => Step::Quiet,
        }
    }

    fn same_poll(&mut self, now: Duration, threshold: Duration) -> Step {
        let span = self.span(now);
        let due = self
            .next_report
            .map_or(span.length >= threshold, |next| now >= next);
        if due {
            return Step::Due(span);
        }
        if !self.flagged && span.length >= suspected_from(threshold) {
            self.flagged = true;
            return Step::Suspect;
        }
        Step::Quiet
    }

    /// The due stall was reported: it is reported again when it is twice as old.
    pub(crate) fn reported(&mut self, now: Duration) {
        let length = self.span(now).length;
        self.next_report = Some(now + length);
    }

    /// When the poll began, as far as known.
    pub(crate) fn started(&self) -> Duration {
        self.span(self.last_look).started
    }

    /// Nobody looked because everybody was idle, until now: a poll can only begin from here on.
    pub(crate) fn idle_until(&mut self, now: Duration) {
        if !self.busy {
            self.last_other = now;
        }
        self.last_look = now;
    }

    /// Whether the last look saw a poll.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Whether the poll of the last look may become a stall soon, or is one that nothing has decided yet. One that stays undecided
    /// has time: there a crowded machine is waited for.
    pub(crate) fn is_suspect(&self, threshold: Duration) -> bool {
        let length = self.span(self.last_look).length;
        let is_young = length >= suspected_from(threshold) && length < threshold * 2;
        self.busy && self.next_report.is_none() && is_young
    }

    /// Time in which the whole process stood still does not count.
    pub(crate) fn excuse(&mut self, gap: Duration) {
        self.last_other += gap;
        self.first_seen += gap;
        self.last_look += gap;
        self.next_report = self.next_report.map(|next| next + gap);
    }

    fn span(&self, now: Duration) -> Span {
        let window = self.first_seen.saturating_sub(self.last_other);
        let started = if self.is_wide {
            self.first_seen
        } else {
            self.last_other + window / 2
        };
        Span {
            token: self.token,
            started,
            length: now.saturating_sub(started),
            uncertainty: self
                .first_seen
                .saturating_sub(started)
                .max(started.saturating_sub(self.last_other)),
            reported: self.next_report.is_some(),
        }
    }

    fn over(&self, now: Duration, look: Look, threshold: Duration) -> Option<Step> {
        let stamp = self.stamp(look);
        let span = self.span(stamp.unwrap_or(now));
        if span.reported {
            return Some(Step::Over(span));
        }
        let surely = span.length.saturating_sub(span.uncertainty);
        (stamp.is_some() && surely >= threshold).then_some(Step::Missed(span))
    }

    /// The end of this poll, if the worker has stamped it.
    fn stamp(&self, look: Look) -> Option<Duration> {
        look.ended
            .filter(|(token, _)| *token == self.token)
            .map(|(_, end)| end)
    }
}

/// A poll of this length is suspected; shorter than the pause between two looks, so that each poll that is met twice is.
fn suspected_from(threshold: Duration) -> Duration {
    threshold * 2 / 5
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Duration = Duration::from_millis(10);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn busy(token: u64) -> Look {
        Look {
            token,
            busy: true,
            ended: None,
        }
    }

    fn idle() -> Look {
        Look {
            token: 0,
            busy: false,
            ended: None,
        }
    }

    /// A stall begins, is suspected, is due, is due again at twice its age, and ends with the stamped total.
    #[test]
    fn a_whole_life() {
        let mut episode = Episode::new(ms(0));
        assert_eq!(episode.step(ms(2), idle(), T), Step::Quiet);
        assert_eq!(episode.step(ms(4), busy(7), T), Step::Begun);
        assert_eq!(episode.step(ms(6), busy(7), T), Step::Quiet);
        assert_eq!(episode.step(ms(9), busy(7), T), Step::Suspect);
        assert_eq!(episode.step(ms(12), busy(7), T), Step::Quiet);
        let Step::Due(span) = episode.step(ms(13), busy(7), T) else {
            panic!("due")
        };
        assert_eq!(
            (span.started, span.length, span.uncertainty, span.reported),
            (ms(3), ms(10), ms(1), false)
        );
        episode.reported(ms(13));
        assert_eq!(episode.step(ms(22), busy(7), T), Step::Quiet);
        assert!(
            matches!(episode.step(ms(23), busy(7), T), Step::Due(span) if span.length == ms(20) && span.reported)
        );
        episode.reported(ms(23));
        let end = Look {
            token: 8,
            busy: true,
            ended: Some((7, ms(30))),
        };
        let Step::Over(span) = episode.step(ms(33), end, T) else {
            panic!("over")
        };
        assert_eq!((span.token, span.length), (7, ms(27)));
        // The poll after it began after that end.
        let Step::Due(span) = episode.step(ms(60), busy(8), T) else {
            panic!("next")
        };
        assert!(span.started >= ms(30));
    }

    /// A poll whose stamped end shows that it lasted the threshold is not lost when no look fell between that and its end; one
    /// that may have been shorter is.
    #[test]
    fn a_stall_between_two_looks() {
        let ends_at = |end: u64| {
            let mut episode = Episode::new(ms(0));
            episode.step(ms(2), idle(), T);
            assert_eq!(episode.step(ms(4), busy(7), T), Step::Begun);
            assert_eq!(episode.step(ms(9), busy(7), T), Step::Suspect);
            let next = Look {
                token: 8,
                busy: true,
                ended: Some((7, ms(end))),
            };
            episode.step(ms(16), next, T)
        };
        assert!(matches!(ends_at(15), Step::Missed(span) if span.length == ms(12)));
        assert!(matches!(ends_at(14), Step::Missed(span) if span.length == ms(11)));
        assert_eq!(ends_at(13), Step::Begun);
    }

    /// Many short polls are never a stall, however busy the worker is.
    #[test]
    fn short_polls_are_quiet() {
        let mut episode = Episode::new(ms(0));
        for look in 1..1000 {
            assert_eq!(episode.step(ms(look * 2), busy(look), T), Step::Begun);
        }
    }

    /// On a busy worker every look shows another poll; the one that stays began after the look before it was first seen.
    #[test]
    fn begin_on_a_busy_worker() {
        let mut episode = Episode::new(ms(0));
        for look in 1..500 {
            episode.step(ms(look * 2), busy(look), T);
        }
        assert_eq!(episode.step(ms(1000), busy(500), T), Step::Begun);
        assert_eq!(episode.step(ms(1002), busy(500), T), Step::Quiet);
        assert!(
            matches!(episode.step(ms(1010), busy(500), T), Step::Due(span) if span.started == ms(999))
        );
    }

    /// A poll that was first seen after the watchdog had been kept away is not given any of that time.
    #[test]
    fn a_late_look_blames_nobody() {
        let mut episode = Episode::new(ms(0));
        episode.step(ms(2), busy(1), T);
        assert_eq!(episode.step(ms(82), busy(2), T), Step::Begun);
        assert_eq!(episode.step(ms(84), busy(2), T), Step::Quiet);
        let Step::Due(span) = episode.step(ms(92), busy(2), T) else {
            panic!("due")
        };
        assert_eq!((span.length, span.uncertainty), (ms(10), ms(80)));
    }

    /// A stamp of another poll says nothing about this one.
    #[test]
    fn foreign_stamps_are_ignored() {
        let mut episode = Episode::new(ms(100_000));
        episode.step(ms(100_002), busy(7), T);
        assert!(matches!(
            episode.step(ms(100_020), busy(7), T),
            Step::Due(_)
        ));
        episode.reported(ms(100_020));
        let next = Look {
            token: 9,
            busy: true,
            ended: Some((3, ms(5))),
        };
        assert!(
            matches!(episode.step(ms(100_030), next, T), Step::Over(span) if span.length < ms(40))
        );
        assert!(
            matches!(episode.step(ms(100_041), busy(9), T), Step::Due(span) if span.length < ms(20))
        );
    }

    /// A due stall that was not reported (evidence not decisive yet) stays due; its end is then silent.
    #[test]
    fn postponed_reports() {
        let mut episode = Episode::new(ms(0));
        episode.step(ms(1), busy(1), T);
        assert!(matches!(episode.step(ms(20), busy(1), T), Step::Due(_)));
        assert!(matches!(episode.step(ms(22), busy(1), T), Step::Due(_)));
        assert_eq!(episode.step(ms(24), idle(), T), Step::Quiet);
    }

    /// Time in which the process was frozen is not the poll's.
    #[test]
    fn frozen_time_is_excused() {
        let mut episode = Episode::new(ms(0));
        episode.step(ms(2), busy(1), T);
        episode.excuse(ms(300));
        assert_eq!(episode.step(ms(304), busy(1), T), Step::Quiet);
    }

    /// After a long idle time without looks, the poll that woke the watchdog began just now.
    #[test]
    fn begins_after_idleness() {
        let mut episode = Episode::new(ms(0));
        episode.step(ms(2), idle(), T);
        episode.idle_until(ms(1000));
        episode.step(ms(1002), busy(1), T);
        assert!(
            matches!(episode.step(ms(1011), busy(1), T), Step::Due(span) if span.started == ms(1001))
        );
    }

    /// Without a stamp the end is the look that missed it.
    #[test]
    fn unstamped_end() {
        let mut episode = Episode::new(ms(0));
        episode.step(ms(0), busy(1), T);
        assert!(matches!(episode.step(ms(12), busy(1), T), Step::Due(_)));
        episode.reported(ms(12));
        assert!(
            matches!(episode.step(ms(40), idle(), T), Step::Over(span) if span.length == ms(40))
        );
    }
}
