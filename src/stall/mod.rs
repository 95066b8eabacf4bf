//! Stalls: what is one, how it is judged, and the record that tells of it. PURE: values and `now` in, values out.

mod advice;
mod bucket;
mod episode;
mod event;
mod evidence;
mod fingerprint;
mod function_name;
mod holder;
mod incident;
mod judge;
mod limiter;
mod line;
mod ready_holders;
mod refine;
mod tally;
mod unreadable;
mod verdict;
mod victims;
mod waiting;

pub use event::{
    Advice, Confidence, Frame, Holder, Incident, Phase, SourceLine, SpanInfo, StackVia, Stall,
    TaskInfo, ThreadState, VictimSite, Victims,
};
pub use verdict::Verdict;

pub(crate) use advice::{Circumstance, WaitClue, advise};
pub(crate) use bucket::Bucket;
pub(crate) use episode::{Episode, Look, Span, Step};
pub(crate) use evidence::{Crowd, Evidence, KernelUse, MachineUse, Parts, SwitchUse};
pub(crate) use fingerprint::fingerprint;
pub(crate) use holder::{Grounds, Suspicion, Witness, suspicion};
pub(crate) use incident::{Incidents, Membership};
pub(crate) use judge::{Judgement, judge, judge_in_crowd};
pub(crate) use limiter::Limiter;
pub(crate) use line::{Agreement, agreement, is_runtime, own_future, own_line};
pub(crate) use ready_holders::{Holders, holders};
pub(crate) use refine::refine;
pub(crate) use tally::{Place, Tally, Wait};
pub(crate) use unreadable::{Reason, Unreadable};
pub(crate) use victims::{Stretch, TaskDelay, VictimTally, charge};
pub(crate) use waiting::{Target, WaitObject, Waiting};
