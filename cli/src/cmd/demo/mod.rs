//! `pollscope demo`: two real services under load, broken on purpose, and what is found.
//!
//! The demo itself is only a driver: services and clients are processes of their own, and it learns what anybody can
//! learn over the admin API. It never leaves a process behind, whichever way it ends.

mod sighting;
mod stage;
mod symptom;
mod walk;

use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::stage::{LOAD_TEXT, Seen, Stage};
use self::walk::{Found, Walk};
use super::runtime;
use crate::args::{self, Demo};
use crate::ending::{Ending, Failure};
use crate::fault_list::{self, FaultList};
use crate::render::DemoShow;
use crate::stop::{Stop, Supervision};

pub(crate) use sighting::{Match, Outcome};

/// Default bound: a walk through eight faults takes less than half a minute, the rest is for machines that do much else.
const DURATION_DEFAULT: Duration = Duration::from_secs(110);

/// Default length of a clean run.
const CLEAN_DEFAULT: Duration = Duration::from_secs(20);

/// The load outlasts the walk by this, to be stopped rather than to end.
const LOAD_MARGIN: Duration = Duration::from_secs(60);

/// Load for those who stay: its schedule is computed before and takes memory, some 25 MB for two hours.
const LOAD_KEPT: Duration = Duration::from_secs(2 * 60 * 60);

/// What the whole demo came to. Field names are a promise: never renamed, only added to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    /// Faults that were switched on.
    pub(crate) faults_tried: usize,
    /// Those of which a stall in their source file was reported, or the declared condition or move of a metric was seen.
    pub(crate) faults_found: usize,
    /// Those reported on a declared line, or found where none is declared.
    pub(crate) right_line: usize,
    /// Those reported with the declared verdict, or found where none is declared.
    pub(crate) right_verdict: usize,
    /// Seconds from the start of the demo to the first report.
    pub(crate) first_report_s: Option<f64>,
    /// Stalls of 100 ms or more that no fault and no machine explains.
    pub(crate) unexpected_stalls: usize,
    /// Seconds that the demo took, without stopping.
    pub(crate) wall_s: f64,
    /// Whether it was ended before its time.
    pub(crate) interrupted: bool,
}

/// Runs the demo to its end, its deadline, or Ctrl-C.
pub(crate) fn run(demo: Demo) -> Result<Ending, Failure> {
    let started = Instant::now();
    let shown = FaultList::shown_by_traffic().0;
    let faults = demo.faults.clone().map_or(shown.clone(), |list| list.0);
    let is_shown = |fault: &&'static faults::Fault| shown.iter().any(|of| of.name == fault.name);
    if let Some(fault) = faults.iter().find(|fault| !is_shown(fault)) {
        return Err(Failure::Usage(format!(
            "`{}` does not show under the load of the demo; expected some of {}, the others are for `pollscope faults on`",
            fault.name,
            fault_list::names(&shown)
        )));
    }
    let stop = Stop::listen(Supervision::None)?;
    let driver = Driver {
        show: DemoShow::new(demo.json),
        stop,
        started,
        demo,
    };
    runtime()?.block_on(driver.run(&faults))
}

/// What drives the demo.
struct Driver {
    demo: Demo,
    show: DemoShow,
    stop: Stop,
    started: Instant,
}

impl Driver {
    async fn run(&self, faults: &[&'static faults::Fault]) -> Result<Ending, Failure> {
        let token = args::environment_token();
        // An interrupted start drops the children, which kills them.
        let (mut stage, mut events) = tokio::select! {
            () = self.stop.clone().asked() => return Err(Failure::Unable("stopped before it began".to_owned())),
            stage = Stage::start(&self.demo, token.as_deref()) => stage?,
        };
        let outcome = self.perform(&mut stage, &mut events, faults).await;
        stage.stop().await;
        outcome
    }

    async fn perform(
        &self,
        stage: &mut Stage,
        events: &mut mpsc::Receiver<Seen>,
        faults: &[&'static faults::Fault],
    ) -> Result<Ending, Failure> {
        let default = if faults.is_empty() {
            CLEAN_DEFAULT
        } else {
            DURATION_DEFAULT
        };
        let bound = self.demo.duration.unwrap_or(default);
        let announcements: Vec<_> = stage
            .services
            .iter()
            .map(|running| &running.announcement)
            .collect();
        self.show.opening(&announcements, LOAD_TEXT, faults.len())?;
        let outlasts = if self.demo.keep {
            LOAD_KEPT
        } else {
            bound + LOAD_MARGIN
        };
        stage.load(outlasts)?;
        let mut found = Found::default();
        let mut walk = Walk {
            stage,
            events,
            show: &self.show,
            started: self.started,
            deadline: Some(self.started + bound),
            found: &mut found,
        };
        let acts = async {
            if faults.is_empty() {
                walk.watch().await?;
            } else {
                walk.through(faults).await?;
            }
            if self.demo.keep {
                self.show.staying()?;
                walk.deadline = self.demo.duration.map(|duration| self.started + duration);
                while walk.watch_quietly().await? {}
            }
            Ok::<(), Failure>(())
        };
        tokio::select! {
            () = self.stop.clone().asked() => {}
            outcome = acts => outcome?,
        }
        let wall = self.started.elapsed();
        self.show.reports(&stage.stop_loads().await)?;
        let summary = self.summary(&found, wall);
        self.show.summary(&summary, &found.outcomes)?;
        let is_met = found.outcomes.iter().all(Outcome::is_as_declared)
            && (!faults.is_empty() || found.unexpected.is_empty());
        Ok(Ending::expected_if(is_met))
    }

    fn summary(&self, found: &Found, wall: Duration) -> Summary {
        let count =
            |is: fn(&Outcome) -> bool| found.outcomes.iter().filter(|outcome| is(outcome)).count();
        Summary {
            faults_tried: found.outcomes.len(),
            faults_found: count(|outcome| outcome.found),
            right_line: count(|outcome| outcome.right_line),
            right_verdict: count(|outcome| outcome.right_verdict),
            first_report_s: found.first_report.map(|after| after.as_secs_f64()),
            unexpected_stalls: found.unexpected.len(),
            wall_s: wall.as_secs_f64(),
            interrupted: self.stop.is_asked(),
        }
    }
}
