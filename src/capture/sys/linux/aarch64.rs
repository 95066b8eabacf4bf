//! aarch64 on Linux: the interrupted registers, and the end of the executable's thread-local storage.

use std::ffi::c_void;

use super::modules::modules;
use crate::capture::sys::Registers;

/// Words between the thread pointer and the first module's storage (TLS variant I, AAPCS64 "sysv" addendum).
const CONTROL_BLOCK_BYTES: u64 = 16;

/// The registers that the kernel saved when it delivered a signal. Signal-safe.
///
/// # Safety
///
/// `context` must be the third argument of an SA_SIGINFO handler that is running.
pub(super) unsafe fn interrupted_registers(context: *mut c_void) -> Registers {
    // SAFETY: with SA_SIGINFO the kernel passes a pointer to the `ucontext_t` it saved on this stack; the caller vouches
    // that this is one.
    let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    Registers {
        pc: machine.pc,
        sp: machine.sp,
        bp: Some(machine.regs[29]),
        lr: Some(machine.regs[30]),
        result: Some(machine.regs[0]),
    }
}

/// This machine numbers its system calls by the kernel's generic list.
pub(crate) const GENERIC_SYSCALLS: bool = true;

/// Where the executable's thread-local storage ends in the calling thread; it begins behind the thread pointer.
pub(crate) fn thread_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: every program may read its thread pointer register; the read has no effects.
    unsafe {
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, preserves_flags, nomem))
    };
    let executable = modules().into_iter().find(|module| module.path.is_empty());
    let (bytes, align) = executable.map_or((0, 1), |module| (module.tls_bytes, module.tls_align));
    pointer + CONTROL_BLOCK_BYTES.next_multiple_of(align.max(1)) + bytes
}
