//! `pollscope stalls`: the latest stalls, and with `--follow` every new one.

use tokio::sync::mpsc;

use super::runtime;
use crate::admin_address::AdminAddress;
use crate::args::Stalls;
use crate::client::{Client, Followed};
use crate::ending::{Ending, Failure};
use crate::render;
use crate::stop::{Stop, Supervision};

/// Events that may wait for the terminal. Beyond it the services' own buffers fill, which say what they lost.
const WAITING_MAX: usize = 256;

/// Shows what is kept, then what comes if asked.
pub(crate) fn run(stalls: Stalls) -> Result<Ending, Failure> {
    let token = stalls.at.token.or_environment();
    let clients: Vec<Client> = AdminAddress::given_or_all(stalls.at.service)
        .into_iter()
        .map(|address| Client::new(address, token.as_deref()))
        .collect::<Result<_, _>>()?;
    let runtime = runtime()?;
    if stalls.follow {
        let stop = Stop::listen(Supervision::None)?;
        return runtime.block_on(async {
            tokio::select! {
                () = stop.asked() => Ok(Ending::Expected),
                outcome = follow(clients, stalls.json) => outcome,
            }
        });
    }
    runtime.block_on(kept(clients, stalls.json))
}

/// The events that all services keep, newest last.
async fn kept(clients: Vec<Client>, as_json: bool) -> Result<Ending, Failure> {
    let (mut stalls, mut answered, mut silent) = (Vec::new(), Vec::new(), None);
    for client in &clients {
        match client.stalls().await {
            Ok(kept) => {
                stalls.extend(kept);
                answered.push(client.address());
            }
            Err(Failure::Unable(reason)) => silent = silent.or(Some(Failure::Unable(reason))),
            Err(refusal) => return Err(refusal),
        }
    }
    if let (Some(failure), []) = (silent, answered.as_slice()) {
        return Err(failure);
    }
    // Each event is about the end of what it reports.
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 fit a float's 53 bits"
    )]
    stalls.sort_by(|a, b| {
        let at = |stall: &pollscope::stall::Stall| stall.started_at as f64 + stall.duration_ms;
        at(a).total_cmp(&at(b))
    });
    render::stalls(&stalls, &answered, as_json)?;
    Ok(Ending::Expected)
}

/// Every new event of all services that run, until the last of them ends.
async fn follow(clients: Vec<Client>, as_json: bool) -> Result<Ending, Failure> {
    let (events, mut received) = mpsc::channel(WAITING_MAX);
    let (mut followed, mut silent) = (Vec::new(), None);
    for client in clients {
        match client.follow().await {
            Ok(mut stream) => {
                let events = events.clone();
                followed.push(client.address().clone());
                tokio::spawn(async move {
                    while let Some(event) = stream.next().await {
                        if events
                            .send((client.address().clone(), Some(event)))
                            .await
                            .is_err()
                        {
                            return;
                        }
                    }
                    let _ = events.send((client.address().clone(), None)).await;
                });
            }
            Err(Failure::Unable(reason)) => silent = silent.or(Some(Failure::Unable(reason))),
            Err(refusal) => return Err(refusal),
        }
    }
    if let (Some(failure), []) = (silent, followed.as_slice()) {
        return Err(failure);
    }
    drop(events);
    render::following(&followed)?;
    while let Some((address, event)) = received.recv().await {
        match event {
            Some(Followed::Stall(stall)) => render::followed(&stall, as_json)?,
            Some(Followed::Missed(count)) => {
                render::notice(&format!(
                    "{address}: {count} events were missed, read too slowly"
                ));
            }
            None => render::notice(&format!("{address} has ended the stream")),
        }
    }
    Err(Failure::Unable("there is nobody left to follow".to_owned()))
}
