//! Recorded evidence as a scenario file declares it. PURE.
//!
//! What needs privileges or a machine of its own is not done by a subject; its evidence was recorded once and is judged again
//! in every drill. `docs/drill.md` says how a recording is made.

use pollscope::replay::Recording;
use pollscope::stall::{Confidence, Verdict};
use serde::Deserialize;

/// Evidence that was recorded, and what must be told of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Recorded {
    /// On what machine and how it was recorded.
    pub(crate) source: String,
    /// The verdict in the end. One of the machine's must blame no code on the way either.
    pub(crate) verdict: Verdict,
    /// How sure.
    pub(crate) confidence: Confidence,
    /// The line in the end; none must be named if this is none.
    #[serde(default)]
    pub(crate) at: Option<RecordedLine>,
    /// A part of the wait object that must be named.
    #[serde(default)]
    pub(crate) object: Option<String>,
    /// The rule that must give the advice.
    #[serde(default)]
    pub(crate) advice: Option<String>,
    /// The evidence.
    pub(crate) recording: Recording,
}

/// A line of a recorded stack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RecordedLine {
    /// Its file, as it stands in the frame.
    pub(crate) file: String,
    /// Its number.
    pub(crate) line: u32,
}
