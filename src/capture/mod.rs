//! Stacks of stalled threads: how they are copied, and how they become addresses.
//!
//! Two ways, one unwinder. A thread blocked in a system call is read from outside and notices nothing; a running
//! thread is asked by one signal and copies its own stack. Both copies are unwound here, offline, from `.eh_frame`:
//! no frame pointers needed, nothing unwound in signal context. `sys/` holds everything unsafe.

mod arch;
mod build_id;
mod capturer;
#[cfg(any(test, fuzzing))]
pub(crate) mod garbage;
mod memory;
mod modules;
#[cfg(test)]
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(pollscope_no_capture)
))]
mod real_waits;
#[cfg(test)]
mod recorded;
pub(crate) mod sys;
#[cfg(test)]
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(pollscope_no_capture)
))]
mod torture;
mod unwind;

pub(crate) use build_id::build_id;
pub(crate) use capturer::{Captured, Capturer};
