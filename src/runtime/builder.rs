//! Building a watched runtime: pollscope's hooks composed with the user's.
//!
//! Tokio's builder has one place for each hook and a second call replaces the first, so the user's hooks are given to
//! this builder, which calls both. A thread hook that is already in Tokio's builder
//! would be lost in silence; it is refused. Task hooks (`on_before_task_poll` and its like) do not show in Tokio's builder:
//! given there, they are replaced, so they must be given here.

use std::fmt;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle, LocalOptions};

use super::attach;
use super::bell::BELL;
use super::built::{LocalRuntime, Runtime};
use super::registry::{Registration, Runtimes, WatchedRuntime};
use super::sites::Sites;
use super::slots;
use super::stacks;
use super::status::Tier;
use crate::Error;

type Hook = Arc<dyn Fn() + Send + Sync>;

#[cfg(tokio_unstable)]
type TaskHook = Arc<dyn Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync>;

/// A Tokio runtime builder whose runtime is watched.
#[must_use = "a builder does nothing until `build`"]
pub struct RuntimeBuilder {
    builder: Builder,
    runtimes: Runtimes,
    name: String,
    tier: Tier,
    on_thread_start: Option<Hook>,
    on_thread_stop: Option<Hook>,
    on_thread_park: Option<Hook>,
    on_thread_unpark: Option<Hook>,
    #[cfg(tokio_unstable)]
    on_task_spawn: Option<TaskHook>,
    #[cfg(tokio_unstable)]
    on_task_terminate: Option<TaskHook>,
    #[cfg(tokio_unstable)]
    on_before_task_poll: Option<TaskHook>,
    #[cfg(tokio_unstable)]
    on_after_task_poll: Option<TaskHook>,
}

impl fmt::Debug for RuntimeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeBuilder")
            .field("name", &self.name)
            .field("builder", &self.builder)
            .finish_non_exhaustive()
    }
}

impl RuntimeBuilder {
    pub(crate) fn new(builder: Builder, runtimes: Runtimes) -> Self {
        Self {
            builder,
            runtimes,
            name: "main".to_owned(),
            tier: if cfg!(tokio_unstable) {
                Tier::Hooks
            } else {
                Tier::Built
            },
            on_thread_start: None,
            on_thread_stop: None,
            on_thread_park: None,
            on_thread_unpark: None,
            #[cfg(tokio_unstable)]
            on_task_spawn: None,
            #[cfg(tokio_unstable)]
            on_task_terminate: None,
            #[cfg(tokio_unstable)]
            on_before_task_poll: None,
            #[cfg(tokio_unstable)]
            on_after_task_poll: None,
        }
    }

    /// Names the runtime in events and metric labels; default `main`. A name that is taken gets a number appended.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Watches as on stable Tokio (tier T1) also under `--cfg tokio_unstable`: without task hooks of pollscope's own.
    ///
    /// Saves the hooks' 3 ns a poll; polls are then told apart for tasks of [`spawn`](crate::spawn) only. Without that flag
    /// it changes nothing.
    pub fn without_task_hooks(mut self) -> Self {
        self.tier = Tier::Built;
        self
    }

    /// As `tokio::runtime::Builder::on_thread_start`.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_thread_start = Some(Arc::new(hook));
        self
    }

    /// As `tokio::runtime::Builder::on_thread_stop`.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_thread_stop = Some(Arc::new(hook));
        self
    }

    /// As `tokio::runtime::Builder::on_thread_park`; runs before pollscope's own.
    pub fn on_thread_park(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_thread_park = Some(Arc::new(hook));
        self
    }

    /// As `tokio::runtime::Builder::on_thread_unpark`; runs after pollscope's own.
    pub fn on_thread_unpark(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_thread_unpark = Some(Arc::new(hook));
        self
    }

    /// As `tokio::runtime::Builder::on_task_spawn`.
    #[cfg(tokio_unstable)]
    pub fn on_task_spawn(
        mut self,
        hook: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.on_task_spawn = Some(Arc::new(hook));
        self
    }

    /// As `tokio::runtime::Builder::on_task_terminate`.
    #[cfg(tokio_unstable)]
    pub fn on_task_terminate(
        mut self,
        hook: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.on_task_terminate = Some(Arc::new(hook));
        self
    }

    /// As `tokio::runtime::Builder::on_before_task_poll`; runs after pollscope's own, so it is watched too.
    #[cfg(tokio_unstable)]
    pub fn on_before_task_poll(
        mut self,
        hook: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.on_before_task_poll = Some(Arc::new(hook));
        self
    }

    /// As `tokio::runtime::Builder::on_after_task_poll`; runs before pollscope's own, so it is watched too.
    #[cfg(tokio_unstable)]
    pub fn on_after_task_poll(
        mut self,
        hook: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.on_after_task_poll = Some(Arc::new(hook));
        self
    }

    /// Builds the runtime.
    ///
    /// # Errors
    ///
    /// When Tokio cannot build it, or the Tokio builder already holds a thread hook, which would be lost. Poll hooks on the
    /// Tokio builder cannot be seen and are replaced: give them to this builder.
    pub fn build(mut self) -> Result<Runtime, Error> {
        let (number, sites) = self.prepare()?;
        let runtime = self.builder.build().map_err(refused)?;
        let registration = self.register(number, runtime.handle(), sites);
        Ok(Runtime::new(runtime, registration))
    }

    /// Builds a runtime that stays on this thread and runs tasks that are not `Send`.
    ///
    /// # Errors
    ///
    /// As [`RuntimeBuilder::build`].
    ///
    /// # Panics
    ///
    /// When Tokio's builder is of the multi-thread flavour, as its `build_local`.
    pub fn build_local(mut self) -> Result<LocalRuntime, Error> {
        let (number, sites) = self.prepare()?;
        let options = LocalOptions::default();
        let runtime = self.builder.build_local(options).map_err(refused)?;
        let registration = self.register(number, runtime.handle(), sites);
        Ok(LocalRuntime::new(runtime, registration))
    }

    /// Installs the hooks, and tells the runtime's number and where its tasks are to be counted.
    fn prepare(&mut self) -> Result<(u32, Option<Arc<Sites>>), Error> {
        if let Some(hook) = lost_hook(&format!("{:?}", self.builder)) {
            return Err(Error::configuration(format!(
                "the tokio builder already has an `{hook}` hook, expected it on the pollscope builder, which calls both"
            )));
        }
        let number = Runtimes::reserve();
        self.builder.name(self.name.clone());
        let sites = (self.tier == Tier::Hooks).then(Arc::<Sites>::default);
        self.install_hooks(number);
        #[cfg(tokio_unstable)]
        self.install_life_hooks(sites.clone());
        Ok((number, sites))
    }

    fn register(self, number: u32, handle: &Handle, sites: Option<Arc<Sites>>) -> Registration {
        let runtime = WatchedRuntime {
            name: self.name,
            flavor: attach::flavor_of(handle),
            tier: self.tier,
            metrics: handle.metrics(),
            handle: None,
            sites,
        };
        let registration = self.runtimes.register(number, runtime);
        if self.tier != Tier::Hooks {
            // Without task hooks, tasks of others are told apart by Tokio's own note of the current task.
            attach::calibrate(handle);
        }
        registration
    }

    fn install_hooks(&mut self, number: u32) {
        let hook = self.on_thread_start.take();
        self.builder.on_thread_start(move || {
            slots::belongs_to(number);
            stacks::register();
            if let Some(hook) = &hook {
                hook();
            }
        });
        if let Some(hook) = self.on_thread_stop.take() {
            self.builder.on_thread_stop(move || hook());
        }
        let hook = self.on_thread_park.take();
        self.builder.on_thread_park(move || {
            if let Some(hook) = &hook {
                hook();
            }
            slots::park(number);
        });
        let hook = self.on_thread_unpark.take();
        self.builder.on_thread_unpark(move || {
            slots::unpark(number);
            BELL.ring();
            if let Some(hook) = &hook {
                hook();
            }
        });
        #[cfg(tokio_unstable)]
        self.install_poll_hooks(number);
    }

    #[cfg(tokio_unstable)]
    fn install_life_hooks(&mut self, sites: Option<Arc<Sites>>) {
        let Some(counted) = sites else {
            if let Some(hook) = self.on_task_spawn.take() {
                self.builder.on_task_spawn(move |task| hook(task));
            }
            if let Some(hook) = self.on_task_terminate.take() {
                self.builder.on_task_terminate(move |task| hook(task));
            }
            return;
        };
        let (sites, hook) = (Arc::clone(&counted), self.on_task_spawn.take());
        self.builder.on_task_spawn(move |task| {
            sites.spawned(task.spawned_at());
            if let Some(hook) = &hook {
                hook(task);
            }
        });
        let hook = self.on_task_terminate.take();
        self.builder.on_task_terminate(move |task| {
            counted.ended(task.spawned_at());
            if let Some(hook) = &hook {
                hook(task);
            }
        });
    }

    #[cfg(tokio_unstable)]
    fn install_poll_hooks(&mut self, number: u32) {
        let is_watched = self.tier == Tier::Hooks;
        #[cfg(feature = "schedule-latency")]
        if is_watched {
            self.builder.track_task_schedule_latency();
        }
        match self.on_before_task_poll.take() {
            None if is_watched => {
                self.builder
                    .on_before_task_poll(move |task| begin_poll(number, task));
            }
            Some(hook) if is_watched => {
                self.builder.on_before_task_poll(move |task| {
                    begin_poll(number, task);
                    hook(task);
                });
            }
            Some(hook) => drop(self.builder.on_before_task_poll(move |task| hook(task))),
            None => (),
        }
        match self.on_after_task_poll.take() {
            None if is_watched => drop(self.builder.on_after_task_poll(|_| slots::leave())),
            Some(hook) if is_watched => {
                self.builder.on_after_task_poll(move |task| {
                    hook(task);
                    slots::leave();
                });
            }
            Some(hook) => drop(self.builder.on_after_task_poll(move |task| hook(task))),
            None => (),
        }
    }
}

#[cfg(tokio_unstable)]
#[inline]
fn begin_poll(runtime: u32, task: &tokio::runtime::TaskMeta<'_>) {
    let id = super::task_id::number_of(&task.id());
    slots::enter(runtime, id, task.spawned_at());
    #[cfg(feature = "schedule-latency")]
    if let Some(least) = slots::delays_asked()
        && let Some(latency) = task.schedule_latency()
    {
        super::delays::note_latency(id, task.spawned_at(), latency, least);
    }
}

fn refused(source: std::io::Error) -> Error {
    Error::setup("tokio could not build the runtime").because(source)
}

/// The hook that Tokio's builder shows in its `Debug` text, the only place where it can be seen; PURE.
fn lost_hook(debug: &str) -> Option<&'static str> {
    [
        ("after_start", "on_thread_start"),
        ("before_stop", "on_thread_stop"),
        ("before_park", "on_thread_park"),
        ("after_unpark", "on_thread_unpark"),
    ]
    .into_iter()
    .find_map(|(field, hook)| debug.contains(&format!("{field}: Some")).then_some(hook))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokio still shows hooks in the builder's `Debug` text, on which the refusal rests.
    #[test]
    fn finds_hooks_that_would_be_lost() {
        let mut builder = Builder::new_current_thread();
        assert_eq!(lost_hook(&format!("{builder:?}")), None);
        builder.on_thread_park(|| ());
        assert_eq!(lost_hook(&format!("{builder:?}")), Some("on_thread_park"));
    }
}
