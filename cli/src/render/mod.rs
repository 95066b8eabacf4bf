//! The only room that prints. Text is made by pure functions in the files beside; here it meets the terminal.
//!
//! Results go to standard output, everything about the doing (progress, notices, failures) to standard error. Colours are
//! in the text always and are taken out on the way unless a terminal reads it.

mod announcement;
mod demo;
mod drill;
mod fault;
mod load_plot;
mod load_report;
mod number;
mod path;
mod profile;
mod stall;
mod style;
mod table;

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use ::load::Report;
use faults::Fault;
use pollscope::stall::Stall;
use serde::Serialize;

use crate::admin_address::AdminAddress;
use crate::args::ProfileFormat;
use crate::client::FaultState;
use crate::cmd::{DrillReport, Series, SweepReport};
use crate::ending::Failure;

pub(crate) use announcement::Announcement;
pub(crate) use demo::DemoShow;

/// Prints text and a line end to standard output, at once.
fn out(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()?;
    Ok(())
}

/// Prints a value as one line of JSON.
fn out_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::unable("the result cannot be written as JSON", &error))?;
    out(&text)
}

/// Prints to standard error. That nobody reads it is no reason to stop.
fn err(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Why a command did not run, in one line.
pub(crate) fn failure(failure: &Failure) {
    if *failure != Failure::NobodyReads {
        err(&format!(
            "{}error:{} {failure}\n",
            style::BAD.render(),
            style::BAD.render_reset()
        ));
    }
}

/// Something worth knowing while a command goes on.
pub(crate) fn notice(text: &str) {
    err(&format!("{text}\n"));
}

/// A line that the next one replaces, on a terminal.
pub(crate) fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        err(&format!("\r\x1b[K{text}"));
    }
}

/// Takes the line of progress away.
pub(crate) fn progress_end() {
    progress("");
}

/// How far a recording is.
pub(crate) fn recording(address: &AdminAddress, elapsed: u32, seconds: u32) {
    let text = if elapsed < seconds {
        format!("recording {address}: {elapsed} of {seconds} s")
    } else {
        format!("recording {address}: drawing")
    };
    if std::io::stderr().is_terminal() {
        progress(&text);
    } else if elapsed == 0 {
        notice(&text);
    }
}

/// Where a service is.
pub(crate) fn announcement(announcement: &Announcement, as_json: bool) -> Result<(), Failure> {
    if as_json {
        out_json(announcement)
    } else {
        out(&announcement.text())
    }
}

/// What a load came to.
pub(crate) fn load(report: &Report, as_json: bool) -> Result<(), Failure> {
    if as_json {
        out_json(report)
    } else {
        out(&load_report::text(report))
    }
}

/// What a series of loads came to.
pub(crate) fn series(series: &Series, as_json: bool) -> Result<(), Failure> {
    if as_json {
        out_json(series)
    } else {
        out(&load_report::series(series))
    }
}

/// What a sweep came to.
pub(crate) fn sweep(sweep: &SweepReport, as_json: bool) -> Result<(), Failure> {
    if as_json {
        out_json(sweep)
    } else {
        out(&load_report::sweep(sweep))
    }
}

/// A run of a sweep that has ended, while others follow.
pub(crate) fn sweep_step(rate_per_s: f64, met: bool, report: &Report) {
    notice(&load_report::sweep_step(rate_per_s, met, report));
}

/// A run of a series that has ended, while others follow.
pub(crate) fn series_step(profile: &str, report: &Report) {
    notice(&load_report::series_step(profile, report));
}

/// Where the null server listens.
pub(crate) fn null_server(listen: SocketAddr, pid: u32) -> Result<(), Failure> {
    out_json(&serde_json::json!({ "listen": listen, "pid": pid }))
}

/// What one process of this program tells another.
pub(crate) fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    out_json(value)
}

/// Draws the latencies of loads into a file.
pub(crate) fn load_plot(reports: &[&Report], file: &Path) -> Result<(), Failure> {
    let svg = load_plot::svg(reports)
        .map_err(|error| Failure::Unable(format!("{} cannot be drawn: {error}", file.display())))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a command at its end, no service"
    )]
    std::fs::write(file, svg).map_err(|error| unwritable(file, &error))
}

/// Writes a load's response times, a histogram a second.
pub(crate) fn interval_log(report: &Report, file: &Path) -> Result<(), Failure> {
    let mut log = Vec::new();
    report.write_interval_log(&mut log)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a command at its end, no service"
    )]
    std::fs::write(file, log).map_err(|error| unwritable(file, &error))
}

/// Every fault there is.
pub(crate) fn catalogue(faults: &[&Fault], as_json: bool) -> Result<(), Failure> {
    if as_json {
        out_json(&faults)
    } else {
        out(&fault::catalogue(faults))
    }
}

/// The faults of some services.
pub(crate) fn fault_states(
    states: &[(AdminAddress, Vec<FaultState>)],
    as_json: bool,
) -> Result<(), Failure> {
    if as_json {
        out_json(&fault::states_json(states))
    } else {
        out(&fault::states(states))
    }
}

/// What was switched.
pub(crate) fn switched(states: &[(AdminAddress, FaultState)]) -> Result<(), Failure> {
    let lines: Vec<_> = states
        .iter()
        .map(|(address, state)| fault::switched(address, state))
        .collect();
    out(&lines.join("\n"))
}

/// The kept stalls of the services at these addresses.
pub(crate) fn stalls(
    stalls: &[Stall],
    answered: &[&AdminAddress],
    as_json: bool,
) -> Result<(), Failure> {
    if as_json {
        return out_json(&stalls);
    }
    let names: Vec<_> = answered.iter().map(ToString::to_string).collect();
    out(&stall::list(stalls, &names.join(" and ")))
}

/// Who is followed.
pub(crate) fn following(addresses: &[AdminAddress]) -> Result<(), Failure> {
    let names: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    notice(&format!("following {}, Ctrl-C ends", names.join(" and ")));
    Ok(())
}

/// A stall that was just reported.
pub(crate) fn followed(stall: &Stall, as_json: bool) -> Result<(), Failure> {
    if as_json {
        out_json(stall)
    } else {
        out(&stall::followed(stall))
    }
}

/// The scenarios of a drill: name and title.
pub(crate) fn scenarios(lines: &[(&str, &str)]) -> Result<(), Failure> {
    let mut rows = table::table(&["scenario", "what happens"]);
    for (name, title) in lines {
        rows.add_row([*name, *title]);
    }
    out(&table::text(&rows))
}

/// How far a drill is.
pub(crate) fn drill_progress(done: usize, total: usize) {
    progress(&format!("{done} of {total} runs"));
    if done == total {
        progress_end();
    }
}

/// What a drill came to.
pub(crate) fn drill(report: &DrillReport, as_json: bool) -> Result<(), Failure> {
    if as_json {
        out_json(report)
    } else {
        out(&drill::text(report))
    }
}

/// Makes sure that a drill's result can be put there, before the drill; a page that is there stays as it is.
pub(crate) fn check_drill_page(file: &Path) -> Result<(), Failure> {
    let opened = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file);
    opened.map(|_| ()).map_err(|error| unwritable(file, &error))
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::unable(format!("{} cannot be written", file.display()), error)
}

/// Puts the result of a drill between the marks of a Markdown page, or makes one.
pub(crate) fn drill_page(report: &DrillReport, file: &Path) -> Result<(), Failure> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a command at its end, no service"
    )]
    let old = std::fs::read_to_string(file).unwrap_or_default();
    #[expect(
        clippy::disallowed_methods,
        reason = "a command at its end, no service"
    )]
    std::fs::write(file, drill::page_in(&old, report)).map_err(|error| unwritable(file, &error))
}

/// A profile that was written.
pub(crate) fn profile(path: &Path, format: ProfileFormat, body: &[u8]) -> Result<(), Failure> {
    out(&profile::text(path, format, body))
}
