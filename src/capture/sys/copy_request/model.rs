//! The copy hand-over under every interleaving: late, doubled and stray signals, and a watchdog that gives up.
//!
//! The buffer is loom's cell here, so two sides that touch it at once fail the model by themselves.

use std::sync::Arc;

use loom::thread;

use super::{COPY_BYTES_MAX, CopyRequest, Registers, StackCopy};

/// A request, touched once as loom's lazy primitives need it.
fn request() -> Arc<CopyRequest> {
    let request = Arc::new(CopyRequest::new());
    assert!(signal(&request, 0, 0).is_some());
    assert!(request.take().is_some());
    request
}

/// The handler on thread `tid`, whose stack is full of `mark`. With the request of that very stack for `tid` 0.
fn signal(request: &CopyRequest, tid: i32, mark: u8) -> Option<()> {
    let stack = [mark; COPY_BYTES_MAX];
    let sp = stack.as_ptr().expose_provenance() as u64;
    if tid == 0 {
        assert!(request.begin(tid, &(sp..sp + stack.len() as u64)));
    }
    let claimed = request.claim(tid)?;
    let registers = Registers {
        pc: u64::from(mark),
        sp,
        bp: None,
        lr: None,
        result: None,
    };
    // SAFETY: `claimed` comes from `claim` on this thread and `sp` points into a live array of this frame.
    unsafe { request.copy(claimed, registers) };
    Some(())
}

/// Any stack pointer belongs to a stack this wide; the model's arrays end where the copy ends.
fn whole() -> std::ops::Range<u64> {
    0..u64::MAX
}

fn assert_from(copy: &StackCopy, mark: u8) {
    assert_eq!(
        copy.registers.pc,
        u64::from(mark),
        "registers of another thread"
    );
    assert!(
        copy.bytes.iter().all(|byte| *byte == mark),
        "bytes of another stack"
    );
    assert_eq!(copy.bytes.len(), COPY_BYTES_MAX);
}

/// One request, the signal delivered twice, and a stray one on another thread: at most one claims, and what is taken
/// is whole.
#[test]
fn one_signal_claims() {
    loom::model(|| {
        let request = request();
        assert!(request.begin(1, &whole()));
        let right = thread::spawn({
            let request = Arc::clone(&request);
            move || {
                let first = signal(&request, 1, 11);
                let second = signal(&request, 1, 11);
                usize::from(first.is_some()) + usize::from(second.is_some())
            }
        });
        let stray = thread::spawn({
            let request = Arc::clone(&request);
            move || signal(&request, 2, 22)
        });
        let early = request.take();
        let claims = right.join().unwrap();
        assert_eq!(stray.join().unwrap(), None, "a stray signal claimed");
        assert_eq!(claims, 1);
        assert_from(&early.or_else(|| request.take()).unwrap(), 11);
        assert_eq!(request.take(), None);
    });
}

/// The watchdog gives up while the first thread's signal is on its way, and asks a second thread. The late signal
/// never answers for the second, and nobody's bytes are mixed.
#[test]
fn a_late_signal_is_too_late() {
    loom::model(|| {
        let request = request();
        assert!(request.begin(1, &whole()));
        let late = thread::spawn({
            let request = Arc::clone(&request);
            move || signal(&request, 1, 11).is_some()
        });
        let cancelled = request.cancel();
        let mut first = if cancelled { None } else { request.take() };
        let begun = request.begin(2, &whole());
        if begun {
            assert!(
                signal(&request, 2, 22).is_some(),
                "the second thread is refused its own request"
            );
            assert_from(&request.take().unwrap(), 22);
        }
        let claimed = late.join().unwrap();
        assert_eq!(
            claimed, !cancelled,
            "the side that wins the compare-exchange owns the request"
        );
        if !begun {
            first = first.or_else(|| request.take());
        }
        first.iter().for_each(|copy| assert_from(copy, 11));
    });
}

/// Asked again after giving up, the same thread may answer with either of its two signals, once.
#[test]
fn a_second_request_is_answered_once() {
    loom::model(|| {
        let request = request();
        assert!(request.begin(1, &whole()));
        let target = thread::spawn({
            let request = Arc::clone(&request);
            move || {
                let first = signal(&request, 1, 11);
                let second = signal(&request, 1, 11);
                usize::from(first.is_some()) + usize::from(second.is_some())
            }
        });
        let cancelled = request.cancel();
        let begun = cancelled && request.begin(1, &whole());
        let early = begun.then(|| request.take()).flatten();
        let claims = target.join().unwrap();
        assert!(claims <= 1 || !cancelled, "two answers to one request");
        let copy = early.or_else(|| request.take());
        assert_eq!(copy.is_some(), claims > 0);
        copy.iter().for_each(|copy| assert_from(copy, 11));
    });
}
