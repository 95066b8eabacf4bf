//! x86-64 on Linux: the interrupted registers, and the thread pointer.

use std::ffi::{c_int, c_void};

use crate::capture::sys::Registers;

/// The registers that the kernel saved when it delivered a signal. Signal-safe.
///
/// # Safety
///
/// `context` must be the third argument of an SA_SIGINFO handler that is running.
pub(super) unsafe fn interrupted_registers(context: *mut c_void) -> Registers {
    // SAFETY: with SA_SIGINFO the kernel passes a pointer to the `ucontext_t` it saved on this stack; the caller vouches
    // that this is one.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let register = |index: c_int| {
        usize::try_from(index)
            .ok()
            .and_then(|index| registers.get(index))
            .map_or(0, |value| value.cast_unsigned())
    };
    Registers {
        pc: register(libc::REG_RIP),
        sp: register(libc::REG_RSP),
        bp: Some(register(libc::REG_RBP)),
        lr: None,
        result: Some(register(libc::REG_RAX)),
    }
}

/// This machine numbers its system calls by a list of its own.
pub(crate) const GENERIC_SYSCALLS: bool = false;

/// Thread pointer of the calling thread: the executable's thread-local storage ends here (TLS variant II).
pub(crate) fn thread_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: the x86-64 ABI keeps the thread pointer itself in the first word at `fs:0`; the read has no effects.
    unsafe {
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, preserves_flags, readonly))
    };
    pointer
}
