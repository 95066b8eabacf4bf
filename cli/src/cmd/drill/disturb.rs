//! What is done to a subject from outside: other processes that want its CPUs, and stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;

use super::scenario::{Deed, Disturbance, Scenario};
use crate::cmd::child::Child;
use crate::ending::Failure;

/// Hogs a CPU: enough that each thread of the subject gets less than half of what it wants.
const HOGS_PER_CPU: usize = 2;

/// Lengths of the stops, by turns: shorter and longer than what counts as stuck.
const STOPS: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(50),
    Duration::from_millis(2000),
];

/// Pause between two stops.
const PAUSE: Duration = Duration::from_millis(1500);

/// The disturbance of one subject, under way.
pub(super) struct Disturber {
    hogs: Vec<Child>,
    stopper: Option<(JoinHandle<()>, Option<Pid>)>,
}

impl Disturber {
    /// Begins to disturb the subject as its scenario wants.
    pub(super) fn start(scenario: &Scenario, subject: Option<u32>) -> Result<Self, Failure> {
        let disturbance = match &scenario.deed {
            Deed::Silent(quiet) => quiet.disturbance,
            Deed::Stall(_) | Deed::Finding(_) | Deed::Recorded(_) => Disturbance::None,
        };
        let pid = subject
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw);
        let hogs = match disturbance {
            Disturbance::Hogs => {
                let count = available_parallelism().map_or(1, usize::from) * HOGS_PER_CPU;
                (0..count)
                    .map(|_| Child::start(&["drill-hog".to_owned()]))
                    .collect::<Result<_, _>>()?
            }
            Disturbance::None | Disturbance::Stops => Vec::new(),
        };
        let stopper = (disturbance == Disturbance::Stops)
            .then(|| (tokio::spawn(stop_now_and_then(pid)), pid));
        Ok(Self { hogs, stopper })
    }

    /// Ends it; the subject goes on.
    pub(super) async fn stop(self) {
        if let Some((task, pid)) = self.stopper {
            task.abort();
            let _ = task.await;
            signal(pid, Signal::CONT);
        }
        for hog in self.hogs {
            hog.kill().await;
        }
    }
}

async fn stop_now_and_then(pid: Option<Pid>) {
    for length in STOPS.into_iter().cycle() {
        tokio::time::sleep(PAUSE).await;
        signal(pid, Signal::STOP);
        tokio::time::sleep(length).await;
        signal(pid, Signal::CONT);
    }
}

fn signal(pid: Option<Pid>, signal: Signal) {
    if let Some(pid) = pid {
        // A subject that has ended is noticed by who listens to it.
        let _ = kill_process(pid, signal);
    }
}

/// Threads of this process that compute, one for each CPU, until this is dropped.
#[derive(Debug)]
pub(super) struct Hogs(Arc<AtomicBool>);

impl Hogs {
    pub(super) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    super::program::burn(Duration::from_millis(1));
                }
            });
        }
        Self(stop)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `pollscope drill-hog`: computes on one CPU until its standard input ends.
pub(crate) fn hog() {
    std::thread::spawn(|| {
        loop {
            super::program::burn(Duration::from_millis(10));
        }
    });
    let mut line = String::new();
    while std::io::stdin()
        .read_line(&mut line)
        .is_ok_and(|len| len > 0)
    {
        line.clear();
    }
}
