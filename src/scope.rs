//! The scope: everything that is installed, in one value.
//!
//! One scope a process, because heartbeats, the signal and `/proc/self` are the process's. Dropping it stops the
//! watchdog, the reporter and the admin server; watched runtimes go on unwatched.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::broadcast;

use crate::config::Config;
use crate::debug;
use crate::error::Error;
use crate::finding::{Announced, Board, Finding, Sampler};
use crate::metrics::{self, Registry, catalogue};
use crate::report::{Accounts, LogThread, Reporter, ReporterThread, Ring};
use crate::runtime::{self, BELL, RuntimeBuilder, RuntimeStatus, Runtimes};
use crate::stall::Stall;
use crate::watchdog::{Stats, Watch, WatchdogThread};

static INSTALLED: AtomicBool = AtomicBool::new(false);

/// pollscope, installed in this process.
///
/// # Example
///
/// ```
/// let scope = pollscope::Scope::start(pollscope::Config::default())?;
/// let runtime = scope.runtime(tokio::runtime::Builder::new_current_thread()).name("orders").build()?;
/// runtime.block_on(async { tokio::task::yield_now().await });
/// assert!(scope.stalls().is_empty());
/// # Ok::<(), pollscope::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping the scope stops the watch"]
pub struct Scope {
    // In this order: the server reads what the threads write, the watchdog writes to the reporter, that to the log.
    #[cfg(feature = "admin")]
    admin: Option<crate::admin::AdminServer>,
    _watchdog: WatchdogThread,
    _reporter: ReporterThread,
    _log: LogThread,
    config: Arc<Config>,
    registry: Registry,
    ring: Ring,
    board: Board,
    runtimes: Runtimes,
    stats: Arc<Stats>,
    _installed: Installed,
}

/// Gives the process free for another scope.
#[derive(Debug)]
struct Installed;

impl Drop for Installed {
    fn drop(&mut self) {
        debug::set(false);
        INSTALLED.store(false, Ordering::Release);
    }
}

impl Scope {
    /// Starts watching; runtimes are then built with [`Scope::runtime`] or attached with [`Scope::attach`].
    ///
    /// Starts three threads (and the admin server's, if it is configured), about 1 ms.
    ///
    /// # Errors
    ///
    /// When the configuration cannot work, a scope is installed already, or a thread or the admin port cannot be had.
    pub fn start(config: Config) -> Result<Self, Error> {
        Self::assemble(config).map(|(scope, _)| scope)
    }

    /// As [`Scope::start`], with routes of the service's own on the admin server, behind the same token.
    ///
    /// # Errors
    ///
    /// As [`Scope::start`].
    #[cfg(feature = "admin")]
    pub fn start_with_routes(
        config: Config,
        routes: impl FnOnce(&Registry) -> axum::Router,
    ) -> Result<Self, Error> {
        let (mut scope, accounts) = Self::assemble_without_server(config)?;
        let routes = routes(&scope.registry);
        scope.serve(&accounts, routes)?;
        Ok(scope)
    }

    fn assemble(config: Config) -> Result<(Self, Arc<Mutex<Accounts>>), Error> {
        #[cfg_attr(
            not(feature = "admin"),
            expect(unused_mut, reason = "only the admin server is added later")
        )]
        let (mut scope, accounts) = Self::assemble_without_server(config)?;
        #[cfg(feature = "admin")]
        scope.serve(&accounts, axum::Router::new())?;
        Ok((scope, accounts))
    }

    fn assemble_without_server(config: Config) -> Result<(Self, Arc<Mutex<Accounts>>), Error> {
        config.check()?;
        if INSTALLED.swap(true, Ordering::AcqRel) {
            return Err(Error::unavailable(
                "pollscope is installed in this process already, expected one scope at a time",
            ));
        }
        let installed = Installed;
        debug::set(config.debug);
        let config = Arc::new(config);
        let (registry, ring, runtimes) = (Registry::new(), Ring::default(), Runtimes::default());
        let stats = Arc::new(Stats::default());
        let accounts = Arc::new(Mutex::new(Accounts::default()));
        registry.register(catalogue::TOOLKIT)?;
        sample_everything(&registry, &runtimes, &stats, &accounts);
        let (board, announced) = (Board::default(), Announced::default());
        let shown = board.clone();
        registry.sample(move |samples| shown.sample(samples));
        let unlogged = accounts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .unlogged();
        let (log, log_thread) = LogThread::start(Arc::clone(&config), unlogged)?;
        let reporter = Reporter {
            config: Arc::clone(&config),
            ring: ring.clone(),
            accounts: Arc::clone(&accounts),
            registry: registry.clone(),
            log,
            board: board.clone(),
            announced: announced.clone(),
        };
        let (outbox, reporter) = reporter.start()?;
        let watch = Watch::new(
            Arc::clone(&config),
            runtimes.clone(),
            Arc::clone(&stats),
            outbox,
            Sampler::new(config.findings.clone(), announced),
        );
        let watchdog = WatchdogThread::start(watch, Arc::clone(&stats))?;
        let scope = Self {
            #[cfg(feature = "admin")]
            admin: None,
            _watchdog: watchdog,
            _reporter: reporter,
            _log: log_thread,
            config,
            registry,
            ring,
            board,
            runtimes,
            stats,
            _installed: installed,
        };
        Ok((scope, accounts))
    }

    #[cfg(feature = "admin")]
    fn serve(
        &mut self,
        accounts: &Arc<Mutex<Accounts>>,
        routes: axum::Router,
    ) -> Result<(), Error> {
        let Some(address) = self.config.admin else {
            return Ok(());
        };
        let runtimes = self.runtimes.clone();
        let stuck = self.config.stuck;
        let accounts = Arc::clone(accounts);
        let state = crate::admin::State {
            service: self.config.service.clone(),
            registry: self.registry.clone(),
            ring: self.ring.clone(),
            board: self.board.clone(),
            runtimes: Arc::new(move || runtime::survey(&runtimes)),
            stuck: Arc::new(move || what_is_stuck(&accounts, stuck)),
            token: self.config.admin_token.clone(),
        };
        self.admin = Some(crate::admin::start(address, state, routes)?);
        Ok(())
    }

    /// A watched runtime from Tokio's builder; add hooks to the result, which calls them beside its own.
    pub fn runtime(&self, builder: Builder) -> RuntimeBuilder {
        RuntimeBuilder::new(builder, self.runtimes.clone())
    }

    /// Watches the runtime that this is called in, whoever built it (tier T0); see [`install`](crate::install).
    ///
    /// # Errors
    ///
    /// When it is not called inside a Tokio runtime.
    pub fn attach(&self) -> Result<(), Error> {
        let handle = Handle::try_current().map_err(|source| {
            Error::unavailable("there is no tokio runtime here, expected a call inside one, such as in `#[tokio::main]`").because(source)
        })?;
        runtime::attach::attach(&self.runtimes, &handle);
        BELL.wake();
        Ok(())
    }

    /// The latest stall events, newest last.
    #[must_use]
    pub fn stalls(&self) -> Vec<Arc<Stall>> {
        self.ring.snapshot()
    }

    /// Every stall event from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Stall>> {
        self.ring.subscribe()
    }

    /// The latest findings, newest last: conditions that are no stalls, each opened once and closed once.
    #[must_use]
    pub fn findings(&self) -> Vec<Arc<Finding>> {
        self.board.events()
    }

    /// Every finding from now on.
    #[must_use]
    pub fn subscribe_findings(&self) -> broadcast::Receiver<Arc<Finding>> {
        self.board.subscribe()
    }

    /// Switches the debug mode on or off, from the watchdog's next look on: [`Config::debug`] at run time.
    ///
    /// It costs the watchdog up to 15 % of a core; see the guide.
    pub fn set_debug(&self, on: bool) {
        debug::set(on);
    }

    /// Whether the debug mode is on.
    #[must_use]
    pub fn is_debug(&self) -> bool {
        debug::is_on()
    }

    /// The configuration that is in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// System calls of this process that a signal of pollscope may have broken off, since the scope was started.
    ///
    /// Counted are the signals sent to threads that stood in a system call, and those that a running thread answered at a
    /// call that had just failed with EINTR or was about to be made again. A thread that is read from outside is sent none.
    #[must_use]
    pub fn interrupted_calls(&self) -> u64 {
        self.stats.interrupted_calls.load(Ordering::Relaxed)
    }

    /// The metrics of this process; a service registers its own tables here.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The runtimes as they are now.
    #[must_use]
    pub fn runtimes(&self) -> Vec<RuntimeStatus> {
        runtime::survey(&self.runtimes)
    }

    /// Where the admin server listens, if it does.
    #[cfg(feature = "admin")]
    #[must_use]
    pub fn admin_address(&self) -> Option<std::net::SocketAddr> {
        self.admin.as_ref().map(crate::admin::AdminServer::address)
    }
}

/// What `/readyz` calls stuck: an open stall at least `limit` old.
#[cfg_attr(
    not(feature = "admin"),
    expect(dead_code, reason = "asked by the admin server")
)]
fn what_is_stuck(accounts: &Mutex<Accounts>, limit: Duration) -> Option<String> {
    accounts
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .stuck(std::time::SystemTime::now(), limit)
}

fn sample_everything(
    registry: &Registry,
    runtimes: &Runtimes,
    stats: &Arc<Stats>,
    accounts: &Arc<Mutex<Accounts>>,
) {
    let (runtimes, stats, accounts) = (runtimes.clone(), Arc::clone(stats), Arc::clone(accounts));
    registry.sample(move |samples| {
        accounts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sample(samples);
        runtime::sample(&runtimes, samples);
        metrics::sample_watchdog(&stats, samples);
        metrics::sample_process(samples);
    });
}

/// Runs `future` on a watched multi-thread runtime with everything enabled, configured from the environment.
///
/// The one line of set-up for a `main` of your own. For `#[tokio::main]` there is [`install`](crate::install).
///
/// # Errors
///
/// As [`Scope::start`] and [`RuntimeBuilder::build`]; the future's own result is returned as it is.
///
/// # Example
///
/// ```
/// fn main() -> Result<(), pollscope::Error> {
///     pollscope::run(async { println!("watched") })
/// }
/// ```
#[track_caller]
pub fn run<F: Future>(future: F) -> Result<F::Output, Error> {
    let scope = Scope::start(Config::from_env()?)?;
    let mut builder = Builder::new_multi_thread();
    builder.enable_all();
    let runtime = scope.runtime(builder).build()?;
    Ok(runtime.block_on(future))
}

/// Watches the runtime that this is called in, configured from the environment; the one line for `#[tokio::main]`.
///
/// Tier T0: stalls of every worker with task id and stack, from Tokio's stable counters. What it does not see: the
/// future of `main` itself on a multi-thread runtime (it runs on no worker), spawn locations of tasks not spawned with
/// [`spawn`](crate::spawn), and CPU work under 150 ms, which cannot be told from many short polls. [`run`] and
/// [`Scope::runtime`] see all of that.
///
/// # Errors
///
/// When there is no runtime here, and as [`Scope::start`].
///
/// # Example
///
/// ```
/// #[tokio::main]
/// async fn main() -> Result<(), pollscope::Error> {
///     let _scope = pollscope::install()?;
///     Ok(())
/// }
/// ```
pub fn install() -> Result<Scope, Error> {
    install_with(Config::from_env()?)
}

/// As [`install`] with a configuration of your own.
///
/// # Errors
///
/// As [`install`].
pub fn install_with(config: Config) -> Result<Scope, Error> {
    let scope = Scope::start(config)?;
    scope.attach()?;
    Ok(scope)
}
