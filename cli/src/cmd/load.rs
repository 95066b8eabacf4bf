//! `pollscope load`: clients from outside, and what they felt.

use std::io::IsTerminal as _;
use std::time::Duration;

use load::chat::ChatPlan;
use load::exchange::ExchangePlan;
use load::schedule::Distribution;
use load::stamp::Stamp;
use load::{Error, Progress, Report};

use super::runtime;
use crate::args::{Load, LoadOptions};
use crate::ending::{Ending, Failure, chain};
use crate::render;
use crate::service::Service;
use crate::stop::{Stop, Supervision};

/// Runs the load to its end or to Ctrl-C; either way there is a report.
pub(crate) fn run(workload: Load) -> Result<Ending, Failure> {
    let (service, options) = match &workload {
        Load::Chat { options, .. } => (Service::Chat, options),
        Load::Exchange { options, .. } => (Service::Exchange, options),
    };
    let as_json = options.json;
    let stop = Stop::listen(Supervision::from_option(options.supervised))?;
    let shows_progress = std::io::stderr().is_terminal() && !options.supervised;
    let on_progress = |progress: &Progress| {
        if shows_progress && progress.elapsed > Duration::ZERO {
            render::progress(&progress.to_string());
        }
    };
    let outcome = runtime()?.block_on(async {
        match workload {
            Load::Chat {
                clients,
                room_size,
                address,
                options,
            } => {
                let mut plan = ChatPlan::new(address);
                (plan.clients, plan.room_size) = (clients, room_size);
                (plan.rate_per_s, plan.duration, plan.seed) =
                    (options.rate, options.duration, options.seed);
                (plan.distribution, plan.server_pid) = (distribution(&options), options.server_pid);
                load::chat::run(plan, stop.asked(), on_progress).await
            }
            Load::Exchange {
                sessions,
                symbols,
                target,
                address,
                options,
            } => {
                let mut plan = ExchangePlan::new(address);
                (plan.sessions, plan.symbols, plan.target) = (sessions, symbols, target);
                (plan.rate_per_s, plan.duration, plan.seed) =
                    (options.rate, options.duration, options.seed);
                (plan.distribution, plan.server_pid) = (distribution(&options), options.server_pid);
                load::exchange::run(plan, stop.asked(), on_progress).await
            }
        }
    });
    if shows_progress {
        render::progress_end();
    }
    let report = outcome.map_err(|error| failure(&error, service))?;
    render::load(&report, as_json)?;
    Ok(Ending::expected_if(is_good(&report)))
}

fn distribution(options: &LoadOptions) -> Distribution {
    if options.constant {
        Distribution::Constant
    } else {
        Distribution::Poisson
    }
}

/// Whether the figures may be believed and nothing is missing.
fn is_good(report: &Report) -> bool {
    report.stamp == Stamp::Ok && report.lost == 0
}

fn failure(error: &Error, service: Service) -> Failure {
    let text = chain(error);
    if error.is_plan() {
        Failure::Usage(text)
    } else if error.is_connect() {
        Failure::Unable(format!(
            "{text}; start one with `pollscope serve {service}`"
        ))
    } else {
        Failure::Unable(text)
    }
}
