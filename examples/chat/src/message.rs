//! One IRC line: parsed from text, formatted to bytes; PURE.
//!
//! The grammar is that of RFC 1459 with the message tags of IRCv3 in front, which are skipped. A parsed message borrows
//! from its line; a formatted line is shared bytes, because one line goes to every member of a room.
//! It must not know what any command means.

use bytes::Bytes;

/// Longest line in bytes, CR LF included; the limit of RFC 1459, which clients rely on.
pub const LINE_MAX: usize = 512;

/// Longest tag section in bytes, from `@` to its space; the limit of IRCv3 for clients (4,094 bytes of data).
pub const TAGS_MAX: usize = 4096;

/// Most parameters of one message; the limit of RFC 1459. The last one takes the rest of the line.
pub const PARAMS_MAX: usize = 15;

/// One message as a client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who the sender says it is. Kept for completeness; a server believes its own records instead.
    pub prefix: Option<&'a str>,
    /// The command in the letter case of the sender.
    pub command: &'a str,
    /// Parameters, the trailing one without its colon. An empty trailing parameter is kept, for it means "empty".
    pub params: Vec<&'a str>,
}

/// Why a line is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// Tags or a prefix, and nothing after them.
    NoCommand,
    /// The command is neither letters nor three digits.
    BadCommand,
    /// A NUL or a bare CR, which would break the lines of other clients.
    ForbiddenCharacter,
    /// Longer than [`LINE_MAX`] without its tags.
    TooLong,
}

impl ParseError {
    /// Every error, for a counter a kind.
    pub const ALL: [Self; 4] = [
        Self::NoCommand,
        Self::BadCommand,
        Self::ForbiddenCharacter,
        Self::TooLong,
    ];

    /// The label value.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::NoCommand => "no_command",
            Self::BadCommand => "bad_command",
            Self::ForbiddenCharacter => "forbidden_character",
            Self::TooLong => "too_long",
        }
    }

    /// What to tell the client.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoCommand => "Line without a command",
            Self::BadCommand => "Command must be letters or three digits",
            Self::ForbiddenCharacter => "Line has a NUL or a bare CR",
            Self::TooLong => "Input line was too long",
        }
    }
}

impl<'a> Message<'a> {
    /// Parses a line without its line end.
    ///
    /// # Errors
    ///
    /// [`ParseError`] says which rule of the grammar the line breaks.
    pub fn parse(line: &'a str) -> Result<Self, ParseError> {
        if line.contains(['\0', '\r', '\n']) {
            return Err(ParseError::ForbiddenCharacter);
        }
        let (_tags, rest) = section(line, '@')?;
        if rest.len() + "\r\n".len() > LINE_MAX {
            return Err(ParseError::TooLong);
        }
        let (prefix, rest) = section(rest, ':')?;
        let (command, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if command.is_empty() {
            return Err(ParseError::NoCommand);
        }
        let letters = command.bytes().all(|byte| byte.is_ascii_alphabetic());
        let digits = command.len() == 3 && command.bytes().all(|byte| byte.is_ascii_digit());
        if !letters && !digits {
            return Err(ParseError::BadCommand);
        }
        Ok(Self {
            prefix,
            command,
            params: params(rest),
        })
    }
}

/// Splits off an optional leading section (`@tags `, `:prefix `); gives it and what follows.
fn section(line: &str, mark: char) -> Result<(Option<&str>, &str), ParseError> {
    let line = line.trim_start_matches(' ');
    let Some(marked) = line.strip_prefix(mark) else {
        return Ok((None, line));
    };
    let (section, rest) = marked.split_once(' ').ok_or(ParseError::NoCommand)?;
    Ok((Some(section), rest.trim_start_matches(' ')))
}

fn params(mut rest: &str) -> Vec<&str> {
    let mut params = Vec::new();
    loop {
        rest = rest.trim_start_matches(' ');
        if rest.is_empty() {
            return params;
        }
        if let Some(trailing) = rest.strip_prefix(':') {
            params.push(trailing);
            return params;
        }
        if params.len() + 1 == PARAMS_MAX {
            params.push(rest);
            return params;
        }
        let (param, tail) = rest.split_once(' ').unwrap_or((rest, ""));
        params.push(param);
        rest = tail;
    }
}

/// One line to a client, CR LF included, never longer than [`LINE_MAX`]. Clones share the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(Bytes);

impl Line {
    /// Formats a line; `text` is the trailing parameter and gets the colon.
    ///
    /// Whatever the strings hold, the result is one line: a middle parameter ends at its first space, an empty one
    /// becomes `*`, line ends become spaces, and what is too long is cut at a character boundary, as servers do.
    #[must_use]
    pub fn new(prefix: Option<&str>, command: &str, middle: &[&str], text: Option<&str>) -> Self {
        let mut line = String::with_capacity(128);
        if let Some(prefix) = prefix {
            line.push(':');
            line.push_str(prefix);
            line.push(' ');
        }
        line.push_str(command);
        for param in middle {
            line.push(' ');
            let word = param.trim_start_matches([' ', ':']);
            let word = word.split(' ').next().unwrap_or_default();
            line.push_str(if word.is_empty() { "*" } else { word });
        }
        if let Some(text) = text {
            line.push_str(" :");
            line.push_str(text);
        }
        if line.contains(['\r', '\n', '\0']) {
            line = line.replace(['\r', '\n', '\0'], " ");
        }
        let mut end = line.len().min(LINE_MAX - "\r\n".len());
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push_str("\r\n");
        Self(Bytes::from(line))
    }

    /// The bytes to write, line end included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Well-formed lines in all their shapes come apart as the grammar says.
    #[test]
    fn parses() {
        let cases: &[(&str, Option<&str>, &str, &[&str])] = &[
            ("QUIT", None, "QUIT", &[]),
            ("nick alice", None, "nick", &["alice"]),
            ("JOIN :", None, "JOIN", &[""]),
            ("CAP LS 302", None, "CAP", &["LS", "302"]),
            (
                ":a!b@c PRIVMSG #r :hi : there",
                Some("a!b@c"),
                "PRIVMSG",
                &["#r", "hi : there"],
            ),
            (
                "@id=1;x=y :a PRIVMSG  b   c ",
                Some("a"),
                "PRIVMSG",
                &["b", "c"],
            ),
            ("  PING  x", None, "PING", &["x"]),
            ("001 x", None, "001", &["x"]),
            (
                "X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
                None,
                "X",
                &[
                    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14",
                    "15 16",
                ],
            ),
        ];
        for (line, prefix, command, params) in cases {
            let message = Message::parse(line).unwrap();
            assert_eq!(message.prefix, *prefix, "{line}");
            assert_eq!(message.command, *command, "{line}");
            assert_eq!(message.params, *params, "{line}");
        }
    }

    /// Malformed lines are errors with a kind, never panics.
    #[test]
    fn refuses() {
        let long = "x".repeat(600);
        let cases = [
            ("@tags", ParseError::NoCommand),
            (":prefix", ParseError::NoCommand),
            (":prefix  ", ParseError::NoCommand),
            ("", ParseError::NoCommand),
            ("PRIV-MSG x", ParseError::BadCommand),
            ("12 x", ParseError::BadCommand),
            ("é", ParseError::BadCommand),
            ("PING a\rb", ParseError::ForbiddenCharacter),
            ("PING a\0b", ParseError::ForbiddenCharacter),
            (long.as_str(), ParseError::TooLong),
        ];
        for (line, error) in cases {
            assert_eq!(Message::parse(line), Err(error), "{line:?}");
        }
    }

    /// No text can make two lines, a wrong parameter or a line that is too long.
    #[test]
    fn formats_one_line_whatever_comes() {
        let check = |line: Line, expect: &str| {
            assert_eq!(std::str::from_utf8(line.as_bytes()).unwrap(), expect);
        };
        check(
            Line::new(Some("s"), "432", &["*", "a b"], Some("no")),
            ":s 432 * a :no\r\n",
        );
        check(
            Line::new(None, "X", &["", ":y"], Some("a\r\nQUIT")),
            "X * y :a  QUIT\r\n",
        );
        let long = Line::new(Some("s"), "PRIVMSG", &["#r"], Some(&"é".repeat(400)));
        assert!(long.as_bytes().len() <= LINE_MAX);
        assert!(std::str::from_utf8(long.as_bytes()).is_ok());
        assert!(long.as_bytes().ends_with(b"\r\n"));
    }

    /// No line of random bytes makes the parser panic, and what it accepts obeys the limits.
    #[test]
    fn survives_noise() {
        let alphabet = ['@', ':', ' ', ' ', 'a', 'B', '1', ';', 'é', '\0', '#', ','];
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            let mut line = String::new();
            for _ in 0..24 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                let pick = usize::try_from(seed % 12).unwrap();
                line.push(alphabet[pick]);
            }
            if let Ok(message) = Message::parse(&line) {
                assert!(message.params.len() <= PARAMS_MAX);
                assert!(!message.command.is_empty());
            }
        }
    }
}
