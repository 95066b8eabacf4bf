//! The few styles there are: colour says good, bad or beside the point, nothing else.

use anstyle::{AnsiColor, Style};

/// What is wrong, or stands still.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is as it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What the eye should find first.
pub(super) const STRONG: Style = Style::new().bold();
/// What may be skipped.
pub(super) const FAINT: Style = Style::new().dimmed();

/// The text in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
