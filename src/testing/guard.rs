//! The guard: runs a future on a runtime of its own, whose polls are metered.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, RuntimeFlavor};

use super::ledger::Ledger;
#[cfg(tokio_unstable)]
use super::ledger::PollSubject;
use super::meter::{self, Guarded};
use super::report::{self, Rules};
use super::violation::Violations;
use super::watcher::Watching;
use crate::capture::sys;
use crate::runtime::{RuntimeBuilder, Runtimes};

/// Runs a future and the tasks it spawns, and tells which of their polls blocked.
///
/// A poll breaks the rule when it made a voluntary context switch: its thread had to wait for something. That is the
/// kernel's count and no measurement of time, so a crowded machine does not change it. On a multi-thread runtime the wait
/// must also have been seen by a watcher, which finds long ones only ([`Guard::count_unseen`]). With `--cfg tokio_unstable`
/// every task is metered, otherwise the future itself and tasks spawned with [`spawn`](crate::spawn).
///
/// # Example
///
/// ```
/// use pollscope::testing::{Guard, ViolationKind};
/// use std::time::Duration;
///
/// let violations = Guard::new()
///     .run(async { std::thread::sleep(Duration::from_millis(20)) })
///     .unwrap_err();
/// assert_eq!(violations.all()[0].kind, ViolationKind::Blocked);
/// println!("{violations}"); // the line, the system call, the task, the advice, the stack
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a guard does nothing until `run`"]
pub struct Guard {
    cpu_limit: Option<Duration>,
    counts_unseen: Option<bool>,
    in_app: Vec<String>,
}

impl Guard {
    /// A guard against blocking, without a limit on CPU time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also fails polls that take more CPU time than `limit`: the only thing that sees a loop that never waits.
    ///
    /// CPU time, not time on the wall, so that a crowded machine cannot fail the test. Debug builds compute ten to a
    /// hundred times slower than release builds: leave room. At least a millisecond gives a line.
    pub fn poll_limit(mut self, limit: Duration) -> Self {
        self.cpu_limit = Some(limit);
        self
    }

    /// Whether a poll that blocked counts although it was too short to be seen; default: yes on a current_thread runtime.
    ///
    /// Threads of one process share the allocator and the address space, workers share Tokio's queues, and a thread that
    /// loses its CPU while it holds one of those lets the others wait. Where such a wait is seen it is excused; where it
    /// is not, a multi-thread runtime would fail one clean test in fifteen on a crowded machine.
    pub fn count_unseen(mut self, counts: bool) -> Self {
        self.counts_unseen = Some(counts);
        self
    }

    /// Path or function prefix that counts as the user's own code, as [`Config::in_app`](crate::Config::in_app).
    pub fn in_app(mut self, prefix: impl Into<String>) -> Self {
        self.in_app.push(prefix.into());
        self
    }

    /// Runs `future` on a current_thread runtime with everything enabled, as `#[tokio::test]` does.
    ///
    /// # Errors
    ///
    /// The violations, if there was one; the future's result is then lost.
    ///
    /// # Panics
    ///
    /// When Tokio cannot build the runtime, and when `future` panics.
    #[track_caller]
    pub fn run<F: Future>(self, future: F) -> Result<F::Output, Violations> {
        let mut builder = Builder::new_current_thread();
        builder.enable_all();
        self.block_on(builder, future)
    }

    /// Runs `future` on a runtime of `builder`, such as a multi-thread one.
    ///
    /// The runtime is dropped before the verdict. On a multi-thread runtime only blocks that were seen count: all of
    /// five milliseconds and more, nine in ten from a fifth of a millisecond on where the watcher gets a CPU, and about six
    /// in ten on a crowded machine; see [`Guard::count_unseen`].
    ///
    /// # Errors
    ///
    /// As [`Guard::run`].
    ///
    /// # Panics
    ///
    /// When Tokio cannot build the runtime or `builder` already has hooks, and when `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(self, builder: Builder, future: F) -> Result<F::Output, Violations> {
        let ledger = Arc::new(Ledger::new(self.cpu_limit));
        let runtime = match metered(builder, &ledger).build() {
            Ok(runtime) => runtime,
            Err(error) => panic!("the guarded runtime could not be built: {error:?}"),
        };
        let watching = Watching::begin(&ledger);
        let output = {
            let _guarded = Guarded::begin(&ledger);
            runtime.block_on(future)
        };
        let is_alone = runtime.handle().runtime_flavor() == RuntimeFlavor::CurrentThread;
        drop(runtime);
        drop(watching);
        let rules = Rules {
            counts_unseen: self.counts_unseen.unwrap_or(is_alone),
            in_app: &self.in_app,
        };
        match report::violations(ledger.take(), rules) {
            None => Ok(output),
            Some(violations) => Err(violations),
        }
    }
}

fn metered(builder: Builder, ledger: &Arc<Ledger>) -> RuntimeBuilder {
    let builder = RuntimeBuilder::new(builder, Runtimes::default()).name("guarded");
    let ledger = Arc::clone(ledger);
    let builder = builder.on_thread_start(move || meter::guard_thread(&ledger));
    #[cfg(tokio_unstable)]
    let builder = builder
        .on_before_task_poll(|task| {
            // Tokio's own note of the current task is written after this hook.
            meter::enter(|| PollSubject {
                task: Some(task.id()),
                spawned_at: task.spawned_at(),
                future: None,
            });
        })
        .on_after_task_poll(|_| meter::leave());
    builder
}

/// Whether this platform counts voluntary context switches for each thread; where not, a guard finds nothing.
#[must_use]
pub fn is_supported() -> bool {
    sys::own_waits().is_some()
}

/// Runs `future` as the whole body of a test, and fails the test if one of its polls blocked: [`Guard::run`] in one line.
///
/// # Panics
///
/// With a readable report when a poll broke the rule; that is its purpose. Also as [`Guard::run`].
///
/// # Example
///
/// ```
/// // The body of a `#[test]` function.
/// pollscope::testing::run(async {
///     tokio::time::sleep(std::time::Duration::from_millis(1)).await;
/// });
/// ```
#[track_caller]
pub fn run<F: Future>(future: F) -> F::Output {
    match Guard::new().run(future) {
        Ok(output) => output,
        Err(violations) => panic!("{violations}"),
    }
}
