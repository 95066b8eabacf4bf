//! `load-null`: the service that does nothing, as a process of its own, and what a load measures against it.

use std::net::SocketAddr;
use std::time::Duration;

use load::null::{self, Floor};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::args::LoadNull;
use crate::cmd::child::Child;
use crate::cmd::runtime;
use crate::ending::{Ending, Failure};
use crate::render;
use crate::stop::{Stop, Supervision};

/// Longest wait for the null server to listen.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// What the null server says of itself.
#[derive(Debug, Deserialize)]
struct Announced {
    listen: SocketAddr,
}

/// Serves until Ctrl-C, SIGTERM, or the end of the supervisor.
pub(crate) fn run(words: &LoadNull) -> Result<Ending, Failure> {
    let stop = Stop::listen(Supervision::from_option(words.supervised))?;
    runtime()?.block_on(async {
        let listener = TcpListener::bind(words.listen).await.map_err(|error| {
            Failure::unable(format!("cannot listen on {}", words.listen), &error)
        })?;
        render::null_server(listener.local_addr()?, std::process::id())?;
        let service_time = words.service_us.map(Duration::from_micros);
        tokio::select! {
            served = null::serve(listener, service_time) => {
                served.map_err(|error| Failure::unable("the null server ended by itself", &error))?;
            }
            () = stop.asked() => {}
        }
        Ok(Ending::Expected)
    })
}

/// What this program measures against the null server, each in a process of its own as in a real run.
pub(super) async fn floor() -> Result<Floor, Failure> {
    let words = ["load-null", "--supervised"].map(str::to_owned);
    let mut child = Child::start(&words)?;
    let announced: Announced = child.json(START_PATIENCE).await?;
    let floor = null::floor(announced.listen).await;
    child.kill().await;
    floor.map_err(|error| Failure::unable("the null server cannot be measured", &error))
}
