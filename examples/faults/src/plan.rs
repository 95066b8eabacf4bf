//! The faults of one service, and the calls the service makes at its points.
//!
//! The switches lie behind one short lock that is taken only while something is on; what a visit asks first is one relaxed
//! load. The lock is never held while a fault blocks or waits. A visit that may wait is a future of a few words, and
//! allocates only while something is on.

mod beside;
mod rooms;
mod switched;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::effects::Effects;
use crate::error::Error;
use crate::fault::{Block, CATALOGUE, Fault};
use crate::point::Point;
use crate::settings::Settings;
use crate::status::Status;
use crate::switch::Switch;
use crate::turn::Turn;
use crate::{blocking_pool, task_leak, unbounded_queue};
use switched::Switched;

/// The faults of one service and which of them are on. Shared as `Arc<Plan>`.
#[derive(Debug)]
pub struct Plan {
    service: &'static str,
    points: &'static [Point],
    /// Bits of the points at which some fault is on.
    armed: AtomicU8,
    /// One switch for each fault whose point the service declares, in the order of the catalogue.
    switches: Mutex<Vec<Switch>>,
    /// Wakes what waits beside connections whenever a fault has been switched.
    switched: Switched,
    effects: Effects,
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
            switched: Switched::default(),
            effects: Effects::default(),
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

    /// Switches a fault on, or changes the settings of one that is on; settings left out are the fault's defaults. Its next
    /// visit fires.
    ///
    /// # Errors
    ///
    /// An unknown name, a fault whose point this service does not declare, or a setting that is out of bounds or that the
    /// fault does not take; nothing changes then.
    pub fn on(&self, name: &str, settings: Settings) -> Result<Status, Error> {
        let fault = Fault::named(name).ok_or_else(|| Error::unknown(name))?;
        let settings = fault.parameters.fill(fault.name, &settings)?;
        let status = self.switch(fault, |switch| {
            let now = Instant::now();
            switch.on(settings, now);
            if let Some(effect) = self.effects.of(fault)
                && let Err(reason) = effect.begin(&settings)
            {
                switch.fail(now, reason);
            }
        })?;
        tracing::info!(
            service = self.service,
            fault = fault.name,
            "fault switched on"
        );
        Ok(status)
    }

    /// Switches a fault off and cleans up: what it has left behind is released, and who waits for it goes on. A firing that
    /// blocks still ends by itself, within its duration, and its helper thread with it. Switching off what is off does
    /// nothing.
    ///
    /// # Errors
    ///
    /// An unknown name, or a fault whose point this service does not declare.
    pub fn off(&self, name: &str) -> Result<Status, Error> {
        let fault = Fault::named(name).ok_or_else(|| Error::unknown(name))?;
        let status = self.switch(fault, |switch| {
            switch.off();
            if let Some(effect) = self.effects.of(fault) {
                effect.undo();
            }
        })?;
        tracing::info!(
            service = self.service,
            fault = fault.name,
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
        self.block(Point::Handler);
        let calls = &self.effects.calls;
        self.act(&blocking_pool::FAULT, |settings| calls.top_up(settings));
    }

    #[cold]
    fn queue_armed(&self) -> bool {
        self.act(&unbounded_queue::FAULT, |_| Ok(1))
    }

    #[cold]
    fn session_end_armed(&self) {
        let leak = &self.effects.leak;
        self.act(&task_leak::FAULT, |_| leak.add().map(|()| 1));
    }

    /// Lets the blocking fault of a point that has been due for longest block, if the turn is ours.
    fn block(&self, point: Point) {
        let turn = Turn::take();
        let Some(firing) = self.next_firing(point, turn) else {
            return;
        };
        let (fault, duration) = (firing.fault, firing.duration);
        match (firing.block)(duration) {
            Ok(blocked) => self.ended(fault, blocked),
            Err(error) => {
                tracing::warn!(service = self.service, fault = fault.name, %error, "fault could not fire");
                if let Some(switch) = find(&mut self.lock(), fault) {
                    switch.fail(Instant::now(), error.to_string());
                }
            }
        }
    }

    /// Counts the visit for every blocking fault of the point that is on, and picks the one that has been due for longest.
    fn next_firing(&self, point: Point, turn: Option<Turn>) -> Option<Firing> {
        let now = Instant::now();
        let mut switches = self.lock();
        let blocking =
            |switch: &&mut Switch| switch.fault.point == point && switch.fault.is_blocking();
        for switch in switches.iter_mut().filter(blocking) {
            switch.visit();
        }
        let turn = turn?;
        let (switch, block) = switches
            .iter_mut()
            .filter(blocking)
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

    /// Lets a fault that neither blocks nor waits act, under the lock: so switching it off either comes before, or cleans
    /// up what was done. `act` says how much it did; returns whether it was anything.
    fn act(
        &self,
        fault: &Fault,
        act: impl FnOnce(&Settings) -> Result<usize, &'static str>,
    ) -> bool {
        let mut switches = self.lock();
        let Some(switch) = find(&mut switches, fault) else {
            return false;
        };
        let Some((settings, _)) = switch.setting().filter(|_| switch.visit()) else {
            return false;
        };
        match act(&settings) {
            Ok(0) => false,
            Ok(_) => {
                switch.begin(SystemTime::now());
                true
            }
            Err(reason) => {
                switch.fail(Instant::now(), reason.to_owned());
                false
            }
        }
    }

    /// Counts a visit of a fault that waits, and begins a firing if it is on and due; says how long it has to last.
    fn claim(&self, fault: &Fault) -> Option<Duration> {
        let mut switches = self.lock();
        let switch = find(&mut switches, fault)?;
        switch.visit();
        switch.claim(Instant::now(), SystemTime::now())
    }

    /// A firing has ended, after so long.
    fn ended(&self, fault: &Fault, lasted: Duration) {
        if let Some(switch) = find(&mut self.lock(), fault) {
            switch.end(Instant::now(), lasted);
        }
        tracing::debug!(
            service = self.service,
            fault = fault.name,
            ?lasted,
            "fault fired"
        );
    }

    /// Changes one switch, then sets the armed bits to what is on, and tells whom it concerns.
    fn switch(&self, fault: &Fault, change: impl FnOnce(&mut Switch)) -> Result<Status, Error> {
        let mut switches = self.lock();
        let switch = find(&mut switches, fault)
            .ok_or_else(|| Error::undeclared(fault.name, fault.point, self.service, self.points))?;
        change(switch);
        let status = self.status_of(switch);
        let on = switches.iter().filter(|switch| switch.is_on());
        let armed = on.fold(0, |bits, switch| bits | switch.fault.point.bit());
        self.armed.store(armed, Ordering::Relaxed);
        // Under the lock, so that two switches never tell at once.
        self.switched.tell();
        Ok(status)
    }

    fn status_of(&self, switch: &Switch) -> Status {
        let effect = self.effects.of(switch.fault);
        let (acts, left) = effect.map_or((0, 0), |effect| (effect.acts(), effect.left()));
        switch.status(acts, left)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Switch>> {
        // Nothing is left half done under this lock, so a panic elsewhere does not make it unusable.
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
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
    switches.iter_mut().find(|switch| switch.fault.is(fault))
}
