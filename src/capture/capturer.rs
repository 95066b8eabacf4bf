//! One stack of one thread, by whichever way does not hurt it.
//!
//! A thread that is blocked, in a system call or a page fault, is read from outside: the kernel tells its stack pointer and
//! program counter, the stack is copied, and the kernel is asked again to prove that the thread has not moved. Only one that runs
//! gets a signal, or one in a call that the kernel restarts by itself, or in any call if the owner wants that. Each signal
//! that may have broken off a call is counted. What cannot be had is said, not guessed.

use std::ops::Range;
use std::time::Duration;

use super::arch::{Arch, Native};
use super::memory::{Memory, OwnMemory};
use super::sys::{self, Answer, CaptureSignal, Registers, StackCopy};
use super::unwind::{StackUnwinder, Unwound};
use crate::procfs::{SyscallState, ThreadFiles, mapping_of, syscall_name};
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
    /// Whether each of its steps is proven.
    pub(crate) confirmed: bool,
    /// How it was obtained.
    pub(crate) via: StackVia,
    /// Why there is no stack or only a part of one.
    pub(crate) note: Option<&'static str>,
    /// Number of the system call that the thread stood in.
    pub(crate) call: Option<i64>,
    /// Whether a thread that was running came out of the kernel: it answered the signal at a system call.
    pub(crate) in_kernel: bool,
}

impl Captured {
    pub(crate) fn none(note: &'static str) -> Self {
        Self {
            addresses: Vec::new(),
            complete: false,
            confirmed: false,
            via: StackVia::None,
            note: Some(note),
            call: None,
            in_kernel: false,
        }
    }

    fn new(unwound: Unwound, via: StackVia, truncated: bool) -> Self {
        let note = match (unwound.complete, truncated) {
            (true, _) if unwound.confirmed => None,
            (true, _) => Some(
                "whole, but a step could not be confirmed: a call through a register, or code without unwind tables",
            ),
            (false, true) => Some("the stack is larger than the copy, outer frames are cut"),
            (false, false) => Some("outer frames could not be proven and are cut"),
        };
        Self {
            addresses: unwound.addresses,
            complete: unwound.complete,
            confirmed: unwound.confirmed,
            via,
            note,
            call: None,
            in_kernel: false,
        }
    }
}

/// Captures stacks; owned by one thread.
pub(crate) struct Capturer {
    signal: Option<CaptureSignal>,
    interrupts: bool,
    interrupted_calls: u64,
    signalled_in_call: u64,
    unwinder: StackUnwinder,
}

impl Capturer {
    /// A capturer that may send signals only if `signal` is given.
    pub(crate) fn new(signal: Option<CaptureSignal>) -> Self {
        Self {
            signal,
            interrupts: false,
            interrupted_calls: 0,
            signalled_in_call: 0,
            unwinder: StackUnwinder::new(),
        }
    }

    /// Lets it send a signal to a thread in any system call whose stack could not be had otherwise, also in one that the
    /// kernel then breaks off with EINTR.
    pub(crate) fn interrupting(self) -> Self {
        Self {
            interrupts: true,
            ..self
        }
    }

    /// System calls that a signal of this capturer may have broken off: signals sent to threads that stood in one, and
    /// those that a thread answered at a call that had failed with EINTR or was about to be made again.
    pub(crate) fn interrupted_calls(&self) -> u64 {
        self.interrupted_calls
    }

    /// Those of them that the thread was known to stand in: it could not be read from outside. The others were entered after
    /// the thread had been seen running, which no look can exclude.
    pub(crate) fn signalled_in_call(&self) -> u64 {
        self.signalled_in_call
    }

    /// The stack of thread `tid`, which lies in `stack` by its own word; empty where it has not told that. Such a thread is read
    /// from outside or not at all.
    pub(crate) fn capture(
        &mut self,
        tid: i32,
        stack: &Range<u64>,
        files: &ThreadFiles,
    ) -> Captured {
        self.unwinder.refresh(sys::modules(), &OwnMemory);
        let mut cut = Captured::none("its state could not be read, and it may be in a system call");
        for _ in 0..ATTEMPTS_MAX {
            let Some(state) = files.syscall() else { break };
            let (sp, pc, call) = match state {
                SyscallState::Blocked(call) => (call.sp, call.pc, Some(call.number)),
                SyscallState::Outside { sp, pc } => (sp, pc, None),
                SyscallState::Running => return self.by_signal(tid, stack, None),
            };
            let registers = Registers {
                pc,
                sp,
                ..Registers::default()
            };
            let bounds = bounds(stack, sp);
            let Some(copy) = copy_blocked(registers, &bounds) else {
                return Captured::none("blocked on a stack of its own or one that cannot be read");
            };
            if files.syscall() != Some(state) {
                cut = Captured::none("it moved at every look");
                continue;
            }
            let unwound = self.unwinder.unwind(&copy, &OwnMemory);
            let captured = Captured {
                call,
                ..Captured::new(unwound, StackVia::Syscall, copy.truncated)
            };
            let may_signal = self.interrupts
                || match state {
                    SyscallState::Blocked(call) => restarts_by_itself(call.number, &call.arguments),
                    SyscallState::Running | SyscallState::Outside { .. } => false,
                };
            if captured.complete || !may_signal {
                return captured;
            }
            return self.or_by_signal(captured, tid, stack);
        }
        if self.interrupts {
            self.or_by_signal(cut, tid, stack)
        } else {
            cut
        }
    }

    /// What a signal gives, or what there is without it.
    fn or_by_signal(&mut self, captured: Captured, tid: i32, stack: &Range<u64>) -> Captured {
        let signalled = self.by_signal(tid, stack, captured.call);
        if signalled.addresses.is_empty() {
            captured
        } else {
            Captured {
                call: captured.call,
                ..signalled
            }
        }
    }

    /// Asks a thread, which stands in system call `call` if that is known, for its stack.
    fn by_signal(&mut self, tid: i32, stack: &Range<u64>, call: Option<i64>) -> Captured {
        // The handler copies up to the stack's end, and only the thread's own word tells where that is: a mapping may have merged
        // with its neighbour, which somebody then unmaps.
        if stack.is_empty() {
            return Captured::none("it has not told where its stack lies, so it is sent no signal");
        }
        let Some(signal) = &self.signal else {
            return Captured::none("signals are switched off or none is free");
        };
        let answer = signal.copy_stack(tid, stack, SIGNAL_PATIENCE);
        let is_interrupted = match &answer {
            Answer::NotAsked => false,
            Answer::None => call.is_some(),
            Answer::Copy(copy) => {
                call.is_some() || Native::is_interrupted_call(&OwnMemory, &copy.registers)
            }
        };
        self.interrupted_calls += u64::from(is_interrupted);
        self.signalled_in_call += u64::from(is_interrupted && call.is_some());
        let Answer::Copy(copy) = answer else {
            return Captured::none("the thread did not answer the signal in time");
        };
        if copy.bytes.is_empty() {
            return Captured::none("the thread runs on a stack of its own");
        }
        let unwound = self.unwinder.unwind(&copy, &OwnMemory);
        Captured {
            in_kernel: Native::is_at_call(&OwnMemory, copy.registers.pc),
            ..Captured::new(unwound, StackVia::Signal, copy.truncated)
        }
    }
}

/// Where the stack of a blocked thread lies, for a read from outside: as the thread said itself, or else up to the end of the
/// mapping that its stack pointer is in. Should another mapping have merged with that one, the walk ends far from the end and is cut.
fn bounds(stack: &Range<u64>, sp: u64) -> Range<u64> {
    if stack.is_empty() {
        mapping_of(sp).unwrap_or(0..0)
    } else {
        stack.clone()
    }
}

/// The stack of a blocked thread, from its stack pointer up to the end of `stack`; `None` if it lies elsewhere.
pub(super) fn copy_blocked(registers: Registers, stack: &Range<u64>) -> Option<StackCopy> {
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
/// `open`, `wait4`, `fcntl`, `flock`, `fsync`, `fdatasync`, `openat`, and `futex` without a timeout: with one it gives EINTR, on which
/// the standard library loops but `sem_timedwait` does not. Not `read` and `write`: on a socket with a timeout they give EINTR.
fn restarts_by_itself(number: i64, arguments: &[u64; 6]) -> bool {
    match syscall_name(number).as_str() {
        "futex" => arguments[FUTEX_TIMEOUT] == 0,
        "open" | "openat" | "wait4" | "fcntl" | "flock" | "fsync" | "fdatasync" => true,
        _ => false,
    }
}

/// Which argument of `futex` is the timeout of a wait, futex(2).
const FUTEX_TIMEOUT: usize = 3;

// The twin without capture cannot ask the system.
#[cfg(test)]
#[cfg(not(pollscope_no_capture))]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// A wait with a timeout is never interrupted: not every caller goes on waiting.
    #[test]
    fn waits_with_a_timeout_are_left_alone() {
        let mut numbers = 0..512;
        let futex = numbers
            .find(|number| syscall_name(*number) == "futex")
            .unwrap();
        assert!(restarts_by_itself(futex, &[0x7f00, 0x80, 1, 0, 0, 0]));
        assert!(!restarts_by_itself(futex, &[0x7f00, 0x80, 1, 0x7ffe, 0, 0]));
    }

    /// Larger than the copy, so that a read from outside is cut.
    const FRAME_BYTES: usize = 128 * 1024;

    /// Waits in `futex`, which the kernel restarts, below a frame that is larger than the copy.
    fn waits_deep(identify: &Sender<(i32, Range<u64>)>) {
        let frame = std::hint::black_box([0_u8; FRAME_BYTES]);
        identify
            .send((sys::current_tid(), sys::thread_stack().unwrap()))
            .unwrap();
        std::thread::park();
        std::hint::black_box(&frame);
    }

    /// A thread that has told its stack may be sent a signal where the read from outside is cut; one that has not never is, asleep
    /// or running, for the mapping that it lies in may end in memory of somebody else.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test waits for its thread")]
    fn only_a_told_stack_is_asked_for_by_signal() {
        let (identify, identity) = channel();
        let waiter = std::thread::spawn(move || waits_deep(&identify));
        let (tid, told) = identity.recv().unwrap();
        let files = ThreadFiles::open(tid);
        while !matches!(files.syscall(), Some(SyscallState::Blocked(_))) {
            std::thread::yield_now();
        }
        let mut capturer = Capturer::new(CaptureSignal::install());
        let outside = capturer.capture(tid, &(0..0), &files);
        assert!(!outside.complete && !outside.addresses.is_empty());
        assert_eq!(
            (outside.via, capturer.interrupted_calls()),
            (StackVia::Syscall, 0)
        );
        let running = capturer.by_signal(tid, &(0..0), None);
        assert!(
            running.note.unwrap().contains("has not told"),
            "{running:?}"
        );
        let asked = capturer.capture(tid, &told, &files);
        assert_eq!(
            (asked.via, capturer.interrupted_calls()),
            (StackVia::Signal, 1)
        );
        waiter.thread().unpark();
        waiter.join().unwrap();
    }
}
