//! The stall event: one record for log, ring, HTTP and stream.
//!
//! Field names are a promise: never renamed, only added to. What a tier cannot know is `None` or empty, never made up.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;

/// Where in its life the stall is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Phase {
    /// The threshold was passed and the poll is still running.
    Open,
    /// Twice the last report's duration has passed and the poll is still running.
    Again,
    /// The poll has ended; the duration is the total.
    Close,
}

/// How sure the verdict and the line are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Confidence {
    /// The evidence does not decide.
    Unknown,
    /// The evidence fits, but something could not be checked.
    Likely,
    /// Every step was checked.
    Proven,
}

/// How the stack was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StackVia {
    /// Read from outside while the thread stood in a system call or a page fault; the thread noticed nothing.
    Syscall,
    /// Copied by the thread itself in a signal handler.
    Signal,
    /// There is no stack; the evidence says why.
    None,
}

/// The stalled task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Tokio's task id, where the tier gives it.
    pub id: Option<u64>,
    /// Name given to the task, if any.
    pub name: Option<String>,
    /// Where the task was spawned, as `file:line:column`, where the tier gives it.
    pub spawned_at: Option<String>,
    /// The type of the future, in source terms, from the stack's outermost own frame.
    pub future: Option<String>,
}

/// A source line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLine {
    /// Path as the compiler recorded it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Function that the line belongs to.
    pub function: String,
}

/// One frame of the stack, innermost first; inlined functions have frames of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Demangled name, or the module and offset when there is no symbol.
    pub function: String,
    /// Source path, if there is debug information.
    pub file: Option<String>,
    /// Source line, if there is debug information.
    pub line: Option<u32>,
    /// Whether the compiler inlined this function into the next frame.
    pub inlined: bool,
    /// File name of the module.
    pub module: String,
    /// Address inside the module's file, as `0x` and hex digits, when there is no source line: what `addr2line` takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Build id of the module in hex digits, when there is no source line: which debug file belongs to the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
}

/// What one other thread was doing when a lock wait was reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadState {
    /// Kernel thread id.
    pub tid: i32,
    /// Thread name.
    pub name: String,
    /// State letter of `/proc/PID/stat` (`R` running, `S` sleeping, `D` uninterruptible).
    pub state: char,
    /// Name of the system call it stands in, if any.
    pub syscall: Option<String>,
    /// Address of the futex it waits for, if it does.
    #[serde(default)]
    pub futex: Option<String>,
    /// The task that it polls, if it is a worker in a poll.
    #[serde(default)]
    pub task_id: Option<u64>,
    /// Whether it probably holds the lock that is waited for.
    #[serde(default)]
    pub holder: bool,
}

/// Stalls that wait for the same lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Address of the lock's futex.
    pub address: String,
    /// Stalls that waited for it at that moment.
    pub waiters: u64,
    /// Number of the first of them; the others are not logged.
    pub first_id: u64,
}

/// The thread that probably holds the lock that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Kernel thread id.
    pub tid: i32,
    /// Thread name.
    pub name: String,
    /// What it was doing: `running`, or in which system call.
    pub doing: String,
    /// Why it is taken for the holder.
    pub grounds: String,
    /// Worker index, if it is a worker.
    pub worker: Option<usize>,
    /// The task that it polls, if it is in a poll.
    pub task_id: Option<u64>,
    /// Innermost line of the user's own code on its stack.
    pub line: Option<SourceLine>,
    /// Its stack, innermost frame first; bounded, and empty where it could not be taken.
    pub stack: Vec<Arc<Frame>>,
}

/// Tasks of one spawn site that waited because of a stall.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VictimSite {
    /// Where they were spawned, as `file:line:column`.
    pub spawned_at: String,
    /// How many.
    pub count: u64,
    /// Their added delay, in milliseconds.
    pub delay_ms: f64,
}

/// Who paid for the stall: so far in an `open` or `again`, in all in a `close`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Victims {
    /// Tasks that waited because of the stall: of those whose waits can be measured, which are all with the feature
    /// `schedule-latency` on tier T2 and otherwise the tasks of `pollscope::spawn`.
    pub count: u64,
    /// Their added delay, in milliseconds.
    pub delay_ms: f64,
    /// Whether the numbers were measured; `false` means estimated from queue depths.
    pub measured: bool,
    /// The spawn sites that waited longest, if measured.
    #[serde(default)]
    pub sites: Vec<VictimSite>,
}

/// One line of what to do, with the rule that gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// Stable id of the rule.
    pub rule: String,
    /// What to do.
    pub text: String,
    /// Where more is said about it, as a path in pollscope's repository with an anchor.
    #[serde(default)]
    pub docs: String,
}

/// The tracing span that was current, if it could be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanInfo {
    /// W3C trace id, 32 hex digits.
    pub trace_id: String,
    /// W3C span id, 16 hex digits.
    pub span_id: String,
    /// Name of the span.
    pub name: String,
}

/// One report about one stall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stall {
    /// Number of the stall in this process, from 1; `open`, `again` and `close` of one stall share it.
    pub id: u64,
    /// Where in its life the stall is.
    pub phase: Phase,
    /// The service's name from the configuration.
    pub service: String,
    /// Name of the runtime.
    pub runtime: String,
    /// Index of the worker in its runtime; `None` for a thread inside `block_on`.
    pub worker: Option<usize>,
    /// Kernel thread id.
    pub tid: i32,
    /// The stalled task.
    pub task: TaskInfo,
    /// Begin of the poll, in milliseconds since the Unix epoch.
    pub started_at: u64,
    /// Time since the begin; the total in a `close`.
    pub duration_ms: f64,
    /// Threshold that made this a stall.
    pub threshold_ms: f64,
    /// CPU time of the thread since the begin.
    pub cpu_ms: f64,
    /// Time the thread was ready but waited for a CPU.
    pub run_queue_ms: f64,
    /// The rest: time blocked in the kernel.
    pub blocked_ms: f64,
    /// Why.
    pub verdict: Verdict,
    /// How sure.
    pub confidence: Confidence,
    /// What the verdict rests on, one sentence each.
    pub evidence: Vec<String>,
    /// What was waited for, if it could be resolved.
    pub wait_object: Option<String>,
    /// Innermost line of the user's own code.
    pub line: Option<SourceLine>,
    /// Innermost frame first.
    pub stack: Vec<Arc<Frame>>,
    /// How the stack was obtained.
    pub stack_via: StackVia,
    /// Whether the stack reaches the thread's start.
    pub stack_complete: bool,
    /// Other threads at that moment, for lock waits.
    pub census: Vec<ThreadState>,
    /// The thread that probably holds the lock, for lock waits.
    #[serde(default)]
    pub holder: Option<Holder>,
    /// The stalls that wait for the same lock, for lock waits whose lock is known.
    #[serde(default)]
    pub incident: Option<Incident>,
    /// Who paid; `None` if that is not known.
    pub victims: Option<Victims>,
    /// The current span.
    pub span: Option<SpanInfo>,
    /// What to do.
    pub advice: Option<Advice>,
    /// Same cause, same fingerprint: verdict, own line and system call, hashed to 16 hex digits.
    pub fingerprint: String,
    /// Reports of this fingerprint that were counted but not sent since the last one.
    pub suppressed: u64,
}
