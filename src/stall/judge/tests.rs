//! Recorded signatures of stalled threads and the verdicts that they must get.

use super::*;
use crate::stall::evidence::{Crowd, KernelUse, MachineUse, SwitchUse};
use crate::stall::ready_holders::{Holders, ReadyHolders};
use crate::stall::tally::Tally;
use crate::stall::unreadable::{Reason, Unreadable};
use crate::stall::waiting::{Target, WaitObject};

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
        turns: Some(0),
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

/// A wait is proven if it was one, and if most of the poll was seen.
#[test]
fn one_wait_is_proven() {
    for (turns, unseen, expected) in [
        (Some(0), 0, Confidence::Proven),
        (Some(0), 10, Confidence::Proven),
        (Some(0), 11, Confidence::Likely),
        (Some(1), 0, Confidence::Likely),
        (None, 0, Confidence::Likely),
    ] {
        let sleeper = Evidence {
            turns,
            unseen: ms(unseen),
            ..evidence(20, 0, 0, 'S', "clock_nanosleep")
        };
        let judged = judge(&sleeper, T).unwrap();
        assert_eq!(
            (judged.verdict, judged.confidence),
            (Verdict::Sleep, expected),
            "{turns:?} {unseen}"
        );
    }
}

/// Recorded signatures of blocked and busy threads (wall, on CPU, run queue, state, system call) and their verdicts.
#[test]
fn recorded_signatures() {
    use Verdict::{BlockedOther, ChildWait, CpuUser, Disk, LockWait, PageFault, Sleep, Starved};
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
    assert_eq!(flickering.parts().blocked, ms(90));
}

/// A thread that was found asleep in a call at so many looks, and awake at the others.
fn mixed(parts: (u64, u64, u64), state: char, asleep: u32, awake: u32, call: &str) -> Evidence {
    let (wall, cpu, run_queue) = parts;
    let mut mixed = evidence(wall, cpu, run_queue, state, call);
    mixed.tally = Tally::default();
    (0..asleep).for_each(|_| look_asleep(&mut mixed.tally, 'S', call));
    (0..awake).for_each(|_| mixed.tally.awake());
    mixed
}

/// CPU time and blocked time make a stall together, likely at most; what the machine may have done never counts.
#[test]
fn both_parts_together() {
    use Confidence::{Likely, Proven};
    use Verdict::{CpuUser, LockWait, Sleep, Starved};
    let sleeps = "clock_nanosleep";
    for (known, is_crowded, expected) in [
        // Computes, then sleeps, and the other way round.
        (
            mixed((14, 9, 0), 'S', 3, 3, sleeps),
            false,
            Some((CpuUser, Likely)),
        ),
        (
            mixed((18, 9, 0), 'S', 4, 4, sleeps),
            false,
            Some((CpuUser, Likely)),
        ),
        (
            mixed((15, 6, 0), 'R', 6, 3, sleeps),
            false,
            Some((Sleep, Likely)),
        ),
        // Too little together.
        (mixed((12, 6, 3), 'S', 2, 4, sleeps), false, None),
        // Asleep now, so that all its waiting for a CPU is booked; awake, nobody knows.
        (
            mixed((30, 9, 12), 'S', 3, 7, sleeps),
            true,
            Some((CpuUser, Likely)),
        ),
        (mixed((30, 9, 5), 'R', 3, 7, sleeps), true, None),
        (
            mixed((60, 6, 30), 'R', 1, 9, sleeps),
            true,
            Some((Starved, Likely)),
        ),
        // Who holds the lock may get no CPU.
        (mixed((30, 9, 12), 'S', 3, 7, "futex"), true, None),
        (
            mixed((15, 6, 0), 'S', 6, 3, "futex"),
            false,
            Some((LockWait, Likely)),
        ),
        // One part alone, clearly or not.
        (
            mixed((40, 12, 0), 'S', 7, 3, sleeps),
            false,
            Some((Sleep, Proven)),
        ),
        (
            mixed((40, 15, 0), 'S', 6, 4, sleeps),
            false,
            Some((Sleep, Likely)),
        ),
    ] {
        let mut known = known;
        if is_crowded {
            known.watchdog_late = T;
        }
        let judged = judge(&known, T);
        let told = judged.map(|judged| (judged.verdict, judged.confidence));
        assert_eq!(told, expected, "{known:?}");
    }
}

/// A poll that waited for a CPU longer than it ran did compute, but a share of the blame is the machine's.
#[test]
fn hardly_running_is_less_sure() {
    for (cpu, run_queue, expected) in [
        (19, 179, Confidence::Likely),
        (100, 100, Confidence::Likely),
        (110, 100, Confidence::Proven),
    ] {
        let judged = judge(&evidence(cpu + run_queue, cpu, run_queue, 'R', ""), T).unwrap();
        assert_eq!(
            (judged.verdict, judged.confidence),
            (Verdict::CpuUser, expected),
            "{cpu}"
        );
    }
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
            major_faults: 0,
        });
        assert_eq!(
            judge(&burning, T).unwrap().verdict,
            expected,
            "{user} {system} {minor_faults}"
        );
    }
    let mut waiting = evidence(80, 5, 75, 'R', "");
    waiting.machine.throttled = Some(ms(70));
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

/// A thread that was seen `asleep` at every look, in a call with that object.
fn waited(syscall: &str, state: char, wchan: &str, target: Option<Target>) -> Evidence {
    let mut known = evidence(100, 1, 1, state, "");
    known.tally = Tally::default();
    let place = if syscall.is_empty() {
        Place::Outside
    } else {
        Place::Call {
            number: 1,
            first: 0,
        }
    };
    known.tally.asleep(place, || Wait {
        place,
        syscall: (!syscall.is_empty()).then(|| syscall.to_owned()),
        wchan: (!wchan.is_empty()).then(|| wchan.to_owned()),
        uninterruptible: state == 'D',
        object: target.map(|target| WaitObject {
            text: "it".to_owned(),
            target: Some(target),
            wants_lock: syscall == "fcntl",
        }),
    });
    known
}

/// One signature for each verdict that a wait can get; those of the machine and of the CPU have tests of their own.
#[test]
fn every_wait_has_its_word() {
    use Target::{File, Kernel, NameServer, Pipe, Process, Socket, Timer};
    for (syscall, state, wchan, target, expected) in [
        (
            "clock_nanosleep",
            'S',
            "hrtimer_nanosleep",
            None,
            Verdict::Sleep,
        ),
        ("select", 'S', "do_select", Some(Timer), Verdict::Sleep),
        ("futex", 'S', "futex_do_wait", None, Verdict::LockWait),
        ("pread64", 'D', "__iomap_dio_rw", Some(File), Verdict::Disk),
        (
            "openat",
            'S',
            "request_wait_answer",
            Some(File),
            Verdict::Disk,
        ),
        ("fsync", 'D', "folio_wait_bit", Some(File), Verdict::Disk),
        ("", 'D', "folio_wait_bit_common", None, Verdict::PageFault),
        (
            "recvfrom",
            'S',
            "sk_wait_data",
            Some(Socket),
            Verdict::Socket,
        ),
        ("poll", 'S', "do_poll", Some(Socket), Verdict::Socket),
        ("epoll_wait", 'S', "ep_poll", Some(Socket), Verdict::Socket),
        (
            "connect",
            'S',
            "inet_wait_for_connect",
            Some(Socket),
            Verdict::Connect,
        ),
        ("poll", 'S', "do_poll", Some(NameServer), Verdict::Dns),
        ("write", 'S', "anon_pipe_write", Some(Pipe), Verdict::Pipe),
        ("read", 'S', "n_tty_read", Some(Pipe), Verdict::Pipe),
        (
            "flock",
            'S',
            "locks_lock_inode_wait",
            Some(File),
            Verdict::FileLock,
        ),
        ("fcntl", 'S', "fcntl_setlk", Some(File), Verdict::FileLock),
        ("wait4", 'S', "do_wait", None, Verdict::ChildWait),
        ("poll", 'S', "do_poll", Some(Process), Verdict::ChildWait),
        (
            "read",
            'S',
            "eventfd_read",
            Some(Kernel),
            Verdict::BlockedOther,
        ),
        ("ioctl", 'S', "", None, Verdict::BlockedOther),
    ] {
        let judged = judge(&waited(syscall, state, wchan, target), T).unwrap();
        assert_eq!(judged.verdict, expected, "{syscall} {wchan} {target:?}");
        let is_proven = judged.confidence == Confidence::Proven;
        assert_eq!(is_proven, !syscall.is_empty(), "{syscall}");
    }
}

/// What the machine's own evidence lacks is said where the machine is blamed, piece by piece, and only there.
#[test]
fn untold_machine_evidence_is_said() {
    let mut starved = evidence(60, 9, 51, 'R', "");
    let says = |evidence: &Evidence| judge(evidence, T).unwrap().evidence.join("; ");
    let all = says(&starved);
    for words in ["CPU quota", "CPU pressure", "stolen time"] {
        assert!(all.contains(words), "{words}: {all}");
    }
    starved.machine.pressure = Some(ms(0));
    starved.machine.steal = Some(ms(0));
    let quota = says(&starved);
    assert!(
        quota.contains("does not tell whether a CPU quota"),
        "{quota}"
    );
    assert!(!quota.contains("stolen time"), "{quota}");
    starved.machine.throttled = Some(ms(0));
    assert!(!says(&starved).contains("does not tell"));
    let sleeper = evidence(60, 0, 0, 'S', "clock_nanosleep");
    assert!(!says(&sleeper).contains("does not tell"));
}

/// Who waits for the address space is told so, and neither a disk nor storage is blamed.
#[test]
fn the_address_space_is_no_disk() {
    for (syscall, wchan) in [("munmap", "__vm_munmap"), ("", "lock_mm_and_find_vma")] {
        let judged = judge(&waited(syscall, 'D', wchan, None), T).unwrap();
        assert_eq!(judged.verdict, Verdict::BlockedOther, "{syscall}");
        let said = judged.evidence.join("; ");
        assert!(said.contains("waits for the address space"), "{said}");
    }
    let populates = judge(&waited("mmap", 'D', "folio_wait_bit_common", None), T).unwrap();
    assert_eq!(populates.verdict, Verdict::Disk);
    assert!(!populates.evidence.join("; ").contains("address space"));
}

/// Reading `syscall` can be refused alone: the kernel function then tells, less surely, and what was missing is said.
#[test]
fn an_undumpable_process() {
    let mut known = waited("", 'S', "hrtimer_nanosleep", None);
    known.tally = Tally::default();
    known.tally.asleep(Place::Unreadable, || Wait {
        place: Place::Unreadable,
        syscall: None,
        wchan: Some("hrtimer_nanosleep".to_owned()),
        uninterruptible: false,
        object: None,
    });
    known.unreadable = vec![Unreadable {
        file: "syscall",
        reason: Reason::Refused,
    }];
    let judged = judge(&known, T).unwrap();
    assert_eq!(
        (judged.verdict, judged.confidence),
        (Verdict::Sleep, Confidence::Likely)
    );
    let missing = "could not be read: syscall (refused: an undumpable process, or a sandbox)";
    assert_eq!(judged.evidence.last().map(String::as_str), Some(missing));
}

/// A loop that yields its CPU all the time is awake at every look, and burns CPU time like any other.
#[test]
fn a_yielding_loop_computes() {
    let mut yielding = evidence(400, 160, 236, 'R', "");
    yielding.switches = Some(SwitchUse {
        voluntary: 140,
        involuntary: 7,
    });
    let judged = judge(&yielding, T).unwrap();
    assert_eq!(judged.verdict, Verdict::CpuUser);
    assert!(judged.evidence.iter().any(|said| said.contains("7 times")));
}

/// Stolen time makes a CPU verdict less sure; a little of it does not.
#[test]
fn stolen_time_casts_a_doubt() {
    for (steal, expected) in [
        (0, Confidence::Proven),
        (10, Confidence::Proven),
        (40, Confidence::Likely),
    ] {
        let mut burning = evidence(100, 90, 0, 'R', "");
        burning.machine.steal = Some(ms(steal));
        let judged = judge(&burning, T).unwrap();
        assert_eq!(
            (judged.verdict, judged.confidence),
            (Verdict::CpuUser, expected),
            "{steal}"
        );
    }
}

/// The process's own threads are named when they alone want more CPUs than there are; other processes never are.
#[test]
fn who_takes_the_cpus() {
    for (ready, process_cpu, expected) in [
        (2, 110, None),
        // Others got the CPUs.
        (6, 20, None),
        (6, 110, Some(Circumstance::OwnThreads)),
    ] {
        let mut starved = evidence(60, 5, 55, 'R', "");
        starved.machine = MachineUse {
            pressure: Some(ms(50)),
            crowd: Some(Crowd { ready, cpus: 2 }),
            process_cpu: Some(ms(process_cpu)),
            watched: ms(60),
            ..MachineUse::default()
        };
        let judged = judge(&starved, T).unwrap();
        assert_eq!(
            (judged.verdict, judged.circumstance),
            (Verdict::Starved, expected)
        );
        let own = "starved by 6 threads of this process that want a CPU, on 2 CPUs";
        assert_eq!(
            judged.evidence.iter().any(|said| said == own),
            expected.is_some()
        );
    }
}

/// Page faults that needed the disk are counted in the evidence.
#[test]
fn page_faults_are_counted() {
    let mut touching = waited("", 'D', "folio_wait_bit_common", None);
    touching.kernel = Some(KernelUse {
        major_faults: 1986,
        ..KernelUse::default()
    });
    let judged = judge(&touching, T).unwrap();
    assert_eq!(judged.verdict, Verdict::PageFault);
    assert!(
        judged
            .evidence
            .iter()
            .any(|said| said == "1986 page faults had to be read from storage")
    );
}

/// A clock that cannot be read costs certainty, not the verdict.
#[test]
fn ticks_are_less_sure() {
    let mut burning = evidence(200, 0, 0, 'R', "");
    burning.cpu = None;
    burning.kernel = Some(KernelUse {
        user: ms(180),
        ..KernelUse::default()
    });
    let judged = judge(&burning, T).unwrap();
    assert_eq!(
        (judged.verdict, judged.confidence),
        (Verdict::CpuUser, Confidence::Likely)
    );
}

/// A thread that waits for a lock that may be held by ready threads with that CPU time since the first look.
fn waits_for_the_ready(wall: u64, watched: u64, cpu: u64) -> Evidence {
    let mut waiting = waited("futex", 'S', "futex_do_wait", None);
    waiting.wall = ms(wall);
    waiting.holders = Some(Holders::Ready(ReadyHolders {
        count: 2,
        cpu: ms(cpu),
        watched: ms(watched),
        throughout: true,
        is_named: true,
    }));
    waiting
}

/// On a crowded machine a wait for a lock whose probable holders get no CPU is told late and less surely, else as ever.
#[test]
fn holders_that_starve() {
    use Confidence::{Likely, Proven};
    for (wall, watched, cpu, expected) in [
        // They starve: put off, then likely.
        (12, 5, 0, None),
        (12, 5, 2, None),
        (49, 40, 9, None),
        (60, 55, 9, Some(Likely)),
        (60, 55, 3, Some(Likely)),
        // They compute.
        (12, 5, 4, Some(Proven)),
        (49, 40, 10, Some(Proven)),
    ] {
        let mut waiting = waits_for_the_ready(wall, watched, cpu);
        waiting.watchdog_late = T;
        let judged = judge(&waiting, T);
        assert_eq!(
            judged.as_ref().map(|judged| judged.confidence),
            expected,
            "{wall} {watched} {cpu}"
        );
        let verdict = judged.as_ref().map(|judged| judged.verdict);
        let told = judged.as_ref().map(|_| Verdict::LockWait);
        assert_eq!(verdict, told, "{wall} {watched} {cpu}");
        let says = judged.is_some_and(|judged| {
            let said = judged.evidence.last().cloned();
            said.is_some_and(|said| said.contains("the 2 threads that may hold it had"))
        });
        assert_eq!(says, expected == Some(Likely), "{wall} {watched} {cpu}");
    }
}

/// Beside threads that compute, the holder may be one that lost its CPU: on a crowded machine that is put off, then likely.
#[test]
fn holders_without_a_name() {
    let unnamed = |wall| {
        let mut waiting = waits_for_the_ready(wall, wall, wall);
        if let Some(Holders::Ready(holders)) = &mut waiting.holders {
            holders.is_named = false;
        }
        waiting
    };
    let confidence = |waiting: &Evidence| judge(waiting, T).map(|judged| judged.confidence);
    assert_eq!(confidence(&unnamed(15)), Some(Confidence::Proven));
    for (wall, expected) in [(15, None), (60, Some(Confidence::Likely))] {
        let mut waiting = unnamed(wall);
        waiting.watchdog_late = T;
        assert_eq!(confidence(&waiting), expected, "{wall}");
    }
}

/// Holders that had no CPU at all starve, and so does who waits for them; in a convoy nobody knows.
#[test]
fn holders_that_stand_still() {
    for (cpu, throughout, expected) in [
        (0, true, Verdict::Starved),
        (2, true, Verdict::Starved),
        (3, true, Verdict::LockWait),
        (0, false, Verdict::LockWait),
    ] {
        let mut waiting = waits_for_the_ready(60, 55, 0);
        waiting.holders = Some(Holders::Ready(ReadyHolders {
            count: 1,
            cpu: ms(cpu),
            watched: ms(55),
            throughout,
            is_named: true,
        }));
        waiting.watchdog_late = T;
        let judged = judge(&waiting, T).unwrap();
        assert_eq!(
            (judged.verdict, judged.confidence),
            (expected, Confidence::Likely),
            "{cpu} {throughout}"
        );
    }
}

/// Each sign of a crowd counts by itself; without any, what the holders do changes nothing.
#[test]
fn signs_of_a_crowd() {
    let waiting = || waits_for_the_ready(12, 5, 0);
    let quiet = judge(&waiting(), T).unwrap();
    assert_eq!(quiet.confidence, Confidence::Proven);
    let signs: [fn(&mut Evidence); 5] = [
        |known| known.suspected_after = T,
        |known| known.watchdog_late = ms(5),
        |known| known.run_queue = Some(ms(5)),
        |known| {
            known.machine.watched = ms(6);
            known.machine.pressure = Some(ms(3));
        },
        |known| known.machine.crowd = Some(Crowd { ready: 3, cpus: 2 }),
    ];
    for (index, sign) in signs.into_iter().enumerate() {
        let mut crowded = waiting();
        // Blocked for a threshold all the same.
        crowded.wall = ms(20);
        sign(&mut crowded);
        assert_eq!(judge(&crowded, T), None, "{index}");
    }
    // One look is too little then, however late it was.
    for (watched, late, expected) in [
        (1, 40, None),
        (50, 40, Some(Confidence::Proven)),
        (1, 0, Some(Confidence::Proven)),
    ] {
        let mut once = waiting();
        once.holders = Some(Holders::SeenOnce);
        once.machine.watched = ms(watched);
        once.watchdog_late = ms(late);
        once.wall = ms(60);
        let confidence = judge(&once, T).map(|judged| judged.confidence);
        assert_eq!(confidence, expected, "{watched} {late}");
    }
    let mut sleeps = waiting();
    sleeps.tally = waited("clock_nanosleep", 'S', "", None).tally;
    sleeps.watchdog_late = T;
    assert_eq!(judge(&sleeps, T).unwrap().verdict, Verdict::Sleep);
}

/// With many ready threads a turn takes longer than the ordinary patience.
#[test]
fn turns_of_a_crowd() {
    for (ready, wall, is_told) in [(4, 50, true), (20, 79, false), (20, 80, true)] {
        let mut waiting = waits_for_the_ready(wall, 40, 0);
        waiting.machine.crowd = Some(Crowd { ready, cpus: 2 });
        assert_eq!(judge(&waiting, T).is_some(), is_told, "{ready} {wall}");
    }
}
