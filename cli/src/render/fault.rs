//! Faults as a person reads them. PURE.

use faults::{Fault, Finding, Parameter};
use serde_json::{Value, json};

use super::number::ms_or_dash;
use super::style::{BAD, FAINT, STRONG, styled};
use super::table::{table, text};
use crate::admin_address::AdminAddress;
use crate::client::FaultState;

/// Every fault there is, with what it does and what must be found.
pub(super) fn catalogue(faults: &[&Fault]) -> String {
    let entries: Vec<_> = faults
        .iter()
        .map(|fault| {
            format!(
                "{}\n    {}{}\n    {}{}\n    {}{}{}",
                styled(STRONG, fault.name),
                styled(FAINT, "seen    "),
                fault.symptom,
                styled(FAINT, "because "),
                fault.mechanism,
                styled(FAINT, "found   "),
                finding(&fault.finding),
                parameters(fault)
            )
        })
        .collect();
    format!(
        "{}\n\nswitch one on in a running service: pollscope faults on {}",
        entries.join("\n"),
        faults.first().map_or("NAME", |fault| fault.name)
    )
}

/// What can be set, a line each.
fn parameters(fault: &Fault) -> String {
    let line = |(name, parameter): (&str, &Parameter)| {
        let option = name.replace('_', "-");
        let bounds = &parameter.bounds;
        format!(
            "\n    {}--{option} {}: how {}, {} to {}",
            styled(FAINT, "set     "),
            parameter.default,
            parameter.meaning,
            bounds.start(),
            bounds.end()
        )
    };
    fault.parameters.iter().map(line).collect()
}

/// What must be found, in words.
pub(super) fn finding(finding: &Finding) -> String {
    match finding {
        Finding::Stall {
            verdict,
            file,
            lines,
        } if lines.start() == lines.end() => {
            format!("a stall, {verdict}, at {file}:{}", lines.start())
        }
        Finding::Stall {
            verdict,
            file,
            lines,
        } => {
            format!(
                "a stall, {verdict}, at {file}:{}-{}",
                lines.start(),
                lines.end()
            )
        }
        Finding::Condition { condition } => format!("the condition {condition}"),
        Finding::Metric { names, by } => {
            format!("a rise of {} by {by} or more", names.join(" or "))
        }
        Finding::Slow {
            histogram,
            above_ms,
        } => format!("{histogram} above {above_ms} ms"),
        Finding::Rate {
            counter,
            per_second,
        } => format!("{counter} rising by {per_second} a second or more"),
        _ => "see its documentation".to_owned(),
    }
}

/// What the faults of some services do.
pub(super) fn states(states: &[(AdminAddress, Vec<FaultState>)]) -> String {
    let services: Vec<_> = states
        .iter()
        .map(|(address, states)| {
            format!(
                "{}\n{}",
                styled(STRONG, &headline(address, states)),
                rows(states)
            )
        })
        .collect();
    services.join("\n\n")
}

fn headline(address: &AdminAddress, states: &[FaultState]) -> String {
    let on: Vec<_> = states
        .iter()
        .filter(|state| state.on)
        .map(|state| state.name.as_str())
        .collect();
    if on.is_empty() {
        format!("{address}: all faults are off")
    } else {
        format!("{address}: {} on", on.join(", "))
    }
}

fn rows(states: &[FaultState]) -> String {
    let mut rows = table(&[
        "fault",
        "state",
        "duration",
        "pause",
        "count",
        "fired",
        "last lasted",
        "left behind",
        "trouble",
    ]);
    for state in states {
        rows.add_row(vec![
            state.name.clone(),
            if state.on { "on" } else { "off" }.to_owned(),
            ms_setting(state.settings.duration_ms),
            ms_setting(state.settings.pause_ms),
            state
                .settings
                .count
                .map_or_else(|| "–".to_owned(), |count| count.to_string()),
            state.fired.to_string(),
            ms_or_dash(state.last_blocked_ms),
            state.leaked.to_string(),
            state.last_error.clone().unwrap_or_default(),
        ]);
    }
    text(&rows)
}

fn ms_setting(ms: Option<u64>) -> String {
    ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"))
}

/// For scripts: one object a service.
pub(super) fn states_json(states: &[(AdminAddress, Vec<FaultState>)]) -> Value {
    let services = states.iter().map(|(address, states)| {
        json!({
            "service": address.service,
            "admin": address.url,
            "faults": states,
        })
    });
    services.collect()
}

/// What was done in a service.
pub(super) fn switched(address: &AdminAddress, state: &FaultState) -> String {
    if state.on {
        let settings = &state.settings;
        let words = [
            settings.duration_ms.map(|ms| format!("{ms} ms at a time")),
            settings
                .pause_ms
                .map(|ms| format!("with pauses of {ms} ms")),
            settings.count.map(|count| format!("count {count}")),
        ];
        let words: String = words
            .into_iter()
            .flatten()
            .map(|word| format!(", {word}"))
            .collect();
        format!("{address}: {} is {}{words}", state.name, styled(BAD, "on"))
    } else {
        format!(
            "{address}: {} is off, it has acted {} times",
            state.name, state.fired
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faults::CATALOGUE;

    /// Goal: whoever reads the list knows every name and what must be found.
    #[test]
    fn catalogue_is_complete() {
        let text = catalogue(&CATALOGUE);
        for fault in CATALOGUE {
            assert!(
                text.contains(fault.name) && text.contains(&finding(&fault.finding)),
                "{}",
                fault.name
            );
        }
        assert!(text.contains("a stall, sleep, at examples/faults/src/block_sleep.rs:"));
        assert!(text.contains("a rise of "));
        assert!(text.contains("--count 600: how many calls are under way at once, 1 to 1024"));
    }
}
