//! Reports of stalls: an open or repeated one is judged and gets a stack, a close repeats what was said with exact figures.
//!
//! Addresses and numbers only; symbols and sentences are the reporter's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Key, Watch};
use crate::capture::Captured;
use crate::procfs::ready_threads;
use crate::report::Message;
use crate::runtime::slots::{NO_WORKER, SlotView};
use crate::runtime::{Runtimes, attach};
use crate::stall::{
    Confidence, Crowd, Evidence, Judgement, Look, Phase, Span, Verdict, judge_in_crowd,
};
use crate::watchdog::observe::{Observed, Subject};
use crate::watchdog::source::Source;
use crate::watchdog::worker::OpenReport;

/// CPU time that an attached worker must burn before it is called a stall. Its counters are published every 61 turns
/// of its loop (tokio's `event_interval`) of up to four polls: 244 polls of half a millisecond look like one of 122 ms.
const ATTACHED_CPU_MIN: Duration = Duration::from_millis(150);

/// What one report rests on.
struct Found {
    evidence: Evidence,
    judgement: Judgement,
    subject: Subject,
    captured: Captured,
    earlier: Option<Captured>,
    /// Whether the poll has ended, so that other threads now say nothing about it.
    is_over: bool,
}

impl Watch {
    /// A stall is due: judge it, and tell if the evidence decides.
    pub(super) fn report(
        &mut self,
        now: Duration,
        key: Key,
        source: &Source,
        look: Look,
        view: &SlotView,
        span: Span,
    ) {
        let threshold = self.threshold();
        let Some(worker) = self.workers.get(&key) else {
            return;
        };
        let mut evidence = worker.evidence(span, &self.environment);
        // Who else wants a CPU takes a while to tell.
        let crowd = || {
            Some(Crowd {
                ready: ready_threads(),
                cpus: self.cpus,
            })
        };
        let judgement = judge_in_crowd(&mut evidence, threshold, crowd)
            .and_then(|judged| self.judged_with_holders(now, key, &mut evidence, judged));
        let (Some(mut judgement), Some(worker)) = (judgement, self.workers.get_mut(&key)) else {
            return;
        };
        if !source.sees_polls() && !decides_without_polls(&mut judgement, &evidence, threshold) {
            if evidence.cpu >= Some(ATTACHED_CPU_MIN / 2) {
                worker.want_sample_once();
                self.take_sample(now, key, source, look, view);
            }
            return;
        }
        let Some(captured) = self.captures.of_stall(now, worker, judgement.verdict) else {
            // Due again at the next look.
            return;
        };
        let is_still = source.is_still(look, view);
        if !is_still && !source.sees_polls() {
            // Nothing tells an attached worker that has just parked from one that blocks.
            return;
        }
        // A stack that was taken while the next poll already ran would blame the innocent.
        let captured = if is_still {
            captured
        } else {
            Captured::none("the poll ended while its stack was taken")
        };
        let earlier = worker.sample.take();
        let has_stack = |sample: &Captured| !sample.addresses.is_empty();
        if !is_still
            && judgement.verdict == Verdict::LockWait
            && !earlier.as_ref().is_some_and(has_stack)
        {
            // It is over, and nothing tells the lock of some code from one of Tokio's own, whose holder has lost its CPU.
            return;
        }
        worker.sample = Some(captured.clone()).filter(|sample| !sample.addresses.is_empty());
        worker.episode.reported(now);
        let subject = subject(&self.runtimes, source, view);
        let found = Found {
            evidence,
            judgement,
            subject,
            captured,
            earlier,
            is_over: false,
        };
        self.tell_stall(now, key, span, found);
    }

    /// A poll lasted the threshold and ended before a look could tell. What the looks at it saw, and what its worker wrote down
    /// at its end, is judged all the same; its stack is the one that was taken when it was suspected.
    pub(super) fn report_ended(
        &mut self,
        now: Duration,
        key: Key,
        source: &Source,
        span: Span,
        ended_cpu: Option<Duration>,
    ) {
        let threshold = self.threshold();
        let worker = self.workers.get(&key);
        let (Some(worker), Some(ended_cpu)) = (worker, ended_cpu) else {
            return;
        };
        let Some(view) = worker.suspected_view else {
            return;
        };
        let mut evidence = worker.ended_evidence(span, &self.environment, ended_cpu);
        let judgement = self.judged_after_the_end(key, &mut evidence);
        let judgement = judgement.filter(|judged| !judged.verdict.is_machine());
        let (Some(mut judgement), Some(worker)) = (judgement, self.workers.get_mut(&key)) else {
            return;
        };
        let has_stack = worker
            .sample
            .as_ref()
            .is_some_and(|sample| !sample.addresses.is_empty());
        if judgement.verdict == Verdict::LockWait && !has_stack {
            // Nothing tells the lock of some code from one of Tokio's own, whose holder has lost its CPU.
            return;
        }
        judgement.confidence = judgement.confidence.min(Confidence::Likely);
        judgement.evidence.push(format!(
            "told after its end: no look fell between {:.0} ms and that",
            threshold.as_secs_f64() * 1e3
        ));
        let captured = worker.sample.take();
        let captured =
            captured.unwrap_or_else(|| Captured::none("the poll ended before its stack was taken"));
        let subject = subject(&self.runtimes, source, &view);
        let found = Found {
            evidence,
            judgement,
            subject,
            captured,
            earlier: None,
            is_over: true,
        };
        self.tell_stall(now, key, span, found);
    }

    /// Tells the reporter what was found out about a worker's poll, as a new stall or as the same again.
    fn tell_stall(&mut self, now: Duration, key: Key, span: Span, found: Found) {
        let threshold = self.threshold();
        let Some(worker) = self.workers.get_mut(&key) else {
            return;
        };
        let Found {
            evidence,
            judgement,
            subject,
            captured,
            earlier,
            is_over,
        } = found;
        let phase = if worker.open.is_some() {
            Phase::Again
        } else {
            Phase::Open
        };
        let (id, started_at_unix_ms) = match &worker.open {
            Some(open) => (open.id, open.started_at_unix_ms),
            None => {
                let ago = now.saturating_sub(span.started);
                (self.next_id, unix_ms_before(ago))
            }
        };
        self.next_id = self.next_id.max(id + 1);
        let wait = evidence.main_wait(judgement.verdict);
        worker.open = Some(OpenReport {
            id,
            started_at_unix_ms,
            judgement: judgement.clone(),
            subject: subject.clone(),
            parts: evidence.parts(),
        });
        let victims = self.victims.so_far(key, subject.task_id.unwrap_or(0), now);
        let before = self.victims.settled_of(subject.tid, &self.runtimes);
        let lock = if is_over {
            None
        } else {
            self.look_at_lock(now, key, span, judgement.verdict, wait.as_ref())
        };
        before.into_iter().for_each(|close| self.tell(close));
        self.tell(Message::Observed(Box::new(Observed {
            id,
            phase,
            subject,
            started_at_unix_ms,
            span,
            threshold,
            parts: evidence.parts(),
            lock,
            judgement,
            captured: Some(captured),
            earlier,
            wait,
            victims,
        })));
    }

    /// A poll is over: if it was told, so is its end.
    pub(super) fn close(
        &mut self,
        key: Key,
        span: Span,
        busy_again: bool,
        ended_cpu: Option<Duration>,
    ) {
        let threshold = self.threshold();
        let Some(worker) = self.workers.get_mut(&key) else {
            return;
        };
        let open = worker.open.take();
        let parts = open
            .as_ref()
            .map(|open| worker.final_parts(span, open.parts, ended_cpu));
        if busy_again {
            worker.begin();
        }
        let (Some(open), Some(parts)) = (open, parts) else {
            self.victims.forget(key);
            return;
        };
        self.locks.leave(open.id);
        let close = Box::new(Observed {
            id: open.id,
            phase: Phase::Close,
            subject: open.subject,
            started_at_unix_ms: open.started_at_unix_ms,
            span,
            threshold,
            parts,
            judgement: open.judgement,
            captured: None,
            earlier: None,
            wait: None,
            lock: None,
            victims: None,
        });
        if let Some(close) = self.victims.close(key, close) {
            self.tell(Message::Observed(close));
        }
    }
}

/// Whether a verdict on an attached worker holds although its polls cannot be told apart: sleeping inside one turn of
/// the loop is always a stall, computing only when no number of short polls would look the same, nor does it add to sleeping.
fn decides_without_polls(
    judgement: &mut Judgement,
    evidence: &Evidence,
    threshold: Duration,
) -> bool {
    // Which thread runs a worker was learnt earlier and may have changed since.
    judgement.confidence = judgement.confidence.min(Confidence::Likely);
    let verdict = judgement.verdict;
    if !verdict.is_cpu() {
        return verdict.is_machine()
            || verdict == Verdict::Unknown
            || evidence.parts().blocked >= threshold;
    }
    judgement.evidence.push("attached runtime: its loop has not turned and its task has not changed, single polls cannot be seen".to_owned());
    evidence.cpu.is_some_and(|cpu| cpu >= ATTACHED_CPU_MIN)
}

fn subject(runtimes: &Runtimes, source: &Source, view: &SlotView) -> Subject {
    let task_id = match source {
        Source::Slot(_) => Some(view.task_id),
        Source::Attached(runtime, worker) => attach::look(runtime, *worker, Some(view)).task_id,
    };
    Subject {
        runtime: runtimes.get(view.runtime),
        worker: (view.worker != NO_WORKER)
            .then(|| usize::try_from(view.worker).unwrap_or(usize::MAX)),
        tid: view.tid,
        task_id: task_id.filter(|id| *id != 0),
        spawned_at: view.spawned_at.filter(|_| source.sees_polls()),
    }
}

/// The wall clock so long ago.
pub(super) fn unix_ms_before(length: Duration) -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.saturating_sub(length).as_millis()).unwrap_or(u64::MAX)
}
