//! A recorded event for tests, with the fields that a test may want to change left public as they are.

use crate::stall::{Confidence, Phase, SourceLine, StackVia, Stall, TaskInfo, Verdict};

/// A stall on thread 7 that began at the Unix epoch.
pub(crate) fn stall(id: u64, phase: Phase) -> Stall {
    Stall {
        id,
        phase,
        service: "orders".to_owned(),
        runtime: "main".to_owned(),
        worker: Some(0),
        tid: 7,
        task: TaskInfo::default(),
        started_at: 0,
        duration_ms: 12.0,
        threshold_ms: 10.0,
        cpu_ms: 0.0,
        run_queue_ms: 0.0,
        blocked_ms: 12.0,
        verdict: Verdict::Sleep,
        confidence: Confidence::Proven,
        evidence: Vec::new(),
        wait_object: None,
        line: Some(SourceLine {
            file: "/home/u/app/src/orders/db.rs".to_owned(),
            line: 41,
            function: "app::orders::db::load".to_owned(),
        }),
        stack: Vec::new(),
        stack_via: StackVia::None,
        stack_complete: false,
        census: Vec::new(),
        holder: None,
        incident: None,
        victims: None,
        span: None,
        advice: None,
        fingerprint: "0123456789abcdef".to_owned(),
        suppressed: 0,
    }
}
