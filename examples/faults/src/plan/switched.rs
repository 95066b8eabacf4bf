//! Wakes whoever waits for a fault to be switched, and costs next to nothing while nobody switches.
//!
//! Connections wait here beside all they do, so a waiter is polled with each of their wake-ups. [`Notify`] alone would
//! take a lock that all connections share at each of those polls; so it is asked only when there can be an answer.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Where waiters wait.
#[derive(Debug, Default)]
pub(super) struct Switched {
    /// Odd while waiters are being woken, even else; another number after each time.
    epoch: AtomicU64,
    notify: Notify,
}

/// With which waker, and in which epoch, a waiter has last asked in vain.
pub(super) type Asked = Option<(Waker, u64)>;

impl Switched {
    /// Wakes all who wait. One caller at a time.
    pub(super) fn tell(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.notify.notify_waiters();
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// A waiter that hears of every switch from now on, to be polled with [`poll`](Self::poll).
    pub(super) fn waiter(&self) -> Notified<'_> {
        self.notify.notified()
    }

    /// Ready once a switch has been told of.
    pub(super) fn poll(
        &self,
        waiter: Pin<&mut Notified<'_>>,
        asked: &mut Asked,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        // Read before the waiter is asked: who is woken after it finds another number.
        let epoch = self.epoch.load(Ordering::SeqCst);
        let is_same =
            |(waker, then): &(Waker, u64)| *then == epoch && waker.will_wake(context.waker());
        if asked.as_ref().is_some_and(is_same) {
            return Poll::Pending;
        }
        // In an odd epoch the wake-up for it may still come, and the number would then be the same.
        *asked = epoch
            .is_multiple_of(2)
            .then(|| (context.waker().clone(), epoch));
        waiter.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Arc;

    async fn wait(switched: &Switched) {
        let mut waiter = pin!(switched.waiter());
        let mut asked = None;
        poll_fn(|context| switched.poll(waiter.as_mut(), &mut asked, context)).await;
    }

    /// Goal: every waiter hears of a switch, also one that has not been polled or was polled for other reasons meanwhile,
    /// and whatever is switched at the same time.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_misses_a_switch() {
        let switched = Arc::new(Switched::default());
        for _ in 0..200 {
            let waiters: Vec<_> = (0..8)
                .map(|number| {
                    let switched = Arc::clone(&switched);
                    tokio::spawn(async move {
                        let mut wait = pin!(wait(&switched));
                        // Polled again without having been woken for it.
                        for _ in 0..number {
                            let is_over = tokio::select! {
                                biased;
                                () = wait.as_mut() => true,
                                () = tokio::task::yield_now() => false,
                            };
                            if is_over {
                                return;
                            }
                        }
                        wait.await;
                    })
                })
                .collect();
            while waiters.iter().any(|waiter| !waiter.is_finished()) {
                switched.tell();
                tokio::task::yield_now().await;
            }
        }
    }

    /// Goal: one switch is enough for a waiter that was there before it, polled or not.
    #[tokio::test]
    async fn one_switch_is_enough() {
        let switched = Switched::default();
        let mut early = pin!(switched.waiter());
        let mut asked = None;
        switched.tell();
        poll_fn(|context| switched.poll(early.as_mut(), &mut asked, context)).await;

        let mut wait = pin!(wait(&switched));
        for _ in 0..3 {
            let is_over = poll_fn(|context| Poll::Ready(wait.as_mut().poll(context).is_ready()));
            assert!(!is_over.await);
        }
        switched.tell();
        wait.await;
    }
}
