//! The event of a standstill of the whole process; PURE.
//!
//! It belongs to no worker: its runtime is [`PROCESS`], its thread the process's first, and it is over when it is found, so
//! its one event is a close.

use crate::config::Config;
use crate::stall::{Phase, StackVia, Stall, TaskInfo, WaitClue, advise, fingerprint};
use crate::watchdog::Standstill;

/// What stands in the place of a runtime's name.
const PROCESS: &str = "process";

/// The event of a standstill.
pub(crate) fn standstill(found: &Standstill, config: &Config) -> Stall {
    let (judgement, parts) = (&found.judgement, found.parts());
    let ms = |duration: std::time::Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
    Stall {
        id: found.id,
        phase: Phase::Close,
        service: config.service.clone(),
        runtime: PROCESS.to_owned(),
        worker: None,
        tid: std::process::id().cast_signed(),
        task: TaskInfo::default(),
        started_at: found.started_at_unix_ms,
        duration_ms: ms(found.length),
        threshold_ms: ms(config.record),
        cpu_ms: ms(parts.cpu),
        run_queue_ms: ms(parts.run_queue),
        blocked_ms: ms(parts.blocked),
        verdict: judgement.verdict,
        confidence: judgement.confidence,
        evidence: judgement.evidence.clone(),
        wait_object: None,
        line: None,
        stack: Vec::new(),
        stack_via: StackVia::None,
        stack_complete: false,
        census: Vec::new(),
        holder: None,
        incident: None,
        victims: None,
        span: None,
        advice: advise(
            judgement.verdict,
            &[],
            WaitClue::default(),
            judgement.circumstance,
        ),
        fingerprint: fingerprint(&[judgement.verdict.name(), PROCESS]),
        suppressed: 0,
    }
}
