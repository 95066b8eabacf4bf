//! What the builder builds: Tokio's runtime, whose `block_on` and `spawn` are watched.
//!
//! A wrapper, because no hook sees the future given to `block_on`. It is registered until the runtime has ended: fields
//! are dropped in their order.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;

use super::driving::Driving;
use super::farewell::Farewell;
use super::registry::Registration;
use super::root::{Root, watched};
use super::spawn::WatchedTask;
use super::task_id::number_of;

/// A watched Tokio runtime.
#[derive(Debug)]
pub struct Runtime {
    farewell: Farewell,
    runtime: tokio::runtime::Runtime,
    registration: Registration,
}

impl Runtime {
    pub(super) fn new(runtime: tokio::runtime::Runtime, registration: Registration) -> Self {
        Self {
            farewell: registration.farewell(),
            runtime,
            registration,
        }
    }

    /// Runs a future to its end; its polls are watched like a task's.
    ///
    /// # Panics
    ///
    /// As `tokio::runtime::Runtime::block_on`.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let here = Location::caller();
        let number = self.registration.number;
        if self.handle().runtime_flavor() == RuntimeFlavor::CurrentThread {
            let _driving = Driving::begin(number);
            self.runtime
                .block_on(watched(future, here, Root::Worker(number)))
        } else {
            self.runtime
                .block_on(watched(future, here, Root::Lone(number)))
        }
    }

    /// Spawns a watched task.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, record) = WatchedTask::new(future, Location::caller(), self.registration.number);
        let handle = self.runtime.spawn(task);
        record.has_id(number_of(&handle.id()));
        handle
    }

    /// Tokio's handle to the runtime.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Ends the runtime, waiting at most `patience` for blocking tasks.
    pub fn shutdown_timeout(self, patience: Duration) {
        let _until_ended = self.registration;
        drop(self.farewell);
        self.runtime.shutdown_timeout(patience);
    }

    /// Ends the runtime without waiting for blocking tasks.
    pub fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }
}

/// A watched Tokio runtime whose tasks need not be `Send`; it stays on its thread.
#[derive(Debug)]
pub struct LocalRuntime {
    farewell: Farewell,
    runtime: tokio::runtime::LocalRuntime,
    registration: Registration,
}

impl LocalRuntime {
    pub(super) fn new(runtime: tokio::runtime::LocalRuntime, registration: Registration) -> Self {
        Self {
            farewell: registration.farewell(),
            runtime,
            registration,
        }
    }

    /// Runs a future to its end; its polls are watched like a task's.
    ///
    /// # Panics
    ///
    /// As `tokio::runtime::LocalRuntime::block_on`.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let number = self.registration.number;
        let _driving = Driving::begin(number);
        self.runtime
            .block_on(watched(future, Location::caller(), Root::Worker(number)))
    }

    /// Spawns a watched task on this thread.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let (task, record) = WatchedTask::new(future, Location::caller(), self.registration.number);
        let handle = self.runtime.spawn_local(task);
        record.has_id(number_of(&handle.id()));
        handle
    }

    /// Tokio's handle to the runtime.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Ends the runtime, waiting at most `patience` for blocking tasks.
    pub fn shutdown_timeout(self, patience: Duration) {
        let _until_ended = self.registration;
        drop(self.farewell);
        self.runtime.shutdown_timeout(patience);
    }

    /// Ends the runtime without waiting for blocking tasks.
    pub fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }
}
