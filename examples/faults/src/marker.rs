//! Finds the line of a fault by a comment in its own source.
//!
//! Everything here runs at compile time: a fault whose marker is missing or doubled does not compile, and no formatting
//! can make a line number lie. The comments are spelled out in this file alone, so that they occur once in a fault's file.

use std::ops::RangeInclusive;

/// Stands at the end of the one line that blocks.
const HERE: &str = "// fault: blocks here";
/// Stands on a line of its own before the first line that burns CPU.
const BEGINS: &str = "// fault: begins";
/// Stands on a line of its own after the last line that burns CPU.
const ENDS: &str = "// fault: ends";

/// The line of `source` that carries the marker for one blocking call, as a range of one.
pub(crate) const fn line(source: &str) -> RangeInclusive<u32> {
    let line = only_line_with(source.as_bytes(), HERE.as_bytes());
    RangeInclusive::new(line, line)
}

/// The lines of `source` between the two markers round a loop, without the markers.
pub(crate) const fn lines(source: &str) -> RangeInclusive<u32> {
    let begins = only_line_with(source.as_bytes(), BEGINS.as_bytes());
    let ends = only_line_with(source.as_bytes(), ENDS.as_bytes());
    assert!(begins + 1 < ends, "there must be lines between the markers");
    RangeInclusive::new(begins + 1, ends - 1)
}

/// The number, from 1, of the only line of `source` in which `marker` occurs.
const fn only_line_with(source: &[u8], marker: &[u8]) -> u32 {
    let mut found = 0;
    let mut line = 1;
    let mut at = 0;
    while at < source.len() {
        if source[at] == b'\n' {
            line += 1;
        }
        if starts_with(source, at, marker) {
            assert!(found == 0, "the marker must occur once");
            found = line;
        }
        at += 1;
    }
    assert!(found != 0, "the marker must occur");
    found
}

const fn starts_with(source: &[u8], at: usize, marker: &[u8]) -> bool {
    let mut i = 0;
    while i < marker.len() {
        if at + i >= source.len() || source[at + i] != marker[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// The text of a line, numbered from 1.
#[cfg(test)]
pub(crate) fn text(source: &str, line: u32) -> &str {
    source
        .lines()
        .nth(usize::try_from(line).unwrap() - 1)
        .unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the number is the marker's own line, wherever it stands.
    #[test]
    fn finds_the_marked_line() {
        for (source, expect) in [
            ("a(); // fault: blocks here", 1),
            ("\n\n  b(); // fault: blocks here\nc();", 3),
            ("a\r\nb(); // fault: blocks here\r\n", 2),
        ] {
            assert_eq!(line(source), expect..=expect, "{source:?}");
        }
    }

    /// Goal: the range leaves the markers themselves out.
    #[test]
    fn finds_the_lines_between() {
        let source = "x\n// fault: begins\na\nb\n// fault: ends\ny";
        assert_eq!(lines(source), 3..=4);
        assert_eq!(text(source, 3), "a");
        assert_eq!(text(source, 4), "b");
    }

    /// Goal: a doubled marker is refused rather than guessed at.
    #[test]
    #[should_panic(expected = "the marker must occur once")]
    fn refuses_two_markers() {
        let _ = line("// fault: blocks here\n// fault: blocks here");
    }

    /// Goal: a missing marker is refused.
    #[test]
    #[should_panic(expected = "the marker must occur")]
    fn refuses_no_marker() {
        let _ = line("nothing\n");
    }
}
