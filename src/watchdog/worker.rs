//! One watched worker: its episode, its evidence files, and the base line of the poll it is in.

use std::ops::Range;
use std::time::Duration;

use super::observe::Subject;

use crate::capture::{Captured, Capturer};
use crate::procfs::{SyscallState, ThreadFiles, syscall_name, wait_object};
use crate::runtime::slots::SlotView;
use crate::stall::{Episode, Evidence, Judgement, Parts, Span};

/// What is kept about a worker between looks.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) episode: Episode,
    /// The report that is open, if one is.
    pub(crate) open: Option<OpenReport>,
    files: ThreadFiles,
    tid: i32,
    stack: Range<u64>,
    base: Usage,
    /// Whether looks now also note the thread's state.
    suspected: bool,
    asleep_looks: (u32, u32),
    late: Duration,
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
}

impl Worker {
    pub(crate) fn new(now: Duration, view: &SlotView) -> Self {
        Self {
            episode: Episode::new(now),
            open: None,
            files: ThreadFiles::open(view.tid),
            tid: view.tid,
            stack: view.stack.0..view.stack.1,
            base: Usage::default(),
            suspected: false,
            asleep_looks: (0, 0),
            late: Duration::ZERO,
        }
    }

    /// A new poll: its evidence counts from here.
    pub(crate) fn begin(&mut self) {
        self.base = self.usage();
        self.suspected = false;
        self.asleep_looks = (0, 0);
        self.late = Duration::ZERO;
    }

    /// Half a threshold has passed: from now on looks note the state.
    pub(crate) fn suspect(&mut self) {
        self.suspected = true;
        self.note_state();
    }

    /// Notes whether the thread sleeps, while it is suspected.
    pub(crate) fn note_state(&mut self) {
        if !self.suspected {
            return;
        }
        if let Some(stat) = self.files.stat() {
            self.asleep_looks.0 += u32::from(stat.state != 'R');
            self.asleep_looks.1 += 1;
        }
    }

    /// The watchdog was late while this poll ran.
    pub(crate) fn note_lateness(&mut self, late: Duration) {
        self.late += late;
    }

    /// Everything known about the poll that lasts since `span.started`.
    pub(crate) fn evidence(&self, span: Span) -> Evidence {
        let now = self.usage();
        let since =
            |now: Option<Duration>, base: Option<Duration>| Some(now?.saturating_sub(base?));
        let call = match self.files.syscall() {
            Some(SyscallState::Blocked(call)) => Some(call),
            _ => None,
        };
        Evidence {
            wall: span.length,
            cpu: since(now.cpu, self.base.cpu),
            run_queue: since(now.run_queue, self.base.run_queue),
            state: self.files.stat().map(|stat| stat.state),
            asleep_looks: self.asleep_looks,
            syscall: call.map(|call| syscall_name(call.number)),
            wchan: self.files.wchan(),
            wait_object: call.as_ref().and_then(wait_object),
            watchdog_late: self.late,
        }
    }

    /// The split of a stall that is over; in the proportions of its last report if its thread is gone as well.
    pub(crate) fn final_parts(&self, span: Span, last: Parts) -> Parts {
        let mut evidence = self.evidence(span);
        if evidence.cpu.is_none() {
            return last.scaled_to(span.length);
        }
        // The thread has gone on: what it does now says nothing about the poll.
        evidence.state = None;
        evidence.parts()
    }

    /// The stack now.
    pub(crate) fn capture(&self, capturer: &mut Capturer) -> Captured {
        capturer.capture(self.tid, &self.stack, &self.files)
    }

    fn usage(&self) -> Usage {
        Usage {
            cpu: self.files.cpu_time(),
            run_queue: self.files.schedule().map(|schedule| schedule.run_queue),
        }
    }
}
