//! What is recorded: plain data, in the words of the files that it comes from.

use serde::Deserialize;

use crate::stall::{Frame, StackVia};

/// What was read of one process from one moment to another.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recording {
    /// Where it was made, in the words of [`std::env::consts::ARCH`].
    pub architecture: String,
    /// The process; only standstills are told about it.
    #[serde(default)]
    pub process: Option<i32>,
    /// The thread that polls.
    pub thread: i32,
    /// CPUs that the process might use.
    pub cpus: u32,
    /// A poll this long was a stall, in milliseconds, from 1.
    pub threshold_ms: u64,
    /// Every look of the watchdog, the earliest first.
    pub moments: Vec<MomentRecording>,
    /// Stacks of the polling thread, the earliest first.
    #[serde(default)]
    pub stacks: Vec<StackRecording>,
    /// What stood behind the arguments of its system calls.
    #[serde(default)]
    pub waits: WaitRecording,
}

/// One look. Clocks are in nanoseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MomentRecording {
    /// `CLOCK_MONOTONIC`.
    pub monotonic: u64,
    /// `CLOCK_BOOTTIME`, which goes on while the machine is suspended.
    pub boottime: u64,
    /// `CLOCK_REALTIME`.
    pub realtime: u64,
    /// The watchdog itself.
    pub round: RoundRecording,
    /// The process and the machine.
    #[serde(default)]
    pub machine: MachineRecording,
    /// The polling thread, if it was looked at.
    #[serde(default)]
    pub poll: Option<PollRecording>,
}

/// The watchdog's own thread: what it meant to do since the last moment, and what it got.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RoundRecording {
    /// Nanoseconds that it meant to pause since the moment before; `None` for a wait without an end.
    #[serde(default)]
    pub wanted: Option<u64>,
    /// Its CPU clock, in nanoseconds.
    #[serde(default)]
    pub cpu: Option<u64>,
    /// Its `schedstat`.
    #[serde(default)]
    pub schedstat: Option<String>,
}

/// What the kernel told about process and machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MachineRecording {
    /// CPU clock of the process, in nanoseconds.
    #[serde(default)]
    pub process_cpu: Option<u64>,
    /// `cpu.stat` of its control group.
    #[serde(default)]
    pub cpu_stat: Option<String>,
    /// `/proc/pressure/cpu`.
    #[serde(default)]
    pub pressure: Option<String>,
    /// `/proc/stat`; its first line is enough.
    #[serde(default)]
    pub stat: Option<String>,
    /// `status` of the process; the line of its tracer is enough.
    #[serde(default)]
    pub status: Option<String>,
    /// `stat` of each of its threads.
    #[serde(default)]
    pub tasks: Vec<String>,
}

/// The polling thread. A file that could not be read is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PollRecording {
    /// The same in every look at one poll; 0 outside polls.
    pub token: u64,
    /// CPU clock of the thread, in nanoseconds.
    #[serde(default)]
    pub cpu: Option<u64>,
    /// `stat`.
    #[serde(default)]
    pub stat: Option<String>,
    /// `syscall`.
    #[serde(default)]
    pub syscall: Option<String>,
    /// `wchan`.
    #[serde(default)]
    pub wchan: Option<String>,
    /// `schedstat`.
    #[serde(default)]
    pub schedstat: Option<String>,
    /// `status`; the lines of the context switches are enough.
    #[serde(default)]
    pub status: Option<String>,
}

/// A stack of the polling thread, with the outcome of its unwinding.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StackRecording {
    /// From which moment on it is the thread's stack, on `CLOCK_MONOTONIC`.
    pub monotonic: u64,
    /// How it was obtained.
    pub via: StackVia,
    /// Number of the system call that the thread stood in.
    #[serde(default)]
    pub call: Option<i64>,
    /// Whether it reaches the thread's start.
    pub complete: bool,
    /// Whether each of its steps was proven.
    pub confirmed: bool,
    /// Innermost frame first.
    pub frames: Vec<Frame>,
}

/// What stood behind the arguments of system calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WaitRecording {
    /// Descriptors.
    #[serde(default)]
    pub descriptors: Vec<DescriptorRecording>,
    /// Pieces of the process's memory.
    #[serde(default)]
    pub memory: Vec<MemoryRecording>,
}

/// One descriptor of the process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DescriptorRecording {
    /// Its number.
    pub number: u64,
    /// Its link in `/proc/self/fd`.
    pub link: String,
    /// Its text in `/proc/self/fdinfo`.
    #[serde(default)]
    pub info: Option<String>,
    /// The bytes of the socket's peer as getpeername(2) gives them, in hex digits.
    #[serde(default)]
    pub peer: Option<String>,
}

/// A piece of memory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MemoryRecording {
    /// Where it begins.
    pub address: u64,
    /// Its bytes, in hex digits.
    pub bytes: String,
}
