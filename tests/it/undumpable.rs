//! A process that may not read its threads' system calls, as one with file capabilities: the verdict survives, only the
//! wait object and the stack are lost, and the event says so.
#![expect(
    clippy::disallowed_methods,
    reason = "a test waits for its child, and the child stalls on purpose"
)]

use std::io::{BufReader, Read};
use std::time::Duration;

use pollscope::stall::{Confidence, StackVia, Stall, Verdict};
use rustix::fs::Uid;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::set_thread_uid;

use crate::stalls::{multi, scope};
use crate::standstill::{brief, child, role, tell_events};

/// An ordinary user (`nobody`): the superuser may read everything, undumpable or not.
const ORDINARY_USER: u32 = 65534;

const BLOCK: Duration = Duration::from_millis(300);

/// In the child: becomes undumpable before any other thread starts, then sleeps and waits for a pipe in tasks.
fn play() {
    if rustix::process::geteuid().is_root() {
        // Threads that are started later inherit it; those of the test's harness do not matter.
        set_thread_uid(Uid::from_raw(ORDINARY_USER)).unwrap();
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap();
    let runtime = scope().runtime(multi()).name("undumpable").build().unwrap();
    let find = |verdict, block: fn()| {
        let is_found = || {
            let stalls = scope().stalls();
            stalls.iter().any(|stall| stall.verdict == verdict)
        };
        // The first ones wait until the debug information has been read, or found to be unreadable.
        for _ in 0..50 {
            runtime
                .block_on(async move { pollscope::spawn(async move { block() }).await.unwrap() });
            if is_found() {
                return;
            }
        }
    };
    find(Verdict::Sleep, || std::thread::sleep(BLOCK));
    find(Verdict::Pipe, || {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let late = std::thread::spawn(move || {
            std::thread::sleep(BLOCK);
            drop(writer);
        });
        reader.read_to_end(&mut Vec::new()).unwrap();
        late.join().unwrap();
    });
    tell_events();
}

/// Goal: each of the two waits is told for what it is, likely at most, and what was missing is said.
#[test]
fn verdicts_survive() {
    if role().is_some() {
        return play();
    }
    let mut child = child("undumpable::verdicts_survive", "undumpable");
    let events = read(child.stdout.take().unwrap());
    assert!(child.wait().unwrap().success());
    for verdict in [Verdict::Sleep, Verdict::Pipe] {
        let found = events.iter().find(|stall| stall.verdict == verdict);
        let stall = found.unwrap_or_else(|| panic!("no {verdict:?}: {}", brief(&events)));
        assert_eq!(
            (stall.stack_via, stall.confidence),
            (StackVia::None, Confidence::Likely)
        );
        assert_eq!((&stall.wait_object, &stall.line), (&None, &None));
        let says = |words: &str| stall.evidence.iter().any(|said| said.contains(words));
        assert!(
            says("could not be read: syscall") && says("stack: "),
            "{}",
            brief(&events)
        );
    }
}

fn read(output: impl Read) -> Vec<Stall> {
    crate::standstill::told(BufReader::new(output))
}
