//! The slot protocol under every interleaving and every value that the memory model allows.
//!
//! `RUSTFLAGS="--cfg pollscope_model" cargo test -p pollscope --lib --release --target-dir target/model model` runs them.

use std::panic::Location;
use std::sync::Arc;

use loom::thread;

use super::slot::{CLAIMING, FREE};
use super::{ANY_RUNTIME, Ordering, Slot, SlotView};

/// Times one run may switch threads where none has to wait. Loom's authors found that two or three find most faults; both
/// that these models have found needed one. Without a bound they take hours.
const PREEMPTIONS_MAX: usize = 3;

fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS_MAX);
    model.check(body);
}

/// Task of the poll with this odd number.
fn task_of(seq: u64) -> u64 {
    100 + seq
}

fn claimed(tid: i32) -> Slot {
    let slot = Slot::new();
    slot.state.store(CLAIMING, Ordering::Relaxed);
    slot.occupy(tid, &(0..1), 2);
    slot.announce();
    // Loom's atomics are made at their first use, which must come before the threads.
    slot.enter(ANY_RUNTIME, task_of(1), Location::caller());
    slot.leave();
    slot.stamp_end(0);
    assert!(slot.attempt().is_some());
    slot
}

fn polls(slot: &Slot, seqs: impl IntoIterator<Item = u64>) {
    for seq in seqs {
        slot.enter(ANY_RUNTIME, task_of(seq), Location::caller());
        slot.leave();
    }
}

fn assert_pairs(view: &SlotView) {
    if view.is_consistent && view.in_poll() {
        assert_eq!(view.task_id, task_of(view.seq), "a task of another poll");
    }
}

/// A consistent look never pairs a poll with another poll's task.
#[test]
fn a_poll_has_its_own_task() {
    model(|| {
        let slot = Arc::new(claimed(7));
        let worker = thread::spawn({
            let slot = Arc::clone(&slot);
            move || polls(&slot, [3, 5])
        });
        assert_pairs(&slot.attempt().unwrap());
        assert_pairs(&slot.attempt().unwrap());
        worker.join().unwrap();
        let last = slot.attempt().unwrap();
        assert!(last.is_consistent && last.seq == 6);
    });
}

/// Several attempts end in a poll with its own task, or say that none was seen.
#[test]
fn a_look_is_consistent() {
    model(|| {
        let slot = Arc::new(claimed(7));
        let worker = thread::spawn({
            let slot = Arc::clone(&slot);
            move || polls(&slot, [3, 5])
        });
        let view = slot.view().unwrap();
        if view.in_poll() {
            assert_eq!(view.task_id, task_of(view.seq));
        }
        worker.join().unwrap();
    });
}

/// A stamped end belongs to the poll that was flagged, whenever the flag comes.
#[test]
fn an_end_is_that_of_the_flagged_poll() {
    model(|| {
        let slot = Arc::new(claimed(7));
        let worker = thread::spawn({
            let slot = Arc::clone(&slot);
            move || polls(&slot, [3, 5])
        });
        let mut flagged = None;
        let seq = slot.seq.load(Ordering::Acquire);
        if seq % 2 == 1 {
            slot.flag(seq);
            flagged = Some(seq);
        }
        let ended = |slot: &Slot| slot.ended_seq.load(Ordering::Acquire);
        assert!(ended(&slot) == 0 || Some(ended(&slot)) == flagged);
        worker.join().unwrap();
        assert!(ended(&slot) == 0 || Some(ended(&slot)) == flagged);
        if ended(&slot) != 0 {
            assert_ne!(
                slot.ended_ns.load(Ordering::Relaxed),
                0,
                "stamped without a time"
            );
        }
    });
}

/// A slot that changes hands is seen as the old thread's or the new one's, never as a mixture of both.
#[test]
fn a_slot_has_one_holder() {
    model(|| {
        let slot = Arc::new(claimed(7));
        let generation = slot.generation.load(Ordering::Relaxed);
        let successor = thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                slot.vacate();
                let free = slot.state.compare_exchange(
                    FREE,
                    CLAIMING,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                assert_eq!(free, Ok(FREE));
                slot.occupy(8, &(0..1), 2);
                slot.announce();
                polls(&slot, [3]);
            }
        });
        if let Some(view) = slot.attempt() {
            assert_pairs(&view);
            let old = (generation, 7);
            let new = (generation + 1, 8);
            let seen = (view.generation, view.tid);
            assert!(
                !view.is_consistent || seen == old || seen == new,
                "{seen:?}"
            );
            assert!(
                !view.is_consistent || !view.in_poll() || seen == new,
                "the old thread is in no poll"
            );
        }
        successor.join().unwrap();
    });
}
