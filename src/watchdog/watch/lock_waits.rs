//! What a look finds out about workers that wait for locks.

use std::ops::Range;
use std::time::Duration;

use super::{Key, Watch};
use crate::procfs::{ThreadLook, owner_at};
use crate::runtime::slots::{self, NO_WORKER, Slot};
use crate::runtime::{attach, stacks};
use crate::stall::{
    Crowd, Evidence, Holders, Judgement, Span, Verdict, Wait, Witness, holders, judge,
};
use crate::watchdog::locks::{LockFindings, Member, Members};

impl Watch {
    /// The first look at the other threads, when a poll that waits for a lock may become a stall.
    pub(super) fn look_for_holders(&mut self, now: Duration, key: Key) {
        let waits = |worker: &super::Worker| worker.waits_for_a_lock();
        if !self.workers.get(&key).is_some_and(waits) {
            return;
        }
        let members = self.members();
        if let Some(worker) = self.workers.get_mut(&key) {
            self.locks.look_early(now, &mut worker.lock_looks, &members);
        }
    }

    /// The judgement with what the probable holders of the lock do, if it is one that is waited for.
    pub(super) fn judged_with_holders(
        &mut self,
        now: Duration,
        key: Key,
        evidence: &mut Evidence,
        judged: Judgement,
    ) -> Option<Judgement> {
        let wait = evidence.tally.main_wait();
        let futex = wait.and_then(|(wait, _)| wait.futex());
        let Some(futex) = futex.filter(|_| judged.verdict == Verdict::LockWait) else {
            return Some(judged);
        };
        let members = self.members();
        let threshold = self.threshold();
        let worker = self.workers.get_mut(&key)?;
        let looks = &mut worker.lock_looks;
        self.locks
            .look_again(now, futex, looks, &members, threshold);
        evidence.holders = holders(futex, owner_at(futex), looks);
        let ready = |look: &Vec<Witness>| look.iter().filter(|then| then.state == 'R').count();
        evidence.machine.crowd = looks.last().map(|look| Crowd {
            ready: u32::try_from(ready(look)).unwrap_or(u32::MAX),
            cpus: self.cpus,
        });
        judge(evidence, threshold)
    }

    /// The judgement on a poll that has ended, with what the looks of that time tell of the holders of a lock.
    pub(super) fn judged_after_the_end(
        &self,
        key: Key,
        evidence: &mut Evidence,
    ) -> Option<Judgement> {
        let worker = self.workers.get(&key)?;
        let wait = evidence.tally.main_wait();
        if let Some(futex) = wait.and_then(|(wait, _)| wait.futex()) {
            let looks = &worker.lock_looks;
            // Nobody looked at them in time, which tells as little as one look.
            let unknown = looks.is_empty().then_some(Holders::SeenOnce);
            evidence.holders = unknown.or_else(|| holders(futex, None, looks));
        }
        judge(evidence, self.threshold())
    }

    /// Everything about the lock that the worker's open stall waits for, if that is its verdict.
    pub(super) fn look_at_lock(
        &mut self,
        now: Duration,
        key: Key,
        span: Span,
        verdict: Verdict,
        wait: Option<&Wait>,
    ) -> Option<LockFindings> {
        let id = self.workers.get(&key)?.open.as_ref()?.id;
        if verdict != Verdict::LockWait {
            self.locks.leave(id);
            return None;
        }
        let members = self.members();
        let worker = self.workers.get_mut(&key)?;
        let captures = &mut self.captures;
        let capture = |thread: &ThreadLook, member: Option<&Member>| {
            let stack = stack_of(thread, member)?;
            captures.of_other(now, thread.tid, &stack)
        };
        let findings = self.locks.find(
            now,
            (id, worker.tid()),
            wait.and_then(Wait::futex),
            &mut worker.lock_looks,
            &members,
            capture,
        );
        // Locks change hands all the time; a circle is only called a deadlock when it has lasted.
        let has_lasted = span.length >= self.config.stuck;
        Some(LockFindings {
            cycle: if has_lasted {
                findings.cycle
            } else {
                Vec::new()
            },
            is_stuck: has_lasted,
            ..findings
        })
    }

    /// The threads of watched runtimes and what they do.
    fn members(&self) -> Members {
        let busy: Vec<i32> = self
            .workers
            .values()
            .filter(|worker| worker.episode.is_busy())
            .map(super::Worker::tid)
            .collect();
        let member = |view: slots::SlotView| {
            let is_busy = busy.contains(&view.tid);
            let index = usize::try_from(view.worker).ok();
            let task_id = if view.in_poll() {
                Some(view.task_id)
            } else if is_busy {
                // Without a heartbeat of its own, Tokio's note tells the task.
                self.runtimes
                    .get(view.runtime)
                    .zip(index)
                    .and_then(|(runtime, index)| attach::look(&runtime, index, Some(&view)).task_id)
            } else {
                None
            };
            let member = Member {
                in_poll: view.in_poll() || is_busy,
                task_id: task_id.filter(|id| *id != 0),
                worker: index.filter(|_| view.worker != NO_WORKER),
                stack: view.stack.0..view.stack.1,
            };
            (view.tid, member)
        };
        slots::claimed_slots()
            .iter()
            .filter_map(Slot::view)
            .map(member)
            .collect()
    }
}

/// The stack of a thread by its own word; empty for one that has told nothing, which can be read where it stands in a call.
fn stack_of(thread: &ThreadLook, member: Option<&Member>) -> Option<Range<u64>> {
    let known = member.map(|member| member.stack.clone());
    known
        .filter(|stack| !stack.is_empty())
        .or_else(|| stacks::stack_of(thread.tid))
        .or_else(|| thread.call.map(|_| 0..0))
}
