//! What to do about a stall: a table of rules, first match wins; PURE.

use super::event::{Advice, Frame};
use super::verdict::Verdict;

struct Rule {
    id: &'static str,
    verdict: Option<Verdict>,
    /// A function of the stack, outside the user's own code, that must be there; empty for any.
    function: &'static str,
    text: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        id: "thread-sleep",
        verdict: Some(Verdict::Sleep),
        function: "std::thread",
        text: "use tokio::time::sleep(..).await: std::thread::sleep stops every task on this worker",
    },
    Rule {
        id: "sleep",
        verdict: Some(Verdict::Sleep),
        function: "",
        text: "something sleeps synchronously; await a timer, or move the call into tokio::task::spawn_blocking",
    },
    Rule {
        id: "std-mutex",
        verdict: Some(Verdict::LockWait),
        function: "mutex",
        text: "keep what is done under this lock short and free of I/O, or give the data to one task and talk to it over a channel",
    },
    Rule {
        id: "std-rwlock",
        verdict: Some(Verdict::LockWait),
        function: "rwlock",
        text: "keep what is done under this lock short and free of I/O; consider a snapshot behind an Arc that writers replace",
    },
    Rule {
        id: "blocking-channel",
        verdict: Some(Verdict::LockWait),
        function: "mpmc",
        text: "use tokio::sync::mpsc and await it: the std channel's recv blocks the worker",
    },
    Rule {
        id: "lock-wait",
        verdict: Some(Verdict::LockWait),
        function: "",
        text: "a thread waits for another one; await an async primitive, or wait in tokio::task::spawn_blocking",
    },
    Rule {
        id: "std-fs",
        verdict: Some(Verdict::BlockedOther),
        function: "std::fs",
        text: "use tokio::fs, or do the file work in tokio::task::spawn_blocking",
    },
    Rule {
        id: "std-net",
        verdict: Some(Verdict::BlockedOther),
        function: "std::net",
        text: "use tokio::net: this socket blocks the worker until the peer answers",
    },
    Rule {
        id: "child-process",
        verdict: Some(Verdict::BlockedOther),
        function: "std::process",
        text: "use tokio::process: waiting for a child blocks the worker",
    },
    Rule {
        id: "blocking-call",
        verdict: Some(Verdict::BlockedOther),
        function: "",
        text: "do this call in tokio::task::spawn_blocking, or use an async variant of it",
    },
    Rule {
        id: "cpu-in-task",
        verdict: Some(Verdict::CpuUser),
        function: "",
        text: "split the work with tokio::task::yield_now().await, or move it to spawn_blocking or a thread pool such as rayon",
    },
    Rule {
        id: "starved",
        verdict: Some(Verdict::Starved),
        function: "",
        text: "no code to change: give the process more CPU, fewer workers, or quieter neighbours",
    },
    Rule {
        id: "frozen",
        verdict: Some(Verdict::Frozen),
        function: "",
        text: "no code to change: the process was stopped or its machine paused",
    },
];

/// The advice for a verdict and its stack.
pub(crate) fn advise(verdict: Verdict, stack: &[Frame]) -> Option<Advice> {
    let fits = |rule: &&Rule| {
        rule.verdict.is_none_or(|wanted| wanted == verdict)
            && (rule.function.is_empty()
                || stack
                    .iter()
                    .any(|frame| frame.function.contains(rule.function)))
    };
    RULES.iter().find(fits).map(|rule| Advice {
        rule: rule.id.to_owned(),
        text: rule.text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verdict: Verdict, function: &str) -> Option<String> {
        let frame = Frame {
            function: function.to_owned(),
            file: None,
            line: None,
            inlined: false,
            module: String::new(),
        };
        advise(verdict, &[frame]).map(|advice| advice.rule)
    }

    /// The special rule wins over the general one of its verdict; an unknown verdict gets no advice.
    #[test]
    fn first_match_wins() {
        assert_eq!(
            rule(Verdict::Sleep, "std::thread::functions::sleep").as_deref(),
            Some("thread-sleep")
        );
        assert_eq!(rule(Verdict::Sleep, "usleep").as_deref(), Some("sleep"));
        assert_eq!(
            rule(
                Verdict::LockWait,
                "std::sync::poison::mutex::Mutex<T>::lock"
            )
            .as_deref(),
            Some("std-mutex")
        );
        assert_eq!(
            rule(Verdict::BlockedOther, "std::fs::read::inner").as_deref(),
            Some("std-fs")
        );
        assert_eq!(
            rule(Verdict::CpuUser, "app::f").as_deref(),
            Some("cpu-in-task")
        );
        assert_eq!(rule(Verdict::Unknown, "app::f"), None);
    }
}
