//! Lines of IRC as a client receives them, and the text that a load message carries. Pure.

/// One line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// The nickname or server that it comes from; empty if the line does not say.
    pub(crate) source: &'a str,
    /// A word or three digits.
    pub(crate) command: &'a str,
    /// Everything after the command, the last one without its colon.
    pub(crate) params: Vec<&'a str>,
}

impl<'a> Line<'a> {
    /// Takes a line without its end apart; tags and prefix are skipped. `None` if there is no command.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let (mut rest, mut source) = (line, "");
        for start in ['@', ':'] {
            if let Some(skipped) = rest.strip_prefix(start) {
                let (prefix, after) = skipped.split_once(' ')?;
                if start == ':' {
                    source = prefix.split_once('!').map_or(prefix, |(nick, _)| nick);
                }
                rest = after.trim_start_matches(' ');
            }
        }
        let (command, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut params = Vec::new();
        loop {
            rest = rest.trim_start_matches(' ');
            if rest.is_empty() {
                break;
            }
            if let Some(last) = rest.strip_prefix(':') {
                params.push(last);
                break;
            }
            let (param, after) = rest.split_once(' ').unwrap_or((rest, ""));
            params.push(param);
            rest = after;
        }
        (!command.is_empty()).then_some(Self {
            source,
            command,
            params,
        })
    }

    /// The last parameter, which is the text meant for a person.
    pub(crate) fn text(&self) -> &'a str {
        self.params.last().copied().unwrap_or_default()
    }

    /// The number of a complaint (400 to 599).
    pub(crate) fn complaint(&self) -> Option<u16> {
        let is_numeric = self.command.len() == 3;
        let number = self.command.parse().ok().filter(|_| is_numeric)?;
        (400..600).contains(&number).then_some(number)
    }
}

/// What a load message says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    /// The client that sent it.
    pub(crate) sender: usize,
    /// Its number among the sender's messages, from 1.
    pub(crate) number: u32,
    /// When it was to be sent, in nanoseconds since the start of the run.
    pub(crate) intended_ns: u64,
}

/// First word of a load message, so that what people say in the same room is not taken for one.
const WORD: &str = "load";

impl Text {
    /// The text of a message of run `run`.
    pub(crate) fn write(&self, run: u32) -> String {
        format!(
            "{WORD} {run} {} {} {}",
            self.sender, self.number, self.intended_ns
        )
    }

    /// Reads a message of run `run`; `None` for anything else.
    pub(crate) fn read(text: &str, run: u32) -> Option<Self> {
        let mut words = text.split(' ');
        if words.next()? != WORD || words.next()?.parse() != Ok(run) {
            return None;
        }
        let text = Self {
            sender: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
            intended_ns: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: every form in which servers write lines is taken apart, and nonsense is no line.
    #[test]
    fn parses_lines() {
        for (line, command, params) in [
            ("PING :abc", "PING", vec!["abc"]),
            ("PING abc", "PING", vec!["abc"]),
            (
                ":irc.example 001 nick :Welcome to it",
                "001",
                vec!["nick", "Welcome to it"],
            ),
            (
                ":a!b@c PRIVMSG #room-1 :load 1 2",
                "PRIVMSG",
                vec!["#room-1", "load 1 2"],
            ),
            ("@time=now :a JOIN  #x", "JOIN", vec!["#x"]),
            ("QUIT", "QUIT", vec![]),
            (":a PRIVMSG #x :", "PRIVMSG", vec!["#x", ""]),
        ] {
            let parsed = Line::parse(line).unwrap();
            assert_eq!((parsed.command, parsed.params), (command, params), "{line}");
        }
        for (line, source) in [
            (":anna!a@host JOIN #x", "anna"),
            ("@t=1 :irc.example 001 nick :hi", "irc.example"),
            ("PING :x", ""),
        ] {
            assert_eq!(Line::parse(line).unwrap().source, source, "{line}");
        }
        for line in ["", ":prefix", ":prefix ", "@tag", " "] {
            assert_eq!(Line::parse(line), None, "{line:?}");
        }
    }

    /// Goal: complaints are told from other numbers.
    #[test]
    fn complaints_are_found() {
        for (line, number) in [
            (":s 433 * nick :in use", Some(433)),
            (":s 001 nick :hi", None),
            (":s 372 nick :motd", None),
            ("PRIVMSG 433 :x", None),
            (":s 0433 x", None),
        ] {
            assert_eq!(Line::parse(line).unwrap().complaint(), number, "{line}");
        }
    }

    /// Goal: a text reads back as written, and only in its own run.
    #[test]
    fn text_reads_back() {
        let text = Text {
            sender: 7,
            number: 9,
            intended_ns: 123_456_789,
        };
        let written = text.write(5);
        assert_eq!(Text::read(&written, 5), Some(text));
        assert_eq!(Text::read(&written, 6), None);
        for other in [
            "",
            "hello",
            "load",
            "load 5 7 9",
            "load 5 7 9 x",
            "load 5 -7 9 1",
            "load 5 7 9 1 1",
        ] {
            assert_eq!(Text::read(other, 5), None, "{other:?}");
        }
    }
}
