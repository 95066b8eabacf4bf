//! One stack of one thread, by whichever way does not hurt it.
//!
//! A thread in a system call is read from outside: the kernel tells its stack pointer and program counter, the stack
//! is copied, and the kernel is asked again to prove that the thread has not moved. Only a thread that is running
//! gets a signal. What cannot be had is said, not guessed.

use std::ops::Range;
use std::time::Duration;

use super::memory::{Memory, OwnMemory};
use super::sys::{self, CaptureSignal, Registers, StackCopy};
use super::unwind::{StackUnwinder, Unwound};
use crate::procfs::{SyscallState, ThreadFiles};
use crate::stall::StackVia;

/// How long a running thread may take to answer. On a crowded machine the answer waits for a time slice (27 ms were
/// seen); longer than this and the watchdog would be late for the other workers.
const SIGNAL_PATIENCE: Duration = Duration::from_millis(40);

/// Times a thread is looked at again when it moved between the two reads.
const ATTEMPTS_MAX: usize = 3;

/// Bytes of a blocked thread's stack that are copied at most; as for the signal path.
const COPY_BYTES_MAX: u64 = 64 * 1024;

/// A captured stack, not yet symbolised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Captured {
    /// Lookup addresses, innermost first.
    pub(crate) addresses: Vec<u64>,
    /// Whether the stack reaches the thread's start.
    pub(crate) complete: bool,
    /// How it was obtained.
    pub(crate) via: StackVia,
    /// Why there is no stack or only a part of one.
    pub(crate) note: Option<&'static str>,
    /// Number of the system call that the thread stood in.
    pub(crate) call: Option<i64>,
}

impl Captured {
    pub(crate) fn none(note: &'static str) -> Self {
        Self {
            addresses: Vec::new(),
            complete: false,
            via: StackVia::None,
            note: Some(note),
            call: None,
        }
    }

    fn new(unwound: Unwound, via: StackVia, truncated: bool) -> Self {
        let note = match (unwound.complete, truncated) {
            (true, _) => None,
            (false, true) => Some("the stack is larger than the copy, outer frames are cut"),
            (false, false) => Some("outer frames could not be proven and are cut"),
        };
        Self {
            addresses: unwound.addresses,
            complete: unwound.complete,
            via,
            note,
            call: None,
        }
    }
}

/// Captures stacks; owned by the watchdog.
pub(crate) struct Capturer {
    signal: Option<CaptureSignal>,
    unwinder: StackUnwinder,
}

impl Capturer {
    /// A capturer that may send signals only if `signal` is given.
    pub(crate) fn new(signal: Option<CaptureSignal>) -> Self {
        Self {
            signal,
            unwinder: StackUnwinder::new(),
        }
    }

    /// The stack of thread `tid`, which lies in `stack`.
    pub(crate) fn capture(
        &mut self,
        tid: i32,
        stack: &Range<u64>,
        files: &ThreadFiles,
    ) -> Captured {
        self.unwinder.refresh(sys::modules());
        let mut cut = Captured::none("its state could not be read, and it may be in a system call");
        for _ in 0..ATTEMPTS_MAX {
            let call = match files.syscall() {
                Some(SyscallState::Blocked(call)) => call,
                Some(SyscallState::Running) => return self.by_signal(tid, stack),
                Some(SyscallState::Outside { .. }) | None => return cut,
            };
            let registers = Registers {
                pc: call.pc,
                sp: call.sp,
                ..Registers::default()
            };
            let Some(copy) = copy_blocked(registers, stack) else {
                return Captured::none("blocked on a stack of its own or one that cannot be read");
            };
            if files.syscall() != Some(SyscallState::Blocked(call)) {
                cut = Captured::none("it moved at every look");
                continue;
            }
            let unwound = self.unwinder.unwind(&copy, &OwnMemory);
            let captured = Captured {
                call: Some(call.number),
                ..Captured::new(unwound, StackVia::Syscall, copy.truncated)
            };
            if captured.complete || !restarts_by_itself(call.number) {
                return captured;
            }
            let signalled = self.by_signal(tid, stack);
            return if signalled.addresses.is_empty() {
                captured
            } else {
                Captured {
                    call: Some(call.number),
                    ..signalled
                }
            };
        }
        cut
    }

    fn by_signal(&mut self, tid: i32, stack: &Range<u64>) -> Captured {
        let Some(signal) = &self.signal else {
            return Captured::none("signals are switched off or none is free");
        };
        let Some(copy) = signal.copy_stack(tid, stack, SIGNAL_PATIENCE) else {
            return Captured::none("the thread did not answer the signal in time");
        };
        if copy.bytes.is_empty() {
            return Captured::none("the thread runs on a stack of its own");
        }
        let unwound = self.unwinder.unwind(&copy, &OwnMemory);
        Captured::new(unwound, StackVia::Signal, copy.truncated)
    }
}

fn copy_blocked(registers: Registers, stack: &Range<u64>) -> Option<StackCopy> {
    stack.contains(&registers.sp).then_some(())?;
    let live = stack.end.checked_sub(registers.sp)?;
    let mut bytes = vec![0; usize::try_from(live.min(COPY_BYTES_MAX)).ok()?];
    OwnMemory
        .read(registers.sp, &mut bytes)
        .then_some(StackCopy {
            registers,
            bytes,
            truncated: live > COPY_BYTES_MAX,
        })
}

/// System calls that the kernel restarts after a handler with SA_RESTART without the caller noticing (signal(7)):
/// `open`, `wait4`, `fcntl`, `flock`, `fsync`, `fdatasync`, `openat`, and `futex` (with a timeout it is not restarted, but
/// the standard library and glibc loop on it). Not `read` and `write`: on a socket with a timeout they give EINTR.
fn restarts_by_itself(number: i64) -> bool {
    matches!(number, 2 | 61 | 72 | 73 | 74 | 75 | 202 | 257)
}
