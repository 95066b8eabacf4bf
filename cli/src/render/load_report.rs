//! A load's report as a person reads it: first whether it may be believed. PURE.

use load::Report;
use load::histogram::Percentiles;
use load::stamp::Stamp;

use super::number::{bytes, ms_or_dash};
use super::style::{BAD, GOOD, STRONG, styled};
use super::table::{table, text as table_text};

/// The report, several lines.
pub(super) fn text(report: &Report) -> String {
    let stamp = report.stamp.to_string();
    let style = if report.stamp == Stamp::Ok && report.lost == 0 {
        GOOD
    } else {
        BAD
    };
    let mut lines = vec![format!(
        "{}  {}",
        styled(style, &stamp),
        styled(
            STRONG,
            &format!(
                "{}: {:.1} of {:.1} offered per second, {} clients, {:.1} s{}",
                report.workload,
                report.achieved_per_s,
                report.offered_per_s,
                report.clients,
                report.duration_s,
                if report.cancelled { ", cancelled" } else { "" }
            )
        )
    )];
    lines.extend(meaning(report.stamp).map(|meaning| format!("  {meaning}")));
    lines.push(times(report));
    lines.push(format!(
        "  sent {} · received {} · lost {} · duplicated {} · reordered {} · errors {}",
        report.sent,
        report.received,
        report.lost,
        report.duplicated,
        report.reordered,
        report.errors
    ));
    lines.extend(
        report
            .first_error
            .iter()
            .map(|error| format!("  first error: {error}")),
    );
    lines.extend(report.server.iter().map(|server| {
        format!(
            "  the service used {:.1} % of a core and {}, {} a client at most",
            server.cpu_pct,
            bytes(server.rss_bytes),
            bytes(server.rss_per_client_bytes)
        )
    }));
    lines.join("\n")
}

fn meaning(stamp: Stamp) -> Option<&'static str> {
    match stamp {
        Stamp::Ok => None,
        Stamp::Saturated => {
            Some("the service did not keep up: times tell how long the run was, not how fast it is")
        }
        _ => Some(
            "this machine was too busy to send in time: the figures say nothing about the service",
        ),
    }
}

fn times(report: &Report) -> String {
    let mut rows = table(&["", "p50", "p99", "p99.9", "max", ""]);
    for (name, times, note) in [
        (
            "response",
            &report.response_ms,
            "from intended to answered: what a user waits",
        ),
        ("service", &report.service_ms, "from sent to answered"),
        (
            "send lag",
            &report.send_lag_ms,
            "from intended to sent: this generator's own",
        ),
    ] {
        let Percentiles {
            p50,
            p99,
            p999,
            max,
            ..
        } = *times;
        let mut row = vec![name.to_owned()];
        row.extend([p50, p99, p999, max].map(ms_or_dash));
        row.push(note.to_owned());
        rows.add_row(row);
    }
    table_text(&rows)
}
