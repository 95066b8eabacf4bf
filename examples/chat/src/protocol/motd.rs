//! The message of the day: a text of the operator, cut into lines; PURE.

/// Most lines kept; a longer text is cut. It goes to every client that comes, and takes places in its send queue.
pub const LINES_MAX: usize = 100;

/// Longest line kept, in bytes: leaves room for prefix, number and nickname in a line of 512.
pub const LINE_LEN_MAX: usize = 400;

/// The lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Motd(Vec<String>);

impl Motd {
    /// The message in `text`. Long lines and long texts are cut.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let lines = text.lines().take(LINES_MAX).map(|line| {
            let mut end = line.len().min(LINE_LEN_MAX);
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            line[..end].to_owned()
        });
        Self(lines.collect())
    }

    /// The lines, in order; none if there is no message.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text is kept line by line, and bounded in both directions.
    #[test]
    fn is_bounded() {
        let motd = Motd::new("Hello\r\n\nworld\n");
        assert_eq!(motd.lines().collect::<Vec<_>>(), ["Hello", "", "world"]);
        assert!(Motd::new("").is_empty());
        let long = Motd::new(&"é".repeat(1000).repeat(2));
        assert_eq!(
            long.lines().map(str::len).collect::<Vec<_>>(),
            [LINE_LEN_MAX]
        );
        assert_eq!(Motd::new(&"x\n".repeat(1000)).lines().count(), LINES_MAX);
    }
}
