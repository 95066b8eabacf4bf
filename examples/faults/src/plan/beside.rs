//! What waits beside each connection: the next storm, the next panic, the next tick.
//!
//! While nothing is on this is one registered waiter and no timer. It is made anew whenever a fault is switched, so
//! nothing of a fault that was on outlives it.

use std::future::{Future as _, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use tokio::time::{sleep, sleep_until};

use super::{Plan, find};
use crate::fault::Fault;
use crate::point::Point;
use crate::settings::Settings;
use crate::{panic_detached, reconnect_storm, timer_storm};

impl Plan {
    /// [`Point::Connection`]: completes when the connection must be closed at once, because of `reconnect-storm`; to be
    /// polled for as long as the connection lives. Needs a runtime with timers.
    ///
    /// # Panics
    ///
    /// If `panic-detached` is on and it is this connection's turn.
    pub async fn connection(&self) {
        let opened = Instant::now();
        loop {
            // Before the look at what is on: a switch after it is then not missed.
            let mut switched = pin!(self.switched.waiter());
            let mut asked = None;
            let armed = self.is_armed(Point::Connection);
            let mut beside = armed.then(|| Box::pin(self.beside(opened)));
            let must_close = poll_fn(|context| {
                let switched = self.switched.poll(switched.as_mut(), &mut asked, context);
                if switched.is_ready() {
                    return Poll::Ready(false);
                }
                match &mut beside {
                    Some(beside) => beside.as_mut().poll(context).map(|()| true),
                    None => Poll::Pending,
                }
            });
            if must_close.await {
                return;
            }
        }
    }

    /// Completes with the storm; the others never do.
    async fn beside(&self, opened: Instant) {
        tokio::select! {
            biased;
            () = self.storm(opened) => {}
            () = self.panics() => {}
            () = self.ticks() => {}
        }
    }

    async fn storm(&self, opened: Instant) {
        let fault = &reconnect_storm::FAULT;
        let Some((settings, since)) = self.setting(fault) else {
            return pending().await;
        };
        let storm = reconnect_storm::storm_after(opened, since, settings.pause());
        sleep_until(storm.into()).await;
        self.act(fault, |_| Ok(1));
    }

    async fn panics(&self) {
        let fault = &panic_detached::FAULT;
        loop {
            let due_in =
                find(&mut self.lock(), fault).and_then(|switch| switch.due_in(Instant::now()));
            match due_in {
                None => return pending().await,
                Some(due_in) => sleep(due_in).await,
            }
            // All connections wake for it; the first one has it, the others wait for the next.
            if self.claim(fault).is_some() {
                panic_detached::panic_in_task();
            }
        }
    }

    async fn ticks(&self) {
        match self.setting(&timer_storm::FAULT) {
            Some((settings, _)) => self.effects.ticks.tick(&settings).await,
            None => pending().await,
        }
    }

    fn setting(&self, fault: &Fault) -> Option<(Settings, Instant)> {
        find(&mut self.lock(), fault)?.setting()
    }
}
