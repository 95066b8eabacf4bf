//! `load chat`: plans of the words, and who runs them.

use load::Report;
use load::chat::{ChatPlan, Part, Profile};
use load::null::Floor;
use load::schedule::{Burst, Pacing, RATE_PER_S_MAX};

use super::{Show, distribution, failure, files, finish, null, parts, series, sweep};
use crate::args::ChatLoad;
use crate::ending::{Ending, Failure};
use crate::service::Service;
use crate::stop::Stop;

/// Members of a room unless told otherwise: the size that the reference figures are for.
const ROOM_SIZE: usize = 50;

/// Runs what the words ask for.
pub(super) async fn run(load: &ChatLoad, stop: &Stop) -> Result<Ending, Failure> {
    let plan = plan(load);
    plan.check().map_err(|error| refused(&error))?;
    files::allow(plan.part, plan.clients, load.processes)?;
    if load.part.is_some() {
        return parts::serve(plan, stop).await.map(|()| Ending::Expected);
    }
    let options = &load.options;
    let runner = Runner {
        floor: if options.supervised {
            // Whoever supervises wants this load on its service, and nothing beside it.
            None
        } else {
            Some(null::floor().await?)
        },
        processes: load.processes,
        show: Show::new(options),
        stop,
    };
    if options.sweep {
        let at = async |rate_per_s| {
            let plan = ChatPlan {
                rate_per_s,
                ..plan.clone()
            };
            runner.once(plan).await
        };
        return sweep::run(options, RATE_PER_S_MAX, stop, at).await;
    }
    if options.runs > 1 || load.against.is_some() {
        let profiles = std::iter::once(plan.profile).chain(load.against);
        let names: Vec<Profile> = profiles.collect();
        let of = async |side: usize| {
            let plan = ChatPlan {
                profile: names[side],
                ..plan.clone()
            };
            runner.once(plan).await
        };
        let names: Vec<&str> = names.iter().map(|profile| profile.name()).collect();
        return series::run(options, &names, stop, of).await;
    }
    finish(&runner.once(plan).await?, options)
}

/// Runs plans, alone or with others.
struct Runner<'a> {
    floor: Option<Floor>,
    processes: u16,
    show: Show,
    stop: &'a Stop,
}

impl Runner<'_> {
    async fn once(&self, plan: ChatPlan) -> Result<Report, Failure> {
        let report = if self.processes > 1 {
            parts::run(&plan, self.processes.into(), self.stop).await
        } else {
            let on_progress = |progress: &load::Progress| self.show.progress(progress);
            load::chat::run(plan, self.stop.clone().asked(), on_progress)
                .await
                .map_err(|error| refused(&error))
        };
        self.show.end();
        let mut report = report?;
        report.null_server = self.floor;
        Ok(report)
    }
}

fn refused(error: &load::Error) -> Failure {
    failure(error, Service::Chat)
}

fn plan(load: &ChatLoad) -> ChatPlan {
    let options = &load.options;
    let mut plan = ChatPlan::new(load.address);
    let room_size = load.room_size.unwrap_or(ROOM_SIZE.min(load.clients));
    (plan.clients, plan.room_size, plan.profile) = (load.clients, room_size, load.profile);
    (plan.rate_per_s, plan.duration, plan.seed) = (options.rate, options.duration, options.seed);
    (plan.warm_up, plan.distribution) = (options.warm_up, distribution(options));
    (plan.server_pid, plan.part) = (options.server_pid, load.part.unwrap_or_else(Part::whole));
    if load.burst {
        let usual = Burst::starting_at(options.warm_up);
        let room = options.duration.saturating_sub(usual.duration) / 2;
        plan.burst = Some(Burst::starting_at(options.warm_up + room));
    }
    if load.closed {
        plan.pacing = Pacing::Closed;
    }
    plan
}
