//! Watching the future given to `block_on`, which no hook of Tokio sees.

use std::any::type_name;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;

use super::bell::BELL;
use super::slots;
use crate::testing::Metered;

/// Who polls a root future.
#[derive(Debug, Clone, Copy)]
pub(super) enum Root {
    /// A thread that also runs the tasks of this current_thread runtime.
    Worker(u32),
    /// A thread beside this multi_thread runtime: it is idle between its polls, and no hook tells so.
    Lone(u32),
}

/// The future with a heartbeat round each poll.
pub(super) async fn watched<F: Future>(
    future: F,
    called_at: &'static Location<'static>,
    root: Root,
) -> F::Output {
    let mut future = pin!(future);
    poll_fn(move |context| {
        let _inside = Inside::enter(called_at, root);
        let _metered = Metered::enter(called_at, type_name::<F>());
        future.as_mut().poll(context)
    })
    .await
}

/// Leaves the poll also when it panics.
struct Inside {
    idle_afterwards: Option<u32>,
}

impl Inside {
    fn enter(called_at: &'static Location<'static>, root: Root) -> Self {
        match root {
            // Inside another poll the thread belongs to that.
            Root::Worker(runtime) | Root::Lone(runtime) if slots::in_poll() => {
                slots::enter(runtime, 0, called_at);
            }
            Root::Worker(runtime) if slots::is_driver(runtime) => {
                slots::enter(runtime, 0, called_at);
            }
            // Beside the driver a thread of a current_thread runtime is as lone.
            Root::Worker(runtime) | Root::Lone(runtime) => {
                slots::unpark(runtime);
                slots::enter(runtime, 0, called_at);
                BELL.ring();
                return Self {
                    idle_afterwards: Some(runtime),
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
