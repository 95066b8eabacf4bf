//! Waits for locks: the census of the other threads, who probably holds the lock, and which stalls are one incident.
//!
//! A census is taken at the suspicion and at each report, at most ten times a second and once a look however many
//! workers wait. The stack of a probable holder is captured once an incident.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::capture::Captured;
use crate::procfs::{ThreadLook, census, owner_at};
use crate::runtime::slots;
use crate::stall::{
    Bucket, Grounds, Incidents, Membership, Suspicion, ThreadState, Witness, suspicion,
};

/// Censuses a second, on average and at once.
const CENSUSES_PER_SECOND: f64 = 10.0;
const CENSUSES_BURST: f64 = 20.0;

/// Looks kept of the threads while one poll waits: the first ones and the latest.
const LOOKS_MAX: usize = 4;

/// Attempts at the stack of one holder.
const ATTEMPTS_MAX: u32 = 2;

/// What is known about a thread of a watched runtime.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Whether it is inside a poll.
    pub(crate) in_poll: bool,
    /// The task it polls.
    pub(crate) task_id: Option<u64>,
    /// Its worker index.
    pub(crate) worker: Option<usize>,
    /// Its stack.
    pub(crate) stack: Range<u64>,
}

/// The threads of watched runtimes, by thread id.
pub(crate) type Members = HashMap<i32, Member>;

/// What was found out about one wait for a lock.
#[derive(Debug, Clone)]
pub(crate) struct LockFindings {
    /// The other threads.
    pub(crate) census: Vec<ThreadState>,
    /// The incident that the stall belongs to, if the lock's address is known.
    pub(crate) incident: Option<Membership>,
    /// Who may hold it.
    pub(crate) suspicion: Suspicion,
    /// The probable holder.
    pub(crate) holder: Option<HeldBy>,
    /// The stalls that wait for each other in a circle.
    pub(crate) cycle: Vec<u64>,
    /// Whether the stall has lasted so long that a deadlock may be thought of.
    pub(crate) is_stuck: bool,
}

/// The probable holder of a lock.
#[derive(Debug, Clone)]
pub(crate) struct HeldBy {
    /// What it did at the latest look.
    pub(crate) thread: ThreadLook,
    /// Why it is taken for the holder.
    pub(crate) grounds: Grounds,
    /// The task it polls.
    pub(crate) task_id: Option<u64>,
    /// Its worker index.
    pub(crate) worker: Option<usize>,
    /// Its stack.
    pub(crate) captured: Option<Captured>,
}

/// All that is remembered about locks that are waited for.
#[derive(Debug)]
pub(crate) struct Locks {
    incidents: Incidents,
    budget: Bucket,
    latest: Option<(Duration, Arc<[ThreadLook]>)>,
    stacks: HashMap<u64, HolderStack>,
}

/// The stack of the probable holder of one lock.
#[derive(Debug)]
struct HolderStack {
    tid: i32,
    attempts: u32,
    captured: Captured,
}

impl Locks {
    pub(crate) fn new() -> Self {
        Self {
            incidents: Incidents::default(),
            budget: Bucket::new(CENSUSES_PER_SECOND, CENSUSES_BURST),
            latest: None,
            stacks: HashMap::new(),
        }
    }

    /// A first look at the threads, for a poll that may become a stall; kept in `looks`.
    pub(crate) fn look_early(
        &mut self,
        now: Duration,
        looks: &mut Vec<Vec<Witness>>,
        members: &Members,
    ) {
        if let Some(threads) = self.threads(now, members) {
            keep(looks, witnesses(&threads, members, None));
        }
    }

    /// Another look before judgement, unless the latest in `looks` is younger than `pause`.
    pub(crate) fn look_again(
        &mut self,
        now: Duration,
        futex: u64,
        looks: &mut Vec<Vec<Witness>>,
        members: &Members,
        pause: Duration,
    ) {
        let latest = looks.last().and_then(|look| look.first());
        let is_young = |witness: &Witness| now.saturating_sub(witness.at) < pause;
        if looks.len() > 1 && latest.is_some_and(is_young) {
            return;
        }
        if let Some(threads) = self.threads(now, members) {
            keep(looks, witnesses(&threads, members, Some(futex)));
        }
    }

    /// What is known about the wait of stall `id` on thread `waiter` for the lock at `futex`; `capture` takes a stack.
    pub(crate) fn find(
        &mut self,
        now: Duration,
        (id, waiter): (u64, i32),
        futex: Option<u64>,
        looks: &mut Vec<Vec<Witness>>,
        members: &Members,
        capture: impl FnMut(&ThreadLook, Option<&Member>) -> Option<Captured>,
    ) -> LockFindings {
        let threads = self.threads(now, members);
        let threads = threads.as_deref().unwrap_or_default();
        if !threads.is_empty() {
            keep(looks, witnesses(threads, members, futex));
        }
        let suspicion = futex.map_or(Suspicion::Nobody, |futex| {
            suspicion(futex, owner_at(futex), looks)
        });
        let holder = match (suspicion, futex) {
            (Suspicion::Holder { tid, grounds }, Some(futex)) => threads
                .iter()
                .find(|thread| thread.tid == tid)
                .map(|thread| self.held_by(futex, thread, grounds, members, capture)),
            _ => None,
        };
        let holder_tid = holder.as_ref().map(|holder| holder.thread.tid);
        let incident = futex.and_then(|futex| self.incidents.join(futex, id, waiter, holder_tid));
        LockFindings {
            census: states(threads, waiter, holder_tid, members),
            incident,
            suspicion,
            holder,
            cycle: futex.map_or_else(Vec::new, |futex| self.incidents.cycle(futex)),
            is_stuck: false,
        }
    }

    /// The stall is over, or waits for no lock any more.
    pub(crate) fn leave(&mut self, id: u64) {
        self.incidents.leave(id);
        let incidents = &self.incidents;
        self.stacks.retain(|futex, _| incidents.knows(*futex));
    }

    /// The census of this look; `None` when the budget does not allow one.
    fn threads(&mut self, now: Duration, members: &Members) -> Option<Arc<[ThreadLook]>> {
        if let Some((at, threads)) = &self.latest
            && *at == now
        {
            return Some(Arc::clone(threads));
        }
        self.budget.take(now).then_some(())?;
        let members: Vec<i32> = members.keys().copied().collect();
        let threads: Arc<[ThreadLook]> = census(&members, slots::monotonic).into();
        self.latest = Some((now, Arc::clone(&threads)));
        Some(threads)
    }

    fn held_by(
        &mut self,
        futex: u64,
        thread: &ThreadLook,
        grounds: Grounds,
        members: &Members,
        mut capture: impl FnMut(&ThreadLook, Option<&Member>) -> Option<Captured>,
    ) -> HeldBy {
        let member = members.get(&thread.tid);
        let known = self
            .stacks
            .get(&futex)
            .filter(|known| known.tid == thread.tid);
        let attempts = known.map_or(0, |known| known.attempts);
        let has_stack = known.is_some_and(|known| !known.captured.addresses.is_empty());
        if !has_stack
            && attempts < ATTEMPTS_MAX
            && let Some(captured) = capture(thread, member)
        {
            let stack = HolderStack {
                tid: thread.tid,
                attempts: attempts + 1,
                captured,
            };
            self.stacks.insert(futex, stack);
        }
        let known = self
            .stacks
            .get(&futex)
            .filter(|known| known.tid == thread.tid);
        HeldBy {
            thread: thread.clone(),
            grounds,
            task_id: member.and_then(|member| member.task_id),
            worker: member.and_then(|member| member.worker),
            captured: known.map(|known| known.captured.clone()),
        }
    }
}

/// Keeps the look; of many the first ones and the latest, and of the same census the later one.
fn keep(looks: &mut Vec<Vec<Witness>>, look: Vec<Witness>) {
    let census = |look: &[Witness]| look.first().map(|witness| (witness.tid, witness.at));
    let is_same = looks
        .last()
        .is_some_and(|last| census(last) == census(&look));
    if is_same || looks.len() >= LOOKS_MAX {
        looks.pop();
    }
    looks.push(look);
}

fn witnesses(threads: &[ThreadLook], members: &Members, futex: Option<u64>) -> Vec<Witness> {
    let witness = |thread: &ThreadLook| {
        let waits_for = thread.futex();
        Witness {
            tid: thread.tid,
            state: thread.state,
            syscall: thread.syscall(),
            futex: waits_for,
            in_poll: members
                .get(&thread.tid)
                .is_some_and(|member| member.in_poll),
            mentions: futex.is_some_and(|futex| waits_for != Some(futex) && thread.mentions(futex)),
            at: thread.at,
            cpu: thread.cpu,
        }
    };
    threads
        .iter()
        .filter(|thread| !thread.is_own())
        .map(witness)
        .collect()
}

/// The census as the event shows it: the probable holder first, then running threads, then blocked ones.
fn states(
    threads: &[ThreadLook],
    waiter: i32,
    holder: Option<i32>,
    members: &Members,
) -> Vec<ThreadState> {
    let state = |thread: &ThreadLook| ThreadState {
        tid: thread.tid,
        name: thread.name.clone(),
        state: thread.state,
        syscall: thread.syscall(),
        futex: thread.futex().map(|futex| format!("{futex:#x}")),
        task_id: members.get(&thread.tid).and_then(|member| member.task_id),
        holder: holder == Some(thread.tid),
    };
    let others = threads.iter().filter(|thread| thread.tid != waiter);
    let mut states: Vec<ThreadState> = others.map(state).collect();
    states.sort_by_key(|thread| (!thread.holder, thread.state != 'R', thread.tid));
    states
}
