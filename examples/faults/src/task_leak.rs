//! `task-leak`: every session that ends leaves a task behind that waits for ever.
//!
//! Symptom: the number of tasks rises with every session and never falls; memory follows slowly.
//! Mechanism: a detached task waits for something that nobody will send any more: its reader ended, its writer stayed.
//! Finding: `tokio_alive_tasks` rises while the number of sessions does not. (Given minutes, the observer's own `task-leak`.)
//!
//! Unlike a true leak this one can be healed: switching the fault off wakes the tasks, and they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::counted::Counted;
use crate::effects::Effect;
use crate::fault::Fault;
use crate::finding::Finding;
use crate::parameter::Parameters;
use crate::point::Point;

/// At most this many tasks wait at a time: some megabytes, far above any honest number of tasks of the services, far below
/// what would harm the machine.
pub const LEAK_LEN_MAX: usize = 20_000;

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "task-leak",
    symptom: "the number of tasks rises with every session that ends and never falls",
    mechanism: "a detached task waits for ever for a wake-up that nobody will send",
    point: Point::SessionEnd,
    parameters: Parameters::NONE,
    finding: Finding::Metric {
        names: &["tokio_alive_tasks"],
        by: 10,
    },
    block: None,
};

/// The tasks left behind by one plan.
#[derive(Debug, Default)]
pub(crate) struct Leak {
    release: Arc<Notify>,
    len: Arc<AtomicUsize>,
}

impl Leak {
    /// Leaves one task behind on the current runtime.
    ///
    /// # Errors
    ///
    /// Why there is no further one: too many already, or no runtime here.
    pub(crate) fn add(&self) -> Result<(), &'static str> {
        let runtime = Handle::try_current()
            .map_err(|_| "a session ended outside a runtime; expected one to spawn on")?;
        let counted = Counted::new(&self.len, LEAK_LEN_MAX)
            .ok_or("as many tasks as allowed are waiting already")?;
        // Made here rather than in the task, so that a release right after this call reaches it.
        let released = Arc::clone(&self.release).notified_owned();
        // Detached on purpose: nobody keeps the handle of a leaked task.
        drop(runtime.spawn(wait_for_ever(released, counted)));
        Ok(())
    }
}

impl Effect for Leak {
    /// Wakes every task left behind so far, so that it ends.
    fn undo(&self) {
        self.release.notify_waiters();
    }

    fn left(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }
}

async fn wait_for_ever(released: OwnedNotified, counted: Counted) {
    released.await;
    drop(counted);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: tasks stay until they are released, and then all of them end, even those not polled yet.
    #[tokio::test]
    async fn tasks_stay_until_released() {
        let leak = Leak::default();
        let tasks = Handle::current().metrics();
        let before = tasks.num_alive_tasks();
        for _ in 0..5 {
            leak.add().unwrap();
        }
        tokio::task::yield_now().await;
        leak.add().unwrap();
        assert_eq!(leak.left(), 6);
        assert_eq!(tasks.num_alive_tasks(), before + 6);
        leak.undo();
        while leak.left() > 0 || tasks.num_alive_tasks() > before {
            tokio::task::yield_now().await;
        }
    }

    /// Goal: the limit holds, and says so.
    #[tokio::test]
    async fn limit_holds() {
        let leak = Leak::default();
        for _ in 0..LEAK_LEN_MAX {
            leak.add().unwrap();
        }
        assert!(leak.add().unwrap_err().contains("as many tasks as allowed"));
        assert_eq!(leak.left(), LEAK_LEN_MAX);
    }

    /// Goal: without a runtime there is an error, not a panic.
    #[test]
    fn outside_a_runtime_is_an_error() {
        assert!(
            Leak::default()
                .add()
                .unwrap_err()
                .contains("outside a runtime")
        );
    }

    /// Goal: a runtime that shuts down takes its leaked tasks out of the count.
    #[test]
    fn shutdown_ends_the_tasks() {
        let leak = Leak::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async { leak.add().unwrap() });
        assert_eq!(leak.left(), 1);
        drop(runtime);
        assert_eq!(leak.left(), 0);
    }
}
