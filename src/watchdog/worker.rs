//! One watched worker: its episode, its evidence files, and the base line of the poll it is in.

use std::ops::Range;
use std::time::Duration;

use super::observe::Subject;

use crate::capture::{Captured, Capturer};
use crate::procfs::{
    Environment, EnvironmentTotals, Switches, SyscallState, ThreadFiles, syscall_name, ticks,
};
use crate::runtime::slots::SlotView;
use crate::stall::{
    Episode, Evidence, Judgement, KernelUse, MachineUse, Parts, Place, Span, SwitchUse, Tally,
    Wait, Witness,
};

/// What is kept about a worker between looks.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) episode: Episode,
    /// The report that is open, if one is.
    pub(crate) open: Option<OpenReport>,
    /// The last stack of this poll.
    pub(crate) sample: Option<Captured>,
    /// Whether this poll's first stack is still to be taken.
    pub(crate) wants_sample: bool,
    /// Whether one was wanted while it was due and nothing was decided yet.
    has_wanted_sample: bool,
    /// Looks to which the stack of this report was put off.
    pub(crate) deferrals: u32,
    files: ThreadFiles,
    tid: i32,
    stack: Range<u64>,
    base: Usage,
    /// Whether looks now also note the thread's state.
    suspected: bool,
    tally: Tally,
    kernel_base: Option<KernelUse>,
    environment_base: EnvironmentTotals,
    switches_base: Option<Switches>,
    suspected_at: Duration,
    /// When a look last found the thread asleep in this poll.
    asleep_at: Option<Duration>,
    late: Duration,
    /// The part of it that the CPU quota is to blame for.
    late_by_quota: Duration,
    /// Who it was when it was suspected.
    pub(crate) suspected_view: Option<SlotView>,
    /// Looks at the other threads while it waits for a lock.
    pub(crate) lock_looks: Vec<Vec<Witness>>,
}

/// A stall that was reported and has not ended.
#[derive(Debug, Clone)]
pub(crate) struct OpenReport {
    pub(crate) id: u64,
    pub(crate) started_at_unix_ms: u64,
    pub(crate) judgement: Judgement,
    pub(crate) subject: Subject,
    pub(crate) parts: Parts,
}

/// Counters of a thread at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    cpu: Option<Duration>,
    run_queue: Option<Duration>,
    turns: Option<u64>,
}

impl Worker {
    pub(crate) fn new(now: Duration, view: &SlotView) -> Self {
        let stack = view.stack.0..view.stack.1;
        Self::read_from(ThreadFiles::open(view.tid), now, view.tid, stack)
    }

    /// The worker that these files belong to.
    pub(crate) fn read_from(
        files: ThreadFiles,
        now: Duration,
        tid: i32,
        stack: Range<u64>,
    ) -> Self {
        Self {
            episode: Episode::new(now),
            open: None,
            sample: None,
            wants_sample: false,
            has_wanted_sample: false,
            deferrals: 0,
            files,
            tid,
            stack,
            base: Usage::default(),
            suspected: false,
            tally: Tally::default(),
            kernel_base: None,
            environment_base: EnvironmentTotals::default(),
            switches_base: None,
            suspected_at: Duration::ZERO,
            asleep_at: None,
            late: Duration::ZERO,
            late_by_quota: Duration::ZERO,
            suspected_view: None,
            lock_looks: Vec::new(),
        }
    }

    /// From now on these are its files: a recording has others for each look.
    pub(crate) fn reread_from(&mut self, files: ThreadFiles) {
        self.files = files;
    }

    /// A new poll: its evidence counts from here.
    pub(crate) fn begin(&mut self) {
        self.base = self.usage();
        self.suspected = false;
        self.asleep_at = None;
        self.tally = Tally::default();
        self.sample = None;
        self.wants_sample = false;
        self.has_wanted_sample = false;
        self.deferrals = 0;
        self.late = Duration::ZERO;
        self.late_by_quota = Duration::ZERO;
        self.suspected_view = None;
        self.lock_looks.clear();
    }

    /// The poll may become a stall: from now on looks note the state. Later calls for the same poll change nothing.
    pub(crate) fn suspect(&mut self, environment: &Environment) {
        if self.suspected {
            return;
        }
        self.suspected = true;
        self.kernel_base = self.kernel_use();
        self.environment_base = environment.totals();
        self.switches_base = self.files.switches();
        self.suspected_at = environment.now();
        self.note_state(self.suspected_at);
    }

    /// Notes where the thread sleeps, if it does, while it is suspected.
    pub(crate) fn note_state(&mut self, now: Duration) {
        if !self.suspected {
            return;
        }
        let state = self.files.stat().map(|stat| stat.state);
        match state {
            Some('R') => return self.tally.awake(),
            // Stopped with its process, or by a debugger: neither its own doing nor a wait.
            Some('T' | 't') => return,
            _ => (),
        }
        let seen = self.files.syscall();
        let (place, call) = match seen {
            // Between the two reads it woke up.
            Some(SyscallState::Running) => return self.tally.awake(),
            Some(SyscallState::Blocked(call)) => (
                Place::Call {
                    number: call.number,
                    first: call.arguments[0],
                },
                Some(call),
            ),
            Some(SyscallState::Outside { .. }) => (Place::Outside, None),
            None if state.is_none() => return,
            None => (Place::Unreadable, None),
        };
        self.asleep_at = Some(now);
        let files = &self.files;
        self.tally.asleep(place, || Wait {
            place,
            syscall: call.map(|call| syscall_name(call.number)),
            wchan: files.wchan(),
            uninterruptible: state == Some('D'),
            object: call.and_then(|call| files.wait_object(&call)),
        });
    }

    /// The watchdog was late while this poll ran, because of the CPU quota or for another reason.
    pub(crate) fn note_lateness(&mut self, late: Duration, by_quota: bool) {
        self.late += late;
        if by_quota {
            self.late_by_quota += late;
        }
    }

    /// Everything known about the poll that lasts since `span.started`.
    pub(crate) fn evidence(&self, span: Span, environment: &Environment) -> Evidence {
        let kernel = self.kernel_use().zip(self.kernel_base);
        let switches = self.files.switches().zip(self.switches_base);
        let meanwhile = environment.totals().since(self.environment_base);
        Evidence {
            kernel: kernel.map(|(now, base)| KernelUse {
                user: now.user.saturating_sub(base.user),
                system: now.system.saturating_sub(base.system),
                minor_faults: now.minor_faults.saturating_sub(base.minor_faults),
                major_faults: now.major_faults.saturating_sub(base.major_faults),
            }),
            switches: switches.map(|(now, base)| SwitchUse {
                voluntary: now.voluntary.saturating_sub(base.voluntary),
                involuntary: now.involuntary.saturating_sub(base.involuntary),
            }),
            machine: MachineUse {
                // The watchdog itself may have been kept away from before the suspicion on.
                throttled: meanwhile
                    .throttled
                    .map(|throttled| throttled.max(self.late_by_quota)),
                throttled_periods: meanwhile.throttled_periods,
                pressure: meanwhile.pressure,
                steal: meanwhile.steal,
                process_cpu: meanwhile.process_cpu,
                watched: environment.now().saturating_sub(self.suspected_at),
                crowd: None,
            },
            suspected_after: self.suspected_at.saturating_sub(span.started),
            unreadable: self.files.unreadable(),
            ..self.times(span)
        }
    }

    /// The same about a poll that has ended, with its thread's CPU time at that end. What the kernel has counted since then is
    /// in the rest of it, so the thread's state now is left out.
    pub(crate) fn ended_evidence(
        &self,
        span: Span,
        environment: &Environment,
        ended_cpu: Duration,
    ) -> Evidence {
        Evidence {
            cpu: self.base.cpu.map(|base| ended_cpu.saturating_sub(base)),
            state: None,
            is_over: true,
            ..self.evidence(span, environment)
        }
    }

    fn times(&self, span: Span) -> Evidence {
        let now = self.usage();
        let since =
            |now: Option<Duration>, base: Option<Duration>| Some(now?.saturating_sub(base?));
        Evidence {
            wall: span.length,
            cpu: since(now.cpu, self.base.cpu),
            run_queue: since(now.run_queue, self.base.run_queue),
            turns: now
                .turns
                .zip(self.base.turns)
                .map(|(now, base)| now.saturating_sub(base)),
            slept_until: self.asleep_at.map(|at| at.saturating_sub(span.started)),
            unseen: span.uncertainty * 2,
            state: self.files.stat().map(|stat| stat.state),
            tally: self.tally.clone(),
            watchdog_late: self.late,
            ..Evidence::default()
        }
    }

    fn kernel_use(&self) -> Option<KernelUse> {
        let stat = self.files.stat()?;
        Some(KernelUse {
            user: ticks(stat.user_ticks)?,
            system: ticks(stat.system_ticks)?,
            minor_faults: stat.minor_faults,
            major_faults: stat.major_faults,
        })
    }

    /// Its thread.
    pub(crate) fn tid(&self) -> i32 {
        self.tid
    }

    /// Whether it was seen to wait for a lock.
    pub(crate) fn waits_for_a_lock(&self) -> bool {
        let main = self.tally.main_wait();
        main.is_some_and(|(wait, _)| wait.syscall.as_deref() == Some("futex"))
    }

    /// Whether the last look found it asleep.
    pub(crate) fn is_asleep(&self) -> bool {
        self.tally.asleep_looks() > 0
    }

    /// The split of a stall that is over, with its thread's CPU time at its end if that is known; in the proportions of its
    /// last report if its thread is gone as well.
    pub(crate) fn final_parts(
        &self,
        span: Span,
        last: Parts,
        ended_cpu: Option<Duration>,
    ) -> Parts {
        let mut evidence = self.times(span);
        if evidence.cpu.is_none() {
            return last.scaled_to(span.length);
        }
        if let (Some(ended), Some(base)) = (ended_cpu, self.base.cpu) {
            evidence.cpu = Some(ended.saturating_sub(base));
        }
        // The thread has gone on: what it does now says nothing about the poll.
        evidence.state = None;
        evidence.is_over = true;
        evidence.parts()
    }

    /// A stack of this poll is wanted if there is none, once: a thread that does not answer is not asked again and again.
    pub(crate) fn want_sample_once(&mut self) {
        if !std::mem::replace(&mut self.has_wanted_sample, true) {
            self.wants_sample = self.sample.is_none();
        }
    }

    /// The stack now.
    pub(crate) fn capture(&self, capturer: &mut Capturer) -> Captured {
        capturer.capture(self.tid, &self.stack, &self.files)
    }

    fn usage(&self) -> Usage {
        let schedule = self.files.schedule();
        Usage {
            cpu: self.files.cpu_time(),
            run_queue: schedule.map(|schedule| schedule.run_queue),
            turns: schedule.map(|schedule| schedule.turns),
        }
    }
}
