//! `pollscope serve`: a reference service with everything around it that a service of one's own would have.
//!
//! Read [`Host::serve`] as the example it is: configuration, telemetry, scope, runtime, service, in this order. The admin
//! server and the listening for signals run on threads of their own, so both work while the service stands still.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use faults::{Plan, Settings};
use pollscope::metrics::Registry;
use pollscope::{Config, Scope};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::args::{ChatOptions, Flavor, Serve, ServeOptions};
use crate::ending::{Ending, Failure};
use crate::faults_api;
use crate::render::{self, Announcement};
use crate::service::Service;
use crate::stop::{Stop, Supervision};
use crate::{fault_metrics, telemetry};

/// Serves until Ctrl-C, SIGTERM, or the end of the supervisor.
pub(crate) fn run(serve: Serve) -> Result<Ending, Failure> {
    let (service, listen, chat, options) = match serve {
        Serve::Chat { irc, chat, options } => (Service::Chat, irc, chat, options),
        Serve::Exchange { fix, options } => {
            (Service::Exchange, fix, ChatOptions::default(), options)
        }
    };
    let host = Host {
        service,
        listen,
        console: options
            .console
            .map(|given| given.unwrap_or(service.console())),
        chat,
        options,
    };
    host.serve()?;
    Ok(Ending::Expected)
}

/// One service, about to run.
struct Host {
    service: Service,
    listen: SocketAddr,
    console: Option<SocketAddr>,
    chat: ChatOptions,
    options: ServeOptions,
}

impl Host {
    fn serve(&self) -> Result<(), Failure> {
        let builder = self.runtime_builder()?;
        let config = self.config()?;
        let traces = telemetry::start(&config.service, self.console)?;
        let plan = self.plan()?;
        let stop = Stop::listen(Supervision::from_option(self.options.supervised))?;
        let scope = self.scope(config, &plan)?;
        fault_metrics::register(scope.registry(), &plan)
            .map_err(|error| telemetry::refused(&error, ""))?;
        if let Some(traces) = &traces {
            traces
                .register(scope.registry())
                .map_err(|error| telemetry::refused(&error, ""))?;
        }
        let runtime = scope
            .runtime(builder)
            .name(self.service.name())
            .build()
            .map_err(|error| telemetry::refused(&error, ""))?;
        runtime.block_on(self.listen_and_run(&scope, plan, stop))
    }

    async fn listen_and_run(
        &self,
        scope: &Scope,
        plan: Arc<Plan>,
        stop: Stop,
    ) -> Result<(), Failure> {
        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            let (service, option) = (self.service, self.service.listen_option());
            Failure::unable(
                format!(
                    "cannot listen on {} for {}; choose another address with {option} IP:PORT",
                    self.listen,
                    service.protocol()
                ),
                &error,
            )
        })?;
        let listen = listener.local_addr()?;
        render::announcement(&self.announcement(listen, scope), self.options.supervised)?;
        let registry = scope.registry().clone();
        let outcome = match self.service {
            Service::Chat => {
                let options = self.chat_options(registry, plan).await?;
                Box::pin(chat::run(listener, options, stop.asked())).await
            }
            Service::Exchange => {
                exchange::run(
                    listener,
                    exchange::Options::new(registry, plan),
                    stop.asked(),
                )
                .await
            }
        };
        outcome.map_err(|error: io::Error| {
            Failure::unable(format!("{} ended by itself", self.service), &error)
        })
    }

    async fn chat_options(
        &self,
        registry: Registry,
        plan: Arc<Plan>,
    ) -> Result<chat::Options, Failure> {
        let mut options = chat::Options::new(registry, plan);
        options.motd_file.clone_from(&self.chat.motd);
        if let Some(lines) = self.chat.client_rate {
            // No rate is no limit.
            let every = Duration::from_secs(1).checked_div(lines);
            options.flood_limits.line_every = every.unwrap_or_default();
        }
        if let Some(path) = &self.chat.password_file {
            let path_shown = path.display();
            let text = tokio::fs::read_to_string(path).await.map_err(|error| {
                Failure::unable(
                    format!("cannot read the password from {path_shown}"),
                    &error,
                )
            })?;
            let Some(word) = text.lines().next().filter(|word| !word.is_empty()) else {
                let wrong = format!("no password in {path_shown}; expected it as the first line");
                return Err(Failure::Usage(wrong));
            };
            options.password = Some(chat::Password::new(word));
        }
        Ok(options)
    }

    fn announcement(&self, listen: SocketAddr, scope: &Scope) -> Announcement {
        Announcement {
            service: self.service,
            pid: std::process::id(),
            listen,
            admin: scope.admin_address().map(|admin| format!("http://{admin}")),
            console: self.console.map(|console| format!("http://{console}")),
        }
    }

    /// The configuration: `POLLSCOPE_*`, the command line over it, and the service's own defaults below.
    fn config(&self) -> Result<Config, Failure> {
        let mut config = Config::from_env().map_err(|error| telemetry::refused(&error, ""))?;
        let is_set = |name| std::env::var_os(name).is_some();
        if !is_set("POLLSCOPE_SERVICE") && !is_set("OTEL_SERVICE_NAME") {
            self.service.name().clone_into(&mut config.service);
        }
        if let Some(admin) = self.options.admin {
            config.admin = Some(admin);
        } else if !is_set("POLLSCOPE_ADMIN") {
            config.admin = Some(self.service.admin());
        }
        Ok(config)
    }

    fn scope(&self, config: Config, plan: &Arc<Plan>) -> Result<Scope, Failure> {
        let plan = Arc::clone(plan);
        Scope::start_with_routes(config, move |_| faults_api::router(plan)).map_err(|error| {
            telemetry::refused(&error, "; choose another address with --admin IP:PORT")
        })
    }

    /// The faults of the service, those of `--faults` on.
    fn plan(&self) -> Result<Arc<Plan>, Failure> {
        let plan = Arc::new(Plan::new(self.service.name(), self.service.points()));
        for fault in &self.options.faults.0 {
            plan.on(fault.name, Settings::default())
                .map_err(|error| Failure::Usage(error.to_string()))?;
        }
        Ok(plan)
    }

    fn runtime_builder(&self) -> Result<Builder, Failure> {
        let mut builder = match (self.options.runtime, self.options.workers) {
            (Flavor::Multi, None) => Builder::new_multi_thread(),
            (Flavor::Multi, Some(workers)) => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(workers.into());
                builder
            }
            (Flavor::Current, None) => Builder::new_current_thread(),
            (Flavor::Current, Some(_)) => {
                return Err(Failure::Usage(
                    "--workers goes with --runtime multi: a current-thread runtime has one thread"
                        .to_owned(),
                ));
            }
        };
        builder.enable_all();
        Ok(builder)
    }
}
