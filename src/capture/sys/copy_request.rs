//! The hand-over of one stack copy from a signal handler to the watchdog.
//!
//! One request at a time, for one thread, in one preallocated buffer. The protocol is a single word,
//! `generation << 2 | phase`:
//!
//! ```text
//!            watchdog                          handler (on the target thread)
//!   IDLE ──── begin ────► REQUESTED ── claim (CAS) ──► COPYING ── done ──► DONE
//!    ▲                        │                                             │
//!    └──── cancel (CAS) ──────┘            ◄──────── take ──────────────────┘
//! ```
//!
//! Only the side that wins a compare-exchange may touch the buffer, so a signal that arrives late, twice, or on the
//! wrong thread finds a phase that is not its own and returns. A handler that was descheduled in COPYING keeps the
//! buffer; the watchdog then gives up on this capture and `begin` refuses until the copy is done: observation fails,
//! the service does not. The handler side allocates nothing, locks nothing and cannot panic.

use std::ops::Range;
use std::sync::atomic::Ordering;

use buffer::CopyBuffer;

use crate::primitives::{AtomicI32, AtomicU64};

mod buffer;
#[cfg(all(test, pollscope_model))]
mod model;

/// Bytes of stack copied at most. A busy worker's stack is about 7 KiB; 64 KiB holds deep recursion, and what is
/// beyond it is reported as cut.
#[cfg(not(all(test, pollscope_model)))]
pub(crate) const COPY_BYTES_MAX: usize = 64 * 1024;

/// Small enough for the stacks of a model's threads.
#[cfg(all(test, pollscope_model))]
pub(crate) const COPY_BYTES_MAX: usize = 64;

const PHASE_MASK: u64 = 0b11;
const IDLE: u64 = 0;
const REQUESTED: u64 = 1;
const COPYING: u64 = 2;
const DONE: u64 = 3;

/// Registers of a stopped or interrupted thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    /// Program counter.
    pub(crate) pc: u64,
    /// Stack pointer.
    pub(crate) sp: u64,
    /// Frame pointer register (`rbp`, `x29`), when it is known.
    pub(crate) bp: Option<u64>,
    /// Link register (`x30`), when it is known; x86-64 has none.
    pub(crate) lr: Option<u64>,
    /// The register that holds a system call's result (`rax`, `x0`), when it is known.
    pub(crate) result: Option<u64>,
}

/// Registers and the live part of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StackCopy {
    /// Registers at that moment.
    pub(crate) registers: Registers,
    /// Bytes from the stack pointer upwards.
    pub(crate) bytes: Vec<u8>,
    /// Whether the stack was longer than the copy.
    pub(crate) truncated: bool,
}

/// The one request of the process.
pub(crate) struct CopyRequest {
    word: AtomicU64,
    target_tid: AtomicI32,
    stack_low: AtomicU64,
    stack_top: AtomicU64,
    pc: AtomicU64,
    sp: AtomicU64,
    bp: AtomicU64,
    lr: AtomicU64,
    result: AtomicU64,
    len: AtomicU64,
    buffer: CopyBuffer,
}

impl CopyRequest {
    pub(crate) const fn new() -> Self {
        Self {
            word: AtomicU64::new(IDLE),
            target_tid: AtomicI32::new(0),
            stack_low: AtomicU64::new(0),
            stack_top: AtomicU64::new(0),
            pc: AtomicU64::new(0),
            sp: AtomicU64::new(0),
            bp: AtomicU64::new(0),
            lr: AtomicU64::new(0),
            result: AtomicU64::new(0),
            len: AtomicU64::new(0),
            buffer: CopyBuffer::new(),
        }
    }

    /// Watchdog: asks `tid` for a copy of its `stack`, which must be the one that this thread has told itself or part of it, never a
    /// mapping found from outside. `false` while an abandoned copy still runs.
    pub(crate) fn begin(&self, tid: i32, stack: &Range<u64>) -> bool {
        let word = self.word.load(Ordering::Acquire);
        if !matches!(word & PHASE_MASK, IDLE | DONE) {
            return false;
        }
        self.target_tid.store(tid, Ordering::Relaxed);
        self.stack_low.store(stack.start, Ordering::Relaxed);
        self.stack_top.store(stack.end, Ordering::Relaxed);
        let next = (word & !PHASE_MASK).wrapping_add(PHASE_MASK + 1) | REQUESTED;
        // Release: the handler's acquire in `claim` must see target and top.
        self.word.store(next, Ordering::Release);
        true
    }

    /// Handler: takes the request if it is for this thread. Signal-safe.
    pub(crate) fn claim(&self, tid: i32) -> Option<u64> {
        let word = self.word.load(Ordering::Acquire);
        if word & PHASE_MASK != REQUESTED || self.target_tid.load(Ordering::Relaxed) != tid {
            return None;
        }
        let copying = (word & !PHASE_MASK) | COPYING;
        self.word
            .compare_exchange(word, copying, Ordering::AcqRel, Ordering::Relaxed)
            .ok()
            .map(|_| copying)
    }

    /// Handler: copies the live stack of this thread and hands it over. Signal-safe.
    ///
    /// # Safety
    ///
    /// `claimed` must come from [`CopyRequest::claim`] on this thread and `registers` be the interrupted state of
    /// this thread.
    pub(crate) unsafe fn copy(&self, claimed: u64, registers: Registers) {
        let low = self.stack_low.load(Ordering::Relaxed);
        let top = self.stack_top.load(Ordering::Relaxed);
        // On another stack (a fiber, a segment, an alternate signal stack): hand over the registers alone.
        let is_own = low <= registers.sp && registers.sp < top;
        let live = if is_own {
            top.wrapping_sub(registers.sp)
        } else {
            0
        };
        let wanted = usize::try_from(live).unwrap_or(usize::MAX);
        let len = if wanted > COPY_BYTES_MAX {
            COPY_BYTES_MAX
        } else {
            wanted
        };
        let from =
            std::ptr::with_exposed_provenance::<u8>(usize::try_from(registers.sp).unwrap_or(0));
        self.buffer.write(|to| {
            // SAFETY: the stack pointer was found inside this thread's own registered stack, and `from..from + len` lies
            // between it and that stack's end, which stays mapped while the thread runs this handler; `to` has
            // COPY_BYTES_MAX >= len bytes and is ours alone since the CAS in `claim`; the static buffer and a stack
            // cannot overlap.
            unsafe { std::ptr::copy_nonoverlapping(from, to, len) };
        });
        self.pc.store(registers.pc, Ordering::Relaxed);
        self.sp.store(registers.sp, Ordering::Relaxed);
        self.bp.store(registers.bp.unwrap_or(0), Ordering::Relaxed);
        self.lr.store(registers.lr.unwrap_or(0), Ordering::Relaxed);
        self.result
            .store(registers.result.unwrap_or(0), Ordering::Relaxed);
        self.len.store(live, Ordering::Relaxed);
        // Release: the watchdog's acquire in `take` must see the bytes.
        self.word
            .store((claimed & !PHASE_MASK) | DONE, Ordering::Release);
    }

    /// Watchdog: the copy, once it is there.
    pub(crate) fn take(&self) -> Option<StackCopy> {
        let word = self.word.load(Ordering::Acquire);
        if word & PHASE_MASK != DONE {
            return None;
        }
        let live = usize::try_from(self.len.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let len = live.min(COPY_BYTES_MAX);
        let mut bytes = vec![0; len];
        self.buffer.write(|from| {
            // SAFETY: the phase is DONE, so the handler has let go of the buffer and none claims it before the next
            // `begin`, which only this (watchdog) side calls; `len` is within the buffer and the new vector.
            unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), len) };
            // SAFETY: as above; the copied bytes may hold secrets of the service and must not outlive the capture.
            unsafe { std::ptr::write_bytes(from, 0, len) };
        });
        self.word.store(word & !PHASE_MASK, Ordering::Release);
        let registers = Registers {
            pc: self.pc.load(Ordering::Relaxed),
            sp: self.sp.load(Ordering::Relaxed),
            bp: Some(self.bp.load(Ordering::Relaxed)),
            lr: Some(self.lr.load(Ordering::Relaxed)),
            result: Some(self.result.load(Ordering::Relaxed)),
        };
        Some(StackCopy {
            registers,
            bytes,
            truncated: live > len || live == 0,
        })
    }

    /// Watchdog: withdraws a request nobody has claimed. `false` when a handler is copying or has just finished.
    pub(crate) fn cancel(&self) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word & PHASE_MASK == REQUESTED
            && self
                .word
                .compare_exchange(
                    word,
                    word & !PHASE_MASK,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(request: &CopyRequest, claimed: u64, local: &[u8; 64]) {
        let sp = local.as_ptr().expose_provenance() as u64;
        // SAFETY: `claimed` comes from `claim` on this thread and `sp` points into a live array of this frame.
        unsafe {
            request.copy(
                claimed,
                Registers {
                    pc: 7,
                    sp,
                    bp: Some(9),
                    ..Registers::default()
                },
            )
        };
    }

    /// A request goes round: begin, claim, copy, take; then the next one can begin.
    #[test]
    fn hands_over_once() {
        let request = CopyRequest::new();
        let local = [42_u8; 64];
        let low = local.as_ptr().expose_provenance() as u64;
        let stack = low..low + 64;
        assert!(request.begin(5, &stack));
        assert!(!request.begin(6, &stack), "one request at a time");
        assert_eq!(request.take(), None);
        let claimed = request.claim(5).unwrap();
        assert_eq!(request.claim(5), None, "a second signal finds it taken");
        copy(&request, claimed, &local);
        let taken = request.take().unwrap();
        assert_eq!(
            (taken.bytes.as_slice(), taken.truncated),
            (&local[..], false)
        );
        assert_eq!(taken.registers.pc, 7);
        assert_eq!(request.take(), None);
        assert!(request.begin(6, &stack));
    }

    /// Signals on other threads, late signals and cancelled requests touch nothing.
    #[test]
    fn refuses_strangers_and_latecomers() {
        let request = CopyRequest::new();
        assert_eq!(request.claim(5), None);
        assert!(request.begin(5, &(0..0)));
        assert_eq!(request.claim(6), None);
        assert!(request.cancel());
        assert_eq!(request.claim(5), None);
        assert!(!request.cancel());
    }

    /// A stack pointer that does not lie on the registered stack gives registers and no bytes.
    #[test]
    fn foreign_stack_is_not_copied() {
        let request = CopyRequest::new();
        let local = [1_u8; 64];
        // A stack right above, as a fiber's stack lies below its thread's.
        let above = local.as_ptr().expose_provenance() as u64 + 64;
        assert!(request.begin(5, &(above..above + 4096)));
        let claimed = request.claim(5).unwrap();
        copy(&request, claimed, &local);
        let taken = request.take().unwrap();
        assert!(taken.bytes.is_empty() && taken.truncated);
    }
}
