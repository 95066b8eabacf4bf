//! Parsers for the texts of `/proc/self/task/TID/*`; PURE. Formats: proc(5).

use std::time::Duration;

/// What `syscall` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyscallState {
    /// On a CPU or ready to be.
    Running,
    /// Asleep inside this system call.
    Blocked(BlockedCall),
    /// Asleep, but not in a system call: a page fault.
    Outside {
        /// Stack pointer.
        sp: u64,
        /// Program counter.
        pc: u64,
    },
}

/// A system call that a thread is blocked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockedCall {
    /// System call number.
    pub(crate) number: i64,
    /// Its six arguments.
    pub(crate) arguments: [u64; 6],
    /// Stack pointer.
    pub(crate) sp: u64,
    /// Program counter.
    pub(crate) pc: u64,
}

/// Fields looked at after the number: six arguments, two registers, and one more to tell a longer text.
const SYSCALL_FIELDS_MAX: usize = 9;

/// Parses `/proc/PID/task/TID/syscall`.
pub(crate) fn syscall(text: &str) -> Option<SyscallState> {
    let mut fields = text.split_ascii_whitespace();
    let first = fields.next()?;
    if first == "running" {
        return Some(SyscallState::Running);
    }
    let number: i64 = first.parse().ok()?;
    let rest: Vec<u64> = fields
        .take(SYSCALL_FIELDS_MAX)
        .map(hex)
        .collect::<Option<_>>()?;
    match (number, rest.as_slice()) {
        (-1, [sp, pc]) => Some(SyscallState::Outside { sp: *sp, pc: *pc }),
        (_, [a, b, c, d, e, f, sp, pc]) if number >= 0 => {
            let arguments = [*a, *b, *c, *d, *e, *f];
            Some(SyscallState::Blocked(BlockedCall {
                number,
                arguments,
                sp: *sp,
                pc: *pc,
            }))
        }
        _ => None,
    }
}

fn hex(field: &str) -> Option<u64> {
    u64::from_str_radix(field.strip_prefix("0x")?, 16).ok()
}

/// Milliseconds of one tick of the kernel's CPU accounting: USER_HZ is 100 in its interface to programs, whatever its own rate.
const TICK_MS: u64 = 10;

/// A time that `/proc` gives in ticks; `None` if it is longer than a program can count.
pub(crate) fn ticks(count: u64) -> Option<Duration> {
    count.checked_mul(TICK_MS).map(Duration::from_millis)
}

/// The fields of `stat` that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadStat {
    /// State letter.
    pub(crate) state: char,
    /// Page faults that needed no disk.
    pub(crate) minor_faults: u64,
    /// Page faults that needed the disk.
    pub(crate) major_faults: u64,
    /// Time in user mode, in clock ticks.
    pub(crate) user_ticks: u64,
    /// Time in the kernel, in clock ticks.
    pub(crate) system_ticks: u64,
}

/// Parses `/proc/PID/task/TID/stat`; the name may hold spaces and parentheses, so fields start after the last `)`.
pub(crate) fn stat(text: &str) -> Option<ThreadStat> {
    let fields: Vec<&str> = text
        .get(text.rfind(')')? + 1..)?
        .split_ascii_whitespace()
        .collect();
    // Numbered as in proc(5), where the state is field 3.
    let field = |number: usize| fields.get(number - 3).copied();
    Some(ThreadStat {
        state: field(3)?.chars().next()?,
        minor_faults: field(10)?.parse().ok()?,
        major_faults: field(12)?.parse().ok()?,
        user_ticks: field(14)?.parse().ok()?,
        system_ticks: field(15)?.parse().ok()?,
    })
}

/// The thread name inside `stat`.
pub(crate) fn stat_name(text: &str) -> Option<&str> {
    text.get(text.find('(')? + 1..text.rfind(')')?)
}

/// The fields of `schedstat` that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Time spent ready, waiting for a CPU.
    pub(crate) run_queue: Duration,
    /// How often the thread got a CPU.
    pub(crate) turns: u64,
}

/// Parses `/proc/PID/task/TID/schedstat`: on-CPU nanoseconds, run-queue nanoseconds, time slices.
///
/// Three zeros are no answer: a kernel that does not count these (with TASK_DELAY_ACCT but without SCHEDSTATS) writes them, and
/// a thread that has ever run has had a turn.
pub(crate) fn schedstat(text: &str) -> Option<Schedule> {
    let mut fields = text.split_ascii_whitespace();
    let mut number = || fields.next()?.parse::<u64>().ok();
    let (on_cpu, run_queue, turns) = (number()?, number()?, number()?);
    let is_counted = (on_cpu, run_queue, turns) != (0, 0, 0);
    is_counted.then_some(Schedule {
        run_queue: Duration::from_nanos(run_queue),
        turns,
    })
}

/// How often a thread left its CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Switches {
    /// Because it waited for something.
    pub(crate) voluntary: u64,
    /// Because the kernel gave the CPU to somebody else.
    pub(crate) involuntary: u64,
}

/// Parses the context switches in `/proc/PID/task/TID/status`.
pub(crate) fn switches(text: &str) -> Option<Switches> {
    Some(Switches {
        voluntary: status_value(text, "voluntary_ctxt_switches:")?,
        involuntary: status_value(text, "nonvoluntary_ctxt_switches:")?,
    })
}

/// Parses the tracing process in `/proc/PID/status`; 0 when there is none.
pub(crate) fn tracer(text: &str) -> Option<u64> {
    status_value(text, "TracerPid:")
}

fn status_value(text: &str, name: &str) -> Option<u64> {
    // The thread's own name comes first and has no line breaks, so it cannot pass for another line.
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().parse().ok()
}

/// The open flags in `/proc/PID/fdinfo/FD`, which are octal; proc_pid_fdinfo(5).
pub(crate) fn open_flags(text: &str) -> Option<u64> {
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
    u64::from_str_radix(flags.trim(), 8).ok()
}

/// The descriptors that an epoll instance watches, in `/proc/PID/fdinfo/FD`.
pub(crate) fn watched_descriptors(text: &str) -> impl Iterator<Item = u64> {
    text.lines().filter_map(|line| {
        let descriptor = line.strip_prefix("tfd:")?;
        descriptor.split_ascii_whitespace().next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three forms of `syscall`, and texts cut short.
    #[test]
    fn reads_syscall() {
        assert_eq!(syscall("running\n"), Some(SyscallState::Running));
        assert_eq!(
            syscall("-1 0x7ffd 0x55d0\n"),
            Some(SyscallState::Outside {
                sp: 0x7ffd,
                pc: 0x55d0
            })
        );
        let text = "230 0x1 0x0 0x7f3a 0x7f3b 0x0 0x3 0x7f3c9000 0x7f3d0aa7\n";
        let expected = BlockedCall {
            number: 230,
            arguments: [1, 0, 0x7f3a, 0x7f3b, 0, 3],
            sp: 0x7f3c_9000,
            pc: 0x7f3d_0aa7,
        };
        assert_eq!(syscall(text), Some(SyscallState::Blocked(expected)));
        for cut in [
            "",
            "230",
            "230 0x1 0x0",
            "x 0x1",
            "230 1 2 3 4 5 6 7 8",
            "-1",
            "-7 0x1 0x2",
        ] {
            assert_eq!(syscall(cut), None, "{cut:?}");
        }
    }

    /// Ticks are of 10 ms, however many there are: a machine with many CPUs has more than 32 bits hold.
    #[test]
    fn ticks_are_times() {
        assert_eq!(ticks(7), Some(Duration::from_millis(70)));
        assert_eq!(ticks(1 << 32), Some(Duration::from_millis(10 << 32)));
        assert_eq!(ticks(u64::MAX), None);
    }

    /// A hostile thread name does not shift the fields.
    #[test]
    fn reads_stat() {
        let text = "42 (a) S (b) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15";
        let expected = ThreadStat {
            state: 'R',
            minor_faults: 7,
            major_faults: 9,
            user_ticks: 11,
            system_ticks: 12,
        };
        assert_eq!(stat(text), Some(expected));
        assert_eq!(stat_name(text), Some("a) S (b"));
        for cut in ["", "42 (a", "42 (a) ", "42 (a) S 1 2", ")("] {
            assert_eq!(stat(cut), None, "{cut:?}");
        }
    }

    /// Run-queue time is the second field; a kernel that does not count it writes zeros, which are not taken for counts.
    #[test]
    fn reads_schedstat() {
        assert_eq!(
            schedstat("123 4567 89\n"),
            Some(Schedule {
                run_queue: Duration::from_nanos(4567),
                turns: 89
            })
        );
        for untold in ["0 0 0\n", "", "123", "a b c", "1 2 x", "x 1 2", "-1 2 3"] {
            assert_eq!(schedstat(untold), None, "{untold:?}");
        }
        assert!(schedstat("7000 0 0\n").is_some());
    }

    /// Context switches and tracer stand among many other lines; a name cannot forge them.
    #[test]
    fn reads_status() {
        let text = "Name:\tTracerPid: 9\nState:\tS (sleeping)\nTracerPid:\t77\nvoluntary_ctxt_switches:\t28\nnonvoluntary_ctxt_switches:\t4\n";
        let expected = Switches {
            voluntary: 28,
            involuntary: 4,
        };
        assert_eq!((switches(text), tracer(text)), (Some(expected), Some(77)));
        for cut in [
            "",
            "voluntary_ctxt_switches:\t28\n",
            "voluntary_ctxt_switches:\t28\nnonvoluntary_ctxt_sw",
            "voluntary_ctxt_switches:\tx\nnonvoluntary_ctxt_switches:\t4",
            "voluntary_ctxt_switches:\t99999999999999999999\nnonvoluntary_ctxt_switches:\t4",
        ] {
            assert_eq!(switches(cut), None, "{cut:?}");
        }
        assert_eq!((tracer(""), tracer("TracerPid:\t-1")), (None, None));
    }

    /// Flags are octal; an epoll instance lists what it watches.
    #[test]
    fn reads_descriptor_infos() {
        let socket = "pos:\t0\nflags:\t02004002\nmnt_id:\t9\nino:\t1\n";
        assert_eq!(open_flags(socket), Some(0o2_004_002));
        assert_eq!((open_flags("flags:\t9"), open_flags("")), (None, None));
        let epoll = "pos:\t0\nflags:\t02\ntfd:        5 events:       19 data: 0 pos:0\ntfd:x\ntfd:\t7 events: 1\n";
        assert_eq!(watched_descriptors(epoll).collect::<Vec<_>>(), [5, 7]);
    }
}
