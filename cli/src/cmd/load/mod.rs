//! `pollscope load`: clients from outside, and what they felt.
//!
//! A load is run once, several times, or at one rate after the other; all three need only something that can run at a rate.
//! `chat` and `exchange` make plans of the words, `parts` divides a run among processes, `series` and `sweep` repeat it.

mod chat;
mod exchange;
mod files;
mod null;
mod parts;
mod series;
mod sweep;

use std::io::IsTerminal as _;
use std::time::Duration;

use load::schedule::Distribution;
use load::{Error, Progress, Report};

use super::runtime;
use crate::args::{Load, LoadOptions};
use crate::ending::{Ending, Failure, chain};
use crate::render;
use crate::service::Service;
use crate::stop::{Stop, Supervision};

pub(crate) use null::run as null;
pub(crate) use series::{Series, Side, Spread};
pub(crate) use sweep::SweepReport;

/// Runs the load to its end or to Ctrl-C; either way there is a report.
pub(crate) fn run(workload: &Load) -> Result<Ending, Failure> {
    let options = workload.options();
    let stop = Stop::listen(Supervision::from_option(options.supervised))?;
    runtime()?.block_on(async {
        match workload {
            Load::Chat(load) => chat::run(load, &stop).await,
            Load::Exchange(load) => exchange::run(load, &stop).await,
        }
    })
}

/// Shows how far a run is, on a terminal.
struct Show {
    is_on: bool,
}

impl Show {
    fn new(options: &LoadOptions) -> Self {
        Self {
            is_on: std::io::stderr().is_terminal() && !options.supervised,
        }
    }

    fn progress(&self, progress: &Progress) {
        if self.is_on && progress.elapsed > Duration::ZERO {
            render::progress(&progress.to_string());
        }
    }

    fn end(&self) {
        if self.is_on {
            render::progress_end();
        }
    }
}

/// Writes one run's report and the files that were asked for.
fn finish(report: &Report, options: &LoadOptions) -> Result<Ending, Failure> {
    if let Some(file) = &options.hlog {
        render::interval_log(report, file)?;
    }
    if let Some(file) = &options.svg {
        render::load_plot(&[report], file)?;
    }
    render::load(report, options.json)?;
    Ok(Ending::expected_if(report.is_good()))
}

fn distribution(options: &LoadOptions) -> Distribution {
    if options.constant {
        Distribution::Constant
    } else {
        Distribution::Poisson
    }
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
