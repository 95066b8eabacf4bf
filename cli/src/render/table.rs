//! Tables: aligned columns without lines, headings faint.

use comfy_table::{ContentArrangement, Table, presets};

/// Widest table; wider ones are hard to read even where they fit.
const WIDTH: u16 = 110;

/// A table with these headings, each line indented by two.
pub(super) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(headings.to_vec());
    table
}

/// The table as text, without the blanks at line ends.
pub(super) fn text(table: &Table) -> String {
    let lines: Vec<_> = table
        .lines()
        .map(|line| format!(" {}", line.trim_end()))
        .collect();
    lines.join("\n")
}
