//! Linux: signals, memory of this process, threads, loaded modules.
//!
//! Everything here works for an ordinary user on threads of its own process. What the kernel refuses (seccomp, an
//! undumpable process) comes back as `None` or `false` and degrades the report, never the service. What depends on the
//! CPU is one file an architecture.

#[cfg(test)]
mod foreign;
#[cfg(test)]
mod library;
mod memory;
#[cfg(test)]
mod missing_page;
mod modules;
mod signal;
mod thread;

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod cpu;

#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod cpu;

/// `/proc/self/task` tells about threads.
pub(crate) const TELLS_THREADS: bool = true;

pub(crate) use cpu::{GENERIC_SYSCALLS, thread_pointer};
#[cfg(test)]
pub(crate) use foreign::{in_foreign_callback, lock_file};
#[cfg(test)]
pub(crate) use library::load_and_unload;
pub(crate) use memory::{read_memory, static_memory};
#[cfg(test)]
pub(crate) use missing_page::MissingPage;
pub(crate) use modules::modules;
pub(crate) use signal::CaptureSignal;
pub(crate) use thread::{
    current_tid, own_waits, peer_of, process_cpu_time, suspended_time, thread_cpu_time,
    thread_stack,
};
