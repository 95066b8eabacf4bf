//! From evidence to verdict; PURE.
//!
//! Wall time is split into CPU time, time waiting for a CPU, and the rest, which is time blocked. Each part is held
//! against the threshold by itself: CPU time of a whole threshold is the code's doing however crowded the machine is,
//! and "starved" is said only when neither CPU nor blocked time alone would have made a stall. While no part decides,
//! judgement waits, so that a crowded machine does not turn every begin of a stall into "starved".

use std::time::Duration;

use super::event::Confidence;
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
    /// Looks since the suspicion that found the thread asleep, and all looks.
    pub(crate) asleep_looks: (u32, u32),
    /// Name of the system call it is in now, if any.
    pub(crate) syscall: Option<String>,
    /// Kernel function it waits in.
    pub(crate) wchan: Option<String>,
    /// What it waits for.
    pub(crate) wait_object: Option<String>,
    /// How late the watchdog itself was in this time: a crowded machine hits it too.
    pub(crate) watchdog_late: Duration,
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
        let (asleep, looks) = self.asleep_looks;
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
        return Some(judgement(Verdict::CpuUser, Confidence::Proven, said));
    }
    if parts.blocked >= threshold {
        return Some(blocked(evidence, said));
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

fn blocked(evidence: &Evidence, mut said: Vec<String>) -> Judgement {
    let waiting = Waiting {
        syscall: evidence.syscall.as_deref(),
        wchan: evidence.wchan.as_deref(),
        uninterruptible: evidence.state == Some('D'),
        ..Waiting::default()
    };
    let verdict = waiting.verdict();
    match (&evidence.syscall, &evidence.wchan) {
        (Some(syscall), Some(wchan)) => {
            said.push(format!("asleep in {syscall}, kernel function {wchan}"))
        }
        (Some(syscall), None) => said.push(format!("asleep in {syscall}")),
        (None, Some(wchan)) => said.push(format!(
            "asleep in kernel function {wchan}, outside a system call or unreadable"
        )),
        (None, None) => {
            said.push("slept for most of the time, though awake at this moment".to_owned())
        }
    }
    if let Some(object) = &evidence.wait_object {
        said.push(format!("waits for {object}"));
    }
    let confidence = if evidence.syscall.is_some() {
        Confidence::Proven
    } else {
        Confidence::Likely
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
    use super::*;

    const T: Duration = Duration::from_millis(10);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn evidence(wall: u64, cpu: u64, run_queue: u64, state: char, syscall: &str) -> Evidence {
        Evidence {
            wall: ms(wall),
            cpu: Some(ms(cpu)),
            run_queue: Some(ms(run_queue)),
            state: Some(state),
            syscall: (!syscall.is_empty()).then(|| syscall.to_owned()),
            ..Evidence::default()
        }
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
        flickering.asleep_looks = (9, 10);
        assert_eq!(
            judge(&flickering, T).map(|judged| judged.verdict),
            Some(Verdict::BlockedOther)
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
