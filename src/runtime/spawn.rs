//! Watching one future: its polls are heartbeats, on stable Tokio too.

use std::any::type_name;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::delays;
use super::records;
use super::slots::{self, Entry};
use super::task_id::number_of;
use super::task_record::TaskRecord;
use super::wake::TaskWaker;
use crate::debug::{self, Lint};
use crate::testing::Metered;

/// Whether Tokio measures every task's wait, so that a poll of which a hook has told is noted already.
const HOOKS_TELL_DELAYS: bool = cfg!(all(tokio_unstable, feature = "schedule-latency"));

/// Spawns a task whose polls and wakes are watched, as `tokio::spawn` otherwise does.
///
/// Under `--cfg tokio_unstable` and a runtime built by pollscope every task's polls are watched anyway and this adds its
/// wakes: who waited for a stall, who waits for nobody. On stable Tokio it is also what gives a stall its task id and spawn
/// location. About 8 ns a poll, 100 ns a spawn.
///
/// # Panics
///
/// Outside a Tokio runtime, as `tokio::spawn`.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let answer = pollscope::spawn(async { 42 }).await;
/// assert_eq!(answer.unwrap(), 42);
/// # }
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (task, record) = WatchedTask::new(future, Location::caller(), slots::current_runtime());
    let handle = tokio::spawn(task);
    record.has_id(number_of(&handle.id()));
    handle
}

/// Spawns a watched task that need not be `Send`, as `tokio::task::spawn_local` otherwise does.
///
/// In a `LocalSet` it is also what tells the set's tasks apart: Tokio polls them all inside one poll of the set.
///
/// # Panics
///
/// Outside a `LocalSet` and a `LocalRuntime`, as `tokio::task::spawn_local`.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tasks = tokio::task::LocalSet::new();
/// let answer = tasks.run_until(async {
///     let shared = std::rc::Rc::new(42);
///     pollscope::spawn_local(async move { *shared }).await
/// });
/// assert_eq!(answer.await.unwrap(), 42);
/// # }
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let (task, record) = WatchedTask::new(future, Location::caller(), slots::current_runtime());
    let handle = tokio::task::spawn_local(task);
    record.has_id(number_of(&handle.id()));
    handle
}

pin_project! {
    /// A task's future with a heartbeat round each poll.
    #[derive(Debug)]
    pub(super) struct WatchedTask<F> {
        #[pin]
        future: F,
        waker: TaskWaker,
    }
}

impl<F> WatchedTask<F> {
    /// Watches `future`; the record is for telling it the task's id.
    pub(super) fn new(
        future: F,
        spawned_at: &'static Location<'static>,
        runtime: u32,
    ) -> (Self, Arc<TaskRecord>) {
        let record = records::insert(spawned_at, runtime);
        let waker = TaskWaker::new(Arc::clone(&record));
        (Self { future, waker }, record)
    }
}

impl<F: Future> Future for WatchedTask<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let (record, waker) = this.waker.for_poll(context.waker());
        let _inside = InsideTask::enter(record);
        let _metered = Metered::enter(record.spawned_at(), type_name::<F>());
        this.future.poll(&mut Context::from_waker(waker))
    }
}

/// Leaves the poll also when it panics.
struct InsideTask<'a> {
    record: &'a TaskRecord,
    entry: Entry,
}

impl<'a> InsideTask<'a> {
    #[inline]
    fn enter(record: &'a TaskRecord) -> Self {
        if record.id() == 0 {
            record.has_id(tokio::task::try_id().map_or(0, |id| number_of(&id)));
        }
        let entry = slots::enter_task(record.id(), record.spawned_at());
        let ready = record.begin_poll();
        if let Some(least) = slots::delays_asked()
            && !(HOOKS_TELL_DELAYS && matches!(entry, Entry::Told))
        {
            delays::note_ready(record.id(), record.spawned_at(), ready, least);
        }
        Self { record, entry }
    }
}

impl Drop for InsideTask<'_> {
    #[inline]
    fn drop(&mut self) {
        self.record.end_poll();
        slots::leave_task(self.entry);
        if std::thread::panicking() {
            tell_panic(self.record);
        }
    }
}

/// A task panics. Whether somebody waits for its handle, which gets the panic, Tokio does not tell.
#[cold]
fn tell_panic(record: &TaskRecord) {
    debug::tell(Lint::TaskPanicked {
        runtime: slots::current_runtime(),
        task: record.id(),
        spawned_at: record.spawned_at(),
    });
}
