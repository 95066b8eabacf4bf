//! One line of a client, taken apart; PURE.
//!
//! The grammar is that of RFC 1459 with the message tags of IRCv3 in front. A parsed message borrows from its line. It must
//! not know what any command means.

use super::line::LINE_MAX;
use super::tags::{CLIENT_DATA_MAX, Tags};

/// Longest tag section of a client in bytes, from `@` to its space.
pub const TAGS_MAX: usize = 1 + CLIENT_DATA_MAX + 1;

/// Most parameters of one message; the limit of RFC 1459. The last one takes the rest of the line.
pub const PARAMS_MAX: usize = 15;

/// One message as a client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// The tags in front; empty if there are none.
    pub tags: Tags<'a>,
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
    /// Longer than [`LINE_MAX`] without its tags, or tags longer than [`TAGS_MAX`].
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
        let (tags, rest) = section(line, '@')?;
        let tags = tags.unwrap_or_default();
        if tags.len() > CLIENT_DATA_MAX || rest.len() + "\r\n".len() > LINE_MAX {
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
            tags: Tags::new(tags),
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

    /// Tags have a limit of their own, which leaves that of the rest alone.
    #[test]
    fn knows_the_limits_of_both_parts() {
        let line = |tags: usize, rest: usize| {
            format!("@{} PING {}", "t".repeat(tags), "x".repeat(rest - 7))
        };
        let fits = line(CLIENT_DATA_MAX, LINE_MAX);
        let message = Message::parse(&fits).unwrap();
        assert_eq!(message.tags.pairs().count(), 1);
        for (tags, rest) in [(CLIENT_DATA_MAX + 1, 10), (10, LINE_MAX + 1)] {
            let line = line(tags, rest);
            assert_eq!(Message::parse(&line), Err(ParseError::TooLong));
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
