//! The demo as it goes: text for people, or one JSON object a line for scripts.

use faults::Fault;
use pollscope::stall::Stall;
use serde::Serialize;
use serde_json::Value;

use super::announcement::Announcement;
use super::number::{ms, ms_or_dash};
use super::style::{BAD, FAINT, GOOD, STRONG, styled};
use super::table::{table, text as table_text};
use super::{fault, out, out_json, stall};
use crate::cmd::{Match, Outcome, Summary};
use crate::ending::Failure;
use crate::service::Service;

/// Shows a demo.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DemoShow {
    as_json: bool,
}

/// A line for scripts.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Line<'a> {
    Fault {
        #[serde(flatten)]
        outcome: &'a Outcome,
    },
    Stall {
        fault: Option<&'a str>,
        as_declared: Option<bool>,
        #[serde(flatten)]
        stall: &'a Stall,
    },
    Load {
        #[serde(flatten)]
        report: &'a Value,
    },
    Summary {
        #[serde(flatten)]
        summary: &'a Summary,
    },
}

impl DemoShow {
    /// For scripts, or for people.
    pub(crate) fn new(as_json: bool) -> Self {
        Self { as_json }
    }

    /// Where everything is.
    pub(crate) fn opening(
        &self,
        services: &[&Announcement],
        load: &str,
        faults: usize,
    ) -> Result<(), Failure> {
        if self.as_json {
            return services.iter().try_for_each(out_json);
        }
        out(&opening(services, load, faults, &program()))
    }

    /// A fault is about to be switched on.
    pub(crate) fn fault(
        &self,
        number: usize,
        of: usize,
        fault: &Fault,
        service: Service,
    ) -> Result<(), Failure> {
        if self.as_json {
            return Ok(());
        }
        out(&format!(
            "\n{} {}\n  {}",
            styled(
                STRONG,
                &format!("[{number}/{of}] {} in {service}:", fault.name)
            ),
            fault.mechanism,
            styled(
                FAINT,
                &format!("must be found: {}", fault::finding(&fault.finding))
            )
        ))
    }

    /// A stall, with what it agrees in if a fault is on.
    pub(crate) fn stall(&self, stall: &Stall, on: Option<(&Fault, Match)>) -> Result<(), Failure> {
        if self.as_json {
            return out_json(&Line::Stall {
                fault: on.map(|(fault, _)| fault.name),
                as_declared: on.map(|(_, found)| found.is_complete()),
                stall,
            });
        }
        out(&stall::report(stall))
    }

    /// What came of a fault.
    pub(crate) fn outcome(&self, outcome: &Outcome) -> Result<(), Failure> {
        if self.as_json {
            out_json(&Line::Fault { outcome })
        } else {
            out(&outcome_text(outcome))
        }
    }

    /// The walk is over and everything stays.
    pub(crate) fn staying(&self) -> Result<(), Failure> {
        if self.as_json {
            return Ok(());
        }
        out(&format!(
            "\n{}",
            styled(STRONG, "services and load keep running; Ctrl-C ends")
        ))
    }

    /// What the users of both services felt.
    pub(crate) fn reports(&self, reports: &[Result<Value, Failure>]) -> Result<(), Failure> {
        for report in reports {
            match report {
                Ok(report) if self.as_json => out_json(&Line::Load { report })?,
                Ok(report) => out(&load_text(report))?,
                Err(failure) => super::notice(&failure.to_string()),
            }
        }
        Ok(())
    }

    /// The end.
    pub(crate) fn summary(&self, summary: &Summary, outcomes: &[Outcome]) -> Result<(), Failure> {
        if self.as_json {
            out_json(&Line::Summary { summary })
        } else {
            out(&summary_text(summary, outcomes))
        }
    }
}

/// The name under which we were called, for commands that people can copy.
fn program() -> String {
    std::env::args()
        .next()
        .unwrap_or_else(|| "pollscope".to_owned())
}

fn opening(services: &[&Announcement], load: &str, faults: usize, program: &str) -> String {
    let mut lines: Vec<_> = services.iter().map(|service| service.text()).collect();
    lines.push(format!("{:<17}{load}", "load"));
    lines.push("\nto try meanwhile in another terminal:".to_owned());
    let admin = services
        .first()
        .and_then(|service| service.admin.as_deref());
    let at = |service: &&&Announcement| {
        let usual = format!("http://{}", service.service.admin());
        match &service.admin {
            Some(admin) if *admin != usual => format!(" --service {admin}"),
            _ => String::new(),
        }
    };
    let first = services
        .first()
        .map(|service| at(&service))
        .unwrap_or_default();
    let last = services
        .last()
        .map(|service| at(&service))
        .unwrap_or_default();
    for command in [
        format!("{program} stalls --follow{first}"),
        format!("{program} faults status{first}"),
        format!("{program} flamegraph --seconds 5 -o exchange.svg{last}"),
        format!(
            "curl -s {}/metrics | grep pollscope_",
            admin.unwrap_or_default()
        ),
    ] {
        lines.push(format!("  {command}"));
    }
    if faults == 0 {
        lines.push("\nno fault is switched on: whatever is reported now is real".to_owned());
    }
    lines.join("\n")
}

fn outcome_text(outcome: &Outcome) -> String {
    if !outcome.found {
        let note = outcome
            .note
            .as_ref()
            .map_or_else(String::new, |note| format!(": {note}"));
        return format!(
            "  {} {} was on and nothing was found of it{note}",
            styled(BAD, "NOT FOUND"),
            outcome.fault
        );
    }
    if let Some(shown_by) = &outcome.shown_by {
        return format!(
            "  {} {shown_by}; {}",
            styled(STRONG, "FOUND"),
            styled(GOOD, "as declared")
        );
    }
    let verdict = if outcome.is_as_declared() {
        styled(GOOD, "as declared: the right line and the right verdict")
    } else {
        let wrong = match (outcome.right_line, outcome.right_verdict) {
            (false, false) => "the line and the verdict are",
            (false, true) => "the line is",
            _ => "the verdict is",
        };
        styled(BAD, &format!("not as declared: {wrong} wrong"))
    };
    let total = match (outcome.reported_ms, outcome.true_ms) {
        (Some(reported), Some(truth)) => format!(
            "lasted {}, the fault itself says {}",
            ms(reported),
            ms(truth)
        ),
        (Some(reported), None) => format!("lasted {}", ms(reported)),
        (None, _) => "its end was not reported".to_owned(),
    };
    format!("    {}{total}; {verdict}", styled(FAINT, "end    "))
}

fn summary_text(summary: &Summary, outcomes: &[Outcome]) -> String {
    let mut lines = Vec::new();
    if !outcomes.is_empty() {
        let mut rows = table(&[
            "fault",
            "service",
            "found",
            "line",
            "verdict",
            "opened after",
            "reported",
            "true",
            "error",
        ]);
        for outcome in outcomes {
            let word = |is: bool| match (outcome.declared, is) {
                ("stall", true) => "right".to_owned(),
                ("stall", false) => "wrong".to_owned(),
                _ => "–".to_owned(),
            };
            rows.add_row(vec![
                outcome.fault.to_owned(),
                outcome.service.to_string(),
                if outcome.found { "yes" } else { "no" }.to_owned(),
                word(outcome.right_line),
                word(outcome.right_verdict),
                ms_or_dash(outcome.opened_after_ms),
                ms_or_dash(outcome.reported_ms),
                ms_or_dash(outcome.true_ms),
                outcome
                    .error_pct
                    .map_or_else(|| "–".to_owned(), |error| format!("{error:+.1} %")),
            ]);
        }
        lines.push(format!("\n{}", table_text(&rows)));
    }
    let is_good = outcomes.iter().all(Outcome::is_as_declared);
    let first = summary.first_report_s.map_or_else(String::new, |first| {
        format!(", the first report after {first:.1} s")
    });
    let found = format!(
        "{} of {} faults found, {} as declared with line and verdict{first}",
        summary.faults_found,
        summary.faults_tried,
        outcomes.iter().filter(|of| of.is_as_declared()).count()
    );
    if summary.faults_tried > 0 {
        lines.push(styled(if is_good { GOOD } else { BAD }, &found));
    }
    let unexpected = match summary.unexpected_stalls {
        0 => "no stall of 100 ms or more besides".to_owned(),
        1 => styled(BAD, "1 stall of 100 ms or more that no fault explains"),
        count => styled(
            BAD,
            &format!("{count} stalls of 100 ms or more that no fault explains"),
        ),
    };
    let end = if summary.interrupted {
        ", stopped by hand"
    } else {
        ""
    };
    lines.push(format!("{unexpected}; {:.1} s in all{end}", summary.wall_s));
    lines.join("\n")
}

/// The essentials of a load's report.
fn load_text(report: &Value) -> String {
    let number = |name: &str| report[name].as_f64().unwrap_or_default();
    let response = &report["response_ms"];
    format!(
        "\n{}: {:.0} of {:.0} per second, response p50 {}, p99 {}, max {}, lost {}, {}",
        styled(
            STRONG,
            &format!("users of {}", report["workload"].as_str().unwrap_or("?"))
        ),
        number("achieved_per_s"),
        number("offered_per_s"),
        ms_or_dash(response["p50"].as_f64()),
        ms_or_dash(response["p99"].as_f64()),
        ms_or_dash(response["max"].as_f64()),
        report["lost"],
        report["stamp"].as_str().unwrap_or("?")
    )
}
