//! The event from an observation and its symbolised stack; PURE.

use std::panic::Location;
use std::sync::Arc;

use super::testimony::Testimony;
use crate::config::Config;
use crate::stall::{
    Confidence, Frame, Judgement, Parts, Phase, SourceLine, StackVia, Stall, TaskInfo, Verdict,
    advise, fingerprint, is_runtime, own_future, own_line, refine,
};
use crate::symbolize::FRAMES_LEN_MAX;
use crate::watchdog::Observed;

/// The outside function that shows that a long poll was announced to the runtime.
const BLOCK_IN_PLACE: &str = "tokio::task::blocking::block_in_place";

/// The function in whose one poll many local tasks are polled.
const LOCAL_SET: &str = "tokio::task::local::LocalSet";

/// Where a watched task is polled: it has a heartbeat of its own, so what lies further out belongs to other polls.
const WATCHED_POLL: &str = "pollscope::runtime::spawn::WatchedTask";

/// The frames of the innermost poll that is told apart from those around it.
fn innermost_poll(stack: &[Arc<Frame>]) -> &[Arc<Frame>] {
    let polls = |frame: &Arc<Frame>| frame.function.contains(WATCHED_POLL);
    let end = stack.iter().position(polls).unwrap_or(stack.len());
    &stack[..end]
}

/// Whether the stack shows a poll that gave its worker away before it blocked.
pub(crate) fn is_announced(stack: &[Arc<Frame>]) -> bool {
    innermost_poll(stack)
        .iter()
        .any(|frame| frame.function.contains(BLOCK_IN_PLACE))
}

/// Whether a whole stack shows that the thread is in no runtime at all: a worker's thread that has gone on to other
/// things, which counters alone cannot tell. A stripped program, whose Rust functions have no names, shows nothing, nor does a stack so
/// deep that its outer frames are left out.
pub(crate) fn is_elsewhere(stack: &[Arc<Frame>], complete: bool) -> bool {
    let is_rust = |frame: &Arc<Frame>| frame.function.contains("::");
    let whole = complete && stack.len() < FRAMES_LEN_MAX;
    whole && stack.iter().any(is_rust) && !stack.iter().any(|frame| is_runtime(frame))
}

/// Whether the poll is one in which a `LocalSet` polls tasks that are not told apart.
fn is_local_set(stack: &[Arc<Frame>]) -> bool {
    innermost_poll(stack)
        .iter()
        .any(|frame| frame.function.contains(LOCAL_SET))
}

/// An event, and what its stacks say against one of before.
#[derive(Debug)]
pub(crate) struct Composed {
    /// The event.
    pub(crate) stall: Stall,
    /// Whether two stacks of the poll name different lines.
    pub(crate) is_disputed: bool,
    /// Whether the stack was taken in what the verdict names.
    pub(crate) fits: bool,
}

impl Composed {
    /// Whether a line that was proven before is in doubt now: the poll goes on with another one, or is blamed for something else.
    fn contradicts(&self, last: &Stall) -> bool {
        let stall = &self.stall;
        let has_cause = stall.line.is_some() && !stall.verdict.is_machine();
        let is_another = stall.verdict != last.verdict || (self.fits && stall.line != last.line);
        self.is_disputed || (has_cause && is_another)
    }
}

/// The event of an observation, whose stack is `stack` and whose earlier one is `earlier`.
pub(crate) fn compose(
    observed: &Observed,
    stack: Vec<Arc<Frame>>,
    earlier: Vec<Arc<Frame>>,
    config: &Config,
) -> Composed {
    let testimony = Testimony::of(observed, stack, earlier, &config.in_app);
    Composed {
        is_disputed: testimony.is_disputed(),
        fits: testimony.fits(),
        stall: told(observed, testimony, config),
    }
}

fn told(observed: &Observed, testimony: Testimony<'_>, config: &Config) -> Stall {
    let subject = &observed.subject;
    let judgement = &observed.judgement;
    let mut evidence = evidence(observed, &testimony);
    let is_certain = testimony.is_certain();
    let in_kernel = testimony.in_kernel;
    let Testimony {
        stack, captured, ..
    } = testimony;
    let (verdict, judged) = refined(judgement, &stack, in_kernel, config, &mut evidence);
    let machine = verdict.is_machine();
    let line = if machine {
        None
    } else {
        own_line(&stack, &config.in_app)
    };
    let complete =
        captured.is_some_and(|captured| captured.complete) && stack.len() < FRAMES_LEN_MAX;
    let is_certain = is_certain && complete && !is_local_set(&stack);
    Stall {
        id: observed.id,
        phase: observed.phase,
        service: config.service.clone(),
        runtime: subject
            .runtime
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), |runtime| runtime.name.clone()),
        worker: subject.worker,
        tid: subject.tid,
        task: TaskInfo {
            id: subject.task_id,
            name: None,
            spawned_at: subject.spawned_at.map(Location::to_string),
            future: own_future(&stack, &config.in_app),
        },
        started_at: observed.started_at_unix_ms,
        duration_ms: ms(observed.span.length),
        threshold_ms: ms(observed.threshold),
        cpu_ms: ms(observed.parts.cpu),
        run_queue_ms: ms(observed.parts.run_queue),
        blocked_ms: ms(observed.parts.blocked),
        verdict,
        confidence: confidence(judged, line.as_ref(), is_certain, machine),
        evidence,
        wait_object: observed
            .wait
            .as_ref()
            .and_then(|wait| wait.object.as_ref())
            .map(|object| object.text.clone()),
        fingerprint: fingerprint_of(observed, verdict, line.as_ref(), &stack),
        advice: advise(verdict, &stack, &observed.wait, judgement.circumstance),
        line,
        stack,
        stack_via: captured.map_or(StackVia::None, |captured| captured.via),
        stack_complete: complete,
        // What is known of the lock is added when the other stalls are at hand.
        census: Vec::new(),
        holder: None,
        incident: None,
        victims: observed.victims.clone(),
        span: None,
        suppressed: 0,
    }
}

/// That a thread was found on its way out of a system call each time. No more than a doubt: a signal takes some microseconds to
/// interrupt a thread, and one that makes a short call every now and then answers at the next of them.
fn out_of_kernel(stack: &[Arc<Frame>]) -> String {
    let call = stack
        .first()
        .map_or("a system call", |frame| frame.function.as_str());
    format!("it came out of {call} whenever its stack was taken: the CPU time may be the kernel's")
}

/// The verdict and how sure it is with the stack taken into account; adds what the stack says.
fn refined(
    judgement: &Judgement,
    stack: &[Arc<Frame>],
    in_kernel: bool,
    config: &Config,
    evidence: &mut Vec<String>,
) -> (Verdict, Confidence) {
    let likely = judgement.confidence.min(Confidence::Likely);
    match refine(judgement.verdict, stack, &config.in_app) {
        Verdict::CpuUser if in_kernel => {
            evidence.push(out_of_kernel(stack));
            (Verdict::CpuUser, likely)
        }
        verdict if verdict.is_machine() && !judgement.verdict.is_machine() => {
            evidence.push(TOKIOS_LOCK.to_owned());
            (verdict, likely)
        }
        verdict => (verdict, judgement.confidence),
    }
}

/// Said where the stack makes a wait for a lock the machine's doing.
const TOKIOS_LOCK: &str = "the lock is one of Tokio's own, which nobody holds for long: whoever holds it has lost its CPU";

/// The sentences behind the event.
fn evidence(observed: &Observed, testimony: &Testimony<'_>) -> Vec<String> {
    let judgement = &observed.judgement;
    let mut evidence = vec![observed.parts.sentence(observed.span.length)];
    evidence.extend(judgement.evidence.iter().cloned());
    let note = testimony.captured.and_then(|captured| captured.note);
    evidence.extend(note.map(|note| format!("stack: {note}")));
    if !judgement.verdict.is_machine() && !testimony.stack.is_empty() {
        evidence.extend(doubts(testimony).map(str::to_owned));
    }
    evidence
}

/// What keeps a stack from being a proof, in words.
fn doubts(testimony: &Testimony<'_>) -> impl Iterator<Item = &'static str> {
    let stack = &testimony.stack;
    let is_cut = stack.len() >= FRAMES_LEN_MAX;
    let has_lines = stack.iter().any(|frame| frame.line.is_some());
    let of_stack = [
        (
            is_cut,
            "stack: its outer frames are left out, it is too long for an event",
        ),
        (
            !has_lines,
            "no debug information: build with `debug = 1` for lines",
        ),
        (
            is_local_set(stack),
            "a LocalSet polls many local tasks in one poll of its driver, they cannot be told apart",
        ),
    ];
    let of_stack = of_stack
        .into_iter()
        .filter_map(|(applies, doubt)| applies.then_some(doubt));
    testimony.doubt().into_iter().chain(of_stack)
}

/// A close tells the total and its split; who, where and why are those of the last report.
pub(crate) fn close(observed: &Observed, last: &Stall) -> Stall {
    let mut evidence = vec![observed.parts.sentence(observed.span.length)];
    evidence.extend(last.evidence.iter().skip(1).cloned());
    let last = in_doubt(last, false, observed.parts);
    Stall {
        phase: Phase::Close,
        duration_ms: ms(observed.span.length),
        cpu_ms: ms(observed.parts.cpu),
        run_queue_ms: ms(observed.parts.run_queue),
        blocked_ms: ms(observed.parts.blocked),
        evidence,
        victims: observed.victims.clone(),
        ..last
    }
}

/// The last report as it is trusted now: a proof is one no longer once a later report contradicts it, or the split has come to speak
/// for something else as well.
fn in_doubt(last: &Stall, is_contradicted: bool, parts: Parts) -> Stall {
    let mut last = last.clone();
    if is_contradicted || !parts.speak_for(last.verdict) {
        last.confidence = last.confidence.min(Confidence::Likely);
    }
    last
}

/// Said once in a report that repeats the cause of the one before it.
const KEPT: &str = "this look was less certain, the cause is that of an earlier report";

/// A later report keeps the cause of the one before it unless it is at least as certain itself: a thread that is just
/// waking up, or whose stack could not be taken this time, must not turn a proven line into none. A later line is never proven
/// unless it stands in the stack of the report before as well, and reports come at twice the age: it covers more of the time.
pub(crate) fn keep_better_cause(composed: Composed, last: &Stall, parts: Parts) -> Stall {
    let last = in_doubt(last, composed.contradicts(last), parts);
    let stall = composed.stall;
    if certainty(&stall) >= certainty(&last) {
        return stall;
    }
    let mut evidence: Vec<String> = stall.evidence.into_iter().take(1).collect();
    evidence.extend(
        last.evidence
            .iter()
            .skip(1)
            .filter(|said| said.as_str() != KEPT)
            .cloned(),
    );
    evidence.push(KEPT.to_owned());
    Stall {
        id: stall.id,
        phase: stall.phase,
        duration_ms: stall.duration_ms,
        cpu_ms: stall.cpu_ms,
        run_queue_ms: stall.run_queue_ms,
        blocked_ms: stall.blocked_ms,
        suppressed: stall.suppressed,
        victims: stall.victims,
        evidence,
        ..last
    }
}

/// What makes one report of a stall better than another one.
fn certainty(stall: &Stall) -> (Confidence, bool, bool, bool) {
    (
        stall.confidence,
        stall.line.is_some(),
        stall.stack_complete,
        !stall.stack.is_empty(),
    )
}

/// "Proven" is said only of a culprit whose line stands on a whole stack, taken while the thread did what it is blamed for.
fn confidence(
    judged: Confidence,
    line: Option<&SourceLine>,
    is_certain: bool,
    machine: bool,
) -> Confidence {
    if machine || (line.is_some() && is_certain) {
        judged
    } else {
        judged.min(Confidence::Likely)
    }
}

fn fingerprint_of(
    observed: &Observed,
    verdict: Verdict,
    line: Option<&SourceLine>,
    stack: &[Arc<Frame>],
) -> String {
    let place = match (line, stack.first()) {
        (Some(line), _) => format!("{}:{}", line.file, line.line),
        (None, Some(leaf)) => leaf.function.clone(),
        (None, None) => observed
            .subject
            .spawned_at
            .map(Location::to_string)
            .unwrap_or_default(),
    };
    fingerprint(&[
        verdict.name(),
        &place,
        observed
            .wait
            .as_ref()
            .and_then(|wait| wait.syscall.as_deref())
            .unwrap_or_default(),
    ])
}

fn ms(duration: std::time::Duration) -> f64 {
    // Microseconds are what the clocks are good for; more digits would only look exact.
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::recorded;
    use crate::stall::{SourceLine, Verdict};

    fn stall(verdict: Verdict, confidence: Confidence, line: Option<u32>) -> Stall {
        Stall {
            verdict,
            confidence,
            evidence: vec!["split".to_owned(), verdict.name().to_owned()],
            line: line.map(|line| SourceLine {
                file: "app.rs".to_owned(),
                line,
                function: "app::f".to_owned(),
            }),
            stack_complete: line.is_some(),
            ..recorded::stall(1, Phase::Again)
        }
    }

    /// A stack without a runtime shows that the thread is elsewhere, but only if it is whole and has names.
    #[test]
    fn elsewhere_needs_names() {
        let stack = |functions: &[&str]| -> Vec<Arc<Frame>> {
            let frame = |function: &&str| Frame {
                function: (*function).to_owned(),
                ..Frame::default()
            };
            functions.iter().map(frame).map(Arc::new).collect()
        };
        let named = stack(&["read", "app::main", "libc.so.6+0x271ca"]);
        assert!(is_elsewhere(&named, true) && !is_elsewhere(&named, false));
        let stripped = stack(&["read", "app+0x1234", "libc.so.6+0x271ca"]);
        assert!(!is_elsewhere(&stripped, true));
        let inside = stack(&["read", "app::task", "tokio::runtime::task::core::poll"]);
        assert!(!is_elsewhere(&inside, true));
        let deep = stack(&["app::recurses"; FRAMES_LEN_MAX]);
        assert!(!is_elsewhere(&deep, true));
    }

    /// All of the time was blocked.
    const BLOCKED: Parts = Parts {
        cpu: Duration::ZERO,
        run_queue: Duration::ZERO,
        blocked: Duration::from_millis(40),
    };

    fn kept(stall: &Stall, is_disputed: bool, last: &Stall, parts: Parts) -> Stall {
        let stall = stall.clone();
        let composed = Composed {
            stall,
            is_disputed,
            fits: true,
        };
        keep_better_cause(composed, last, parts)
    }

    /// A report of a thread that is just waking up keeps the proven cause, its own times, and says so once.
    #[test]
    fn a_better_cause_is_kept() {
        let proven = stall(Verdict::Sleep, Confidence::Proven, Some(43));
        let mut waking = stall(Verdict::BlockedOther, Confidence::Likely, None);
        waking.duration_ms = 40.0;
        let first = kept(&waking, false, &proven, BLOCKED);
        let again = kept(&waking, false, &first, BLOCKED);
        for kept in [first, again] {
            assert_eq!(
                (kept.verdict, kept.confidence),
                (Verdict::Sleep, Confidence::Proven)
            );
            assert_eq!((kept.line, kept.duration_ms), (proven.line.clone(), 40.0));
            assert_eq!(kept.evidence, ["split", "sleep", KEPT]);
        }
    }

    /// A report that is as certain as the one before it speaks for itself.
    #[test]
    fn an_equal_cause_replaces() {
        let first = stall(Verdict::Sleep, Confidence::Proven, Some(43));
        let later = stall(Verdict::LockWait, Confidence::Proven, Some(50));
        assert_eq!(kept(&later, false, &first, BLOCKED), later);
        let starved = stall(Verdict::Starved, Confidence::Likely, None);
        assert_eq!(kept(&later, false, &starved, BLOCKED), later);
    }

    /// A poll that goes on with another wait, on another line, is not blamed for the first for ever: what it does for most of its time is
    /// told, though the thread woke up in between and nothing of it can be proven any more.
    #[test]
    fn a_longer_wait_replaces_a_proof() {
        let proven = stall(Verdict::Connect, Confidence::Proven, Some(43));
        for (verdict, line) in [
            (Verdict::Socket, 50),
            (Verdict::Socket, 43),
            (Verdict::Connect, 50),
        ] {
            let longer = stall(verdict, Confidence::Likely, Some(line));
            assert_eq!(kept(&longer, false, &proven, BLOCKED), longer);
        }
        let same = stall(Verdict::Connect, Confidence::Likely, Some(43));
        assert_eq!(
            kept(&same, false, &proven, BLOCKED).confidence,
            Confidence::Proven
        );
    }

    /// A proven line that a later stack disputes is likely, and so is one whose verdict the split no longer speaks for.
    #[test]
    fn proofs_are_doubted() {
        let proven = stall(Verdict::Sleep, Confidence::Proven, Some(43));
        let vague = stall(Verdict::Unknown, Confidence::Unknown, None);
        let mixed = Parts {
            cpu: Duration::from_millis(30),
            ..BLOCKED
        };
        for (is_disputed, parts, expected) in [
            (false, BLOCKED, Confidence::Proven),
            (true, BLOCKED, Confidence::Likely),
            (false, mixed, Confidence::Likely),
        ] {
            let kept = kept(&vague, is_disputed, &proven, parts);
            assert_eq!((&kept.line, kept.confidence), (&proven.line, expected));
        }
    }
}
