//! From evidence to verdict; PURE.
//!
//! Wall time is split into CPU time, time waiting for a CPU, and the rest, which is time blocked. CPU time or blocked time of
//! a whole threshold is the code's doing however crowded the machine is, and so is their sum where nothing of it can have
//! been the machine's: "starved" is said only when both together would not have made a stall. While nothing decides, judgement
//! waits, so that a crowded machine does not turn every begin of a stall into "starved".

use std::time::Duration;

use super::advice::Circumstance;
use super::event::Confidence;
use super::evidence::{Crowd, Evidence, Parts, ms};
use super::ready_holders::Holders;
use super::tally::{Place, Wait};
use super::unreadable;
use super::verdict::Verdict;
use super::waiting::Waiting;

#[cfg(test)]
mod tests;

/// Without a decisive part after this many thresholds, the machine is named: long enough for a thread with a third of
/// a CPU to show its own threshold of CPU time first.
const PATIENCE_THRESHOLDS: u32 = 5;

/// CPU time that the kernel's ticks of 10 ms can split at all.
const SPLIT_MIN: Duration = Duration::from_millis(20);

/// What one page fault costs at least, zeroing the page included; measured 0.5 to 2 µs.
const FAULT_COST: Duration = Duration::from_nanos(500);

/// The part of a CPU time that stolen time must reach to cast a doubt on it: some clocks count what the hypervisor took.
const STEAL_DOUBT: u32 = 4;

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// Why.
    pub(crate) verdict: Verdict,
    /// How sure.
    pub(crate) confidence: Confidence,
    /// The sentences behind it.
    pub(crate) evidence: Vec<String>,
    /// What makes another advice the better one.
    pub(crate) circumstance: Option<Circumstance>,
}

impl Judgement {
    fn new(verdict: Verdict, confidence: Confidence, evidence: Vec<String>) -> Self {
        Self {
            verdict,
            confidence,
            evidence,
            circumstance: None,
        }
    }
}

/// The verdict, or `None` while the evidence may still become decisive.
pub(crate) fn judge(evidence: &Evidence, threshold: Duration) -> Option<Judgement> {
    let mut judged = decide(evidence, threshold)?;
    judged
        .evidence
        .extend(unreadable::sentence(&evidence.unreadable));
    let untold = evidence.machine.untold();
    if judged.verdict.is_machine() && !untold.is_empty() {
        judged
            .evidence
            .push(format!("the kernel does not tell {}", untold.join(", ")));
    }
    Some(judged)
}

/// The same; how many threads of the process want a CPU is asked only when the machine is about to be named.
pub(crate) fn judge_in_crowd(
    evidence: &mut Evidence,
    threshold: Duration,
    crowd: impl FnOnce() -> Option<Crowd>,
) -> Option<Judgement> {
    let judgement = judge(evidence, threshold)?;
    if !judgement.verdict.is_machine() {
        return Some(judgement);
    }
    evidence.machine.crowd = crowd();
    judge(evidence, threshold)
}

fn decide(evidence: &Evidence, threshold: Duration) -> Option<Judgement> {
    let parts = evidence.parts();
    if evidence.cpu_time().is_none() {
        let said = vec!["the thread's CPU time could not be read".to_owned()];
        return Some(Judgement::new(Verdict::Unknown, Confidence::Unknown, said));
    }
    if parts.cpu >= threshold && parts.cpu >= parts.blocked {
        return Some(burning(evidence, parts, threshold));
    }
    if !evidence.knows_its_state() {
        let said = vec!["the thread's state could not be read".to_owned()];
        return Some(Judgement::new(Verdict::Unknown, Confidence::Unknown, said));
    }
    if parts.blocked >= threshold {
        return blocked(evidence, parts, threshold);
    }
    together(evidence, parts, threshold).or_else(|| without_a_cpu(evidence, parts, threshold))
}

/// The thread computed and waited in turn, both too little by itself: the larger part gives the word.
fn together(evidence: &Evidence, parts: Parts, threshold: Duration) -> Option<Judgement> {
    let is_crowded = evidence.is_crowded(threshold);
    if parts.cpu + parts.blocked < threshold || (is_crowded && !evidence.is_booked()) {
        return None;
    }
    let waited = blocked(evidence, parts, threshold)?;
    // Who holds the lock may have had no CPU, which is asked only where the wait alone makes the stall.
    let is_doubtful = is_crowded && waited.verdict == Verdict::LockWait;
    let mut judged = match parts.cpu >= parts.blocked {
        _ if waited.verdict.is_machine() => return Some(waited),
        true if is_doubtful => return None,
        true => {
            let mut burning = burning(evidence, parts, threshold);
            burning.evidence.extend(waited.evidence);
            burning
        }
        false => waited,
    };
    judged.confidence = judged.confidence.min(Confidence::Likely);
    judged.evidence.push(
        "its CPU time and its blocked time make the stall together, neither does alone".to_owned(),
    );
    Some(judged)
}

/// The thread computed: whose CPU time it was, and what casts a doubt on it.
fn burning(evidence: &Evidence, parts: Parts, threshold: Duration) -> Judgement {
    let mut said = Vec::new();
    if parts.run_queue >= parts.cpu {
        said.push("the machine is crowded: it waited for a CPU longer than it ran".to_owned());
        let switches = evidence.switches.unwrap_or_default();
        if switches.involuntary > 0 {
            said.push(format!(
                "the kernel took its CPU away {} times",
                switches.involuntary
            ));
        }
    }
    let verdict = cpu_kind(evidence, &mut said);
    let mut confidence = certainty(evidence, parts, verdict);
    let stolen = evidence.machine.steal.unwrap_or_default();
    if !stolen.is_zero() && stolen >= parts.cpu / STEAL_DOUBT {
        said.push(format!(
            "the hypervisor took {:.0} ms of CPU time meanwhile, which may be counted in",
            ms(stolen)
        ));
        confidence = Confidence::Likely;
    }
    let seen = evidence.cpu_time().unwrap_or_default();
    if seen < threshold && parts.cpu >= threshold {
        said.push(format!(
            "of its CPU time {:.1} ms were seen, the rest is that of its begin, before the first look",
            ms(seen)
        ));
        confidence = Confidence::Likely;
    }
    if evidence.cpu.is_none() {
        said.push(
            "CPU time by the kernel's ticks of 10 ms, its clock could not be read".to_owned(),
        );
        confidence = Confidence::Likely;
    }
    Judgement::new(verdict, confidence, said)
}

/// What the split leaves of certainty: other causes of the same weight cast a doubt on any, and so does a begin that nobody saw.
fn certainty(evidence: &Evidence, parts: Parts, verdict: Verdict) -> Confidence {
    if parts.speak_for(verdict) && evidence.is_seen() {
        Confidence::Proven
    } else {
        Confidence::Likely
    }
}

/// Whether the CPU time went into user code or into the kernel, which ticks or page faults show.
fn cpu_kind(evidence: &Evidence, said: &mut Vec<String>) -> Verdict {
    let Some(kernel) = evidence.kernel else {
        return Verdict::CpuUser;
    };
    if kernel.user + kernel.system >= SPLIT_MIN && kernel.system >= kernel.user {
        said.push(format!(
            "{:.0} ms of the CPU time in the kernel, {:.0} ms in user code, {} page faults",
            ms(kernel.system),
            ms(kernel.user),
            kernel.minor_faults
        ));
        return Verdict::CpuSystem;
    }
    let faults = FAULT_COST.saturating_mul(u32::try_from(kernel.minor_faults).unwrap_or(u32::MAX));
    if faults >= evidence.cpu_time().unwrap_or_default() / 4 && !faults.is_zero() {
        said.push(format!("{} page faults: fresh memory", kernel.minor_faults));
        return Verdict::CpuSystem;
    }
    Verdict::CpuUser
}

/// Neither CPU time nor blocked time makes it a stall: the machine did not let the thread run.
fn without_a_cpu(evidence: &Evidence, parts: Parts, threshold: Duration) -> Option<Judgement> {
    let mut said = Vec::new();
    let machine = &evidence.machine;
    let by_quota =
        |throttled: &Duration| *throttled >= threshold && *throttled >= parts.run_queue / 2;
    if let Some(throttled) = machine.throttled.filter(by_quota) {
        said.push(format!(
            "the CPU quota of its control group kept the process off the CPUs for {:.1} ms meanwhile, in {} of its periods",
            ms(throttled),
            machine.throttled_periods.unwrap_or_default().max(1)
        ));
        let judged = Judgement::new(Verdict::Throttled, Confidence::Likely, said);
        return Some(with_crowd(judged, evidence));
    }
    if evidence.wall < threshold * PATIENCE_THRESHOLDS {
        return None;
    }
    if evidence.watchdog_late > threshold {
        said.push(format!(
            "pollscope's own watchdog was {:.0} ms late as well",
            ms(evidence.watchdog_late)
        ));
    }
    if let Some(pressure) = machine.pressure.filter(|pressure| *pressure >= threshold) {
        said.push(format!(
            "tasks of the whole machine waited for a CPU for {:.0} ms meanwhile",
            ms(pressure)
        ));
    }
    if let Some(stolen) = machine.steal.filter(|stolen| !stolen.is_zero()) {
        said.push(format!(
            "the hypervisor took {:.0} ms of CPU time meanwhile",
            ms(stolen)
        ));
    }
    if parts.run_queue >= evidence.wall / 2 {
        said.push("its CPU time and its blocked time do not reach the threshold: the machine, not the code".to_owned());
        let judged = Judgement::new(Verdict::Starved, Confidence::Likely, said);
        return Some(with_crowd(judged, evidence));
    }
    said.push("no part of its time decides".to_owned());
    Some(Judgement::new(Verdict::Unknown, Confidence::Unknown, said))
}

/// Says when the process's own threads are who takes the CPUs.
fn with_crowd(mut judged: Judgement, evidence: &Evidence) -> Judgement {
    if let Some(crowd) = evidence.machine.own_crowd() {
        judged.evidence.push(format!(
            "starved by {} threads of this process that want a CPU, on {}",
            crowd.ready,
            match crowd.cpus {
                1 => "one CPU".to_owned(),
                cpus => format!("{cpus} CPUs"),
            }
        ));
        judged.circumstance = Some(Circumstance::OwnThreads);
    }
    judged
}

fn blocked(evidence: &Evidence, parts: Parts, threshold: Duration) -> Option<Judgement> {
    let mut said = Vec::new();
    let major_faults = evidence.kernel.map_or(0, |kernel| kernel.major_faults);
    let Some((wait, looks)) = evidence.tally.main_wait() else {
        said.push("slept for most of the time, though awake at every look".to_owned());
        let judged = Judgement::new(Verdict::BlockedOther, Confidence::Likely, said);
        return Some(judged);
    };
    let waiting = waiting(wait, major_faults);
    let verdict = waiting.verdict();
    said.push(seen(wait, looks, evidence.tally.looks()));
    if waiting.is_for_the_address_space() {
        said.push(
            "waits for the address space of the process, which other threads of it change or fill"
                .to_owned(),
        );
    }
    if major_faults > 0 {
        said.push(format!(
            "{major_faults} page faults had to be read from storage"
        ));
    }
    if let Some(object) = &wait.object {
        said.push(format!("waits for {}", object.text));
    }
    // What was seen at fewer than half of the looks that found it asleep is only the most frequent of several causes.
    let is_main = looks * 2 > evidence.tally.asleep_looks();
    // Of several waits in a row, those between the looks may have been others.
    let is_one = evidence.is_one_wait();
    if !is_one && let Some(turns) = evidence.turns {
        said.push(format!("it woke up {turns} times meanwhile"));
    }
    let confidence = if wait.syscall.is_some() && is_main && is_one {
        certainty(evidence, parts, verdict)
    } else {
        Confidence::Likely
    };
    let judged = Judgement::new(verdict, confidence, said);
    match evidence.holders.filter(|_| verdict == Verdict::LockWait) {
        Some(holders) => held_by_doubtful(judged, holders, evidence, threshold),
        None => Some(judged),
    }
}

/// Whoever may hold the lock may wait for a CPU: a wait that a crowded machine explains is not told, a longer one is less sure,
/// and the machine's own if they had no CPU at all.
fn held_by_doubtful(
    mut judged: Judgement,
    holders: Holders,
    evidence: &Evidence,
    threshold: Duration,
) -> Option<Judgement> {
    // Of what was before the one look nothing is known, so that time does not count.
    let (is_doubtful, lasted) = match holders {
        Holders::SeenOnce => (true, evidence.machine.watched),
        // A lock is often held by one who lost its CPU with it, beside others that run and have nothing to do with it.
        Holders::Ready(holders) => (
            !holders.is_named || holders.starve(threshold),
            evidence.wall,
        ),
    };
    if !is_doubtful || !evidence.is_crowded(threshold) {
        return Some(judged);
    }
    let turn = evidence.machine.crowd.map_or(Duration::ZERO, Crowd::turn);
    if lasted < (threshold * PATIENCE_THRESHOLDS).max(turn) {
        return None;
    }
    let Holders::Ready(holders) = holders else {
        return Some(judged);
    };
    judged.confidence = judged.confidence.min(Confidence::Likely);
    if !holders.starve(threshold) {
        let unknown = "the machine is crowded, and neither the lock nor a stack tells who holds it";
        judged.evidence.push(unknown.to_owned());
        return Some(judged);
    }
    judged.evidence.push(format!(
        "the machine is crowded, and who probably holds the lock waited for a CPU as well: {}{} had {:.1} of {:.1} ms at most",
        match holders.count {
            1 => "the one thread that may hold it".to_owned(),
            count => format!("the {count} threads that may hold it"),
        },
        if holders.throughout { "" } else { " now" },
        ms(holders.cpu),
        ms(holders.watched)
    ));
    if holders.stand_still() {
        judged.verdict = Verdict::Starved;
        return Some(with_crowd(judged, evidence));
    }
    Some(judged)
}

fn waiting(wait: &Wait, major_faults: u64) -> Waiting<'_> {
    let object = wait.object.as_ref();
    Waiting {
        syscall: wait.syscall.as_deref(),
        is_unreadable: wait.place == Place::Unreadable,
        target: object.and_then(|object| object.target),
        wchan: wait.wchan.as_deref(),
        uninterruptible: wait.uninterruptible,
        wants_lock: object.is_some_and(|object| object.wants_lock),
        reads_pages: major_faults > 0,
    }
}

fn seen(wait: &Wait, looks: u32, of: u32) -> String {
    let seen = format!("at {looks} of {of} looks");
    let how = if wait.uninterruptible {
        "asleep uninterruptibly"
    } else {
        "asleep"
    };
    match (&wait.syscall, &wait.wchan) {
        (Some(syscall), Some(wchan)) => {
            format!("{how} in {syscall}, kernel function {wchan}, {seen}")
        }
        (Some(syscall), None) => format!("{how} in {syscall}, {seen}"),
        (None, Some(wchan)) if wait.place == Place::Outside => {
            format!("{how} outside a system call, kernel function {wchan}, {seen}")
        }
        (None, Some(wchan)) => {
            format!("{how} in kernel function {wchan}, its system call is not told, {seen}")
        }
        (None, None) if wait.place == Place::Outside => {
            format!("{how} outside a system call, {seen}")
        }
        (None, None) => format!("{how}, the kernel does not tell where, {seen}"),
    }
}
