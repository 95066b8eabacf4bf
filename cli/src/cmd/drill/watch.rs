//! One run: starts a subject, listens to it and to pollscope's reports about it, and ends it.
//!
//! Reports come over the admin API that any user has. Everything is collected, nothing judged: that is `score`'s.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pollscope::finding::Finding;
use pollscope::stall::Stall;
use tokio::time::{Instant, timeout};

use super::disturb::Disturber;
use super::scenario::{Combination, Deed, Scenario, word};
use super::subject::Said;
use crate::admin_address::AdminAddress;
use crate::client::{Client, Followed};
use crate::cmd::child::Child;
use crate::ending::Failure;

/// Longest wait for a subject to be there.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// Longest wait for a subject to be done beyond what its scenario takes: disks and crowded machines.
const DONE_PATIENCE: Duration = Duration::from_secs(60);

/// How long an endless act is watched: reports at 10 ms and every doubling up to 2.56 s.
const ENDLESS: Duration = Duration::from_secs(4);

/// Time for the last reports after all is done.
const LAST_WORDS: Duration = Duration::from_millis(400);

/// How often it is asked whether a strain has been told.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Settling of a fresh process: its symbols are read, its workers met.
const SETTLING: Duration = Duration::from_millis(600);

/// A report, and when it was in hand, in microseconds since the Unix epoch.
#[derive(Debug, Clone)]
pub(super) struct Reported {
    pub(super) at_us: u64,
    pub(super) stall: Stall,
}

/// An act as its subject told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acted {
    pub(super) index: usize,
    pub(super) tid: i32,
    pub(super) began_us: u64,
    /// `None` while it lasts.
    pub(super) ended_us: Option<u64>,
    pub(super) error: Option<String>,
}

/// Everything that was seen of one run.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) acts: Vec<Acted>,
    pub(super) reports: Vec<Reported>,
    /// Findings that were told.
    pub(super) findings: Vec<Finding>,
    /// Reports that were lost on the way.
    pub(super) missed: u64,
    /// System calls that pollscope may have interrupted.
    pub(super) interrupted: u64,
    /// Of these, signals to threads that were known to stand in a call.
    pub(super) blocked_signalled: u64,
    /// How long it was watched.
    pub(super) seconds: f64,
}

/// Runs one subject to its end.
///
/// # Errors
///
/// When it cannot be started or does not do its part.
pub(super) async fn watch(
    scenario: &Scenario,
    run: Combination,
    seconds: u64,
) -> Result<Seen, Failure> {
    let mut child = Child::start(&words(scenario, run, seconds))?;
    let Said::Ready { admin } = child.json(START_PATIENCE).await? else {
        return Err(Failure::Unable(format!(
            "the subject of {} did not say where it is",
            scenario.name
        )));
    };
    let address = AdminAddress {
        service: None,
        url: admin,
    };
    let client = Client::new(address, None)?;
    let mut follow = client.follow().await?;
    tokio::time::sleep(SETTLING).await;
    child.say("go").await?;
    let began = Instant::now();
    let disturber = Disturber::start(scenario, child.id())?;
    let mut seen = Seen::default();
    let limit = began + time_limit(scenario, seconds);
    let mut asking = tokio::time::interval(ASK_EVERY);
    let mut is_done = false;
    while let Some(left) = limit.checked_duration_since(Instant::now()) {
        tokio::select! {
            followed = follow.next() => match followed {
                Some(followed) => seen.take(followed),
                None => break,
            },
            said = child.json_within::<Said>(left) => match said? {
                Some(Said::Done) => { is_done = true; break }
                Some(said) => seen.hear(said),
                // An endless act has nothing more to say.
                None => break,
            },
            _ = asking.tick(), if is_strained_enough(scenario, began.elapsed()) => {
                if is_told(scenario, &client.findings().await?) {
                    is_done = true;
                    break;
                }
            }
        }
    }
    if !is_done && !is_endless(scenario) {
        return Err(Failure::Unable(format!(
            "the subject of {} was not done in time",
            scenario.name
        )));
    }
    disturber.stop().await;
    while let Ok(Some(followed)) = timeout(LAST_WORDS, follow.next()).await {
        seen.take(followed);
    }
    seen.findings = client.findings().await?;
    seen.interrupted = client.metric("pollscope_interrupted_calls_total").await?;
    seen.blocked_signalled = client
        .metric("pollscope_blocked_threads_signalled_total")
        .await?;
    seen.seconds = began.elapsed().as_secs_f64();
    if is_endless(scenario) || matches!(scenario.deed, Deed::Finding(_)) {
        child.kill().await;
    } else {
        child.stop().await;
    }
    Ok(seen)
}

/// The words that make this program the subject.
fn words(scenario: &Scenario, run: Combination, seconds: u64) -> [String; 5] {
    [
        "drill-subject".to_owned(),
        scenario.name.clone(),
        format!("--runtime={}", word(&run.runtime)),
        format!("--tier={}", word(&run.tier)),
        format!("--seconds={seconds}"),
    ]
}

/// Whether it is a strain that has lasted as long as it must; it goes on until it is told, for as long as its subject bears it.
fn is_strained_enough(scenario: &Scenario, elapsed: Duration) -> bool {
    matches!(&scenario.deed, Deed::Finding(trouble) if elapsed >= Duration::from_secs(trouble.seconds))
}

fn is_told(scenario: &Scenario, findings: &[Finding]) -> bool {
    let wanted = match &scenario.deed {
        Deed::Finding(trouble) => Some(trouble.finding),
        Deed::Stall(_) | Deed::Silent(_) | Deed::Recorded(_) => None,
    };
    let mut kinds = findings.iter().map(|finding| finding.kind);
    kinds.any(|kind| Some(kind) == wanted)
}

fn is_endless(scenario: &Scenario) -> bool {
    matches!(&scenario.deed, Deed::Stall(hold) if hold.endless)
}

fn time_limit(scenario: &Scenario, seconds: u64) -> Duration {
    match &scenario.deed {
        Deed::Stall(hold) if hold.endless => ENDLESS,
        Deed::Stall(hold) => hold.duration() * hold.times + DONE_PATIENCE,
        Deed::Silent(_) => Duration::from_secs(seconds) + DONE_PATIENCE,
        Deed::Finding(trouble) => trouble.patience() + DONE_PATIENCE,
        // Not watched.
        Deed::Recorded(_) => Duration::ZERO,
    }
}

impl Seen {
    fn take(&mut self, followed: Followed) {
        match followed {
            Followed::Stall(stall) => self.reports.push(Reported {
                at_us: now_us(),
                stall: *stall,
            }),
            Followed::Missed(missed) => self.missed += missed,
        }
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Began {
                index,
                tid,
                began_us,
            } => self.acts.push(Acted {
                index,
                tid,
                began_us,
                ended_us: None,
                error: None,
            }),
            Said::Ended {
                index,
                began_us,
                ended_us,
                error,
                ..
            } => {
                let same = |acted: &&mut Acted| acted.index == index && acted.began_us == began_us;
                if let Some(acted) = self.acts.iter_mut().find(same) {
                    acted.ended_us = Some(ended_us);
                    acted.error = error;
                }
            }
            Said::Ready { .. } | Said::Done => {}
        }
    }
}

fn now_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
