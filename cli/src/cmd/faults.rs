//! `pollscope faults`: what there is, and switching it in services that run.

use ::faults::{CATALOGUE, Settings};

use super::runtime;
use crate::admin_address::AdminAddress;
use crate::args::{At, Faults};
use crate::client::Client;
use crate::ending::{Ending, Failure};
use crate::{fault_list, render};

/// Lists or switches.
pub(crate) fn run(action: Faults) -> Result<Ending, Failure> {
    match action {
        Faults::List { json } => render::catalogue(&CATALOGUE, json)?,
        Faults::Status { json, at } => {
            let states = everywhere(at, &async |client: &Client| client.faults().await)?;
            render::fault_states(&states, json)?;
        }
        Faults::On {
            name,
            duration_ms,
            pause_ms,
            at,
        } => {
            let name = fault_list::named(&name).map_err(Failure::Usage)?.name;
            let settings = settings(duration_ms, pause_ms)?;
            let states = everywhere(at, &async |client: &Client| {
                client.switch_on(name, settings).await
            })?;
            render::switched(&states)?;
        }
        Faults::Off { name, at } => {
            let name = fault_list::named(&name).map_err(Failure::Usage)?.name;
            let states = everywhere(at, &async |client: &Client| client.switch_off(name).await)?;
            render::switched(&states)?;
        }
    }
    Ok(Ending::Expected)
}

/// The settings given, within the bounds that the service has as well.
fn settings(duration_ms: Option<u64>, pause_ms: Option<u64>) -> Result<Settings, Failure> {
    let defaults = Settings::default();
    let settings = Settings {
        duration_ms: duration_ms.unwrap_or(defaults.duration_ms),
        pause_ms: pause_ms.unwrap_or(defaults.pause_ms),
    };
    settings
        .check()
        .map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(settings)
}

/// Asks the service named, or every reference service that runs; those that do not run are left out unless none does.
///
/// # Errors
///
/// The first refusal of a service that runs; else that nobody answers.
fn everywhere<T>(
    at: At,
    ask: &impl AsyncFn(&Client) -> Result<T, Failure>,
) -> Result<Vec<(AdminAddress, T)>, Failure> {
    let token = at.token.or_environment();
    let addresses = AdminAddress::given_or_all(at.service);
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
