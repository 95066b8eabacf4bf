//! The log sink: one `tracing` event a report.

use std::time::Duration;

use super::short_path;
use crate::config::Config;
use crate::stall::{Phase, Stall};

/// Sends the event: a warning from the warn threshold on, debug below. Target `pollscope::stall`.
pub(crate) fn send(stall: &Stall, config: &Config) {
    let text = sentence(stall);
    let loud = Duration::from_secs_f64(stall.duration_ms.max(0.0) / 1e3) >= config.warn;
    let task = stall.task.id;
    let (verdict, line) = (stall.verdict.name(), place(stall));
    if loud {
        tracing::warn!(target: "pollscope::stall", id = stall.id, verdict, line, task, duration_ms = stall.duration_ms, "{text}");
    } else {
        tracing::debug!(target: "pollscope::stall", id = stall.id, verdict, line, task, duration_ms = stall.duration_ms, "{text}");
    }
}

fn place(stall: &Stall) -> String {
    stall
        .line
        .as_ref()
        .map(|line| format!("{}:{}", short_path(&line.file), line.line))
        .unwrap_or_default()
}

/// The event in one sentence; PURE.
fn sentence(stall: &Stall) -> String {
    let has = match stall.phase {
        Phase::Open => "has been stalled for",
        Phase::Again => "is still stalled after",
        Phase::Close => "was stalled for",
    };
    let who = match stall.worker {
        Some(worker) => format!("worker {worker} of runtime {}", stall.runtime),
        None => format!("the block_on thread of runtime {}", stall.runtime),
    };
    let whose = stall.line.as_ref().map_or_else(String::new, |line| {
        format!(" at {} in {}", place(stall), line.function)
    });
    let what = match (&stall.advice, stall.suppressed) {
        (Some(advice), 0) => format!("; {}", advice.text),
        (Some(advice), held_back) => format!(
            "; {} ({held_back} more of this kind were not logged)",
            advice.text
        ),
        (None, _) => String::new(),
    };
    format!(
        "{who} {has} {:.0} ms ({}){whose}{what}",
        stall.duration_ms,
        stall.verdict.name()
    )
}
