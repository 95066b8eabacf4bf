//! A drill's result as a person reads it, and as a page of documentation. PURE.

use std::fmt::Write as _;

use super::number::ms_or_dash;
use super::style::{BAD, FAINT, GOOD, STRONG, styled};
use super::table::{table, text as table_text};
use crate::cmd::{DrillPromise, DrillReport, DrillRow, word};

/// The result on a terminal: first the answer, then what is not as expected in full, then the table.
pub(super) fn text(report: &DrillReport) -> String {
    let summary = &report.summary;
    let (style, word) = if report.is_as_expected() {
        (GOOD, "HELD")
    } else {
        (BAD, "NOT HELD")
    };
    let mut text = format!(
        "{}  {}\n\n",
        styled(style, word),
        styled(STRONG, &answer(report))
    );
    text.push_str(&rows(report));
    let _ = write!(text, "\n\n{}", matrix(report));
    for row in report.scenarios.iter().filter(|row| !row.is_as_expected()) {
        let _ = write!(
            text,
            "\n{} {}/{}/{}: {}",
            styled(BAD, "not as expected:"),
            row.name,
            word_of(row).0,
            word_of(row).1,
            row.note
        );
    }
    let _ = write!(
        text,
        "\n\n{}\n{}",
        promises(report),
        styled(
            FAINT,
            &format!(
                "{} rows in {:.0} s; acts are counted, not rows; open: from an act's begin to its report in hand",
                report.scenarios.len(),
                summary.wall_s
            )
        )
    );
    text
}

fn answer(report: &DrillReport) -> String {
    let summary = &report.summary;
    format!(
        "{} of {} stalls found, {} on the right line, {} with the right verdict, {} of them recorded; {} wrong proven; {} of {} silent runs silent, {} false blames; open after {} median, {} p99; {} calls interrupted, {} of them of threads known to stand in one",
        summary.found,
        summary.positives,
        summary.right_line,
        summary.right_verdict,
        summary.recorded,
        summary.wrong_proven,
        report
            .scenarios
            .iter()
            .filter(|row| row.silent && row.found)
            .count(),
        summary.negatives,
        summary.false_blames,
        ms_or_dash(summary.open_ms_p50),
        ms_or_dash(summary.open_ms_p99),
        summary.eintr_caused,
        summary.blocked_signalled,
    )
}

/// One line for each promise: first whether it held, then its name, so that scripts find both.
fn promises(report: &DrillReport) -> String {
    let lines = report.promises.iter().map(|promise| {
        let [_, name, figure, limit, what] = promise_cells(promise);
        let word = if promise.held {
            styled(GOOD, "HELD  ")
        } else {
            styled(BAD, "MISSED")
        };
        let excuse = if promise.excused {
            format!("; {}", crowded(report))
        } else {
            String::new()
        };
        format!("{word}  {name:<13} {figure:>9}  {limit:>11}  {what}{excuse}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn crowded(report: &DrillReport) -> String {
    let share = report.summary.others_cpu_share.unwrap_or(0.0);
    format!(
        "machine crowded: others had {:.0} % of the CPUs",
        share * 100.0
    )
}

fn promise_cells(promise: &DrillPromise) -> [String; 5] {
    let with_unit = |value: f64| match promise.unit {
        "" => format!("{value:.0}"),
        unit => format!("{value:.1} {unit}"),
    };
    let sign = if promise.at_least { "≥" } else { "≤" };
    [
        if promise.held { "held" } else { "missed" }.to_owned(),
        promise.name.to_owned(),
        promise.figure.map_or_else(|| "–".to_owned(), with_unit),
        format!("{sign} {}", with_unit(promise.limit)),
        promise.what.to_owned(),
    ]
}

fn word_of(row: &DrillRow) -> (String, String) {
    (word(&row.runtime), word(&row.tier))
}

fn mark(row: &DrillRow, is: bool) -> &'static str {
    match (row.silent && !row.recorded, is) {
        (true, true) => "–",
        (_, true) => "yes",
        (_, false) => "NO",
    }
}

fn cells(row: &DrillRow) -> [String; 10] {
    let (runtime, tier) = word_of(row);
    [
        row.name.clone(),
        runtime,
        tier,
        row.expected.clone(),
        row.got.clone(),
        if row.found { "yes" } else { "NO" }.to_owned(),
        mark(row, row.right_line).to_owned(),
        mark(row, row.right_verdict).to_owned(),
        match row.open_after_ms {
            _ if row.recorded => "recorded".to_owned(),
            Some(value) => format!("{value:.1}"),
            None => "–".to_owned(),
        },
        row.total_error_pct
            .map_or_else(|| "–".to_owned(), |value| format!("{value:.1}")),
    ]
}

const HEADINGS: [&str; 10] = [
    "scenario",
    "runtime",
    "tier",
    "expected",
    "got",
    "found",
    "line",
    "verdict",
    "open ms",
    "total off %",
];

fn rows(report: &DrillReport) -> String {
    let mut rows = table(&HEADINGS);
    for row in &report.scenarios {
        rows.add_row(cells(row).to_vec());
    }
    table_text(&rows)
}

fn matrix(report: &DrillReport) -> String {
    let mut rows = table(&["expected", "got", "acts", ""]);
    for cell in &report.confusion {
        let got = cell.got.map_or("nothing", |verdict| verdict.name());
        rows.add_row(vec![
            cell.expected.name().to_owned(),
            got.to_owned(),
            cell.count.to_string(),
            if cell.right { "" } else { "wrong" }.to_owned(),
        ]);
    }
    table_text(&rows)
}

/// Lines between which the result stands in a page.
const BEGIN: &str = "<!-- drill: begin -->";
const END: &str = "<!-- drill: end -->";

/// A page with the result in its place: between the marks, or the whole page where there are none.
pub(super) fn page_in(old: &str, report: &DrillReport) -> String {
    let result = format!("{BEGIN}\n\n{}\n{END}", page(report));
    match (old.find(BEGIN), old.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{result}{}", &old[..begin], &old[end + END.len()..])
        }
        _ => format!("# Drill\n\n{result}\n"),
    }
}

/// How it was made, so that a quick drill is not taken for a full one.
fn how(report: &DrillReport) -> String {
    let made = &report.made;
    let machine = &made.machine;
    format!(
        "Made with `{}`, version {}, on {} {}, {}, {} cores; each silent run was watched for {} s, the whole took {:.0} s.",
        made.command,
        made.version,
        machine.system,
        machine.kernel.as_deref().unwrap_or("of unknown version"),
        machine.cpu.as_deref().unwrap_or("unknown processor"),
        machine.cores,
        made.silent_seconds,
        report.summary.wall_s
    )
}

fn page(report: &DrillReport) -> String {
    let mut text = format!("{}.\n\n{}\n\n", answer(report), how(report));
    text.push_str("| | promise | figure | limit | what is promised |\n|---|---|---|---|---|\n");
    for promise in &report.promises {
        let mut cells = promise_cells(promise);
        if promise.excused {
            let _ = write!(cells[0], ", {}", crowded(report));
        }
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
    let _ = writeln!(text, "| {} | note |", HEADINGS.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(HEADINGS.len() + 1));
    for row in &report.scenarios {
        let _ = writeln!(
            text,
            "| {} | {} |",
            cells(row).join(" | "),
            row.note.replace('|', "\\|")
        );
    }
    text.push_str("\nExpected and given verdicts, in acts:\n\n| expected | got | acts | |\n|---|---|---|---|\n");
    for cell in &report.confusion {
        let got = cell.got.map_or("nothing", |verdict| verdict.name());
        let _ = writeln!(
            text,
            "| {} | {got} | {} | {} |",
            cell.expected.name(),
            cell.count,
            if cell.right { "" } else { "wrong" }
        );
    }
    text
}
