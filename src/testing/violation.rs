//! What a guard reports: plain values, and their text for a failing test.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::stall::{Advice, Frame, SourceLine, Verdict};

/// Frames of the stack that are shown; a violation's own line and its callers are among the first.
const SHOWN_FRAMES_MAX: usize = 12;

/// Which rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ViolationKind {
    /// A poll made its thread wait: the kernel counted voluntary context switches.
    Blocked,
    /// A poll took more CPU time than [`Guard::poll_limit`](super::Guard::poll_limit) allows.
    OverLimit,
    /// [`allow_blocking`](super::allow_blocking) was called without a reason.
    NoReason,
}

/// One place that broke a rule, and how often.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Violation {
    /// Which rule.
    pub kind: ViolationKind,
    /// Innermost line of the user's own code; `None` when the thread was not seen while it waited.
    pub line: Option<SourceLine>,
    /// Why it waited, or that it computed; `None` when it was not seen.
    pub verdict: Option<Verdict>,
    /// The system call that it slept in.
    pub syscall: Option<String>,
    /// What was waited for, if it could be resolved.
    pub wait_object: Option<String>,
    /// Tokio's id of the task; `None` for the future given to the guard.
    pub task_id: Option<u64>,
    /// Where the task was spawned, or the guard was run, as `file:line:column`.
    pub spawned_at: String,
    /// The type of the future, where the spawn or the stack tells it.
    pub future: Option<String>,
    /// Polls of this place that broke the rule.
    pub polls: u64,
    /// Voluntary context switches in them.
    pub switches: u64,
    /// CPU time of the longest of them; with a limit only.
    pub cpu: Option<Duration>,
    /// What to do.
    pub advice: Option<Advice>,
    /// Innermost frame first; empty when it was not seen.
    pub stack: Vec<Arc<Frame>>,
}

/// Everything that a guard found in one run; its text is the report of the failing test.
#[derive(Clone)]
pub struct Violations {
    pub(super) all: Vec<Violation>,
    pub(super) dropped: u64,
}

impl Violations {
    /// Each place once, in the order in which they were found; never empty.
    #[must_use]
    pub fn all(&self) -> &[Violation] {
        &self.all
    }

    /// Polls that broke a rule beyond the 256 that are kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl fmt::Debug for Violations {
    // `unwrap` in a test prints the `Debug` form, so it is the readable report.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Violations {}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.all.len();
        let plural = if count == 1 { "" } else { "s" };
        writeln!(
            f,
            "pollscope found {count} violation{plural} of this test's guard"
        )?;
        for (index, violation) in self.all.iter().enumerate() {
            write!(f, "{:>3}. {violation}", index + 1)?;
        }
        if self.dropped > 0 {
            writeln!(f, "     and {} more polls that were not kept", self.dropped)?;
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some(line) => writeln!(f, "{}:{} in {}", line.file, line.line, line.function)?,
            None if self.kind == ViolationKind::NoReason => writeln!(f, "{}", self.spawned_at)?,
            None => writeln!(f, "no line: {}", self.why_no_line())?,
        }
        writeln!(f, "       what   {}", self.what())?;
        if self.kind == ViolationKind::NoReason {
            return Ok(());
        }
        writeln!(f, "       who    {}", self.who())?;
        if let Some(advice) = &self.advice {
            writeln!(f, "       do     {}", advice.text)?;
        }
        for (index, frame) in self.stack.iter().take(SHOWN_FRAMES_MAX).enumerate() {
            let label = if index == 0 { "stack" } else { "" };
            write!(f, "       {label:<6} {}", frame.function)?;
            match (&frame.file, frame.line) {
                (Some(file), Some(line)) => writeln!(f, " {file}:{line}")?,
                _ => writeln!(f, " {}", frame.module)?,
            }
        }
        if self.stack.len() > SHOWN_FRAMES_MAX {
            writeln!(
                f,
                "              … {} more",
                self.stack.len() - SHOWN_FRAMES_MAX
            )?;
        }
        Ok(())
    }
}

impl Violation {
    fn why_no_line(&self) -> &'static str {
        if self.stack.is_empty() {
            "it was too short to be seen while it lasted"
        } else {
            "no frame of your own code has debug information"
        }
    }

    fn what(&self) -> String {
        let times = if self.polls == 1 {
            "a poll".to_owned()
        } else {
            format!("{} polls", self.polls)
        };
        match self.kind {
            ViolationKind::NoReason => {
                "allow_blocking without a reason, expected why blocking is right here".to_owned()
            }
            ViolationKind::OverLimit => {
                let ms = self.cpu.unwrap_or_default().as_secs_f64() * 1e3;
                format!("{times} over the limit, up to {ms:.1} ms of CPU time")
            }
            ViolationKind::Blocked => {
                let switches = self.switches;
                let mut what =
                    format!("{times} blocked the thread ({switches} voluntary context switches)");
                if let Some(verdict) = self.verdict {
                    what += &format!(": {}", verdict.name());
                }
                if let Some(syscall) = &self.syscall {
                    what += &format!(", asleep in {syscall}");
                }
                if let Some(object) = &self.wait_object {
                    what += &format!(" ({object})");
                }
                what
            }
        }
    }

    fn who(&self) -> String {
        let who = match self.task_id {
            Some(id) => format!("task {id}, spawned at {}", self.spawned_at),
            None => format!("the future given to the guard at {}", self.spawned_at),
        };
        match &self.future {
            Some(future) => format!("{who}, {future}"),
            None => who,
        }
    }
}
