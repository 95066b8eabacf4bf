//! A real thread's stack, for garbage to lie on.
//!
//! Without one no garbage would ever come out whole, and that it is not proven would say nothing: only a stack that ends
//! where a thread starts can be.

use std::sync::mpsc;
use std::time::Duration;

use crate::capture::capturer::copy_blocked;
use crate::capture::memory::{OwnMemory, stack_word};
use crate::capture::sys::{self, Registers, StackCopy};
use crate::capture::unwind::StackUnwinder;
use crate::procfs::{SyscallState, ThreadFiles};

/// Looks at the thread until its stack is proven; it needs a moment to fall asleep.
const LOOKS_MAX: usize = 400;

/// Between two of them.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// The stack of a thread that waits for a channel.
#[derive(Debug)]
pub(super) struct Genuine {
    pub(super) copy: StackCopy,
    /// Its lookup addresses, innermost first.
    pub(super) addresses: Vec<u64>,
    /// Offset into the copy of the word that returns to the C library's start of the thread.
    pub(super) tail: usize,
}

impl Genuine {
    /// `None` where stacks cannot be had, or not proven (a sanitizer starts threads in its own way).
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread waits to be looked at, and this one for it"
    )]
    pub(super) fn capture(unwinder: &mut StackUnwinder) -> Option<Self> {
        let (identify, identity) = mpsc::channel();
        let (keep, nothing) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _ = identify.send((sys::current_tid(), sys::thread_stack()));
            let _ = nothing.recv();
        });
        let (tid, stack) = identity.recv().ok()?;
        let stack = stack?;
        let files = ThreadFiles::open(tid);
        let genuine = (0..LOOKS_MAX).find_map(|_| {
            std::thread::sleep(LOOK_PAUSE);
            let Some(SyscallState::Blocked(call)) = files.syscall() else {
                return None;
            };
            let registers = Registers {
                pc: call.pc,
                sp: call.sp,
                ..Registers::default()
            };
            let copy = copy_blocked(registers, &stack)?;
            let unwound = unwinder.unwind_copy(&copy, &OwnMemory);
            let is_proven = unwound.complete && unwound.confirmed;
            is_proven.then(|| Self::new(copy, unwound.addresses))?
        });
        drop((keep, thread));
        genuine
    }

    /// Whether this lookup address is that of a frame, or of one that was there before and left its return address behind: whoever
    /// overwrites a frame pointer may lead there, and the word is real.
    pub(super) fn holds(&self, address: u64) -> bool {
        self.addresses.contains(&address) || last_word(&self.copy.bytes, address + 1).is_some()
    }

    fn new(copy: StackCopy, addresses: Vec<u64>) -> Option<Self> {
        let mut end = copy.bytes.len();
        for address in addresses.iter().rev().take(2) {
            end = last_word(&copy.bytes[..end], address + 1)?;
        }
        Some(Self {
            copy,
            addresses,
            tail: end,
        })
    }
}

/// Offset of the last such word.
fn last_word(bytes: &[u8], wanted: u64) -> Option<usize> {
    let mut offsets = (0..bytes.len()).step_by(8).rev();
    offsets.find(|offset| stack_word(0, bytes, *offset as u64) == Some(wanted))
}
