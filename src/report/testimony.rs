//! Which of a poll's two stacks speaks for its cause, and how far it can be trusted; PURE.
//!
//! One stack shows one moment, often the last one. Stacks are taken at the suspicion, the threshold, twice, four times it, so each stack
//! stands for the time around it, and of two that disagree the earlier stands for more: it speaks, if it was taken in what the
//! verdict names. A line is proven only if both bear it out. Nothing here knows how stacks are taken or told.

use std::sync::Arc;

use crate::capture::Captured;
use crate::stall::{Agreement, Frame, Place, StackVia, Wait, agreement, own_line};
use crate::watchdog::Observed;

/// How far the other stack bears out the one that speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    /// Its line stands in both.
    Agreed,
    /// There is no other that was taken in what the verdict names.
    Alone,
    /// The other one names another line.
    Disputed,
}

/// The stack that speaks.
#[derive(Debug)]
pub(crate) struct Testimony<'a> {
    /// Its frames.
    pub(crate) stack: Vec<Arc<Frame>>,
    /// How it was taken.
    pub(crate) captured: Option<&'a Captured>,
    /// Whether the thread came out of the kernel at every stack that was taken while it ran: its CPU time may be the kernel's.
    pub(crate) in_kernel: bool,
    fits: bool,
    is_earlier: bool,
    support: Support,
}

impl<'a> Testimony<'a> {
    /// Chooses between the stack of this observation and an earlier one of the same poll.
    pub(crate) fn of(
        observed: &'a Observed,
        stack: Vec<Arc<Frame>>,
        earlier: Vec<Arc<Frame>>,
        in_app: &[String],
    ) -> Self {
        let computes = observed.judgement.verdict.is_cpu();
        let fits_now = |captured: &Option<Captured>| {
            let captured = captured.as_ref();
            captured.is_some_and(|captured| fits(captured, observed))
        };
        let (fits_later, fits_earlier) =
            (fits_now(&observed.captured), fits_now(&observed.earlier));
        let mut ran = [&observed.captured, &observed.earlier]
            .into_iter()
            .flatten()
            .filter(|captured| fits(captured, observed))
            .peekable();
        let in_kernel = computes && ran.peek().is_some() && ran.all(|captured| captured.in_kernel);
        let has_line = |stack: &[Arc<Frame>]| own_line(stack, in_app).is_some();
        let (is_earlier, support) = match agreement(&stack, &earlier, in_app, computes) {
            Some(Agreement::Later) => (false, Support::Agreed),
            Some(Agreement::Earlier) if fits_earlier => (true, Support::Agreed),
            _ if fits_earlier && has_line(&earlier) => {
                let is_disputed = fits_later && has_line(&stack);
                let support = if is_disputed {
                    Support::Disputed
                } else {
                    Support::Alone
                };
                (true, support)
            }
            _ => (false, Support::Alone),
        };
        if is_earlier {
            Self {
                stack: earlier,
                captured: observed.earlier.as_ref(),
                in_kernel,
                fits: fits_earlier,
                is_earlier,
                support,
            }
        } else {
            Self {
                stack,
                captured: observed.captured.as_ref(),
                in_kernel,
                fits: fits_later,
                is_earlier,
                support,
            }
        }
    }

    /// Whether nothing about the stack itself casts a doubt on its line.
    pub(crate) fn is_certain(&self) -> bool {
        self.fits
            && self.support == Support::Agreed
            && self.captured.is_some_and(|captured| captured.confirmed)
    }

    /// Whether the stack that speaks was taken in what the verdict names.
    pub(crate) fn fits(&self) -> bool {
        self.fits
    }

    /// Whether the other stack was taken in what the verdict names as well, on another line.
    pub(crate) fn is_disputed(&self) -> bool {
        self.support == Support::Disputed
    }

    /// What keeps it from being a proof, in words.
    pub(crate) fn doubt(&self) -> Option<&'static str> {
        let has_lines = self.stack.iter().any(|frame| frame.line.is_some());
        match (self.support, self.is_earlier) {
            _ if !self.fits => Some("stack: not taken in what the verdict names"),
            _ if !has_lines => None,
            (Support::Agreed, _) => None,
            (Support::Disputed, _) => Some(
                "stack: an earlier one of the same poll, which stands for more of the time; a later one shows another line",
            ),
            (Support::Alone, true) => {
                Some("stack: an earlier one of the same poll, the later one shows nothing of it")
            }
            (Support::Alone, false) => {
                Some("stack: no earlier one of the same poll agrees with it")
            }
        }
    }
}

/// Whether a stack was taken while the thread did what the verdict names: running for a CPU verdict, in the very system call,
/// or the page fault, that most looks saw for the others.
fn fits(captured: &Captured, observed: &Observed) -> bool {
    match (&observed.wait, captured.call) {
        _ if observed.judgement.verdict.is_cpu() => {
            captured.via == StackVia::Signal && captured.call.is_none()
        }
        (
            Some(Wait {
                place: Place::Call { number, .. },
                ..
            }),
            Some(call),
        ) => *number == call && captured.via == StackVia::Syscall,
        (
            Some(Wait {
                place: Place::Outside,
                ..
            }),
            None,
        ) => captured.via == StackVia::Syscall,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stall::{Confidence, Judgement, Parts, Phase, Span, Verdict};
    use crate::watchdog::Subject;

    const NANOSLEEP: i64 = 230;

    fn captured(via: StackVia, call: Option<i64>) -> Captured {
        Captured {
            addresses: vec![1],
            complete: true,
            confirmed: true,
            via,
            note: None,
            call,
            in_kernel: false,
        }
    }

    fn asleep() -> Captured {
        captured(StackVia::Syscall, Some(NANOSLEEP))
    }

    fn running() -> Captured {
        captured(StackVia::Signal, None)
    }

    fn observed(verdict: Verdict, later: Captured, earlier: Option<Captured>) -> Observed {
        let part = Duration::from_millis(10);
        let place = Place::Call {
            number: NANOSLEEP,
            first: 1,
        };
        let wait = Wait {
            place,
            syscall: Some("clock_nanosleep".to_owned()),
            wchan: None,
            uninterruptible: false,
            object: None,
        };
        Observed {
            id: 1,
            phase: Phase::Open,
            subject: Subject {
                runtime: None,
                worker: None,
                tid: 7,
                task_id: None,
                spawned_at: None,
            },
            started_at_unix_ms: 0,
            span: Span {
                token: 1,
                started: Duration::ZERO,
                length: part,
                uncertainty: Duration::ZERO,
                reported: false,
            },
            threshold: part,
            parts: Parts {
                cpu: Duration::ZERO,
                run_queue: Duration::ZERO,
                blocked: part,
            },
            judgement: Judgement {
                verdict,
                confidence: Confidence::Proven,
                evidence: Vec::new(),
                circumstance: None,
            },
            captured: Some(later),
            earlier,
            wait: (!verdict.is_cpu()).then_some(wait),
            lock: None,
            victims: None,
        }
    }

    /// A stack whose innermost own line is this one, below a call of the standard library.
    fn stack(line: u32) -> Vec<Arc<Frame>> {
        let frame = |function: &str, file: &str, line| {
            Arc::new(Frame {
                function: function.to_owned(),
                file: Some(file.to_owned()),
                line: Some(line),
                ..Frame::default()
            })
        };
        vec![
            frame(
                "std::thread::sleep",
                "/rustc/1/library/std/src/thread.rs",
                9,
            ),
            frame("app::f", "/home/u/app/src/f.rs", line),
        ]
    }

    /// CPU time may be the kernel's if the thread came out of it at every stack that was taken while it ran.
    #[test]
    fn comes_out_of_the_kernel() {
        let out_of = || Captured {
            in_kernel: true,
            ..running()
        };
        for (verdict, later, earlier, expected) in [
            (Verdict::CpuUser, out_of(), Some(out_of()), true),
            (Verdict::CpuUser, out_of(), None, true),
            (Verdict::CpuUser, asleep(), Some(out_of()), true),
            (Verdict::CpuUser, out_of(), Some(running()), false),
            (Verdict::CpuUser, running(), Some(out_of()), false),
            (Verdict::CpuUser, asleep(), None, false),
            (Verdict::Sleep, asleep(), Some(out_of()), false),
        ] {
            let seen = observed(verdict, later, earlier);
            let testimony = Testimony::of(&seen, stack(10), stack(10), &[]);
            assert_eq!(testimony.in_kernel, expected, "{seen:?}");
        }
    }

    /// Of two stacks that disagree the earlier speaks if it was taken in what the verdict names; both must agree to prove.
    #[test]
    fn who_speaks() {
        use Verdict::{CpuUser, Sleep};
        let none = || Captured::none("it moved");
        for (verdict, later, earlier, line, is_certain, is_disputed) in [
            // One sleep, and two.
            (Sleep, (asleep(), 10), Some((asleep(), 10)), 10, true, false),
            (Sleep, (asleep(), 20), Some((asleep(), 10)), 10, false, true),
            // It computed before, or is awake again.
            (
                Sleep,
                (asleep(), 20),
                Some((running(), 10)),
                20,
                false,
                false,
            ),
            (
                Sleep,
                (running(), 20),
                Some((asleep(), 10)),
                10,
                false,
                false,
            ),
            (
                CpuUser,
                (asleep(), 20),
                Some((running(), 10)),
                10,
                false,
                false,
            ),
            (
                CpuUser,
                (running(), 10),
                Some((running(), 10)),
                10,
                true,
                false,
            ),
            // One of them is missing.
            (Sleep, (asleep(), 20), None, 20, false, false),
            (Sleep, (none(), 0), Some((asleep(), 10)), 10, false, false),
        ] {
            let case = format!("{verdict:?} {later:?} {earlier:?}");
            let frames = |line| if line == 0 { Vec::new() } else { stack(line) };
            let (now, before) = (
                frames(later.1),
                earlier
                    .as_ref()
                    .map_or_else(Vec::new, |(_, line)| stack(*line)),
            );
            let seen = observed(verdict, later.0, earlier.map(|(captured, _)| captured));
            let testimony = Testimony::of(&seen, now, before, &[]);
            let spoken = testimony.stack.last().and_then(|frame| frame.line);
            assert_eq!(spoken, Some(line), "{case}");
            assert_eq!(testimony.is_certain(), is_certain, "{case}");
            assert_eq!(testimony.is_disputed(), is_disputed, "{case}");
            assert_eq!(testimony.doubt().is_none(), is_certain, "{case}");
        }
    }
}
