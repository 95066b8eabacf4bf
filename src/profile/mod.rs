//! CPU profiles of this process: where it burned its CPU time, as folded stacks, a flamegraph or a pprof file.
//!
//! The samples come from the pprof crate with its default unwinder; what is made of them is ours. Its limits are said
//! in every output: stacks are exact to the function, inlined frames are approximate. It costs about 100 MiB of memory
//! from the first profile on, and start and end take a tenth of a second each, so all of it happens on a thread made for
//! the session. This room knows nothing of HTTP.

mod cpu_time;
mod flamegraph;
mod folded;
mod pprof_proto;
mod session;
mod unwinder;

use std::time::{Duration, SystemTime};

pub(crate) use flamegraph::flamegraph;
pub(crate) use folded::folded;
pub(crate) use pprof_proto::{encode, gzip};
#[cfg(test)]
pub(crate) use session::turn;
pub(crate) use session::{Refused, record};

/// What every output says about its precision.
pub(crate) const PRECISION: &str = "function-level; inlined frames approximate";

/// What an output says when there is nothing in it.
pub(crate) const EMPTY: &str = "no samples: the process used no CPU time while the profile ran";

/// What was seen in one session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Profile {
    /// Begin of the session.
    pub(crate) started_at: SystemTime,
    /// Length of the session.
    pub(crate) length: Duration,
    /// Samples asked for per second of CPU time.
    pub(crate) hz: u32,
    /// CPU time that one sample stands for, as measured.
    pub(crate) period: Duration,
    /// Equal stacks of equal threads are one sample; the order is by thread, then stack.
    pub(crate) samples: Vec<Sample>,
}

/// One stack of one thread, and how often it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Name of the thread, or its id.
    pub(crate) thread: String,
    /// Innermost function first.
    pub(crate) stack: Vec<Function>,
    /// Times seen.
    pub(crate) count: u64,
}

/// A function in a stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Function {
    /// Demangled name.
    pub(crate) name: String,
    /// Name in the symbol table.
    pub(crate) symbol: String,
    /// Source file, if there is debug information.
    pub(crate) file: Option<String>,
    /// Line of the first sample seen in it.
    pub(crate) line: Option<u32>,
}

impl Profile {
    /// All samples together.
    pub(crate) fn total(&self) -> u64 {
        self.samples.iter().map(|sample| sample.count).sum()
    }
}
