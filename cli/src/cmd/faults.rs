//! `pollscope faults`: what there is, and switching it in services that run.

use ::faults::{CATALOGUE, Settings};

use super::runtime;
use crate::admin_address::AdminAddress;
use crate::args::{At, Faults};
use crate::client::Client;
use crate::ending::{Ending, Failure};
use crate::service::Service;
use crate::{fault_list, render};

/// Lists or switches.
pub(crate) fn run(action: Faults) -> Result<Ending, Failure> {
    match action {
        Faults::List { json } => render::catalogue(&CATALOGUE, json)?,
        Faults::Status { json, at } => {
            let all = |_| true;
            let states = everywhere(at, all, &async |client: &Client| client.faults().await)?;
            render::fault_states(&states, json)?;
        }
        Faults::On {
            name,
            duration_ms,
            pause_ms,
            count,
            at,
        } => {
            let fault = fault_list::named(&name).map_err(Failure::Usage)?;
            let asked = Settings {
                duration_ms,
                pause_ms,
                count,
            };
            // Held against the same bounds as in the service, which may not run.
            let settings = fault
                .parameters
                .fill(fault.name, &asked)
                .map_err(|error| Failure::Usage(error.to_string()))?;
            let has = |service: Service| service.has(fault);
            let states = everywhere(at, has, &async |client: &Client| {
                client.switch_on(fault.name, settings).await
            })?;
            render::switched(&states)?;
        }
        Faults::Off { name, at } => {
            let fault = fault_list::named(&name).map_err(Failure::Usage)?;
            let has = |service: Service| service.has(fault);
            let states = everywhere(at, has, &async |client: &Client| {
                client.switch_off(fault.name).await
            })?;
            render::switched(&states)?;
        }
    }
    Ok(Ending::Expected)
}

/// Asks the service named, or every reference service that `concerns` and that runs; those that do not run are left out
/// unless none does.
///
/// # Errors
///
/// The first refusal of a service that runs; else that nobody answers.
fn everywhere<T>(
    at: At,
    concerns: impl Fn(Service) -> bool,
    ask: &impl AsyncFn(&Client) -> Result<T, Failure>,
) -> Result<Vec<(AdminAddress, T)>, Failure> {
    let token = at.token.or_environment();
    let is_named = at.service.is_some();
    let mut addresses = AdminAddress::given_or_all(at.service);
    addresses.retain(|address| is_named || address.service.is_none_or(&concerns));
    runtime()?.block_on(async {
        let (mut answers, mut silent) = (Vec::new(), None);
        for address in addresses {
            let client = Client::new(address.clone(), token.as_deref())?;
            match ask(&client).await {
                Ok(answer) => answers.push((address, answer)),
                Err(Failure::Unable(reason)) => silent = silent.or(Some(Failure::Unable(reason))),
                Err(refusal) => return Err(refusal),
            }
        }
        match silent {
            Some(failure) if answers.is_empty() => Err(failure),
            _ => Ok(answers),
        }
    })
}
