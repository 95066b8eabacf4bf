//! Moment after moment, what the watchdog and the reporter would have done.
//!
//! The order of steps is theirs; every decision is made by what they use: rounds, episode, worker, judge, composer.

use std::sync::Arc;
use std::time::Duration;

use super::reading::refused;
use super::recording::{MomentRecording, PollRecording, Recording, StackRecording};
use crate::Error;
use crate::capture::Captured;
use crate::config::Config;
use crate::procfs::{Environment, RecordedSurroundings, ready_among};
use crate::report::{close, compose, is_announced, is_elsewhere, keep_better_cause, standstill};
use crate::stall::{Crowd, Frame, Look, Phase, Span, Stall, Step, judge_in_crowd};
use crate::watchdog::{
    Beside, Lateness, Observed, OpenReport, Rounds, Standstill, Subject, Worker, lateness,
};

/// What stands in the place of the service's name and the runtime's.
const RECORDED: &str = "recorded";

/// Plays all of it.
pub(super) fn play(recording: &Recording) -> Result<Vec<Stall>, Error> {
    let first = recording.moments.first();
    let first = first.ok_or_else(|| refused("it has no moments"))?;
    let surroundings = Arc::new(recording.surroundings()?);
    let rounds = Rounds::read_from(
        first.own_files(),
        first.now(),
        recording.cpus,
        &first.environment(),
    );
    let threshold = Duration::from_millis(recording.threshold_ms);
    let mut player = Player {
        recording,
        surroundings,
        config: Config {
            service: RECORDED.to_owned(),
            record: threshold,
            ..Config::default()
        },
        threshold,
        rounds,
        worker: None,
        next_id: 1,
        earlier: None,
        last: None,
        told: Vec::new(),
    };
    for (index, moment) in recording.moments.iter().enumerate() {
        player.moment(moment, index == 0);
    }
    Ok(player.told)
}

struct Player<'a> {
    recording: &'a Recording,
    surroundings: Arc<RecordedSurroundings>,
    config: Config,
    threshold: Duration,
    rounds: Rounds,
    worker: Option<Worker>,
    next_id: u64,
    /// The stack of this poll that was taken before.
    earlier: Option<&'a StackRecording>,
    /// The last report of the open stall.
    last: Option<Stall>,
    told: Vec<Stall>,
}

impl Player<'_> {
    fn moment(&mut self, moment: &MomentRecording, is_first: bool) {
        let environment = moment.environment();
        if !is_first {
            self.rounds.reread_from(moment.own_files());
            self.end_round(moment, &environment);
        }
        if let Some(poll) = &moment.poll {
            self.look(moment, poll, &environment);
        }
    }

    fn end_round(&mut self, moment: &MomentRecording, environment: &Environment) {
        let wanted = moment.round.wanted.map(Duration::from_nanos);
        let round = self.rounds.end(moment.now(), wanted, environment);
        let judged = lateness(&round);
        match (judged, &mut self.worker) {
            (Lateness::Crowded(late), Some(worker)) => worker.note_lateness(late, false),
            (Lateness::Throttled(late), Some(worker)) => worker.note_lateness(late, true),
            (Lateness::Frozen(gap) | Lateness::Suspended { gap, .. }, Some(worker)) => {
                worker.episode.excuse(gap);
            }
            _ => (),
        }
        let polls = self.worker.iter();
        let beside = Beside {
            tracer: environment.tracer(),
            polls: polls.filter(|worker| worker.episode.is_busy()).count(),
        };
        if let Some(found) = Standstill::of(&round, judged, beside) {
            let found = Standstill {
                id: self.number(),
                started_at_unix_ms: unix_ms_before(moment, found.length),
                ..found
            };
            self.told.push(Stall {
                tid: self.recording.process.unwrap_or_default(),
                ..standstill(&found, &self.config)
            });
        }
    }

    fn look(&mut self, moment: &MomentRecording, poll: &PollRecording, environment: &Environment) {
        let now = moment.now();
        let files = poll.files(&self.surroundings);
        let worker = match self.worker.take() {
            Some(mut worker) => {
                worker.reread_from(files);
                worker
            }
            None => Worker::read_from(files, now, self.recording.thread, 0..0),
        };
        let worker = self.worker.insert(worker);
        let look = Look {
            token: poll.token,
            busy: poll.token != 0,
            ended: None,
        };
        match worker.episode.step(now, look, self.threshold) {
            Step::Quiet => {
                worker.note_state(now);
                if worker.wants_sample && look.busy {
                    self.take_sample(now);
                }
            }
            Step::Begun => {
                worker.begin();
                self.earlier = None;
            }
            Step::Suspect => {
                worker.suspect(environment);
                worker.wants_sample = true;
                self.take_sample(now);
            }
            Step::Due(span) => {
                worker.suspect(environment);
                worker.note_state(now);
                self.report(moment, span, environment);
            }
            Step::Over(span) => self.close(span, look.busy),
            // A recording has no stamps, without which nothing is known to have been missed.
            Step::Missed(_) => (),
        }
    }

    fn take_sample(&mut self, now: Duration) {
        self.earlier = self.stack_at(now);
        if let (Some(worker), Some(_)) = (&mut self.worker, self.earlier) {
            worker.wants_sample = false;
        }
    }

    fn report(&mut self, moment: &MomentRecording, span: Span, environment: &Environment) {
        let Some(worker) = &self.worker else { return };
        let mut evidence = worker.evidence(span, environment);
        let cpus = self.recording.cpus;
        let crowd = || {
            let tasks = &moment.machine.tasks;
            (!tasks.is_empty()).then(|| Crowd {
                ready: ready_among(tasks.iter().cloned()),
                cpus,
            })
        };
        let Some(judgement) = judge_in_crowd(&mut evidence, self.threshold, crowd) else {
            return;
        };
        let is_machine = judgement.verdict.is_machine();
        let taken = self.stack_at(moment.now()).filter(|_| !is_machine);
        let earlier = std::mem::replace(&mut self.earlier, taken);
        let known = worker.open.as_ref();
        let known = known.map(|open| (open.id, open.started_at_unix_ms));
        let phase = if known.is_some() {
            Phase::Again
        } else {
            Phase::Open
        };
        let (id, started_at_unix_ms) =
            known.unwrap_or_else(|| (self.number(), unix_ms_before(moment, span.length)));
        let observed = Observed {
            id,
            phase,
            subject: subject(self.recording),
            started_at_unix_ms,
            span,
            threshold: self.threshold,
            parts: evidence.parts(),
            wait: evidence.main_wait(judgement.verdict),
            judgement,
            captured: Some(
                taken.map_or_else(|| Captured::none("not recorded"), StackRecording::captured),
            ),
            earlier: earlier.map(StackRecording::captured),
            lock: None,
            victims: None,
        };
        if let Some(worker) = &mut self.worker {
            worker.episode.reported(moment.now());
            worker.open = Some(OpenReport {
                id,
                started_at_unix_ms,
                judgement: observed.judgement.clone(),
                subject: observed.subject.clone(),
                parts: observed.parts,
            });
        }
        let frames = |stack: Option<&StackRecording>| {
            stack.map_or_else(Vec::new, StackRecording::shared_frames)
        };
        self.tell(&observed, frames(taken), frames(earlier));
    }

    fn tell(&mut self, observed: &Observed, stack: Vec<Arc<Frame>>, earlier: Vec<Arc<Frame>>) {
        let complete = observed
            .captured
            .as_ref()
            .is_some_and(|captured| captured.complete);
        if is_announced(&stack) || is_elsewhere(&stack, complete) {
            return;
        }
        let composed = compose(observed, stack, earlier, &self.config);
        let stall = match &self.last {
            Some(last) => keep_better_cause(composed, last, observed.parts),
            None => composed.stall,
        };
        let stall = Stall {
            runtime: RECORDED.to_owned(),
            ..stall
        };
        self.last = Some(stall.clone());
        self.told.push(stall);
    }

    fn close(&mut self, span: Span, busy_again: bool) {
        let Some(worker) = &mut self.worker else {
            return;
        };
        let open = worker.open.take();
        let parts = open
            .as_ref()
            .map(|open| worker.final_parts(span, open.parts, None));
        if busy_again {
            worker.begin();
        }
        self.earlier = None;
        let (Some(open), Some(parts), Some(last)) = (open, parts, self.last.take()) else {
            return;
        };
        let observed = Observed {
            id: open.id,
            phase: Phase::Close,
            subject: open.subject,
            started_at_unix_ms: open.started_at_unix_ms,
            span,
            threshold: self.threshold,
            parts,
            judgement: open.judgement,
            captured: None,
            earlier: None,
            wait: None,
            lock: None,
            victims: None,
        };
        self.told.push(close(&observed, &last));
    }

    fn number(&mut self) -> u64 {
        let number = self.next_id;
        self.next_id += 1;
        number
    }
}

impl<'a> Player<'a> {
    /// The stack that the thread had.
    fn stack_at(&self, now: Duration) -> Option<&'a StackRecording> {
        let mut stacks = self.recording.stacks.iter().rev();
        stacks.find(|stack| Duration::from_nanos(stack.monotonic) <= now)
    }
}

fn subject(recording: &Recording) -> Subject {
    Subject {
        runtime: None,
        worker: None,
        tid: recording.thread,
        task_id: None,
        spawned_at: None,
    }
}

fn unix_ms_before(moment: &MomentRecording, length: Duration) -> u64 {
    let now = Duration::from_nanos(moment.realtime);
    u64::try_from(now.saturating_sub(length).as_millis()).unwrap_or(u64::MAX)
}
