//! A load's report as a person reads it: first whether it may be believed, then the answer, then what it rests on. PURE.

use load::Report;
use load::histogram::Percentiles;
use load::stamp::Stamp;

use super::number::{bytes, ms, ms_or_dash};
use super::style::{BAD, FAINT, GOOD, STRONG, styled};
use super::table::{table, text as table_text};
use crate::cmd::{Series, Side, Spread, SweepReport};

/// The report, several lines.
pub(super) fn text(report: &Report) -> String {
    let mut lines = vec![format!(
        "{}  {}",
        stamp(report),
        styled(STRONG, &headline(report))
    )];
    lines.extend(report.stamp_reason.iter().map(|why| format!("  {why}")));
    lines.extend(meaning(report.stamp).map(|meaning| format!("  {meaning}")));
    if report.closed_loop {
        lines.push(
            "  closed loop: what was due during a slow answer was left out, so these times hide stalls"
                .to_owned(),
        );
    }
    lines.push(times(report));
    lines.push(counts(report));
    lines.extend(
        report
            .first_error
            .iter()
            .map(|error| format!("  first error: {error}")),
    );
    lines.extend(service(report));
    lines.push(generator(report));
    lines.push(styled(FAINT, &rests_on(report)));
    lines.join("\n")
}

fn stamp(report: &Report) -> String {
    let style = if report.is_good() { GOOD } else { BAD };
    styled(style, report.stamp.name())
}

fn headline(report: &Report) -> String {
    let deliveries = match report.workload {
        "chat" => format!(" ({:.0} deliveries/s)", report.deliveries_per_s),
        _ => String::new(),
    };
    let warm_up = if report.warm_up_s > 0.0 {
        format!(" after {:.0} s of warm-up", report.warm_up_s)
    } else {
        String::new()
    };
    format!(
        "{} {}: {:.1} of {:.1} offered per second{deliveries}, {} clients, {:.1} s{warm_up}{}",
        report.workload,
        report.profile,
        report.achieved_per_s,
        report.offered_per_s,
        report.clients,
        report.duration_s,
        if report.cancelled { ", cancelled" } else { "" }
    )
}

fn meaning(stamp: Stamp) -> Option<&'static str> {
    match stamp {
        Stamp::Ok => None,
        Stamp::Saturated => {
            Some("the service did not keep up: times tell how long the run was, not how fast it is")
        }
        _ => Some("the generator was the limit: the figures say nothing about the service"),
    }
}

/// The times that mean something: all of a good run, of others only what tells how bad it was.
fn times(report: &Report) -> String {
    let mut rows = table(&["", "p50", "p90", "p99", "p99.9", "max", "count", ""]);
    let mut add = |name: &str, times: &Percentiles, note: &str| {
        let mut row = vec![name.to_owned()];
        row.extend(cells(times));
        row.push(note.to_owned());
        rows.add_row(row);
    };
    if report.stamp == Stamp::Ok {
        let note = if report.closed_loop {
            "from sent to answered"
        } else {
            "from intended to answered: what a user waits"
        };
        add("response", &report.response_ms, note);
        add("service", &report.service_ms, "from sent to answered");
        if let Some(apart) = &report.apart {
            let note = format!(
                "the {} clients that are told apart; {} closed by the service",
                apart.clients, apart.closed
            );
            add("apart", &apart.response_ms, &note);
        }
    }
    add(
        "send lag",
        &report.send_lag_ms,
        "from intended to sent: this generator's own",
    );
    table_text(&rows)
}

/// Percentiles with a hundred samples beyond them, maximum and count.
fn cells(times: &Percentiles) -> Vec<String> {
    let backed =
        |quantile, value: Option<f64>| ms_or_dash(value.filter(|_| times.is_backed(quantile)));
    vec![
        backed(0.5, times.p50),
        backed(0.9, times.p90),
        backed(0.99, times.p99),
        backed(0.999, times.p999),
        ms_or_dash(times.max),
        times.count.to_string(),
    ]
}

fn counts(report: &Report) -> String {
    format!(
        "  sent {} · received {} · lost {} · duplicated {} · reordered {} · errors {} · all in after {:.1} s",
        report.sent,
        report.received,
        report.lost,
        report.duplicated,
        report.reordered,
        report.errors,
        report.connect_s
    )
}

fn service(report: &Report) -> Option<String> {
    let server = report.server?;
    let switches = server
        .context_switches_per_s
        .map_or(String::new(), |switches| {
            format!(", {switches:.0} context switches/s")
        });
    let processes = match server.processes {
        1 => String::new(),
        processes => format!(" in {processes} processes"),
    };
    Some(format!(
        "  the service used {:.1} % of a core and {}, {} a client at most; {} threads{processes}{switches}",
        server.cpu_pct,
        bytes(server.rss_bytes),
        bytes(server.rss_per_client_bytes),
        server.threads
    ))
}

fn generator(report: &Report) -> String {
    let pct = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.0} %"));
    let generator = &report.generator;
    let processes = match generator.processes {
        1 => String::new(),
        processes => format!(" in {processes} processes"),
    };
    let floor = report.null_server.map_or(String::new(), |floor| {
        format!(
            "; with a service that answers at once: p50 {}, p99 {}, at most {:.0} messages/s",
            ms(floor.p50_ms),
            ms(floor.p99_ms),
            floor.ceiling_per_s
        )
    });
    format!(
        "  the generator used {} of a core to read, {} to send{processes}{floor}",
        pct(generator.reading_cpu_pct),
        pct(generator.pacing_cpu_pct)
    )
}

/// On what machine, with what program, by which schedule.
fn rests_on(report: &Report) -> String {
    let cores = match report.server {
        Some(server) if !server.shares_cores => "none shared with the service",
        _ => "shared by service and generator",
    };
    format!(
        "  {} cores ({cores}), {}, {} build, schedule {}",
        report.machine.cores,
        report.machine.cpu.as_deref().unwrap_or("unknown CPU"),
        report.build.profile,
        report.schedule_hash
    )
}

/// One run of a sweep, in a line, while it goes on.
pub(super) fn sweep_step(rate_per_s: f64, met: bool, report: &Report) -> String {
    let verdict = if met { "met" } else { "missed" };
    format!(
        "{rate_per_s:.0}/s: {} p99 {}, goal {verdict}",
        report.stamp,
        ms_or_dash(report.response_ms.p99)
    )
}

/// One run of a series, in a line, while it goes on.
pub(super) fn series_step(profile: &str, report: &Report) -> String {
    format!(
        "{profile}: {} p50 {} p99 {}",
        report.stamp,
        ms_or_dash(report.response_ms.p50),
        ms_or_dash(report.response_ms.p99)
    )
}

/// A sweep, several lines.
pub(super) fn sweep(sweep: &SweepReport) -> String {
    let goal = format!("p99 of at most {}", ms(sweep.goal_ms));
    let answer = match sweep.knee_per_s {
        Some(knee) => styled(
            GOOD,
            &format!("{knee:.0} per second is the highest rate with {goal}"),
        ),
        None => styled(BAD, &format!("no rate that was tried had {goal}")),
    };
    let mut rows = table(&[
        "rate/s",
        "",
        "achieved/s",
        "p50",
        "p99",
        "max",
        "server CPU",
        "",
    ]);
    let mut in_order: Vec<_> = sweep.runs.iter().collect();
    in_order.sort_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s));
    for run in in_order {
        let report = &run.report;
        let is_told = report.stamp == Stamp::Ok;
        let time = |value: Option<f64>| ms_or_dash(value.filter(|_| is_told));
        rows.add_row(vec![
            format!("{:.0}", run.rate_per_s),
            report.stamp.to_string(),
            format!("{:.0}", report.achieved_per_s),
            time(report.response_ms.p50),
            time(report.response_ms.p99),
            time(report.response_ms.max),
            report.server.map_or("–".to_owned(), |server| {
                format!("{:.0} %", server.cpu_pct)
            }),
            if run.met { "met" } else { "missed" }.to_owned(),
        ]);
    }
    let mut lines = vec![answer];
    if sweep.generator_limited {
        lines
            .push("  above that the generator was the limit: the service may bear more".to_owned());
    }
    lines.push(table_text(&rows));
    lines.extend(
        sweep
            .runs
            .last()
            .map(|run| styled(FAINT, &rests_on(&run.report))),
    );
    lines.join("\n")
}

/// A series, several lines.
pub(super) fn series(series: &Series) -> String {
    let mut lines = Vec::new();
    if let Some(ratio) = series.p99_ratio {
        let names: Vec<_> = series
            .sides
            .iter()
            .map(|side| side.profile.as_str())
            .collect();
        lines.push(styled(
            STRONG,
            &format!(
                "p99 of {} is {ratio:.2} times that of {}",
                names[0], names[1]
            ),
        ));
    }
    let mut rows = table(&["", "good", "achieved/s", "p50", "p99", "max"]);
    for side in &series.sides {
        rows.add_row(side_row(side));
    }
    lines.push(table_text(&rows));
    lines.push("  median (smallest – largest) of all runs".to_owned());
    lines.extend(series.runs.last().map(|run| styled(FAINT, &rests_on(run))));
    lines.join("\n")
}

fn side_row(side: &Side) -> Vec<String> {
    let figure = |spread: Option<Spread>, show: fn(f64) -> String| {
        spread.map_or("–".to_owned(), |spread| {
            format!(
                "{} ({} – {})",
                show(spread.median),
                show(spread.min),
                show(spread.max)
            )
        })
    };
    vec![
        side.profile.clone(),
        format!("{} of {}", side.good, side.runs),
        figure(side.achieved_per_s, |rate| format!("{rate:.0}")),
        figure(side.p50_ms, ms),
        figure(side.p99_ms, ms),
        figure(side.max_ms, ms),
    ]
}
