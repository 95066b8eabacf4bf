//! One run in several processes: this program again, once for each part of the clients.
//!
//! The first process only divides, begins and adds up. A part says when its clients are in, begins when it is told to, and
//! ends with its account on standard output.

use std::time::{Duration, SystemTime};

use load::chat::{ChatPlan, Profile, run_part};
use load::schedule::{Distribution, Pacing};
use load::{Account, Meter, Progress, Report};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::failure;
use crate::cmd::child::Child;
use crate::ending::Failure;
use crate::render;
use crate::service::Service;
use crate::stop::Stop;

/// Longest wait until all clients of a part are in.
const ENTER_PATIENCE: Duration = Duration::from_secs(300);
/// Longest wait for an account after the last message was due: a storm gives up on a client after a minute.
const ACCOUNT_PATIENCE: Duration = Duration::from_secs(120);

/// A part's first line: its clients are in.
#[derive(Debug, Serialize, Deserialize)]
struct AllIn {
    all_in: u64,
}

/// Runs the plan in `processes` processes.
pub(super) async fn run(plan: &ChatPlan, processes: usize, stop: &Stop) -> Result<Report, Failure> {
    let mut meter = plan.server_pid.and_then(Meter::new);
    let run = std::process::id();
    let mut children = (0..processes)
        .map(|part| Child::start(&words(plan, &format!("{part}/{processes}/{run}"))))
        .collect::<Result<Vec<_>, _>>()?;
    for child in &mut children {
        tokio::select! {
            all_in = child.json::<AllIn>(ENTER_PATIENCE) => all_in.map(drop)?,
            () = stop.clone().asked() => {
                return Err(Failure::Unable("cancelled before the first message was sent".to_owned()));
            }
        }
    }
    if let Some(meter) = &mut meter {
        meter.start();
    }
    let started = SystemTime::now();
    for child in &mut children {
        child.say("go").await?;
    }
    tokio::select! {
        () = sleep(plan.warm_up + plan.duration) => {}
        () = stop.clone().asked() => children.iter_mut().for_each(Child::ask_to_stop),
    }
    let server = meter.and_then(|meter| meter.end(plan.clients));
    let mut whole: Option<Account> = None;
    for mut child in children {
        let account: Account = child.json(ACCOUNT_PATIENCE).await?;
        match &mut whole {
            Some(whole) => whole.add(&account),
            None => whole = Some(account),
        }
        child.stop().await;
    }
    let whole = whole.ok_or_else(|| Failure::Unable("there are no processes".to_owned()))?;
    plan.report(&whole, server, started)
        .map_err(|error| failure(&error, Service::Chat))
}

/// Is one of those processes.
pub(super) async fn serve(plan: ChatPlan, stop: &Stop) -> Result<(), Failure> {
    let mut has_said = is_nobody_awaited(&plan);
    if has_said {
        render::json_line(&AllIn { all_in: 0 })?;
    }
    let on_progress = |progress: &Progress| {
        if !has_said && progress.connected == progress.clients {
            has_said = true;
            // If nobody reads this, the end of standard input ends the run.
            let _ = render::json_line(&AllIn {
                all_in: progress.connected,
            });
        }
    };
    let (go, cancel) = (stop.clone().told(), stop.clone().asked());
    let account = run_part(plan, go, cancel, on_progress)
        .await
        .map_err(|error| failure(&error, Service::Chat))?;
    render::json_line(&account)
}

/// In a storm of arrivals nobody is in before it begins.
fn is_nobody_awaited(plan: &ChatPlan) -> bool {
    plan.profile == Profile::Storm
}

/// The command line of one part.
fn words(plan: &ChatPlan, part: &str) -> Vec<String> {
    let mut words = vec![
        "load".to_owned(),
        "chat".to_owned(),
        format!("--address={}", plan.address),
        format!("--clients={}", plan.clients),
        format!("--room-size={}", plan.room_size),
        format!("--profile={}", plan.profile),
        format!("--rate={}", plan.rate_per_s),
        format!("--duration={}", plan.duration.as_secs()),
        format!("--warm-up={}", plan.warm_up.as_secs()),
        format!("--seed={}", plan.seed),
        format!("--part={part}"),
        "--supervised".to_owned(),
    ];
    for (word, is_set) in [
        ("--constant", plan.distribution == Distribution::Constant),
        ("--burst", plan.burst.is_some()),
        ("--closed", plan.pacing == Pacing::Closed),
    ] {
        words.extend(is_set.then(|| word.to_owned()));
    }
    words
}
