//! `pollscope drill`: every known way to stall a runtime, and every innocent that looks like one, held against the truth.
//!
//! Each run is a process of its own, made by this program and watched over the admin API that any user has. What is to be
//! found stands in data files; `score` compares, `render` shows.

mod bench;
mod catalogue;
mod crowd;
mod disturb;
mod generations;
mod plan;
mod program;
mod promise;
mod quantile;
mod recorded;
mod report;
mod row;
mod scenario;
mod score;
mod strain;
mod subject;
mod watch;

use tokio::task::JoinSet;
use tokio::time::Instant;

use self::crowd::Usage;
use self::plan::{Plan, Run};
use self::report::Made;
use self::scenario::{Deed, Scenario};
use super::runtime;
use crate::args::{Drill, DrillSubject};
use crate::ending::{Ending, Failure};
use crate::render;
use crate::stop::{Stop, Supervision};

pub(crate) use promise::Promise;
pub(crate) use report::Report;
pub(crate) use row::Row;
pub(crate) use scenario::{Flavor, Tier, word};

/// Runs the drill, or lists its scenarios.
pub(crate) fn run(drill: &Drill) -> Result<Ending, Failure> {
    let scenarios = catalogue::named(&drill.scenario)?;
    if drill.list {
        let titles: Vec<_> = scenarios.iter().map(Scenario::marked_title).collect();
        let names = scenarios.iter().map(|scenario| scenario.name.as_str());
        let lines: Vec<_> = names.zip(titles.iter().map(String::as_str)).collect();
        render::scenarios(&lines)?;
        return Ok(Ending::Expected);
    }
    let plan = Plan::new(scenarios, drill);
    if plan.is_empty() {
        return Err(Failure::Usage(
            "no run is left of these scenarios, expected a runtime and tier that they have"
                .to_owned(),
        ));
    }
    if let Some(file) = &drill.markdown {
        render::check_drill_page(file)?;
    }
    let stop = Stop::listen(Supervision::None)?;
    let report = runtime()?.block_on(async {
        tokio::select! {
            // Subjects that are dropped are killed.
            () = stop.asked() => Err(Failure::Unable("stopped before all was done".to_owned())),
            report = perform(plan) => Ok(report),
        }
    })?;
    render::drill(&report, drill.json)?;
    if let Some(file) = &drill.markdown {
        render::drill_page(&report, file)?;
    }
    Ok(Ending::expected_if(report.is_as_expected()))
}

/// The process that is watched.
pub(crate) fn subject(subject: &DrillSubject) -> Result<Ending, Failure> {
    subject::run(subject)
}

/// A process that wants a CPU.
pub(crate) fn hog() -> Ending {
    disturb::hog();
    Ending::Expected
}

async fn perform(plan: Plan) -> Report {
    let silent_seconds = plan.silent_seconds();
    let began = Instant::now();
    let mut rows = Vec::new();
    let total = plan.len();
    let before = Usage::now();
    let mut others_share = None;
    for (jobs, runs) in plan.batches() {
        let mut waiting = runs.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < jobs
                && let Some(run) = waiting.next()
            {
                running.spawn(one(run));
            }
            let Some(done) = running.join_next().await else {
                break;
            };
            // A run does not panic; if one did, its row would be missing from the count below.
            rows.extend(done);
            render::drill_progress(rows.len(), total);
        }
        // The first batch: acts, whose reports are timed. In the last one hogs are the drill's own doing.
        if others_share.is_none() {
            others_share = before
                .zip(Usage::now())
                .and_then(|(before, after)| before.others_until(&after));
        }
    }
    rows.sort_by_key(|(number, _)| *number);
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    // Subjects have the threshold that everybody has unless told otherwise.
    let threshold = pollscope::Config::default().record;
    let words: Vec<_> = std::env::args().skip(1).collect();
    let made = Made {
        command: format!("pollscope {}", words.join(" ")),
        version: env!("CARGO_PKG_VERSION"),
        silent_seconds,
        machine: load::Machine::here(),
    };
    Report::new(rows, began.elapsed(), others_share, threshold, made)
}

async fn one(run: Run) -> (usize, Row) {
    if let Deed::Recorded(recorded) = &run.scenario.deed {
        let row = score::replayed(&run.scenario, recorded, run.combination);
        return (run.number, row);
    }
    let row = match watch::watch(&run.scenario, run.combination, run.seconds).await {
        Ok(seen) => score::score(&run.scenario, run.combination, &seen),
        Err(failure) => score::failed(&run.scenario, run.combination, &failure.to_string()),
    };
    (run.number, row)
}
