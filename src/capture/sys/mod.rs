//! The only room with `unsafe`: what the operating system and the CPU must be asked directly.
//!
//! Twin files with one surface, chosen here, so that no caller holds a `cfg`. `unsupported.rs` answers "cannot be
//! had" everywhere, and `--cfg pollscope_no_capture` forces it, so that the twin is compiled and tested on Linux too: with
//! every test of the library but those about what only the system can tell, which are left out where they stand.

#![expect(
    unsafe_code,
    reason = "this room exists to hold it; every block argues its safety where it stands"
)]

use std::ops::Range;

mod atomic_static;
#[cfg_attr(
    all(
        not(test),
        not(all(
            target_os = "linux",
            any(target_arch = "x86_64", target_arch = "aarch64"),
            not(pollscope_no_capture)
        ))
    ),
    expect(dead_code, reason = "only a platform with signals hands stacks over")
)]
mod copy_request;

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(pollscope_no_capture)
))]
#[path = "linux/mod.rs"]
mod imp;

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(pollscope_no_capture)
)))]
#[path = "unsupported.rs"]
mod imp;

pub(crate) use atomic_static::AtomicStatic;
pub(crate) use copy_request::{Registers, StackCopy};
pub(crate) use imp::{
    CaptureSignal, GENERIC_SYSCALLS, TELLS_THREADS, current_tid, modules, own_waits, peer_of,
    process_cpu_time, read_memory, static_memory, suspended_time, thread_cpu_time, thread_pointer,
    thread_stack,
};
#[cfg(all(
    test,
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(pollscope_no_capture)
))]
pub(crate) use imp::{MissingPage, in_foreign_callback, load_and_unload, lock_file};

/// How often the calling thread had to wait since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ThreadWaits {
    /// Voluntary context switches: it gave the CPU away because it had to wait for something.
    pub(crate) voluntary_switches: u64,
    /// Page faults that needed storage; each costs at least one voluntary switch.
    pub(crate) major_faults: u64,
}

/// What came of asking a thread for its stack.
#[cfg_attr(
    not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64"),
        not(pollscope_no_capture)
    )),
    expect(dead_code, reason = "only a platform with signals has answers")
)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// No signal was sent: the thread is gone, or an abandoned copy still runs.
    NotAsked,
    /// The signal was sent and not answered in time.
    None,
    /// Registers and stack.
    Copy(StackCopy),
}

/// One loaded module, as the loader tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawModule {
    /// Path of the file; empty for the executable itself.
    pub(crate) path: String,
    /// What must be added to the file's addresses to get this process's.
    pub(crate) bias: u64,
    /// Loaded segments.
    pub(crate) segments: Vec<Segment>,
    /// Where `.eh_frame_hdr` lies in this process.
    pub(crate) eh_frame_hdr: Option<Range<u64>>,
    /// Where the module's notes lie in this process; one of them is its build id.
    pub(crate) notes: Vec<Range<u64>>,
    /// Bytes of thread-local storage that the module asks for, rounded up to their alignment.
    pub(crate) tls_bytes: u64,
    /// Their alignment.
    pub(crate) tls_align: u64,
}

/// A piece of a module's file that is mapped into this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Addresses of this process.
    pub(crate) range: Range<u64>,
    /// Whether it holds code.
    pub(crate) executable: bool,
    /// Whether the program may write to it.
    pub(crate) writable: bool,
}
