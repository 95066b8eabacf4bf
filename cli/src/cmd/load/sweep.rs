//! One run at a rate after the other, until the knee is found.

use load::Report;
use load::stamp::Stamp;
use load::sweep::{Goal, Sweep};
use serde::Serialize;

use crate::args::LoadOptions;
use crate::ending::{Ending, Failure};
use crate::render;
use crate::stop::Stop;

/// What a sweep came to.
#[derive(Debug, Serialize)]
pub(crate) struct SweepReport {
    /// The highest rate per second that met the goal; `None` if none did.
    pub(crate) knee_per_s: Option<f64>,
    /// The goal: the 99th percentile of the response times in milliseconds.
    pub(crate) goal_ms: f64,
    /// Whether the lowest rate that missed the goal was more than the generator could offer: the knee is then its own, and
    /// the service may bear more.
    pub(crate) generator_limited: bool,
    /// Whether the search was ended by its caller.
    pub(crate) cancelled: bool,
    /// Every run, in the order in which they were tried.
    pub(crate) runs: Vec<SweepRun>,
}

/// One rate that was tried.
#[derive(Debug, Serialize)]
pub(crate) struct SweepRun {
    /// Messages per second that were asked for.
    pub(crate) rate_per_s: f64,
    /// Whether the goal was met.
    pub(crate) met: bool,
    #[serde(flatten)]
    pub(crate) report: Report,
}

fn is_generator_limited(runs: &[SweepRun]) -> bool {
    let missed = runs.iter().filter(|run| !run.met);
    let lowest = missed.min_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s));
    lowest.is_some_and(|run| run.report.stamp == Stamp::Invalid)
}

/// Searches the knee with runs `at` one rate after the other.
pub(super) async fn run(
    options: &LoadOptions,
    rate_max: f64,
    stop: &Stop,
    at: impl AsyncFn(f64) -> Result<Report, Failure>,
) -> Result<Ending, Failure> {
    let goal = Goal {
        p99_ms: options.goal_ms,
    };
    let mut sweep = Sweep::starting_at(options.rate, rate_max);
    let mut runs = Vec::new();
    while let Some(rate_per_s) = sweep.next() {
        let report = at(rate_per_s).await?;
        if report.cancelled || stop.is_asked() {
            break;
        }
        let met = goal.is_met(&report);
        render::sweep_step(rate_per_s, met, &report);
        sweep.record(met);
        runs.push(SweepRun {
            rate_per_s,
            met,
            report,
        });
    }
    let swept = SweepReport {
        knee_per_s: sweep.knee(),
        generator_limited: is_generator_limited(&runs),
        goal_ms: goal.p99_ms,
        cancelled: stop.is_asked(),
        runs,
    };
    if let Some(file) = &options.svg {
        let good: Vec<&Report> = swept.runs.iter().map(|run| &run.report).collect();
        render::load_plot(&good, file)?;
    }
    render::sweep(&swept, options.json)?;
    Ok(Ending::expected_if(swept.knee_per_s.is_some()))
}
