//! Watching one future: its polls are heartbeats, on stable Tokio too.

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;

use tokio::task::JoinHandle;

use super::bell::BELL;
use super::slots::{self, ANY_RUNTIME};
use super::task_id;

/// Spawns a task whose polls are watched, as `tokio::spawn` otherwise does.
///
/// Under `--cfg tokio_unstable` and a runtime built by pollscope every task is watched and this only adds a nested
/// heartbeat (under 2 ns). On stable Tokio it is what gives a stall its task id and spawn location.
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
    tokio::spawn(watched(future, Location::caller(), Site::Task))
}

/// What kind of future is watched.
#[derive(Debug, Clone)]
pub(super) enum Site {
    /// A task.
    Task,
    /// The future given to `block_on` of a current_thread runtime, whose thread also runs the tasks.
    Root(u32),
    /// The future given to `block_on` of a multi_thread runtime: its thread is idle between its polls, and no hook
    /// tells so.
    LoneRoot(u32),
}

/// The future with a heartbeat round each poll.
pub(super) async fn watched<F: Future>(
    future: F,
    spawned_at: &'static Location<'static>,
    site: Site,
) -> F::Output {
    let mut future = pin!(future);
    poll_fn(move |context| {
        let _inside = Inside::enter(spawned_at, &site);
        future.as_mut().poll(context)
    })
    .await
}

/// Leaves the poll also when it panics.
struct Inside {
    idle_afterwards: Option<u32>,
}

impl Inside {
    fn enter(spawned_at: &'static Location<'static>, site: &Site) -> Self {
        let task = || tokio::task::try_id().map_or(0, |id| task_id::number_of(&id));
        match site {
            Site::Task => slots::enter(ANY_RUNTIME, task(), spawned_at),
            Site::Root(runtime) => slots::enter(*runtime, 0, spawned_at),
            // Inside another poll the thread belongs to that.
            Site::LoneRoot(runtime) if slots::in_poll() => slots::enter(*runtime, 0, spawned_at),
            Site::LoneRoot(runtime) => {
                slots::unpark(*runtime);
                slots::enter(*runtime, 0, spawned_at);
                BELL.ring();
                return Self {
                    idle_afterwards: Some(*runtime),
                };
            }
        }
        Self {
            idle_afterwards: None,
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        slots::leave();
        if let Some(runtime) = self.idle_afterwards {
            slots::park(runtime);
        }
    }
}
