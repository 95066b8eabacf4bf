//! The faults of one service, and the calls the service makes at its points.
//!
//! The switches lie behind one short lock that is taken only while something is on; what a visit asks first is one relaxed
//! load. The lock is never held while a fault blocks.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::error::Error;
use crate::fault::{Block, CATALOGUE, Fault};
use crate::point::Point;
use crate::settings::Settings;
use crate::status::Status;
use crate::switch::Switch;
use crate::task_leak::Leak;
use crate::turn::Turn;

/// The faults of one service and which of them are on. Shared as `Arc<Plan>`.
#[derive(Debug)]
pub struct Plan {
    service: &'static str,
    points: &'static [Point],
    /// Bits of the points at which some fault is on.
    armed: AtomicU8,
    /// One switch for each fault whose point the service declares, in the order of the catalogue.
    switches: Mutex<Vec<Switch>>,
    leak: Leak,
}

impl Plan {
    /// A plan with every fault off, for a service that visits `points`.
    #[must_use]
    pub fn new(service: &'static str, points: &'static [Point]) -> Self {
        let declared = CATALOGUE
            .into_iter()
            .filter(|fault| points.contains(&fault.point));
        Self {
            service,
            points,
            armed: AtomicU8::new(0),
            switches: Mutex::new(declared.map(Switch::new).collect()),
            leak: Leak::default(),
        }
    }

    /// [`Point::Handler`]: blocks the calling thread here if a blocking fault is on and due.
    ///
    /// At most one fault blocks at a time in the process, each at most once per pause; every other visit returns at once.
    #[inline]
    pub fn handler(&self) {
        if self.is_armed(Point::Handler) {
            self.handler_armed();
        }
    }

    /// [`Point::SendQueue`]: whether a full queue must keep growing instead of evicting.
    #[must_use]
    #[inline]
    pub fn queue_is_unbounded(&self) -> bool {
        self.is_armed(Point::SendQueue) && self.queue_armed()
    }

    /// [`Point::SessionEnd`]: leaves a task behind if `task-leak` is on. Must be called inside a runtime.
    #[inline]
    pub fn session_end(&self) {
        if self.is_armed(Point::SessionEnd) {
            self.session_end_armed();
        }
    }

    /// Switches a fault on, or changes the settings of one that is on. Its next visit fires.
    ///
    /// # Errors
    ///
    /// An unknown name, a fault whose point this service does not declare, or a setting out of bounds; nothing changes then.
    pub fn on(&self, name: &str, settings: Settings) -> Result<Status, Error> {
        settings.check()?;
        let status = self.switched(name, |switch| switch.on(settings))?;
        tracing::info!(
            service = self.service,
            fault = status.fault.name,
            "fault switched on"
        );
        Ok(status)
    }

    /// Switches a fault off and cleans up: tasks left behind are released. A firing that is under way still ends by itself,
    /// within its duration, and its helper thread with it. Switching off what is off does nothing.
    ///
    /// # Errors
    ///
    /// An unknown name, or a fault whose point this service does not declare.
    pub fn off(&self, name: &str) -> Result<Status, Error> {
        let status = self.switched(name, Switch::off)?;
        tracing::info!(
            service = self.service,
            fault = status.fault.name,
            "fault switched off"
        );
        Ok(status)
    }

    /// Every fault that this service can have, in the order of the catalogue.
    #[must_use]
    pub fn status(&self) -> Vec<Status> {
        self.lock()
            .iter()
            .map(|switch| self.status_of(switch))
            .collect()
    }

    /// The service this plan is for.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.service
    }

    fn is_armed(&self, point: Point) -> bool {
        self.armed.load(Ordering::Relaxed) & point.bit() != 0
    }

    #[cold]
    fn handler_armed(&self) {
        let turn = Turn::take();
        let Some(firing) = self.next_firing(turn) else {
            return;
        };
        let (fault, duration) = (firing.fault.name, firing.duration);
        let result = (firing.block)(duration);
        let now = Instant::now();
        let mut switches = self.lock();
        let Some(switch) = find(&mut switches, firing.fault) else {
            return;
        };
        match result {
            Ok(blocked) => {
                switch.end(now, blocked);
                tracing::debug!(service = self.service, fault, ?blocked, "fault fired");
            }
            Err(error) => {
                tracing::warn!(service = self.service, fault, %error, "fault could not fire");
                switch.fail(now, error.to_string());
            }
        }
    }

    /// Counts the visit for every blocking fault that is on, and picks the one that has been due for longest, if the turn
    /// to block is ours.
    fn next_firing(&self, turn: Option<Turn>) -> Option<Firing> {
        let now = Instant::now();
        let mut switches = self.lock();
        for switch in switches
            .iter_mut()
            .filter(|switch| switch.fault.is_blocking())
        {
            switch.visit();
        }
        let turn = turn?;
        let (switch, block) = switches
            .iter_mut()
            .filter_map(|switch| Some((switch.overdue(now)?, switch.fault.block?, switch)))
            .max_by_key(|(overdue, ..)| *overdue)
            .map(|(_, block, switch)| (switch, block))?;
        Some(Firing {
            fault: switch.fault,
            block,
            duration: switch.begin(SystemTime::now()),
            _turn: turn,
        })
    }

    #[cold]
    fn queue_armed(&self) -> bool {
        self.act(Point::SendQueue, || Ok(()))
    }

    #[cold]
    fn session_end_armed(&self) {
        self.act(Point::SessionEnd, || self.leak.add());
    }

    /// Lets the one fault of a point that does not block act, under the lock: so switching it off either comes before, or
    /// cleans up what was done. Says whether a fault acted.
    fn act(&self, point: Point, act: impl FnOnce() -> Result<(), &'static str>) -> bool {
        let mut switches = self.lock();
        let Some(switch) = switches
            .iter_mut()
            .find(|switch| switch.fault.point == point)
        else {
            return false;
        };
        if !switch.visit() {
            return false;
        }
        match act() {
            Ok(()) => {
                switch.begin(SystemTime::now());
                true
            }
            Err(reason) => {
                switch.fail(Instant::now(), reason.to_owned());
                false
            }
        }
    }

    /// Changes one switch, then sets the armed bits to what is on and releases leaked tasks if their fault is off.
    fn switched(&self, name: &str, change: impl FnOnce(&mut Switch)) -> Result<Status, Error> {
        let fault = Fault::named(name).ok_or_else(|| Error::unknown(name))?;
        let mut switches = self.lock();
        let switch = find(&mut switches, fault)
            .ok_or_else(|| Error::undeclared(fault.name, fault.point, self.service, self.points))?;
        change(switch);
        if !switch.is_on() && fault.point == Point::SessionEnd {
            self.leak.release();
        }
        let status = self.status_of(switch);
        let on = switches.iter().filter(|switch| switch.is_on());
        let armed = on.fold(0, |bits, switch| bits | switch.fault.point.bit());
        self.armed.store(armed, Ordering::Relaxed);
        Ok(status)
    }

    fn status_of(&self, switch: &Switch) -> Status {
        let leaked = if switch.fault.point == Point::SessionEnd {
            self.leak.len()
        } else {
            0
        };
        switch.status(leaked)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Switch>> {
        // Nothing is left half done under this lock, so a panic elsewhere does not make it unusable.
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // A service that is shut down but whose runtime lives on must not keep its leaked tasks.
        self.leak.release();
    }
}

/// What a visit has to do: it holds the turn for as long as it takes.
struct Firing {
    fault: &'static Fault,
    block: Block,
    duration: Duration,
    _turn: Turn,
}

fn find<'a>(switches: &'a mut [Switch], fault: &Fault) -> Option<&'a mut Switch> {
    switches
        .iter_mut()
        .find(|switch| switch.fault.name == fault.name)
}
