//! What an event tells about the lock that is waited for: who probably holds it, who else waits, and whether it looks like
//! a deadlock; PURE.

use std::sync::Arc;

use super::short_path;
use crate::stall::{
    Circumstance, Frame, Holder, Incident, SourceLine, Stall, Suspicion, WaitClue, advise, own_line,
};
use crate::watchdog::{HeldBy, LockFindings};

/// Frames of a holder's stack that an event carries: enough to see what it does with the lock.
const HOLDER_FRAMES_MAX: usize = 48;

/// Adds what was found about its lock to an event. `held_at` is the holder's symbolised stack, `open` knows the other
/// stalls that have not ended.
pub(super) fn with_lock<'a>(
    mut stall: Stall,
    lock: &LockFindings,
    held_at: Vec<Arc<Frame>>,
    in_app: &[String],
    open: impl Fn(u64) -> Option<&'a Stall>,
) -> Stall {
    let holder = lock
        .holder
        .as_ref()
        .map(|held| holder(held, held_at, in_app));
    stall.evidence.extend(who(lock, holder.as_ref()));
    if let Some(incident) = &lock.incident {
        let waiters = incident.waiters;
        if incident.first_id != stall.id {
            stall.evidence.push(format!(
                "the same lock as in stall #{}, {waiters} wait for it",
                incident.first_id
            ));
        } else if waiters > 1 {
            stall
                .evidence
                .push(format!("{waiters} stalls wait for this lock"));
        }
        stall.incident = Some(Incident {
            address: format!("{:#x}", incident.address),
            waiters: u64::try_from(waiters).unwrap_or(u64::MAX),
            first_id: incident.first_id,
        });
    }
    if !lock.cycle.is_empty() {
        let place = |id: &u64| {
            let other = if *id == stall.id {
                Some(&stall)
            } else {
                open(*id)
            };
            place(*id, other)
        };
        let places: Vec<String> = lock.cycle.iter().map(place).collect();
        stall.evidence.push(if places.len() == 1 {
            format!(
                "possible deadlock: it waits for a lock that it holds itself, at {}",
                places[0]
            )
        } else {
            format!("possible deadlock between {}", places.join(" and "))
        });
        stall.advice = advise(
            stall.verdict,
            &stall.stack,
            WaitClue::default(),
            Some(Circumstance::Deadlock),
        );
    }
    stall.census.clone_from(&lock.census);
    stall.holder = holder;
    stall
}

/// Whether the stall waits for a lock that an earlier one waits for too, which has told of it already.
pub(super) fn is_told(stall: &Stall) -> bool {
    stall
        .incident
        .as_ref()
        .is_some_and(|incident| incident.first_id != stall.id)
}

fn holder(held: &HeldBy, mut stack: Vec<Arc<Frame>>, in_app: &[String]) -> Holder {
    let line = own_line(&stack, in_app);
    stack.truncate(HOLDER_FRAMES_MAX);
    Holder {
        tid: held.thread.tid,
        name: held.thread.name.clone(),
        doing: match held.thread.syscall() {
            Some(syscall) => format!("in {syscall}"),
            None if held.thread.state == 'R' => "running".to_owned(),
            None => format!("in state {}", held.thread.state),
        },
        grounds: held.grounds.words().to_owned(),
        worker: held.worker,
        task_id: held.task_id,
        line,
        stack,
    }
}

/// The sentence about who holds the lock.
fn who(lock: &LockFindings, holder: Option<&Holder>) -> Option<String> {
    if let Some(holder) = holder {
        let task = holder
            .task_id
            .map_or_else(String::new, |task| format!(" with task {task}"));
        let at = holder
            .line
            .as_ref()
            .map_or_else(String::new, |line| format!(" at {}", short(line)));
        return Some(format!(
            "thread {} `{}`{task} probably holds it, {}{at}: {}",
            holder.tid, holder.name, holder.doing, holder.grounds
        ));
    }
    match lock.suspicion {
        Suspicion::OneOf(count) => Some(format!(
            "one of {count} threads may hold it, the census has them"
        )),
        Suspicion::Nobody if lock.is_stuck && !lock.census.is_empty() => Some(
            "no thread was seen that could end this wait, all others wait themselves or are idle: a lock kept across an await, a \
             channel nobody sends to, or a deadlock"
                .to_owned(),
        ),
        _ => None,
    }
}

fn place(id: u64, stall: Option<&Stall>) -> String {
    let who = match stall.and_then(|stall| stall.worker) {
        Some(worker) => format!("stall #{id}, worker {worker}"),
        None => format!("stall #{id}"),
    };
    match stall.and_then(|stall| stall.line.as_ref()) {
        Some(line) => format!("{} ({who})", short(line)),
        None => who,
    }
}

fn short(line: &SourceLine) -> String {
    format!("{}:{}", short_path(&line.file), line.line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::ThreadLook;
    use crate::report::recorded;
    use crate::stall::{Grounds, Membership, Phase, ThreadState, Verdict};

    fn lock(waiters: usize, first_id: u64) -> LockFindings {
        LockFindings {
            census: vec![ThreadState {
                tid: 9,
                name: "other".to_owned(),
                state: 'S',
                syscall: None,
                futex: None,
                task_id: None,
                holder: false,
            }],
            incident: Some(Membership {
                address: 0x5000,
                waiters,
                first_id,
            }),
            suspicion: Suspicion::Nobody,
            holder: None,
            cycle: Vec::new(),
            is_stuck: false,
        }
    }

    fn stall(id: u64, line: u32) -> Stall {
        let mut stall = recorded::stall(id, Phase::Again);
        stall.verdict = Verdict::LockWait;
        stall.line.as_mut().unwrap().line = line;
        stall
    }

    fn told(id: u64, lock: &LockFindings) -> Stall {
        let other = stall(2, 77);
        with_lock(stall(id, 41), lock, Vec::new(), &[], |id| {
            (id == 2).then_some(&other)
        })
    }

    /// The holder is named with what it does and why it is suspected; several suspects are only counted.
    #[test]
    fn who_holds_it() {
        let held = LockFindings {
            holder: Some(HeldBy {
                thread: ThreadLook {
                    tid: 12,
                    name: "flusher".to_owned(),
                    state: 'R',
                    call: None,
                    at: std::time::Duration::ZERO,
                    cpu: None,
                },
                grounds: Grounds::OnlyRunning,
                task_id: Some(5),
                worker: Some(1),
                captured: None,
            }),
            ..lock(1, 1)
        };
        let told_of = told(1, &held);
        assert_eq!(
            told_of.evidence,
            [
                "thread 12 `flusher` with task 5 probably holds it, running: no other thread ran all the while"
            ]
        );
        assert_eq!(told_of.holder.unwrap().worker, Some(1));
        let several = LockFindings {
            suspicion: Suspicion::OneOf(3),
            ..lock(1, 1)
        };
        assert_eq!(
            told(1, &several).evidence,
            ["one of 3 threads may hold it, the census has them"]
        );
        assert_eq!(told(1, &lock(1, 1)).evidence, [""; 0]);
        let stuck = LockFindings {
            is_stuck: true,
            ..lock(1, 1)
        };
        assert!(told(1, &stuck).evidence[0].contains("a lock kept across an await"));
    }

    /// The first stall of an incident counts the waiters, the others refer to it.
    #[test]
    fn one_incident() {
        let first = told(1, &lock(3, 1));
        assert_eq!(first.evidence, ["3 stalls wait for this lock"]);
        assert!(!is_told(&first));
        let later = told(4, &lock(3, 1));
        assert_eq!(
            later.evidence,
            ["the same lock as in stall #1, 3 wait for it"]
        );
        assert!(is_told(&later));
        assert_eq!(later.incident.unwrap().address, "0x5000");
    }

    /// A circle names both lines and brings its own advice.
    #[test]
    fn a_deadlock() {
        let circle = LockFindings {
            cycle: vec![1, 2],
            ..lock(1, 1)
        };
        let told_of = told(1, &circle);
        assert_eq!(
            told_of.evidence,
            [
                "possible deadlock between src/orders/db.rs:41 (stall #1, worker 0) and src/orders/db.rs:77 (stall #2, worker 0)"
            ]
        );
        assert_eq!(told_of.advice.unwrap().rule, "deadlock");
    }
}
