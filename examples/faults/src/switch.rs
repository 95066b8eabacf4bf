//! One fault's switch and what it has counted.
//!
//! Pure: it is told the time and decides; firing is [`Plan`](crate::Plan)'s work.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::fault::Fault;
use crate::settings::Settings;
use crate::status::Status;

/// The state of one fault in one service.
#[derive(Debug)]
pub(crate) struct Switch {
    pub(crate) fault: &'static Fault,
    is_on: bool,
    settings: Settings,
    /// When it was last switched on.
    on_since: Option<Instant>,
    visits: u64,
    fired: u64,
    failed: u64,
    /// End of the last firing; the pause runs from here.
    ended_at: Option<Instant>,
    last_fired_at: Option<SystemTime>,
    last_blocked: Option<Duration>,
    last_error: Option<String>,
}

impl Switch {
    /// A switch that is off and has counted nothing.
    pub(crate) fn new(fault: &'static Fault) -> Self {
        Self {
            fault,
            is_on: false,
            settings: fault.parameters.defaults(),
            on_since: None,
            visits: 0,
            fired: 0,
            failed: 0,
            ended_at: None,
            last_fired_at: None,
            last_blocked: None,
            last_error: None,
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// What it was last switched on with, and when; `None` while it is off.
    pub(crate) fn setting(&self) -> Option<(Settings, Instant)> {
        Some((self.settings, self.on_since.filter(|_| self.is_on)?))
    }

    /// Switches on at `now`, or changes the settings of what is on. The first visit after switching on fires without a
    /// pause.
    pub(crate) fn on(&mut self, settings: Settings, now: Instant) {
        if !self.is_on {
            self.ended_at = None;
            self.on_since = Some(now);
        }
        self.is_on = true;
        self.settings = settings;
    }

    /// Switches off; the counts stay.
    pub(crate) fn off(&mut self) {
        self.is_on = false;
    }

    /// Counts a visit of the fault's point; says whether the fault is on.
    pub(crate) fn visit(&mut self) -> bool {
        self.visits += u64::from(self.is_on);
        self.is_on
    }

    /// For how long the pause has been over at `now`; `None` if the fault is off or its pause still runs.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Duration> {
        match self.ended_at {
            _ if !self.is_on => None,
            None => Some(Duration::MAX),
            Some(ended_at) => now
                .checked_duration_since(ended_at)?
                .checked_sub(self.settings.pause()),
        }
    }

    /// How long it is at `now` until the pause is over; `None` if the fault is off.
    pub(crate) fn due_in(&self, now: Instant) -> Option<Duration> {
        let due = self
            .ended_at
            .map(|ended_at| ended_at + self.settings.pause());
        self.is_on
            .then(|| due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now)))
    }

    /// Begins a firing that others do not wait for a turn with, if one is due at `now`; returns how long it has to last.
    pub(crate) fn claim(&mut self, now: Instant, clock: SystemTime) -> Option<Duration> {
        self.overdue(now)?;
        let duration = self.begin(clock);
        // Nobody else may claim it before the end is known, and nobody may ever say so: the task may be dropped.
        self.ended_at = Some(now + duration);
        Some(duration)
    }

    /// A firing begins; returns how long it has to block.
    pub(crate) fn begin(&mut self, clock: SystemTime) -> Duration {
        self.fired += 1;
        self.last_fired_at = Some(clock);
        self.settings.duration()
    }

    /// A firing has ended at `now`, after blocking for so long.
    pub(crate) fn end(&mut self, now: Instant, blocked: Duration) {
        self.ended_at = Some(now);
        self.last_blocked = Some(blocked);
    }

    /// A firing could not be done. The pause runs from here too, so that a lasting cause is not tried at every visit.
    pub(crate) fn fail(&mut self, now: Instant, reason: String) {
        self.ended_at = Some(now);
        self.failed += 1;
        self.last_error = Some(reason);
    }

    /// What there is to say, with what the switch does not know: how often the fault acted by itself, and what is left.
    pub(crate) fn status(&self, acts: u64, leaked: usize) -> Status {
        Status {
            fault: self.fault,
            on: self.is_on,
            settings: self.settings,
            visits: self.visits,
            fired: self.fired + acts,
            failed: self.failed,
            last_fired_at: self.last_fired_at.map(unix_milliseconds),
            last_blocked_ms: self.last_blocked.map(|blocked| blocked.as_secs_f64() * 1e3),
            last_error: self.last_error.clone(),
            leaked,
        }
    }
}

/// Milliseconds since the Unix epoch; a clock set before 1970 reads as zero.
fn unix_milliseconds(clock: SystemTime) -> u64 {
    let since_epoch = clock.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_sleep;

    fn switch() -> (Switch, Settings, Instant) {
        let settings = Settings {
            duration_ms: Some(50),
            pause_ms: Some(200),
            count: None,
        };
        (Switch::new(&block_sleep::FAULT), settings, Instant::now())
    }

    /// Goal: off means off: no count, never due.
    #[test]
    fn off_counts_nothing() {
        let (mut switch, settings, now) = switch();
        assert!(!switch.visit());
        assert_eq!(switch.overdue(now), None);
        switch.on(settings, now);
        switch.off();
        assert!(!switch.visit());
        assert_eq!((switch.overdue(now), switch.due_in(now)), (None, None));
        assert_eq!(switch.claim(now, UNIX_EPOCH), None);
        assert_eq!(switch.setting(), None);
        assert_eq!(switch.status(0, 0).visits, 0);
    }

    /// Goal: the first visit fires, the next one only after the pause, counted from the end of the firing.
    #[test]
    fn pause_runs_from_the_end() {
        let (mut switch, settings, now) = switch();
        let at = |ms| now + Duration::from_millis(ms);
        switch.on(settings, now);
        assert!(switch.visit());
        assert!(switch.overdue(now).is_some());
        assert_eq!(
            switch.begin(UNIX_EPOCH + Duration::from_millis(7)),
            Duration::from_millis(50)
        );
        switch.end(at(51), Duration::from_millis(51));
        for (ms, due) in [
            (0, false),
            (51, false),
            (250, false),
            (251, true),
            (400, true),
        ] {
            assert_eq!(switch.overdue(at(ms)).is_some(), due, "after {ms} ms");
        }
        let status = switch.status(4, 3);
        assert_eq!(
            (status.visits, status.fired, status.failed, status.leaked),
            (1, 1 + 4, 0, 3)
        );
        assert_eq!(status.last_fired_at, Some(7));
        assert_eq!(status.last_blocked_ms, Some(51.0));
    }

    /// Goal: switching off and on again fires at once; changing the settings while on does not.
    #[test]
    fn switching_on_again_skips_the_pause() {
        let (mut switch, settings, now) = switch();
        switch.on(settings, now);
        switch.end(now, Duration::ZERO);
        let longer = Settings {
            pause_ms: Some(500),
            ..settings
        };
        switch.on(longer, now + Duration::from_millis(1));
        assert_eq!(switch.setting(), Some((longer, now)));
        assert_eq!(switch.overdue(now + Duration::from_millis(499)), None);
        switch.off();
        switch.on(settings, now);
        assert!(switch.overdue(now).is_some());
    }

    /// Goal: a firing is claimed once, and again after its duration and its pause, also if nobody told of its end.
    #[test]
    fn claims_are_exclusive() {
        let (mut switch, settings, now) = switch();
        let at = |ms| now + Duration::from_millis(ms);
        switch.on(settings, now);
        assert_eq!(switch.due_in(now), Some(Duration::ZERO));
        for (ms, claimed) in [
            (0, true),
            (0, false),
            (249, false),
            (250, true),
            (251, false),
        ] {
            let claim = switch.claim(at(ms), UNIX_EPOCH);
            assert_eq!(
                claim,
                claimed.then_some(Duration::from_millis(50)),
                "{ms} ms"
            );
        }
        assert_eq!(switch.due_in(at(490)), Some(Duration::from_millis(10)));
        assert_eq!(switch.status(0, 0).fired, 2);
    }

    /// Goal: a failure is counted, explained, and not tried again before the pause is over.
    #[test]
    fn failure_is_counted_and_paused() {
        let (mut switch, settings, now) = switch();
        switch.on(settings, now);
        switch.fail(now, "no file descriptor left".to_owned());
        assert_eq!(switch.overdue(now + Duration::from_millis(100)), None);
        let status = switch.status(0, 0);
        assert_eq!(status.failed, 1);
        assert_eq!(
            status.last_error.as_deref(),
            Some("no file descriptor left")
        );
    }
}
