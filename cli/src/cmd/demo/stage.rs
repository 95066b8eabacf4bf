//! The stage: both services and the clients of both, each a process of its own.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use pollscope::stall::Stall;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::admin_address::AdminAddress;
use crate::args::{Demo, Flavor};
use crate::client::{Client, Followed};
use crate::cmd::child::Child;
use crate::ending::Failure;
use crate::render::Announcement;
use crate::service::Service;

/// Longest wait for a service to say where it is. It takes some milliseconds; a machine that compiles takes longer.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// Longest wait for a load's report after it was asked to stop: it waits some seconds for missing answers.
const REPORT_PATIENCE: Duration = Duration::from_secs(10);

/// Stall events that may wait for us.
const WAITING_MAX: usize = 256;

/// Enough clients for every worker to have work, little enough for a laptop to stay quiet.
const CHAT_LOAD: [&str; 6] = ["--clients", "20", "--room-size", "10", "--rate", "50"];
/// As above.
const EXCHANGE_LOAD: [&str; 4] = ["--sessions", "4", "--rate", "100"];

/// A stall event, when and from whom it came.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) service: Service,
    /// When it reached us.
    pub(super) at: SystemTime,
    pub(super) stall: Box<Stall>,
}

/// A running service.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) announcement: Announcement,
    pub(super) client: Client,
    child: Child,
}

/// Everything that runs.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) services: Vec<Running>,
    loads: Vec<Child>,
}

impl Stage {
    /// Starts both services and follows their stalls.
    pub(super) async fn start(
        demo: &Demo,
        token: Option<&str>,
    ) -> Result<(Self, mpsc::Receiver<Seen>), Failure> {
        let mut children = Vec::new();
        for service in Service::ALL {
            children.push((service, Child::start(&serve_words(service, demo).await?)?));
        }
        let (events, received) = mpsc::channel(WAITING_MAX);
        let mut services = Vec::new();
        for (service, mut child) in children {
            let announcement: Announcement = child.json(START_PATIENCE).await?;
            let url = announcement.admin.clone().ok_or_else(|| {
                Failure::Unable(format!(
                    "{service} runs without its admin server, expected one"
                ))
            })?;
            let client = Client::new(
                AdminAddress {
                    service: Some(service),
                    url,
                },
                token,
            )?;
            follow(service, &client, events.clone()).await?;
            services.push(Running {
                announcement,
                client,
                child,
            });
        }
        let stage = Self {
            services,
            loads: Vec::new(),
        };
        Ok((stage, received))
    }

    /// Puts both services under load for `duration` at most.
    pub(super) fn load(&mut self, duration: Duration) -> Result<(), Failure> {
        for running in &self.services {
            let words = load_words(&running.announcement, duration);
            self.loads.push(Child::start(&words)?);
        }
        Ok(())
    }

    /// The service of this name.
    pub(super) fn service(&self, service: Service) -> Option<&Running> {
        self.services
            .iter()
            .find(|running| running.announcement.service == service)
    }

    /// Stops the loads and returns their reports; one that has none says why.
    pub(super) async fn stop_loads(&mut self) -> Vec<Result<serde_json::Value, Failure>> {
        let mut loads = std::mem::take(&mut self.loads);
        loads.iter_mut().for_each(Child::ask_to_stop);
        let mut reports = Vec::new();
        for mut load in loads {
            reports.push(load.json(REPORT_PATIENCE).await);
            load.stop().await;
        }
        reports
    }

    /// Stops everything that still runs: clients first, so that no client sees a service go.
    pub(super) async fn stop(mut self) {
        self.stop_loads().await;
        for running in &mut self.services {
            running.child.ask_to_stop();
        }
        for running in self.services {
            running.child.stop().await;
        }
    }
}

/// Sends on every stall event of a service; subscribed when this returns.
async fn follow(
    service: Service,
    client: &Client,
    events: mpsc::Sender<Seen>,
) -> Result<(), Failure> {
    let mut stream = client.follow().await?;
    tokio::spawn(async move {
        while let Some(event) = stream.next().await {
            if let Followed::Stall(stall) = event {
                let at = SystemTime::now();
                if events.send(Seen { service, at, stall }).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(())
}

async fn serve_words(service: Service, demo: &Demo) -> Result<Vec<String>, Failure> {
    let any = |usual: SocketAddr| SocketAddr::new(usual.ip(), 0);
    let (mut listen, mut admin) = (any(service.listen()), any(service.admin()));
    if !demo.any_port {
        listen = usual_or_any(service.listen()).await;
        admin = usual_or_any(service.admin()).await;
    }
    let runtime = match demo.runtime {
        Flavor::Multi => "multi",
        Flavor::Current => "current",
    };
    let mut words = vec![
        "serve".to_owned(),
        service.name().to_owned(),
        format!("{}={listen}", service.listen_option()),
        format!("--admin={admin}"),
        format!("--runtime={runtime}"),
        "--supervised".to_owned(),
    ];
    if !demo.no_console {
        words.push(format!("--console={}", console(service, demo).await?));
    }
    Ok(words)
}

/// The usual address if nobody has it, else one with any port.
async fn usual_or_any(usual: SocketAddr) -> SocketAddr {
    match TcpListener::bind(usual).await {
        Ok(_) => usual,
        Err(_) => SocketAddr::new(usual.ip(), 0),
    }
}

/// The console's address. Its server cannot tell which port it got, so a free one is found before.
async fn console(service: Service, demo: &Demo) -> Result<SocketAddr, Failure> {
    let usual = service.console();
    if !demo.any_port && usual_or_any(usual).await == usual {
        return Ok(usual);
    }
    let probe = TcpListener::bind(SocketAddr::new(usual.ip(), 0)).await?;
    Ok(probe.local_addr()?)
}

fn load_words(service: &Announcement, duration: Duration) -> Vec<String> {
    let own: &[&str] = match service.service {
        Service::Chat => &CHAT_LOAD,
        Service::Exchange => &EXCHANGE_LOAD,
    };
    let mut words = vec!["load".to_owned(), service.service.name().to_owned()];
    words.extend(own.iter().map(|word| (*word).to_owned()));
    words.extend([
        format!("--address={}", service.listen),
        format!("--duration={}", duration.as_secs()),
        format!("--server-pid={}", service.pid),
        "--json".to_owned(),
        "--supervised".to_owned(),
    ]);
    words
}

/// The load as people read it.
pub(super) const LOAD_TEXT: &str =
    "20 chat clients, 50 messages/s; 4 trading sessions, 100 orders/s";

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what people read is what runs.
    #[test]
    fn load_text_is_true() {
        for number in [
            CHAT_LOAD[1],
            CHAT_LOAD[5],
            EXCHANGE_LOAD[1],
            EXCHANGE_LOAD[3],
        ] {
            assert!(LOAD_TEXT.contains(&format!("{number} ")), "{number}");
        }
    }
}
