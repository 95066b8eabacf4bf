//! Recordings that are whole, and those that are not. The recordings of the drill are tested where they are kept.

use super::*;
use crate::capture::sys;
use crate::stall::{Confidence, Frame, Phase, StackVia, Verdict};

const MS: u64 = 1_000_000;

/// The number of `clock_nanosleep` on this machine.
const NANOSLEEP: i64 = if sys::GENERIC_SYSCALLS { 115 } else { 230 };

/// A look at a thread that sleeps in `clock_nanosleep`.
fn moment(at_ms: u64, token: u64) -> MomentRecording {
    let syscall = format!(
        "{NANOSLEEP} 0x0 0x0 0x7f3dd0aeb0a8 0x7f3dd0aeb0a8 0x0 0x0 0x7f3dd0aeb000 0x7f3dd1263545\n"
    );
    MomentRecording {
        monotonic: at_ms * MS,
        boottime: at_ms * MS + 70,
        realtime: (1_000_000 + at_ms) * MS,
        round: RoundRecording {
            wanted: Some(10 * MS),
            cpu: Some(at_ms * 1000),
            schedstat: Some("409054 8683 1\n".to_owned()),
        },
        machine: MachineRecording::default(),
        poll: Some(PollRecording {
            token,
            cpu: Some(9_320_889),
            stat: Some(
                "42 (tokio-rt-worker) S 1 1 1 0 -1 4194368 18 0 0 0 2 0 0 0 20 0 7 0 99\n"
                    .to_owned(),
            ),
            syscall: Some(syscall),
            wchan: Some("hrtimer_nanosleep".to_owned()),
            schedstat: Some("9320889 16293773 6\n".to_owned()),
            status: Some(
                "voluntary_ctxt_switches:\t1\nnonvoluntary_ctxt_switches:\t5\n".to_owned(),
            ),
        }),
    }
}

/// 38 ms in `clock_nanosleep`, of which the worker was first seen after 8, with a whole stack.
fn sleeping() -> Recording {
    let frame = |function: &str, line| Frame {
        function: function.to_owned(),
        file: Some("src/orders.rs".to_owned()),
        line: Some(line),
        ..Frame::default()
    };
    let runtime = frame("tokio::runtime::task::core::Core<T,S>::poll", 7);
    Recording {
        architecture: std::env::consts::ARCH.to_owned(),
        process: None,
        thread: 42,
        cpus: 2,
        threshold_ms: 20,
        moments: vec![
            moment(1000, 0),
            moment(1010, 3),
            moment(1021, 3),
            moment(1032, 3),
            moment(1043, 0),
        ],
        stacks: vec![StackRecording {
            monotonic: 1010 * MS,
            via: StackVia::Syscall,
            call: Some(NANOSLEEP),
            complete: true,
            confirmed: true,
            frames: vec![frame("app::load", 41), runtime],
        }],
        waits: WaitRecording::default(),
    }
}

/// A recording without any of the files that could decide.
fn unreadable() -> Recording {
    let mut recording = sleeping();
    let polls = recording.moments.iter_mut();
    for poll in polls.filter_map(|moment| moment.poll.as_mut()) {
        *poll = PollRecording {
            token: poll.token,
            ..PollRecording::default()
        };
    }
    recording
}

/// Goal: a whole recording is told as live, opened and closed, with line, times and thread.
#[test]
fn a_whole_recording_is_told() {
    let told = sleeping().replay().unwrap().stalls;
    let phases: Vec<Phase> = told.iter().map(|stall| stall.phase).collect();
    assert_eq!(phases, [Phase::Open, Phase::Close]);
    for stall in &told {
        assert_eq!(
            (stall.verdict, stall.confidence),
            (Verdict::Sleep, Confidence::Proven)
        );
        assert_eq!(stall.line.as_ref().map(|line| line.line), Some(41));
        assert_eq!((stall.id, stall.tid, stall.started_at), (1, 42, 1_001_005));
    }
    assert!((told[1].duration_ms - 38.0).abs() < 0.001, "{told:?}");
}

/// Goal: a poll that is over before the threshold is nobody's stall.
#[test]
fn short_polls_are_not_told() {
    let mut recording = sleeping();
    recording.threshold_ms = 50;
    assert_eq!(recording.replay().unwrap().stalls, []);
}

/// Goal: without readable files the verdict is unknown, whatever stack there is.
#[test]
fn nothing_readable_is_unknown() {
    let told = unreadable().replay().unwrap().stalls;
    assert!(!told.is_empty());
    for stall in told {
        assert_eq!(
            (stall.verdict, stall.confidence),
            (Verdict::Unknown, Confidence::Unknown)
        );
    }
}

/// Goal: the clocks of a suspend tell it, and the poll is not given any of that time.
#[test]
fn a_suspend_is_told_by_its_clock() {
    let mut recording = sleeping();
    recording.moments.truncate(3);
    recording.moments[2].boottime += 9000 * MS;
    let told = recording.replay().unwrap().stalls;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].verdict, told[0].line.is_none()),
        (Verdict::Suspended, true)
    );
    assert!((told[0].duration_ms - 9000.0).abs() < 0.001, "{told:?}");
}

/// Goal: what is no recording is refused in words that say what is wrong and where.
#[test]
fn broken_recordings_are_refused() {
    type Break = fn(&mut Recording);
    let broken: [(&str, Break); 9] = [
        ("made on m68k", |recording| {
            recording.architecture = "m68k".to_owned()
        }),
        ("has no moments", |recording| recording.moments.clear()),
        ("expected a threshold", |recording| {
            recording.threshold_ms = 0
        }),
        ("moment 3 is no later", |recording| {
            recording.moments.swap(1, 2)
        }),
        ("moment 2: stat does not end", |recording| {
            recording.moments[1].poll.as_mut().unwrap().stat = Some("42 (tokio".to_owned());
        }),
        (
            "moment 2: syscall cannot be read: \"230 0x0\\n\"",
            |recording| {
                recording.moments[1].poll.as_mut().unwrap().syscall = Some("230 0x0\n".to_owned());
            },
        ),
        ("moment 1: cpu.stat cannot be read", |recording| {
            recording.moments[0].machine.cpu_stat = Some("nr_periods 4\n".to_owned());
        }),
        ("moment 1: a thread's stat does not end", |recording| {
            recording.moments[0].machine.tasks = vec!["42 (a) R 1".to_owned()];
        }),
        ("\"0f0\" are no hex digits", |recording| {
            let bytes = "0f0".to_owned();
            recording.waits.memory = vec![MemoryRecording { address: 1, bytes }];
        }),
    ];
    for (expected, break_it) in broken {
        let mut recording = sleeping();
        break_it(&mut recording);
        let error = recording.replay().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.is_configuration());
    }
}
