//! A stall as a person reads it: what, where, why, who, what to do, in this order. PURE.

use std::fmt::Write as _;

use pollscope::stall::{Confidence, Frame, Phase, Stall, ThreadState, Verdict};

use super::number::ms;
use super::path::short;
use super::style::{BAD, FAINT, STRONG, styled};

/// Frames shown: enough to see what was called and from where.
const FRAMES_LEN: usize = 6;

/// Longest stack shown when the blamed line lies deeper than that.
const FRAMES_LEN_MAX: usize = 14;

/// Threads named as possible holders of a lock.
const SUSPECTS_LEN: usize = 3;

/// Stalls shown in full by a list; the others are counted. The latest are what one looks for.
const LIST_LEN_MAX: usize = 20;

/// The whole report, several lines.
pub(super) fn report(stall: &Stall) -> String {
    let mut text = headline(stall);
    for (label, lines) in [
        ("where", where_(stall)),
        ("why", why(stall)),
        ("who", vec![who(stall)]),
        (
            "do",
            stall
                .advice
                .iter()
                .map(|advice| styled(STRONG, &advice.text))
                .collect(),
        ),
        ("stack", stack(stall)),
    ] {
        for (number, line) in lines.iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n    {}{line}",
                styled(FAINT, &format!("{label:<7}"))
            );
        }
    }
    text
}

/// One report of a stream: in full when it opens, else one line.
pub(super) fn followed(stall: &Stall) -> String {
    match stall.phase {
        Phase::Open => report(stall),
        _ => format!("  {}", one_line(stall)),
    }
}

/// The latest stalls, each once, newest last.
pub(super) fn list(events: &[Stall], services: &str) -> String {
    let mut latest: Vec<&Stall> = Vec::new();
    for event in events {
        let same = |known: &&Stall| {
            known.id == event.id
                && known.service == event.service
                && known.started_at == event.started_at
        };
        if let Some(at) = latest.iter().position(same) {
            latest.remove(at);
        }
        latest.push(event);
    }
    if latest.is_empty() {
        return format!("no stalls at {services}");
    }
    let left_out = latest.len().saturating_sub(LIST_LEN_MAX);
    let still = latest
        .iter()
        .filter(|stall| stall.phase != Phase::Close)
        .count();
    let head = format!(
        "{} at {services}, {still} not ended{}",
        if latest.len() == 1 {
            "1 stall".to_owned()
        } else {
            format!("{} stalls", latest.len())
        },
        if left_out == 0 {
            String::new()
        } else {
            format!("; the latest {LIST_LEN_MAX}, all with --json")
        }
    );
    let reports = latest[left_out..].iter().map(|stall| report(stall));
    std::iter::once(head)
        .chain(reports)
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// A stall in one line.
pub(super) fn one_line(stall: &Stall) -> String {
    let place = stall.line.as_ref().map_or_else(String::new, |line| {
        format!(" at {}:{}", short(&line.file), line.line)
    });
    format!(
        "{} {} #{} {}: {}{place}",
        stall.service,
        worker(stall),
        stall.id,
        what(stall.verdict),
        duration(stall)
    )
}

fn headline(stall: &Stall) -> String {
    let sure = match stall.confidence {
        Confidence::Proven => "proven",
        Confidence::Likely => "likely",
        _ => "not certain",
    };
    let suppressed = match stall.suppressed {
        0 => String::new(),
        count => format!(", {count} more like it"),
    };
    format!(
        "  {} {} {} {} {}",
        styled(BAD, "STALL"),
        styled(STRONG, &format!("{} {}", stall.service, worker(stall))),
        what(stall.verdict),
        styled(STRONG, &duration(stall)),
        styled(FAINT, &format!("({sure}; #{}{suppressed})", stall.id))
    )
}

/// The verdict in words.
fn what(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::CpuUser => "burns CPU in one poll",
        Verdict::CpuSystem => "burns CPU in the kernel",
        Verdict::Sleep => "sleeps",
        Verdict::LockWait => "waits for a lock",
        Verdict::Disk => "waits for a disk",
        Verdict::PageFault => "waits for a page of memory to be read",
        Verdict::Socket => "waits for a socket's peer",
        Verdict::Connect => "waits for a connection",
        Verdict::Dns => "waits for a name server",
        Verdict::Pipe => "waits for a pipe's other end",
        Verdict::FileLock => "waits for a lock on a file",
        Verdict::ChildWait => "waits for a child process",
        Verdict::ForeignCall => "is blocked inside a C library",
        Verdict::BlockedOther => "is blocked in a system call",
        Verdict::Starved => "gets no CPU: the machine, not the code",
        Verdict::Throttled => "is throttled by its CPU quota: the machine, not the code",
        Verdict::Frozen => "is frozen: the machine, not the code",
        Verdict::Suspended => "was suspended with its machine: not the code",
        Verdict::Diagnostics => "spends its time on a diagnosis",
        _ => "stands still",
    }
}

fn duration(stall: &Stall) -> String {
    match stall.phase {
        Phase::Close => format!("for {} in all", ms(stall.duration_ms)),
        _ => format!("for {} so far", ms(stall.duration_ms)),
    }
}

fn worker(stall: &Stall) -> String {
    if stall.verdict.is_standstill() {
        return "the whole process".to_owned();
    }
    stall.worker.map_or_else(
        || "block_on thread".to_owned(),
        |worker| format!("worker {worker}"),
    )
}

fn where_(stall: &Stall) -> Vec<String> {
    match &stall.line {
        Some(line) => vec![
            styled(STRONG, &format!("{}:{}", short(&line.file), line.line)),
            format!("in {}", line.function),
        ],
        None if stall.verdict.is_machine() => vec!["nowhere: no line is to blame".to_owned()],
        None => vec![
            "no line of your own code could be proven; see the stack and the reasons".to_owned(),
        ],
    }
}

fn why(stall: &Stall) -> Vec<String> {
    let mut lines = stall.evidence.clone();
    let is_new = |object: &&String| {
        !stall
            .evidence
            .iter()
            .any(|line| line.contains(object.as_str()))
    };
    let object = stall.wait_object.as_ref().filter(is_new);
    lines.extend(object.map(|object| format!("waits for {object}")));
    let suspects: Vec<_> = stall
        .census
        .iter()
        .filter(|thread| may_hold_a_lock(thread))
        .collect();
    // A probable holder is in the evidence.
    if stall.verdict == Verdict::LockWait && stall.holder.is_none() && !suspects.is_empty() {
        let shown: Vec<_> = suspects
            .iter()
            .take(SUSPECTS_LEN)
            .map(|thread| suspect(thread))
            .collect();
        lines.push(format!("who may hold it: {}", shown.join(", ")));
    }
    if lines.is_empty() {
        lines.push(format!(
            "cpu {}, waiting for a CPU {}, blocked {}",
            ms(stall.cpu_ms),
            ms(stall.run_queue_ms),
            ms(stall.blocked_ms)
        ));
    }
    lines
}

/// Whether a thread was at something else than waiting for work or a lock itself; the observer's own threads hold none.
fn may_hold_a_lock(thread: &ThreadState) -> bool {
    const WAITING: [&str; 5] = ["futex", "epoll_wait", "epoll_pwait", "poll", "ppoll"];
    let waits = thread
        .syscall
        .as_deref()
        .is_some_and(|syscall| WAITING.contains(&syscall));
    !waits && !thread.name.starts_with("pollscope-")
}

fn suspect(thread: &ThreadState) -> String {
    let doing = thread
        .syscall
        .as_ref()
        .map_or_else(|| "running".to_owned(), |syscall| format!("in {syscall}"));
    format!("thread {} `{}` ({doing})", thread.tid, thread.name)
}

fn who(stall: &Stall) -> String {
    let task = match (stall.task.id, &stall.task.name) {
        (Some(id), Some(name)) => format!("task {id} `{name}`"),
        (Some(id), None) => format!("task {id}"),
        (None, Some(name)) => format!("task `{name}`"),
        (None, None) => "no task known".to_owned(),
    };
    let spawned = stall
        .task
        .spawned_at
        .as_ref()
        .map_or_else(String::new, |at| format!(", spawned at {}", short(at)));
    let span = stall.span.as_ref().map_or_else(String::new, |span| {
        format!(", span {} of trace {}", span.name, span.trace_id)
    });
    format!(
        "{task}{spawned}, on {} of runtime {}, thread {}{span}",
        worker(stall),
        stall.runtime,
        stall.tid
    )
}

fn stack(stall: &Stall) -> Vec<String> {
    let blamed = stall.stack.iter().position(|frame| is_blamed(stall, frame));
    let shown = blamed.map_or(FRAMES_LEN, |at| (at + 2).clamp(FRAMES_LEN, FRAMES_LEN_MAX));
    let mut lines: Vec<_> = stall
        .stack
        .iter()
        .take(shown)
        .enumerate()
        .map(|(at, frame)| frame_line(frame, blamed == Some(at)))
        .collect();
    let left = stall.stack.len().saturating_sub(shown);
    if left > 0 {
        let cut = if stall.stack_complete {
            ""
        } else {
            ", cut where it could not be proven"
        };
        lines.push(styled(FAINT, &format!("… {left} more{cut}")));
    }
    lines
}

fn is_blamed(stall: &Stall, frame: &Frame) -> bool {
    stall.line.as_ref().is_some_and(|line| {
        frame.line == Some(line.line) && frame.file.as_deref().is_some_and(|file| file == line.file)
    })
}

fn frame_line(frame: &Frame, is_blamed: bool) -> String {
    let place = match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{}:{line}", short(file)),
        _ => frame.module.clone(),
    };
    if is_blamed {
        format!(
            "{} {}",
            styled(STRONG, &format!("› {}", frame.function)),
            styled(STRONG, &place)
        )
    } else {
        format!("  {} {}", frame.function, styled(FAINT, &place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stall(phase: &str, duration_ms: f64) -> Stall {
        serde_json::from_value(serde_json::json!({
            "id": 4, "phase": phase, "service": "chat", "runtime": "chat", "worker": 1, "tid": 77,
            "task": {"id": 34, "name": null, "spawned_at": "examples/chat/src/server.rs:116:5", "future": null},
            "started_at": 1000, "duration_ms": duration_ms, "threshold_ms": 10.0, "cpu_ms": 0.0, "run_queue_ms": 0.0,
            "blocked_ms": duration_ms, "verdict": "sleep", "confidence": "proven",
            "evidence": ["in clock_nanosleep for all of it"], "wait_object": null,
            "line": {"file": "/home/me/pollscope/examples/faults/src/block_sleep.rs", "line": 51,
                     "function": "faults::block_sleep::sleep_in_task"},
            "stack": [
                {"function": "clock_nanosleep", "file": null, "line": null, "inlined": false, "module": "libc.so.6"},
                {"function": "std::thread::sleep", "file": "/rustc/abc/library/std/src/thread/mod.rs", "line": 9,
                 "inlined": false, "module": "pollscope"},
                {"function": "faults::block_sleep::sleep_in_task",
                 "file": "/home/me/pollscope/examples/faults/src/block_sleep.rs", "line": 51,
                 "inlined": false, "module": "pollscope"}
            ],
            "stack_via": "syscall", "stack_complete": true, "census": [], "victims": null, "span": null,
            "advice": {"rule": "thread-sleep", "text": "use tokio::time::sleep(..).await"},
            "fingerprint": "0", "suppressed": 0
        }))
        .unwrap()
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    /// Goal: one glance at the report answers what, where, why, who and what to do.
    #[test]
    fn report_answers_all_questions() {
        assert_eq!(
            plain(&report(&stall("open", 105.0))),
            "  STALL chat worker 1 sleeps for 105 ms so far (proven; #4)
    where  examples/faults/src/block_sleep.rs:51
           in faults::block_sleep::sleep_in_task
    why    in clock_nanosleep for all of it
    who    task 34, spawned at examples/chat/src/server.rs:116:5, on worker 1 of runtime chat, thread 77
    do     use tokio::time::sleep(..).await
    stack    clock_nanosleep libc.so.6
             std::thread::sleep std/src/thread/mod.rs:9
           › faults::block_sleep::sleep_in_task examples/faults/src/block_sleep.rs:51"
        );
    }

    /// Goal: in a list every stall stands once, in its last state; nothing is said plainly too.
    #[test]
    fn list_has_each_stall_once() {
        assert_eq!(
            list(&[], "chat at http://x:1"),
            "no stalls at chat at http://x:1"
        );
        let text = plain(&list(
            &[stall("open", 105.0), stall("close", 302.0)],
            "chat",
        ));
        assert!(text.starts_with("1 stall at chat, 0 not ended\n"), "{text}");
        assert!(
            text.contains("for 302 ms in all") && !text.contains("so far"),
            "{text}"
        );
    }

    /// Goal: the end of a followed stall takes one line.
    #[test]
    fn end_takes_one_line() {
        assert_eq!(
            followed(&stall("close", 302.0)),
            "  chat worker 1 #4 sleeps: for 302 ms in all at examples/faults/src/block_sleep.rs:51"
        );
    }
}
