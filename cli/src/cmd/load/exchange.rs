//! `load exchange`: plans of the words.

use load::Report;
use load::exchange::ExchangePlan;
use load::schedule::RATE_PER_S_MAX;

use super::{Show, distribution, failure, files, finish, series, sweep};
use crate::args::ExchangeLoad;
use crate::ending::{Ending, Failure};
use crate::service::Service;
use crate::stop::Stop;

/// Runs what the words ask for.
pub(super) async fn run(load: &ExchangeLoad, stop: &Stop) -> Result<Ending, Failure> {
    let options = &load.options;
    let plan = plan(load);
    plan.check()
        .map_err(|error| failure(&error, Service::Exchange))?;
    files::raise();
    let show = Show::new(options);
    if options.sweep {
        let at = async |rate_per_s| {
            let plan = ExchangePlan {
                rate_per_s,
                ..plan.clone()
            };
            once(plan, &show, stop).await
        };
        return sweep::run(options, RATE_PER_S_MAX, stop, at).await;
    }
    if options.runs > 1 {
        let of = async |_side: usize| once(plan.clone(), &show, stop).await;
        return series::run(options, &["orders"], stop, of).await;
    }
    finish(&once(plan, &show, stop).await?, options)
}

async fn once(plan: ExchangePlan, show: &Show, stop: &Stop) -> Result<Report, Failure> {
    let on_progress = |progress: &load::Progress| show.progress(progress);
    let outcome = load::exchange::run(plan, stop.clone().asked(), on_progress).await;
    show.end();
    outcome.map_err(|error| failure(&error, Service::Exchange))
}

fn plan(load: &ExchangeLoad) -> ExchangePlan {
    let options = &load.options;
    let mut plan = ExchangePlan::new(load.address);
    (plan.sessions, plan.symbols) = (load.sessions, load.symbols);
    plan.target.clone_from(&load.target);
    (plan.rate_per_s, plan.duration, plan.seed) = (options.rate, options.duration, options.seed);
    (plan.warm_up, plan.distribution) = (options.warm_up, distribution(options));
    plan.server_pid = options.server_pid;
    plan
}
