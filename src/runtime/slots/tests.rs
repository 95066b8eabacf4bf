//! Polls, flags and claims of real threads.

use super::*;

#[expect(clippy::disallowed_methods, reason = "a test waits for its thread")]
fn on_own_thread(body: fn()) {
    std::thread::spawn(body).join().unwrap();
}

fn view_of_this_thread() -> SlotView {
    CURRENT.with(Cell::get).and_then(Slot::view).unwrap()
}

/// Begin and end of a poll move the sequence; the task is visible inside; a flagged poll stamps its end.
#[test]
fn one_poll() {
    on_own_thread(|| {
        let here = Location::caller();
        enter(3, 77, here);
        let inside = view_of_this_thread();
        assert!(inside.in_poll());
        assert_eq!(
            (inside.task_id, inside.runtime, inside.tid),
            (77, 3, sys::current_tid())
        );
        assert_eq!(inside.spawned_at, Some(here));
        let before = monotonic();
        CURRENT.with(Cell::get).unwrap().flag(inside.seq);
        leave();
        let after = view_of_this_thread();
        assert!(!after.in_poll());
        assert_eq!(after.ended.0, inside.seq);
        assert!(after.ended.1 >= before);
    });
}

/// An inner poll belongs to the outer one, and a flag of a poll that is over stamps nothing.
#[test]
fn nested_and_stale() {
    on_own_thread(|| {
        let here = Location::caller();
        enter(0, 1, here);
        let outer = view_of_this_thread();
        enter(0, 2, here);
        assert_eq!(
            (view_of_this_thread().seq, view_of_this_thread().task_id),
            (outer.seq, 1)
        );
        leave();
        assert!(view_of_this_thread().in_poll());
        leave();
        CURRENT.with(Cell::get).unwrap().flag(outer.seq);
        let stamped = view_of_this_thread().ended.0;
        enter(0, 3, here);
        leave();
        assert_eq!(view_of_this_thread().ended.0, stamped);
    });
}

/// Two threads that were the same worker one after the other: the later claim is told apart.
#[test]
fn the_latest_claim_is_newer() {
    let (tell, told) = std::sync::mpsc::channel();
    for _ in 0..2 {
        let tell = tell.clone();
        let claim = move || {
            take_over(9);
            tell.send(view_of_this_thread().worker_since).unwrap();
        };
        #[expect(clippy::disallowed_methods, reason = "a test waits for its thread")]
        std::thread::spawn(claim).join().unwrap();
    }
    let (first, second) = (told.try_recv().unwrap(), told.try_recv().unwrap());
    assert!(second > first);
}

/// Threads that come and go use the same few slots again.
#[test]
fn slots_are_released() {
    let before = claimed_slots().len();
    for _ in 0..SLOTS_LEN_MAX {
        on_own_thread(|| enter(0, 1, Location::caller()));
    }
    // Other tests claim slots at the same time, but far fewer than the threads above.
    assert!(
        claimed_slots().len() < before + 100,
        "{} slots",
        claimed_slots().len()
    );
    assert_eq!(unwatched_threads(), 0);
}
