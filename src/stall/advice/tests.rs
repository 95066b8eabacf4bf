//! Stacks and waits with the rule that speaks about them, and the docs held against the table.

use super::*;
use crate::stall::Verdict::*;

fn rule(verdict: Verdict, functions: &[&str]) -> Option<String> {
    let frame = |function: &&str| Frame {
        function: (*function).to_owned(),
        ..Frame::default()
    };
    let stack: Vec<Arc<Frame>> = functions.iter().map(frame).map(Arc::new).collect();
    advise(verdict, &stack, WaitClue::default(), None).map(|advice| advice.rule)
}

/// Stacks as they are captured, and the rule that speaks about them.
const RECORDED: &[(Verdict, &[&str], &str)] = &[
    (
        Sleep,
        &["clock_nanosleep", "std::thread::functions::sleep", "app::f"],
        "thread-sleep",
    ),
    (Sleep, &["usleep", "app::f"], "sleep"),
    (
        Sleep,
        &[
            "usleep",
            "<std::thread::local::LocalKey<T>>::with",
            "app::f",
        ],
        "sleep",
    ),
    (
        LockWait,
        &[
            "<std::sys::sync::mutex::futex::Mutex>::lock_contended",
            "app::f",
        ],
        "std-mutex",
    ),
    (
        LockWait,
        &["<std::sys::sync::rwlock::futex::RwLock>::read_contended"],
        "std-rwlock",
    ),
    (
        LockWait,
        &["<parking_lot::raw_mutex::RawMutex>::lock_slow"],
        "parking-lot",
    ),
    (
        LockWait,
        &["<std::sync::mpmc::list::Channel<()>>::recv"],
        "blocking-channel",
    ),
    (
        LockWait,
        &["<std::sys::sync::condvar::futex::Condvar>::wait_optional_timeout"],
        "condvar",
    ),
    (
        LockWait,
        &[
            "<std::sys::thread::unix::Thread>::join",
            "<std::thread::lifecycle::JoinInner<()>>::join",
        ],
        "thread-join",
    ),
    (LockWait, &["app::own_futex"], "lock-wait"),
    (Pipe, &["read", "std::fs::read::inner", "app::f"], "std-fs"),
    (Disk, &["pread64", "app::f"], "disk"),
    (Disk, &["fsync", "<std::fs::File>::sync_all"], "file-sync"),
    (
        Pipe,
        &[
            "write",
            "<std::io::stdio::Stdout as std::io::Write>::write_all",
        ],
        "stdout-lock",
    ),
    (
        Socket,
        &["recv", "<std::net::tcp::TcpStream as std::io::Read>::read"],
        "std-net",
    ),
    (
        Dns,
        &["poll", "__res_context_send", "getaddrinfo"],
        "name-lookup",
    ),
    (
        ChildWait,
        &["wait4", "<std::process::Child>::wait"],
        "child-process",
    ),
    (FileLock, &["flock", "app::f"], "file-lock"),
    (
        CpuUser,
        &["regex_automata::hybrid::search::find_fwd", "app::f"],
        "regex",
    ),
    (
        CpuUser,
        &["argon2::Argon2::fill_blocks", "app::login"],
        "password-hash",
    ),
    (
        CpuUser,
        &["core::ptr::drop_in_place<app::Tree>", "app::f"],
        "drop",
    ),
    (
        CpuUser,
        &[
            "core::slice::sort::unstable::quicksort::quicksort::<serde_json::Value>",
            "app::f",
        ],
        "sort",
    ),
    (
        CpuUser,
        &["<alloc::string::String>::push_str", "app::f"],
        "cpu-in-task",
    ),
    (
        CpuUser,
        &["<core::cmp::ordering::Ordering>::then", "app::regex::f"],
        "cpu-in-task",
    ),
    (
        CpuUser,
        &[
            "<T as alloc::slice::<impl [T]>::to_vec_in::ConvertVec>::to_vec",
            "<[V] as alloc::slice::Concat<T>>::concat",
            "app::f",
        ],
        "cpu-in-task",
    ),
    (
        CpuUser,
        &["app::image::load", "app::sort_by_name"],
        "cpu-in-task",
    ),
    (Disk, &["pread64", "app::resync_all"], "disk"),
    (
        LockWait,
        &["app::condvars", "app::JoinHandles::wait"],
        "lock-wait",
    ),
    (CpuUser, &["app::f"], "cpu-in-task"),
    (CpuSystem, &["app::f"], "kernel-time"),
    (Starved, &["std::thread::sleep"], "starved"),
    (Throttled, &[], "throttled"),
];

/// Each recorded stack gets its rule.
#[test]
fn recorded_stacks() {
    for (verdict, stack, expected) in RECORDED {
        assert_eq!(
            rule(*verdict, stack).as_deref(),
            Some(*expected),
            "{stack:?}"
        );
    }
}

/// Waits of a program whose stack has no names of its own, and the rule that speaks about them.
#[test]
fn recorded_waits() {
    for (verdict, syscall, target, expected) in [
        (Disk, "fdatasync", Some(Target::File), "file-sync"),
        (Disk, "pread64", Some(Target::File), "disk"),
        (Disk, "getdents64", Some(Target::File), "directory"),
        (Pipe, "openat", None, "fifo-open"),
        (Pipe, "read", Some(Target::Pipe), "pipe"),
        (Socket, "accept4", Some(Target::Socket), "accept"),
        (Socket, "sendto", Some(Target::Socket), "socket-send"),
        (Socket, "recvfrom", Some(Target::Socket), "socket"),
        (ChildWait, "vfork", None, "child-start"),
        (ChildWait, "wait4", None, "child-wait"),
        (LockWait, "semtimedop", None, "semaphore"),
        (LockWait, "futex", None, "lock-wait"),
        (Sleep, "read", Some(Target::Timer), "timer-descriptor"),
        (Sleep, "poll", Some(Target::Timer), "sleep"),
        (
            BlockedOther,
            "epoll_wait",
            Some(Target::Kernel),
            "event-loop",
        ),
        (
            BlockedOther,
            "read",
            Some(Target::Kernel),
            "event-descriptor",
        ),
        (BlockedOther, "read", None, "blocking-call"),
        (
            BlockedOther,
            "io_uring_enter",
            Some(Target::Kernel),
            "io-uring",
        ),
        (CpuUser, "fsync", None, "cpu-in-task"),
    ] {
        let clue = WaitClue {
            syscall: Some(syscall),
            target,
        };
        let advice = advise(verdict, &[], clue, None).unwrap();
        assert_eq!(advice.rule, expected, "{verdict:?} {syscall} {target:?}");
    }
}

/// A child is waited for until it runs its program, whoever starts it.
#[test]
fn a_start_of_a_child_is_no_wait_for_its_end() {
    let spawn = Arc::new(Frame {
        function: "std::process::Command::spawn".to_owned(),
        ..Frame::default()
    });
    for (syscall, expected) in [("clone3", "child-start"), ("wait4", "child-process")] {
        let clue = WaitClue {
            syscall: Some(syscall),
            target: None,
        };
        let advice = advise(ChildWait, &[Arc::clone(&spawn)], clue, None).unwrap();
        assert_eq!(advice.rule, expected);
    }
}

/// What lies beyond the runtime's frames is not asked, and nothing is advised about the unknown.
#[test]
fn callers_of_the_runtime_do_not_count() {
    let stack = [
        "app::f",
        "tokio::runtime::task::core::poll",
        "regex::Regex::new",
    ];
    assert_eq!(rule(CpuUser, &stack).as_deref(), Some("cpu-in-task"));
    assert_eq!(rule(Unknown, &["getaddrinfo"]), None);
}

/// A circumstance brings its own rule, for its own verdicts only.
#[test]
fn circumstances() {
    let rule = |verdict, circumstance| {
        advise(verdict, &[], WaitClue::default(), Some(circumstance)).map(|advice| advice.rule)
    };
    for (verdict, circumstance, expected) in [
        (Starved, Circumstance::OwnThreads, "worker-count"),
        (Throttled, Circumstance::OwnThreads, "worker-count"),
        (LockWait, Circumstance::Deadlock, "deadlock"),
        (Frozen, Circumstance::Traced, "debugger"),
        (Sleep, Circumstance::Deadlock, "sleep"),
    ] {
        assert_eq!(rule(verdict, circumstance).as_deref(), Some(expected));
    }
}

fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// For what a rule is, in the words of the docs.
fn conditions(rule: &Rule) -> String {
    let verdicts = if rule.verdicts.is_empty() {
        "any that blames code".to_owned()
    } else {
        quoted(rule.verdicts.iter().map(|verdict| verdict.name()))
    };
    let mut text = format!("Verdict: {verdicts}.");
    let mut join = "";
    for (place, words) in [
        ("On the stack", rule.functions),
        ("Waiting in", rule.syscalls),
    ] {
        if !words.is_empty() {
            let words = quoted(words.iter().copied());
            text += &format!(" {join}{place}: {words}.");
            join = "Or ";
        }
    }
    if let Some(target) = rule.target {
        text += &format!(" On: {}.", in_words(target));
    }
    text.replace("Or W", "Or w")
}

fn in_words(target: Target) -> &'static str {
    match target {
        Target::File => "a file",
        Target::Pipe => "a pipe or a terminal",
        Target::Socket => "a socket",
        Target::NameServer => "a name server's socket",
        Target::Kernel => "an event counter, an epoll instance, a device",
        Target::Timer => "a timer",
        Target::Process => "a process",
    }
}

/// The section of each rule begins with what the table says: the advice, and for what it is. A circumstance is told
/// after that, in words.
#[test]
fn the_docs_say_what_the_table_says() {
    let docs = include_str!("../../../docs/advice.md");
    let special = SPECIAL.iter().map(|(_, rule)| rule);
    for rule in special.chain(RULES) {
        let heading = format!("\n## {}\n\n", rule.id);
        let (_, section) = docs.split_once(&heading).unwrap();
        let paragraphs: Vec<&str> = section.split("\n\n").collect();
        let advice = format!("{}{}.", rule.text[..1].to_uppercase(), &rule.text[1..]);
        assert_eq!(paragraphs[0], advice);
        let expected = conditions(rule);
        let (conditions, circumstance) = paragraphs[1]
            .split_once(" When ")
            .unwrap_or((paragraphs[1], ""));
        assert_eq!(conditions, expected, "{}", rule.id);
        let is_special = SPECIAL.iter().any(|(_, special)| special.id == rule.id);
        assert_eq!(is_special, !circumstance.is_empty(), "{}", rule.id);
    }
}

/// Every rule has its section and every section its rule; every verdict that can be helped has a rule.
#[test]
fn the_docs_agree() {
    let docs = include_str!("../../../docs/advice.md");
    let sections: Vec<&str> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let special = SPECIAL.iter().map(|(_, rule)| rule);
    let findings = crate::finding::RULES.iter().map(|(kind, _)| kind.name());
    let stalls = special.chain(RULES).map(|rule| rule.id);
    let rules: Vec<&str> = stalls.chain(findings).collect();
    assert_eq!(sections, rules);
    for verdict in Verdict::ALL {
        assert_eq!(
            rule(verdict, &[]).is_some(),
            verdict != Unknown,
            "{verdict:?}"
        );
    }
}
