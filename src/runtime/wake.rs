//! The waker of a watched task: counts and stamps, then wakes Tokio's own.
//!
//! The record is the waker, so a clone costs what a clone of any waker costs, and the number of live wakers is the number
//! of references. It is made once a task: Tokio gives a task the same waker at every poll.

use std::sync::Arc;
use std::task::{Wake, Waker};

use super::records;
use super::task_record::TaskRecord;

impl Wake for TaskRecord {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.note_wake();
        if let Some(inner) = self.inner.get() {
            inner.wake_by_ref();
        }
    }
}

/// A task's record and the waker that its future is given; ends the record when dropped.
#[derive(Debug)]
pub(super) struct TaskWaker {
    record: Arc<TaskRecord>,
    waker: Option<Waker>,
}

impl TaskWaker {
    pub(super) fn new(record: Arc<TaskRecord>) -> Self {
        Self {
            record,
            waker: None,
        }
    }

    /// The record, and the waker for a poll whose own is `inner`.
    #[inline]
    pub(super) fn for_poll<'a>(&'a mut self, inner: &'a Waker) -> (&'a TaskRecord, &'a Waker) {
        let Self { record, waker } = self;
        let known = record.inner.get_or_init(|| inner.clone());
        if !known.will_wake(inner) {
            // Whoever polls this with changing wakers gets its own back, uncounted.
            return (record, inner);
        }
        let waker = waker.get_or_insert_with(|| Waker::from(Arc::clone(record)));
        (record, waker)
    }
}

impl Drop for TaskWaker {
    fn drop(&mut self) {
        records::remove(&self.record);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending, poll_fn, ready};
    use std::panic::Location;
    use std::sync::Mutex;
    use std::task::Poll;

    use super::*;
    use crate::runtime::slots;
    use crate::runtime::spawn::WatchedTask;
    use crate::runtime::task_record::{TaskState, TaskView};

    /// The views of the live tasks spawned at that line.
    fn at_line(line: u32) -> Vec<TaskView> {
        let mut found = Vec::new();
        records::visit(|task| {
            let here = task.spawned_at.file().ends_with("runtime/wake.rs");
            found.extend((here && task.spawned_at.line() == line).then(|| task.clone()));
        });
        found
    }

    /// Wakes are counted, its own apart; a waker that somebody holds is alive, and the task's own is none.
    #[tokio::test]
    async fn counts_wakes_and_wakers() {
        let held: Arc<Mutex<Option<Waker>>> = Arc::default();
        let holder = Arc::clone(&held);
        let mut polls = 0;
        let body = poll_fn(move |context| {
            polls += 1;
            match polls {
                1 => context.waker().wake_by_ref(),
                2 => *holder.lock().unwrap() = Some(context.waker().clone()),
                _ => return Poll::Ready(()),
            }
            Poll::Pending
        });
        let line = line!() + 1;
        let task = crate::spawn(body);
        let [unborn] = &at_line(line)[..] else {
            panic!("one task")
        };
        assert_eq!((unborn.state, unborn.polls), (TaskState::NeverPolled, 0));
        assert_eq!(unborn.id.to_string(), task.id().to_string());
        assert_eq!(unborn.live_wakers, None);
        assert!(unborn.born <= slots::monotonic());
        while held.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        let [waiting] = &at_line(line)[..] else {
            panic!("one task")
        };
        assert_eq!((waiting.state, waiting.polls), (TaskState::Waiting, 2));
        assert_eq!((waiting.wakes, waiting.self_wakes), (1, 1));
        assert_eq!((waiting.live_wakers, waiting.ready), (Some(1), None));
        assert!(waiting.last_wake.is_some());
        let waker = held.lock().unwrap().take().unwrap();
        waker.wake_by_ref();
        let [woken] = &at_line(line)[..] else {
            panic!("one task")
        };
        assert_eq!((woken.state, woken.wakes), (TaskState::Ready, 2));
        assert_eq!((woken.self_wakes, woken.live_wakers), (1, Some(1)));
        assert!(woken.ready.is_some());
        drop(waker);
        assert_eq!(at_line(line)[0].live_wakers, Some(0));
        task.await.unwrap();
        assert!(at_line(line).is_empty());
    }

    /// A task that nobody can wake shows no live waker; aborted, it is gone from the list.
    #[tokio::test]
    async fn a_lost_waker_shows() {
        let line = line!() + 1;
        let task = crate::spawn(pending::<()>());
        tokio::task::yield_now().await;
        let lost = at_line(line);
        assert_eq!(lost[0].live_wakers, Some(0));
        assert_eq!(lost[0].state, TaskState::Waiting);
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(at_line(line).is_empty());
    }

    /// A poll that panics ends all the same.
    #[tokio::test]
    async fn a_panic_ends_the_record() {
        let line = line!() + 1;
        let task = crate::spawn(async { panic!("under test") });
        assert!(task.await.unwrap_err().is_panic());
        assert!(at_line(line).is_empty());
        assert!(!slots::in_poll());
    }

    /// Every poll of a task is given the same waker, so code that asks `will_wake` does not clone again.
    #[tokio::test]
    async fn the_waker_stays_the_same() {
        let mut first: Option<Waker> = None;
        let same = crate::spawn(poll_fn(move |context| {
            let waker = context.waker();
            match &first {
                None => {
                    first = Some(waker.clone());
                    waker.wake_by_ref();
                    Poll::Pending
                }
                Some(first) => Poll::Ready(first.will_wake(waker)),
            }
        }));
        assert!(same.await.unwrap());
    }

    /// Polled by hand with changing wakers, a task wakes whoever polled it last, and claims no count.
    #[test]
    fn foreign_wakers_are_passed_on() {
        struct Flag(Mutex<u32>);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                *self.0.lock().unwrap() += 1;
            }
        }
        let wakes_itself = poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let (task, _record) = WatchedTask::new(wakes_itself, Location::caller(), 0);
        let mut task = std::pin::pin!(task);
        for _ in 0..2 {
            let flag = Arc::new(Flag(Mutex::new(0)));
            let waker = Waker::from(Arc::clone(&flag));
            let mut context = std::task::Context::from_waker(&waker);
            assert!(task.as_mut().poll(&mut context).is_pending());
            assert_eq!(*flag.0.lock().unwrap(), 1);
        }
    }

    /// A watched future is larger by the record and the waker alone.
    #[test]
    fn the_future_is_not_doubled() {
        let future = async {
            let page = [0_u8; 4096];
            ready(()).await;
            std::hint::black_box(&page);
        };
        let size = size_of_val(&future);
        let (watched, _record) = WatchedTask::new(future, Location::caller(), 0);
        assert!(size_of_val(&watched) <= size + 32);
    }
}
