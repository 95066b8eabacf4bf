//! From evidence to verdict; PURE.
//!
//! Wall time is split into CPU time, time waiting for a CPU, and the rest, which is time blocked. Each part is held
//! against the threshold by itself: CPU time of a whole threshold is the code's doing however crowded the machine is,
//! and "starved" is said only when neither CPU nor blocked time alone would have made a stall. While no part decides,
//! judgement waits, so that a crowded machine does not turn every begin of a stall into "starved".

use std::time::Duration;

use super::event::Confidence;
use super::tally::{Place, Tally};
use super::verdict::Verdict;
use super::waiting::Waiting;

/// Without a decisive part after this many thresholds, the machine is named: long enough for a thread with a third of
/// a CPU to show its own threshold of CPU time first.
const PATIENCE_THRESHOLDS: u32 = 5;

/// What is known about a stalled thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Evidence {
    /// Time since the begin of the poll.
    pub(crate) wall: Duration,
    /// CPU time in it.
    pub(crate) cpu: Option<Duration>,
    /// Time ready but without a CPU, as far as the kernel has booked it.
    pub(crate) run_queue: Option<Duration>,
    /// State letter now.
    pub(crate) state: Option<char>,
    /// What the looks since the suspicion saw.
    pub(crate) tally: Tally,
    /// Time in the kernel and page faults without the disk, as far as they were counted.
    pub(crate) kernel: Option<KernelUse>,
    /// Time that the process's CPU quota kept it off the CPUs meanwhile.
    pub(crate) throttled: Option<Duration>,
    /// How late the watchdog itself was in this time: a crowded machine hits it too.
    pub(crate) watchdog_late: Duration,
}

/// What a thread did in the kernel, counted by the kernel in ticks of 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KernelUse {
    /// CPU time in user mode.
    pub(crate) user: Duration,
    /// CPU time in the kernel.
    pub(crate) system: Duration,
    /// Page faults that needed no disk.
    pub(crate) minor_faults: u64,
}

/// The three parts of a wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    /// On a CPU.
    pub(crate) cpu: Duration,
    /// Ready, waiting for a CPU.
    pub(crate) run_queue: Duration,
    /// Asleep in the kernel.
    pub(crate) blocked: Duration,
}

impl Parts {
    /// The split in words, the first sentence of every event's evidence.
    pub(crate) fn sentence(self, wall: Duration) -> String {
        let ms = |part: Duration| part.as_secs_f64() * 1e3;
        format!(
            "of {:.1} ms: {:.1} ms on a CPU, {:.1} ms waiting for one, {:.1} ms blocked",
            ms(wall),
            ms(self.cpu),
            ms(self.run_queue),
            ms(self.blocked)
        )
    }

    /// The same proportions of another length: the best that can be said when the thread is gone.
    pub(crate) fn scaled_to(self, wall: Duration) -> Self {
        let whole = self.cpu + self.run_queue + self.blocked;
        if whole.is_zero() {
            return self;
        }
        let scale = |part: Duration| wall.mul_f64(part.as_secs_f64() / whole.as_secs_f64());
        Self {
            cpu: scale(self.cpu),
            run_queue: scale(self.run_queue),
            blocked: scale(self.blocked),
        }
    }
}

impl Evidence {
    /// The split. The kernel books run-queue time only when the thread gets its CPU, so the rest of a thread that was
    /// found awake is shared out by what the looks saw.
    pub(crate) fn parts(&self) -> Parts {
        let cpu = self.cpu.unwrap_or_default().min(self.wall);
        let booked = self
            .run_queue
            .unwrap_or_default()
            .min(self.wall.saturating_sub(cpu));
        let rest = self.wall.saturating_sub(cpu).saturating_sub(booked);
        let (asleep, looks) = (self.tally.asleep_looks(), self.tally.looks());
        let blocked = if looks == 0 {
            if self.is_awake() {
                Duration::ZERO
            } else {
                rest
            }
        } else {
            rest * asleep / looks
        };
        Parts {
            cpu,
            run_queue: booked + (rest - blocked),
            blocked,
        }
    }

    fn is_awake(&self) -> bool {
        self.state == Some('R')
    }
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// Why.
    pub(crate) verdict: Verdict,
    /// How sure.
    pub(crate) confidence: Confidence,
    /// The sentences behind it.
    pub(crate) evidence: Vec<String>,
}

/// The verdict, or `None` while the evidence may still become decisive.
pub(crate) fn judge(evidence: &Evidence, threshold: Duration) -> Option<Judgement> {
    let parts = evidence.parts();
    let mut said = Vec::new();
    if let (None, _) | (_, None) = (evidence.cpu, evidence.state) {
        said.push("the thread's CPU time or state could not be read".to_owned());
        return Some(judgement(Verdict::Unknown, Confidence::Unknown, said));
    }
    if parts.cpu >= threshold && parts.cpu >= parts.blocked {
        if parts.run_queue >= parts.cpu {
            said.push("the machine is crowded: it waited for a CPU longer than it ran".to_owned());
        }
        let verdict = cpu_kind(evidence, &mut said);
        return Some(judgement(verdict, Confidence::Proven, said));
    }
    if parts.blocked >= threshold {
        return Some(blocked(evidence, said));
    }
    if let Some(throttled) = evidence
        .throttled
        .filter(|throttled| *throttled >= threshold && *throttled >= parts.run_queue / 2)
    {
        said.push(format!(
            "the CPU quota of its control group kept the process off the CPUs for {:.1} ms meanwhile",
            throttled.as_secs_f64() * 1e3
        ));
        return Some(judgement(Verdict::Throttled, Confidence::Likely, said));
    }
    if evidence.wall < threshold * PATIENCE_THRESHOLDS {
        return None;
    }
    if evidence.watchdog_late > threshold {
        said.push(format!(
            "pollscope's own watchdog was {:.0} ms late as well",
            evidence.watchdog_late.as_secs_f64() * 1e3
        ));
    }
    if parts.run_queue >= evidence.wall / 2 {
        said.push("neither its CPU time nor its blocked time alone reaches the threshold: the machine, not the code".to_owned());
        return Some(judgement(Verdict::Starved, Confidence::Likely, said));
    }
    Some(judgement(Verdict::Unknown, Confidence::Unknown, said))
}

/// CPU time that the kernel's ticks of 10 ms can split at all.
const SPLIT_MIN: Duration = Duration::from_millis(20);

/// What one page fault costs at least, zeroing the page included; measured 0.5 to 2 µs.
const FAULT_COST: Duration = Duration::from_nanos(500);

/// Whether the CPU time went into user code or into the kernel, which ticks or page faults show.
fn cpu_kind(evidence: &Evidence, said: &mut Vec<String>) -> Verdict {
    let Some(kernel) = evidence.kernel else {
        return Verdict::CpuUser;
    };
    let ms = |part: Duration| part.as_secs_f64() * 1e3;
    if kernel.user + kernel.system >= SPLIT_MIN && kernel.system >= kernel.user {
        said.push(format!(
            "{:.0} ms of the CPU time in the kernel, {:.0} ms in user code, {} page faults",
            ms(kernel.system),
            ms(kernel.user),
            kernel.minor_faults
        ));
        return Verdict::CpuSystem;
    }
    let faults = FAULT_COST * u32::try_from(kernel.minor_faults).unwrap_or(u32::MAX);
    if faults >= evidence.cpu.unwrap_or_default() / 4 && !faults.is_zero() {
        said.push(format!("{} page faults: fresh memory", kernel.minor_faults));
        return Verdict::CpuSystem;
    }
    Verdict::CpuUser
}

fn blocked(evidence: &Evidence, mut said: Vec<String>) -> Judgement {
    let Some((wait, looks)) = evidence.tally.main_wait() else {
        said.push("slept for most of the time, though awake at every look".to_owned());
        return judgement(Verdict::BlockedOther, Confidence::Likely, said);
    };
    let object = wait.object.as_ref();
    let waiting = Waiting {
        syscall: wait.syscall.as_deref(),
        target: object.and_then(|object| object.target),
        wchan: wait.wchan.as_deref(),
        uninterruptible: wait.uninterruptible,
        wants_lock: object.is_some_and(|object| object.wants_lock),
    };
    let seen = format!("at {looks} of {} looks", evidence.tally.looks());
    said.push(match (&wait.syscall, &wait.wchan) {
        (Some(syscall), Some(wchan)) => {
            format!("asleep in {syscall}, kernel function {wchan}, {seen}")
        }
        (Some(syscall), None) => format!("asleep in {syscall}, {seen}"),
        (None, Some(wchan)) => format!(
            "asleep in kernel function {wchan}, outside a system call or unreadable, {seen}"
        ),
        (None, None) => format!("asleep, the kernel does not tell where, {seen}"),
    });
    if let Some(object) = object {
        said.push(format!("waits for {}", object.text));
    }
    // What was seen at fewer than half of the looks that found it asleep is only the most frequent of several causes.
    let confidence = if wait.syscall.is_some() && looks * 2 > evidence.tally.asleep_looks() {
        Confidence::Proven
    } else {
        Confidence::Likely
    };
    let verdict = if wait.place == Place::Unreadable {
        Verdict::BlockedOther
    } else {
        waiting.verdict()
    };
    judgement(verdict, confidence, said)
}

fn judgement(verdict: Verdict, confidence: Confidence, evidence: Vec<String>) -> Judgement {
    Judgement {
        verdict,
        confidence,
        evidence,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tally::Wait;
    use super::*;

    const T: Duration = Duration::from_millis(10);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A thread that was last seen in that state, in that system call (none: a page fault).
    fn evidence(wall: u64, cpu: u64, run_queue: u64, state: char, syscall: &str) -> Evidence {
        let mut tally = Tally::default();
        if state == 'R' {
            tally.awake();
        } else {
            look_asleep(&mut tally, state, syscall);
        }
        Evidence {
            wall: ms(wall),
            cpu: Some(ms(cpu)),
            run_queue: Some(ms(run_queue)),
            state: Some(state),
            tally,
            ..Evidence::default()
        }
    }

    fn look_asleep(tally: &mut Tally, state: char, syscall: &str) {
        let place = if syscall.is_empty() {
            Place::Outside
        } else {
            Place::Call {
                number: i64::try_from(syscall.len()).unwrap(),
                first: 0,
            }
        };
        tally.asleep(place, || Wait {
            place,
            syscall: (!syscall.is_empty()).then(|| syscall.to_owned()),
            wchan: None,
            uninterruptible: state == 'D',
            object: None,
        });
    }

    /// Recorded signatures of blocked and busy threads (wall, on CPU, run queue, state, system call) and their verdicts.
    #[test]
    fn recorded_signatures() {
        use Verdict::{
            BlockedOther, ChildWait, CpuUser, Disk, LockWait, PageFault, Sleep, Starved,
        };
        for (wall, cpu, run_queue, state, syscall, expected) in [
            (402, 133, 267, 'R', "", Some(CpuUser)),
            (441, 143, 297, 'R', "", Some(CpuUser)),
            (405, 0, 0, 'S', "clock_nanosleep", Some(Sleep)),
            (406, 0, 0, 'S', "futex", Some(LockWait)),
            (403, 0, 1, 'S', "read", Some(BlockedOther)),
            (404, 0, 4, 'S', "wait4", Some(ChildWait)),
            (403, 38, 96, 'D', "pread64", Some(Disk)),
            (196, 46, 71, 'D', "", Some(PageFault)),
            (10, 4, 6, 'R', "", None),
            (30, 9, 21, 'R', "", None),
            (60, 9, 51, 'R', "", Some(Starved)),
            (60, 8, 0, 'R', "", Some(Starved)),
        ] {
            let judged = judge(&evidence(wall, cpu, run_queue, state, syscall), T);
            assert_eq!(
                judged.map(|judged| judged.verdict),
                expected,
                "{wall} {cpu} {run_queue} {state} {syscall}"
            );
        }
    }

    /// A thread that is awake at the moment of judgement but slept at most looks was blocked, not starved.
    #[test]
    fn looks_share_out_the_rest() {
        let mut flickering = evidence(100, 5, 5, 'R', "");
        for _ in 0..9 {
            look_asleep(&mut flickering.tally, 'S', "clock_nanosleep");
        }
        assert_eq!(
            judge(&flickering, T).map(|judged| judged.verdict),
            Some(Verdict::Sleep)
        );
        assert_eq!(flickering.parts().blocked, ms(81));
    }

    /// A vanished thread's total keeps the proportions that were last seen.
    #[test]
    fn parts_are_scaled() {
        let parts = Parts {
            cpu: ms(10),
            run_queue: ms(0),
            blocked: ms(30),
        };
        assert_eq!(
            parts.scaled_to(ms(80)),
            Parts {
                cpu: ms(20),
                run_queue: ms(0),
                blocked: ms(60)
            }
        );
    }

    /// Ticks or page faults make CPU time the kernel's; a quota makes waiting for a CPU a throttling.
    #[test]
    fn kernel_and_quota() {
        let mut burning = evidence(100, 90, 0, 'R', "");
        for (user, system, minor_faults, expected) in [
            (80, 10, 0, Verdict::CpuUser),
            (10, 80, 0, Verdict::CpuSystem),
            (0, 10, 10, Verdict::CpuUser),
            (0, 10, 50_000, Verdict::CpuSystem),
        ] {
            burning.kernel = Some(KernelUse {
                user: ms(user),
                system: ms(system),
                minor_faults,
            });
            assert_eq!(
                judge(&burning, T).unwrap().verdict,
                expected,
                "{user} {system} {minor_faults}"
            );
        }
        let mut waiting = evidence(80, 5, 75, 'R', "");
        waiting.throttled = Some(ms(70));
        assert_eq!(judge(&waiting, T).unwrap().verdict, Verdict::Throttled);
    }

    /// What cannot be read is unknown, never guessed.
    #[test]
    fn missing_evidence() {
        let nothing = Evidence {
            wall: ms(500),
            ..Evidence::default()
        };
        let judged = judge(&nothing, T).unwrap();
        assert_eq!(
            (judged.verdict, judged.confidence),
            (Verdict::Unknown, Confidence::Unknown)
        );
    }
}
