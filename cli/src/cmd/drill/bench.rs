//! The runtime that a subject acts on, made as its flavour and tier want it.

use std::future::Future;
use std::time::Duration;

use pollscope::Scope;
use pollscope::runtime::{LocalRuntime as WatchedLocal, Runtime as Watched, RuntimeBuilder};
use tokio::runtime::{Builder, Handle, LocalOptions, LocalRuntime, Runtime};
use tokio::task::JoinHandle;

use super::scenario::Tier;
use crate::ending::Failure;
use crate::telemetry::refused;

/// Workers of a multi_thread runtime: one that is held and one that is not.
pub(super) const WORKERS: usize = 2;

/// Pause of the task that keeps a runtime alive beside the acts.
const TICK: Duration = Duration::from_millis(5);

/// How tasks are spawned and runtimes made in one tier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bench<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) tier: Tier,
}

/// A runtime, watched or only attached to.
pub(super) enum Made {
    Plain(Runtime),
    Watched(Watched),
}

/// The same for a runtime that stays on its thread.
pub(super) enum MadeLocal {
    Plain(LocalRuntime),
    Watched(WatchedLocal),
}

impl Bench<'_> {
    /// Spawns as a service of this tier would.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.tier {
            Tier::T1 => pollscope::spawn(future),
            Tier::T0 | Tier::T2 => tokio::spawn(future),
        }
    }

    /// The same for a task that stays on its thread.
    pub(super) fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match self.tier {
            Tier::T1 => pollscope::spawn_local(future),
            Tier::T0 | Tier::T2 => tokio::task::spawn_local(future),
        }
    }

    /// The threshold in force.
    pub(crate) fn threshold(&self) -> Duration {
        self.scope.config().record
    }

    /// A runtime of this tier.
    pub(super) fn make(&self, mut builder: Builder, name: &str) -> Result<Made, Failure> {
        builder.enable_all();
        if self.tier == Tier::T0 {
            let runtime = builder
                .name(name)
                .build()
                .map_err(|error| unbuilt(&error))?;
            self.attach(runtime.handle())?;
            return Ok(Made::Plain(runtime));
        }
        let built = self.watched(builder, name).build();
        built
            .map(Made::Watched)
            .map_err(|error| refused(&error, ""))
    }

    /// A `LocalRuntime` of this tier.
    pub(super) fn make_local(
        &self,
        mut builder: Builder,
        name: &str,
    ) -> Result<MadeLocal, Failure> {
        builder.enable_all();
        if self.tier == Tier::T0 {
            let built = builder.name(name).build_local(LocalOptions::default());
            let runtime = built.map_err(|error| unbuilt(&error))?;
            self.attach(runtime.handle())?;
            return Ok(MadeLocal::Plain(runtime));
        }
        let built = self.watched(builder, name).build_local();
        built
            .map(MadeLocal::Watched)
            .map_err(|error| refused(&error, ""))
    }

    fn attach(&self, handle: &Handle) -> Result<(), Failure> {
        let _inside = handle.enter();
        self.scope.attach().map_err(|error| refused(&error, ""))
    }

    fn watched(&self, builder: Builder, name: &str) -> RuntimeBuilder {
        let builder = self.scope.runtime(builder).name(name);
        if self.tier == Tier::T1 {
            builder.without_task_hooks()
        } else {
            builder
        }
    }
}

fn unbuilt(error: &std::io::Error) -> Failure {
    Failure::unable("tokio could not build the runtime", error)
}

impl Made {
    /// Drives the runtime with this future.
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Plain(runtime) => runtime.block_on(future),
            Self::Watched(runtime) => runtime.block_on(future),
        }
    }

    /// Ends it, in one of Tokio's three ways.
    pub(super) fn end(self, way: usize) {
        const LIMIT: Duration = Duration::from_millis(100);
        match (self, way % 3) {
            (Self::Plain(runtime), 0) => drop(runtime),
            (Self::Plain(runtime), 1) => runtime.shutdown_timeout(LIMIT),
            (Self::Plain(runtime), _) => runtime.shutdown_background(),
            (Self::Watched(runtime), 0) => drop(runtime),
            (Self::Watched(runtime), 1) => runtime.shutdown_timeout(LIMIT),
            (Self::Watched(runtime), _) => runtime.shutdown_background(),
        }
    }
}

impl MadeLocal {
    /// Drives the runtime with this future.
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Plain(runtime) => runtime.block_on(future),
            Self::Watched(runtime) => runtime.block_on(future),
        }
    }
}

/// Keeps a runtime awake now and then, as every service does.
pub(super) async fn tick() {
    loop {
        tokio::time::sleep(TICK).await;
    }
}
