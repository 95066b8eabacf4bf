//! `pollscope drill-subject`: the process that is watched. It does what its scenario says and tells the truth about it.
//!
//! What it tells goes to standard output, a JSON object a line; whoever started it says `go` on standard input once it
//! listens, and closes that to end it.

use std::io::{BufRead as _, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use faults::act::{Act, Call};
use pollscope::{Config, Scope};
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use super::bench::{Bench, Made, WORKERS, tick};
use super::catalogue;
use super::disturb::Hogs;
use super::generations;
use super::program::Program;
use super::scenario::{Deed, Flavor, Hold, Scenario};
use super::strain::Strain;
use crate::args::DrillSubject;
use crate::ending::{Ending, Failure};
use crate::telemetry::refused;

/// Name of the runtime that acts; those beside it are called otherwise.
pub(super) const RUNTIME: &str = "drill";

/// Calm before each act: the previous stall is over and told.
const CALM: Duration = Duration::from_millis(150);

/// What a subject says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(super) enum Said {
    /// It is there, with its admin server at this URL.
    Ready { admin: String },
    /// An act begins; times in microseconds since the Unix epoch.
    Began {
        index: usize,
        tid: i32,
        began_us: u64,
    },
    /// An act has ended.
    Ended {
        index: usize,
        tid: i32,
        began_us: u64,
        ended_us: u64,
        error: Option<String>,
    },
    /// All acts are done, or the time is over.
    Done,
}

/// Acts until all is done, then waits to be ended.
pub(crate) fn run(subject: &DrillSubject) -> Result<Ending, Failure> {
    let scenario = catalogue::named(std::slice::from_ref(&subject.scenario))?.remove(0);
    let mut config = Config::from_env().map_err(|error| refused(&error, ""))?;
    config.service = "drill".to_owned();
    if matches!(scenario.deed, Deed::Finding(_)) {
        config.findings = Strain::thresholds();
    }
    config.admin = Some(([127, 0, 0, 1], 0).into());
    let scope = Scope::start(config).map_err(|error| refused(&error, ""))?;
    let stage = Stage {
        bench: Bench {
            scope: &scope,
            tier: subject.tier,
        },
        scenario,
        flavor: subject.runtime,
        seconds: subject.seconds,
    };
    stage.play()?;
    say(&Said::Done);
    wait_for_the_end();
    Ok(Ending::Expected)
}

/// A scenario in one runtime and tier, about to be played.
struct Stage<'a> {
    bench: Bench<'a>,
    scenario: Scenario,
    flavor: Flavor,
    seconds: u64,
}

impl Stage<'_> {
    fn play(&self) -> Result<(), Failure> {
        if let Deed::Silent(quiet) = &self.scenario.deed
            && quiet.program.makes_runtimes()
        {
            self.begin();
            return generations::run(quiet.program, self.bench, Duration::from_secs(self.seconds));
        }
        match self.flavor {
            Flavor::Multi | Flavor::Select => self.on_one(&self.multi()?),
            Flavor::Current | Flavor::Root => self.on_one(&self.current()?),
            Flavor::LocalSet => {
                let runtime = self.current()?;
                self.begin();
                runtime.block_on(LocalSet::new().run_until(self.deeds()));
            }
            Flavor::LocalRuntime => {
                let runtime = self
                    .bench
                    .make_local(Builder::new_current_thread(), RUNTIME)?;
                self.begin();
                runtime.block_on(self.deeds());
            }
            Flavor::PerCore => self.beside(
                &[Builder::new_current_thread],
                Builder::new_current_thread(),
            )?,
            Flavor::Second => self.beside(&[one_worker, one_worker], one_worker())?,
        }
        Ok(())
    }

    fn multi(&self) -> Result<Made, Failure> {
        let mut builder = Builder::new_multi_thread();
        let crowded =
            matches!(&self.scenario.deed, Deed::Silent(quiet) if quiet.program == Program::Crowd);
        builder.worker_threads(if crowded { 8 } else { WORKERS });
        if let Deed::Finding(trouble) = &self.scenario.deed {
            trouble.strain.shape(&mut builder);
        }
        self.bench.make(builder, RUNTIME)
    }

    fn current(&self) -> Result<Made, Failure> {
        let mut builder = Builder::new_current_thread();
        if let Deed::Finding(trouble) = &self.scenario.deed {
            trouble.strain.shape(&mut builder);
        }
        self.bench.make(builder, RUNTIME)
    }

    fn on_one(&self, runtime: &Made) {
        // Not inside the runtime: waiting for `go` would be a stall of its own.
        self.begin();
        runtime.block_on(self.deeds());
    }

    /// Acts on one runtime while others of the same kind run on threads of their own.
    fn beside(&self, others: &[fn() -> Builder], own: Builder) -> Result<(), Failure> {
        let mut made = Vec::new();
        for (number, builder) in others.iter().enumerate() {
            made.push(self.bench.make(builder(), &format!("beside-{number}"))?);
        }
        let own = self.bench.make(own, RUNTIME)?;
        self.begin();
        let (stop, stopped) = tokio::sync::watch::channel(());
        std::thread::scope(|threads| {
            for runtime in &made {
                let mut stopped = stopped.clone();
                threads.spawn(move || {
                    runtime.block_on(async {
                        tokio::select! {
                            () = tick() => {}
                            _ = stopped.changed() => {}
                        }
                    });
                });
            }
            own.block_on(self.deeds());
            drop(stop);
        });
        Ok(())
    }

    /// Says that it is there, and waits until somebody watches.
    fn begin(&self) {
        let admin = self
            .bench
            .scope
            .admin_address()
            .map_or_else(String::new, |address| format!("http://{address}"));
        say(&Said::Ready { admin });
        let mut line = String::new();
        // Without a word the scenario begins all the same; its driver is gone then and ends it.
        let _ = std::io::stdin().lock().read_line(&mut line);
    }

    async fn deeds(&self) {
        let is_idle =
            matches!(&self.scenario.deed, Deed::Silent(quiet) if quiet.program == Program::Idle);
        // Idle means that nothing at all runs beside.
        let ticking = (!is_idle).then(|| self.bench.spawn(tick()));
        sleep(CALM).await;
        match &self.scenario.deed {
            Deed::Stall(hold) => self.acts(hold).await,
            Deed::Silent(quiet) => {
                let end = Instant::now() + Duration::from_secs(self.seconds);
                quiet.program.run(&self.bench, end).await;
            }
            // Judged without a subject.
            Deed::Recorded(_) => {}
            Deed::Finding(trouble) => {
                let end = Instant::now() + trouble.patience();
                trouble.strain.run(&self.bench, end).await;
            }
        }
        if let Some(ticking) = ticking {
            ticking.abort();
        }
        sleep(CALM).await;
    }

    async fn acts(&self, hold: &Hold) {
        let Some(act) = hold.act() else { return };
        let _hogs = hold.busy.then(Hogs::start);
        let times = if hold.endless { 1 } else { hold.times };
        for _ in 0..times {
            if let Some(prepare) = act.prepare {
                let duration = hold.duration();
                let _ = tokio::task::spawn_blocking(move || prepare(duration)).await;
            }
            let mut tasks = Vec::new();
            for index in 0..hold.tasks {
                let call = Call {
                    duration: hold.duration(),
                    index,
                };
                match self.flavor {
                    Flavor::Root => perform(act, &call),
                    Flavor::LocalSet | Flavor::LocalRuntime => {
                        tasks.push(self.bench.spawn_local(async move { perform(act, &call) }))
                    }
                    Flavor::Select => tasks.push(self.bench.spawn(in_select(act, call))),
                    _ => tasks.push(self.bench.spawn(async move { perform(act, &call) })),
                }
            }
            for task in tasks {
                let _ = task.await;
            }
            sleep(CALM).await;
        }
    }
}

fn one_worker() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1);
    builder
}

async fn in_select(act: &'static Act, call: Call) {
    tokio::select! {
        () = async { tokio::task::yield_now().await; perform(act, &call) } => {}
        () = tick() => {}
    }
}

/// Acts, and tells when.
fn perform(act: &Act, call: &Call) {
    let tid = own_tid();
    let began_us = now_us();
    say(&Said::Began {
        index: call.index,
        tid,
        began_us,
    });
    let error = (act.run)(call).err().map(|error| error.to_string());
    say(&Said::Ended {
        index: call.index,
        tid,
        began_us,
        ended_us: now_us(),
        error,
    });
}

fn own_tid() -> i32 {
    std::fs::read_link("/proc/thread-self")
        .ok()
        .and_then(|link| link.file_name()?.to_str()?.parse().ok())
        .unwrap_or(0)
}

fn now_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn say(said: &Said) {
    let mut out = std::io::stdout().lock();
    // Without a reader there is nobody to tell; the end of standard input follows.
    let _ = serde_json::to_writer(&mut out, said);
    let _ = out.write_all(b"\n").and_then(|()| out.flush());
}

fn wait_for_the_end() {
    let mut line = String::new();
    while std::io::stdin()
        .lock()
        .read_line(&mut line)
        .is_ok_and(|len| len > 0)
    {
        line.clear();
    }
}
