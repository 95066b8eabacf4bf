//! What is known about a stalled thread, and how its time splits; PURE.

use std::time::Duration;

use super::ready_holders::Holders;
use super::tally::{Tally, Wait};
use super::unreadable::Unreadable;
use super::verdict::Verdict;

/// What Linux gives a thread on a crowded CPU before the next one: 3 ms, and up to a tick more.
const SLICE: Duration = Duration::from_millis(4);

/// Who had a CPU for this part of a time did nothing but compute in it: interrupts and the two clocks' grain take the rest.
const COMPUTING_ONLY: (u32, u32) = (9, 10);

/// What is known about a stalled thread. What could not be read is `None`, each piece by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Evidence {
    /// Time since the begin of the poll.
    pub(crate) wall: Duration,
    /// CPU time in it.
    pub(crate) cpu: Option<Duration>,
    /// Time ready but without a CPU, as far as the kernel has booked it.
    pub(crate) run_queue: Option<Duration>,
    /// How often the thread got a CPU since the poll was first seen; none if it has slept in one go since then.
    pub(crate) turns: Option<u64>,
    /// Time from its begin to the last look that found it asleep.
    pub(crate) slept_until: Option<Duration>,
    /// How much of its begin may have gone unseen.
    pub(crate) unseen: Duration,
    /// Whether the poll is over, so that its thread has had a CPU since.
    pub(crate) is_over: bool,
    /// State letter now.
    pub(crate) state: Option<char>,
    /// What the looks since the suspicion saw.
    pub(crate) tally: Tally,
    /// What the kernel counted since the suspicion.
    pub(crate) kernel: Option<KernelUse>,
    /// How often the thread left its CPU since the suspicion.
    pub(crate) switches: Option<SwitchUse>,
    /// What the machine did meanwhile.
    pub(crate) machine: MachineUse,
    /// Time from the begin of the poll to its suspicion, which is meant to come at two fifths of the threshold.
    pub(crate) suspected_after: Duration,
    /// How late the watchdog itself was in this time: a crowded machine hits it too.
    pub(crate) watchdog_late: Duration,
    /// Who may hold the lock that it waits for, if that leaves a doubt.
    pub(crate) holders: Option<Holders>,
    /// The thread's files that tell nothing.
    pub(crate) unreadable: Vec<Unreadable>,
}

/// What a thread did in the kernel; CPU times in ticks of 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KernelUse {
    /// CPU time in user mode.
    pub(crate) user: Duration,
    /// CPU time in the kernel.
    pub(crate) system: Duration,
    /// Page faults that needed no disk.
    pub(crate) minor_faults: u64,
    /// Page faults that needed the disk.
    pub(crate) major_faults: u64,
}

/// How often a thread left its CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SwitchUse {
    /// To wait for something.
    pub(crate) voluntary: u64,
    /// Because the kernel gave the CPU to somebody else.
    pub(crate) involuntary: u64,
}

/// What the machine did to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MachineUse {
    /// Time that the process's CPU quota kept its ready threads off the CPUs.
    pub(crate) throttled: Option<Duration>,
    /// Periods of the quota in which it did.
    pub(crate) throttled_periods: Option<u64>,
    /// Time in which some task of the machine waited for a CPU.
    pub(crate) pressure: Option<Duration>,
    /// CPU time that the hypervisor gave to others.
    pub(crate) steal: Option<Duration>,
    /// CPU time of the whole process.
    pub(crate) process_cpu: Option<Duration>,
    /// What all these were counted over.
    pub(crate) watched: Duration,
    /// How many threads of this process wanted a CPU.
    pub(crate) crowd: Option<Crowd>,
}

/// Threads of this process that want a CPU at one moment, and the CPUs there are for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowd {
    /// Threads running or ready.
    pub(crate) ready: u32,
    /// CPUs that the process may use.
    pub(crate) cpus: u32,
}

impl Crowd {
    /// How long a thread may wait until each of the others had its turn, and as many of other processes theirs.
    pub(crate) fn turn(self) -> Duration {
        SLICE * 2 * self.ready / self.cpus.max(1)
    }
}

impl MachineUse {
    /// What is not known of it, in words with the files that would tell.
    pub(crate) fn untold(&self) -> Vec<&'static str> {
        let pieces = [
            (
                self.throttled,
                "whether a CPU quota was used up (cpu.stat of its control group)",
            ),
            (self.pressure, "CPU pressure (/proc/pressure/cpu)"),
            (self.steal, "stolen time (/proc/stat)"),
        ];
        let untold = pieces.into_iter().filter(|(piece, _)| piece.is_none());
        untold.map(|(_, words)| words).collect()
    }

    /// The process's own threads, if they want more CPUs than there are and got most of what there was: then it starves
    /// itself, and no other process does.
    pub(crate) fn own_crowd(&self) -> Option<Crowd> {
        let crowd = self.crowd.filter(|crowd| crowd.ready > crowd.cpus)?;
        let most = self.watched * crowd.cpus / 2;
        self.process_cpu
            .is_none_or(|used| used >= most)
            .then_some(crowd)
    }
}

/// The three parts of a wall time; all zero if they are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
        if self.is_unknown() {
            return format!("{:.1} ms, and nothing tells how it was spent", ms(wall));
        }
        format!(
            "of {:.1} ms: {:.1} ms on a CPU, {:.1} ms waiting for one, {:.1} ms blocked",
            ms(wall),
            ms(self.cpu),
            ms(self.run_queue),
            ms(self.blocked)
        )
    }

    /// Whether the part that a verdict is about outweighs the others clearly: code did it for most of the time that the machine
    /// gave, and not half of it something else.
    pub(crate) fn speak_for(self, verdict: Verdict) -> bool {
        let (its, other) = match verdict {
            _ if verdict.is_machine() || verdict == Verdict::Unknown => return true,
            _ if verdict.is_cpu() => (self.cpu, self.blocked),
            _ => (self.blocked, self.cpu),
        };
        its > self.run_queue && its >= other * 2
    }

    fn is_unknown(self) -> bool {
        (self.cpu + self.run_queue + self.blocked).is_zero()
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
    /// CPU time by the thread's clock, else by the kernel's ticks, which only count from the suspicion on.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        self.cpu
            .or_else(|| self.kernel.map(|kernel| kernel.user + kernel.system))
    }

    /// Whether anything tells what the thread does when it is not on a CPU.
    pub(crate) fn knows_its_state(&self) -> bool {
        self.state.is_some() || self.tally.looks() > 0
    }

    /// Whether it was seen for at least half of its time.
    pub(crate) fn is_seen(&self) -> bool {
        self.unseen * 2 <= self.wall
    }

    /// Whether it has waited in one go since it was first seen, so that where it waits now is where it waited all the while.
    pub(crate) fn is_one_wait(&self) -> bool {
        self.turns == Some(0)
    }

    /// The split; all zero without a CPU time, of which nothing is known then. The kernel books run-queue time when the thread
    /// gets its CPU: of one that sleeps, or has gone on, all of it, and the rest was blocked. Of another the looks tell how much: they
    /// are spread over the whole time, its CPU time as well, so the part of them that found it asleep is that part of the whole.
    pub(crate) fn parts(&self) -> Parts {
        let Some(seen) = self.cpu_time() else {
            return Parts::default();
        };
        let cpu = self.with_its_begin(seen).min(self.wall);
        let booked = self
            .run_queue
            .unwrap_or_default()
            .min(self.wall.saturating_sub(cpu));
        let rest = self.wall.saturating_sub(cpu).saturating_sub(booked);
        let (asleep, looks) = (self.tally.asleep_looks(), self.tally.looks());
        // Met awake only, it did not sleep: the rest is then time that nobody saw.
        let blocked = if self.is_booked() && asleep > 0 {
            rest
        } else if looks == 0 {
            if self.is_awake() {
                Duration::ZERO
            } else {
                rest
            }
        } else {
            // Awake now, it may have been woken just after the last look that found it asleep, and have waited for a CPU since.
            let slept_until = self.slept_until.unwrap_or(self.wall);
            (self.wall * asleep / looks).min(rest).min(slept_until)
        };
        Parts {
            cpu,
            run_queue: booked + (rest - blocked),
            blocked,
        }
    }

    /// This CPU time with that of the begin that nobody saw: who did nothing but compute from the first look on did so before it,
    /// too. As nobody took its CPU then, the machine was not so crowded that it waited for one before.
    fn with_its_begin(&self, cpu: Duration) -> Duration {
        let seen = self.wall.saturating_sub(self.unseen / 2);
        let computed_only = self.cpu.is_some()
            && self.tally.asleep_looks() == 0
            && cpu >= seen * COMPUTING_ONLY.0 / COMPUTING_ONLY.1;
        if self.is_seen() && computed_only {
            cpu + self.unseen / 2
        } else {
            cpu
        }
    }

    /// Whether anything shows that threads of this process, the watchdog's included, had to wait for a CPU.
    pub(crate) fn is_crowded(&self, threshold: Duration) -> bool {
        let machine = &self.machine;
        let half = threshold / 2;
        let pressed = machine
            .pressure
            .is_some_and(|pressure| !pressure.is_zero() && pressure >= machine.watched / 2);
        let own = machine.crowd.is_some_and(|crowd| crowd.ready > crowd.cpus);
        let waited = self.run_queue.unwrap_or_default();
        let late = self.watchdog_late >= half || self.suspected_after >= threshold;
        pressed || own || waited >= half || late
    }

    /// Where the thread slept most, unless it computed.
    pub(crate) fn main_wait(&self, verdict: Verdict) -> Option<Wait> {
        let (wait, _) = self.tally.main_wait()?;
        (!verdict.is_cpu()).then(|| wait.clone())
    }

    fn is_awake(&self) -> bool {
        self.state == Some('R')
    }

    /// Whether the kernel has booked all of its waiting for a CPU, as it has for a thread that sleeps or has gone on: then nothing of
    /// what is told as blocked was the machine's doing.
    pub(crate) fn is_booked(&self) -> bool {
        self.run_queue.is_some() && (self.is_over || matches!(self.state, Some('S' | 'D')))
    }
}

/// Milliseconds for a sentence.
pub(super) fn ms(part: Duration) -> f64 {
    part.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::super::tally::Place;
    use super::*;

    /// A vanished thread's total keeps the proportions that were last seen.
    #[test]
    fn parts_are_scaled() {
        let ms = Duration::from_millis;
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

    fn looks(awake: u32, asleep: u32) -> Tally {
        let mut tally = Tally::default();
        (0..awake).for_each(|_| tally.awake());
        for _ in 0..asleep {
            tally.asleep(Place::Outside, || Wait {
                place: Place::Outside,
                syscall: None,
                wchan: None,
                uninterruptible: false,
                object: None,
            });
        }
        tally
    }

    /// Looks that found it asleep are their part of the whole time, not of what is left of it; awake ones without CPU time are
    /// the machine's, booked or not.
    #[test]
    fn looks_share_out_the_whole() {
        let ms = Duration::from_millis;
        for (wall, cpu, booked, asleep, awake, run_queue, blocked) in [
            // Computed, then slept.
            (100, 50, 0, 5, 5, 0, 50),
            (100, 50, 0, 4, 6, 10, 40),
            (100, 50, 0, 6, 4, 0, 50),
            // Waited for a CPU: nothing is booked yet, or all.
            (100, 20, 0, 0, 10, 80, 0),
            (100, 20, 30, 5, 5, 30, 50),
            (100, 20, 0, 5, 5, 30, 50),
            (100, 20, 80, 1, 9, 80, 0),
            // No look at all: by its state, which is not asleep.
            (100, 20, 30, 0, 0, 80, 0),
        ] {
            let evidence = Evidence {
                wall: ms(wall),
                cpu: Some(ms(cpu)),
                run_queue: Some(ms(booked)),
                state: Some('R'),
                tally: looks(awake, asleep),
                ..Evidence::default()
            };
            let expected = Parts {
                cpu: ms(cpu),
                run_queue: ms(run_queue),
                blocked: ms(blocked),
            };
            assert_eq!(evidence.parts(), expected, "{cpu} {booked} {asleep}");
        }
    }

    /// The unseen begin belongs to what was done all the while after it; not to a poll that also slept, that waited for a CPU, or
    /// that was first seen late.
    #[test]
    fn the_unseen_begin_is_shared_out() {
        let ms = Duration::from_millis;
        for (cpu, unseen, asleep, expected) in [
            (9, 2, 0, 10),
            (8, 4, 0, 10),
            (9, 2, 1, 9),
            (7, 4, 0, 7),
            (7, 6, 0, 7),
        ] {
            let evidence = Evidence {
                wall: ms(10),
                cpu: Some(ms(cpu)),
                run_queue: Some(ms(0)),
                unseen: ms(unseen),
                tally: looks(2, asleep),
                ..Evidence::default()
            };
            assert_eq!(
                evidence.parts().cpu,
                ms(expected),
                "{cpu} {unseen} {asleep}"
            );
        }
    }

    /// A thread that was met awake between two waits has blocked for all that is booked neither as computing nor as waiting for a
    /// CPU, once it sleeps or has gone on.
    #[test]
    fn what_is_booked_is_known() {
        let ms = Duration::from_millis;
        for (state, is_over, blocked) in [
            (Some('R'), false, 6),
            (Some('S'), false, 11),
            (None, true, 11),
        ] {
            let evidence = Evidence {
                wall: ms(12),
                cpu: Some(ms(1)),
                run_queue: Some(ms(0)),
                state,
                is_over,
                tally: looks(1, 1),
                ..Evidence::default()
            };
            assert_eq!(evidence.parts().blocked, ms(blocked), "{state:?}");
        }
    }

    /// Of a thread that is awake nothing tells how long it has been, so it slept no longer than it was seen to: a nap of half a
    /// threshold that ended on a crowded machine is no stall.
    #[test]
    fn who_is_awake_slept_no_longer_than_seen() {
        let ms = Duration::from_millis;
        for (state, slept_until, blocked) in
            [('R', 5, 5), ('R', 11, 11), ('R', 20, 11), ('S', 5, 23)]
        {
            let evidence = Evidence {
                wall: ms(23),
                cpu: Some(ms(0)),
                run_queue: Some(ms(0)),
                state: Some(state),
                slept_until: Some(ms(slept_until)),
                tally: looks(1, 1),
                ..Evidence::default()
            };
            assert_eq!(
                evidence.parts().blocked.as_millis(),
                blocked,
                "{state} {slept_until}"
            );
        }
    }

    /// A part speaks for its verdict when it is twice the other one, and the machine did not take more.
    #[test]
    fn parts_speak_for_a_verdict() {
        use Verdict::{CpuUser, Sleep, Starved};
        let ms = Duration::from_millis;
        for (verdict, cpu, run_queue, blocked, expected) in [
            (CpuUser, 20, 0, 10, true),
            (CpuUser, 19, 0, 10, false),
            (CpuUser, 20, 20, 0, false),
            (CpuUser, 20, 19, 0, true),
            (Sleep, 10, 0, 20, true),
            (Sleep, 10, 0, 19, false),
            (Sleep, 0, 20, 20, false),
            (Starved, 0, 20, 20, true),
        ] {
            let parts = Parts {
                cpu: ms(cpu),
                run_queue: ms(run_queue),
                blocked: ms(blocked),
            };
            assert_eq!(parts.speak_for(verdict), expected, "{verdict:?} {parts:?}");
        }
    }

    /// Without a CPU time no split is made up, however long the poll was.
    #[test]
    fn without_a_cpu_time_there_is_no_split() {
        let evidence = Evidence {
            wall: Duration::from_micros(12_600),
            ..Evidence::default()
        };
        let parts = evidence.parts();
        assert_eq!(parts, Parts::default());
        assert_eq!(parts.scaled_to(evidence.wall * 2), parts);
        assert_eq!(
            parts.sentence(evidence.wall),
            "12.6 ms, and nothing tells how it was spent"
        );
    }

    /// Without the thread's clock the kernel's ticks stand in for it.
    #[test]
    fn ticks_stand_in_for_the_clock() {
        let ms = Duration::from_millis;
        let mut evidence = Evidence {
            wall: ms(100),
            state: Some('R'),
            kernel: Some(KernelUse {
                user: ms(60),
                system: ms(20),
                ..KernelUse::default()
            }),
            ..Evidence::default()
        };
        assert_eq!(evidence.parts().cpu, ms(80));
        evidence.cpu = Some(ms(99));
        assert_eq!(evidence.parts().cpu, ms(99));
    }
}
