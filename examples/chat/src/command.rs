//! What a client asks for: a message with its parameters checked; PURE.
//!
//! The only file that knows how many parameters a command takes and which error answers a missing one. Whether the
//! client may ask is the session's business, whether the thing exists the directory's.

use crate::message::Message;
use crate::numeric::Numeric;

/// Most targets of one PRIVMSG or NOTICE; announced as `TARGMAX`. More would let one line cost as much as many.
pub const TARGETS_MAX: usize = 4;

/// The commands of this server, for a counter and a span name each; bounded, whatever clients send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the protocol's own")]
pub enum Verb {
    Away,
    Cap,
    IsOn,
    Join,
    List,
    Lusers,
    Mode,
    Motd,
    Names,
    Nick,
    Notice,
    Part,
    Pass,
    Ping,
    Pong,
    Privmsg,
    Quit,
    Topic,
    User,
    UserHost,
    Version,
    Who,
    Whois,
    Other,
}

impl Verb {
    /// Every verb, in the order of declaration.
    pub const ALL: [Self; 24] = [
        Self::Away,
        Self::Cap,
        Self::IsOn,
        Self::Join,
        Self::List,
        Self::Lusers,
        Self::Mode,
        Self::Motd,
        Self::Names,
        Self::Nick,
        Self::Notice,
        Self::Part,
        Self::Pass,
        Self::Ping,
        Self::Pong,
        Self::Privmsg,
        Self::Quit,
        Self::Topic,
        Self::User,
        Self::UserHost,
        Self::Version,
        Self::Who,
        Self::Whois,
        Self::Other,
    ];

    /// The verb of a command word in any letter case.
    #[must_use]
    pub fn of(word: &str) -> Self {
        let known = Self::ALL
            .into_iter()
            .filter(|verb| *verb != Self::Other)
            .find(|verb| word.eq_ignore_ascii_case(verb.name()));
        known.unwrap_or(Self::Other)
    }

    /// The word on the wire, and the label value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Away => "AWAY",
            Self::Cap => "CAP",
            Self::IsOn => "ISON",
            Self::Join => "JOIN",
            Self::List => "LIST",
            Self::Lusers => "LUSERS",
            Self::Mode => "MODE",
            Self::Motd => "MOTD",
            Self::Names => "NAMES",
            Self::Nick => "NICK",
            Self::Notice => "NOTICE",
            Self::Part => "PART",
            Self::Pass => "PASS",
            Self::Ping => "PING",
            Self::Pong => "PONG",
            Self::Privmsg => "PRIVMSG",
            Self::Quit => "QUIT",
            Self::Topic => "TOPIC",
            Self::User => "USER",
            Self::UserHost => "USERHOST",
            Self::Version => "VERSION",
            Self::Who => "WHO",
            Self::Whois => "WHOIS",
            Self::Other => "other",
        }
    }
}

/// A message that may be answered automatically (PRIVMSG) or must not be (NOTICE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// PRIVMSG.
    Privmsg,
    /// NOTICE; errors about it are never sent back, or two robots would talk for ever.
    Notice,
}

impl Speech {
    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Privmsg => Verb::Privmsg.name(),
            Self::Notice => Verb::Notice.name(),
        }
    }
}

/// One command with its parameters; borrows from the line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "variants and fields are the protocol's own words"
)]
pub enum Command<'a> {
    Away(Option<&'a str>),
    CapList,
    CapLs,
    CapReq(&'a str),
    CapEnd,
    IsOn(Vec<&'a str>),
    Join(Vec<&'a str>),
    /// `JOIN 0`: part from every room.
    PartAll,
    List(Vec<&'a str>),
    Lusers,
    Mode {
        target: &'a str,
        change: Option<&'a str>,
    },
    Motd,
    Names(Vec<&'a str>),
    Nick(&'a str),
    Part {
        rooms: Vec<&'a str>,
        reason: Option<&'a str>,
    },
    Pass,
    Ping(&'a str),
    Pong,
    Quit(Option<&'a str>),
    Say {
        speech: Speech,
        targets: Vec<&'a str>,
        text: &'a str,
    },
    Topic {
        room: &'a str,
        text: Option<&'a str>,
    },
    User {
        user: &'a str,
        realname: &'a str,
    },
    UserHost(Vec<&'a str>),
    Version,
    Who(Option<&'a str>),
    Whois(&'a str),
}

/// The answer to a command that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// Which reply.
    pub numeric: Numeric,
    /// What the reply is about: the command word, a sub-command; nothing for the replies that take none.
    pub about: Option<&'a str>,
}

impl<'a> Command<'a> {
    /// The command of a message.
    ///
    /// # Errors
    ///
    /// The numbered reply to give instead: unknown command, missing parameters.
    pub fn of(message: &Message<'a>) -> Result<Self, Refusal<'a>> {
        let params = Params(message);
        Ok(match Verb::of(message.command) {
            Verb::Away => Self::Away(params.text(0)),
            Verb::Cap => return params.cap(),
            Verb::IsOn => Self::IsOn(params.words(0)?),
            Verb::Join if params.need(0)? == "0" => Self::PartAll,
            Verb::Join => Self::Join(params.list(0)?),
            Verb::List => Self::List(params.list(0).unwrap_or_default()),
            Verb::Lusers => Self::Lusers,
            Verb::Mode => Self::Mode {
                target: params.need(0)?,
                change: params.text(1),
            },
            Verb::Motd => Self::Motd,
            Verb::Names => Self::Names(params.list(0).unwrap_or_default()),
            Verb::Nick => Self::Nick(params.need_or(0, Numeric::NoNicknameGiven)?),
            Verb::Notice => params.say(Speech::Notice)?,
            Verb::Part => Self::Part {
                rooms: params.list(0)?,
                reason: params.text(1),
            },
            Verb::Pass => {
                params.need(0)?;
                Self::Pass
            }
            Verb::Ping => Self::Ping(params.need_or(0, Numeric::NoOrigin)?),
            Verb::Pong => Self::Pong,
            Verb::Privmsg => params.say(Speech::Privmsg)?,
            Verb::Quit => Self::Quit(params.text(0)),
            Verb::Topic => Self::Topic {
                room: params.need(0)?,
                text: params.get(1),
            },
            Verb::User => {
                params.need(3)?;
                Self::User {
                    user: params.need(0)?,
                    realname: params.need(3)?,
                }
            }
            Verb::UserHost => Self::UserHost(params.words(0)?),
            Verb::Version => Self::Version,
            Verb::Who => Self::Who(params.text(0)),
            // `WHOIS server nick` asks a server of a network; this one is alone.
            Verb::Whois => Self::Whois(match params.text(1) {
                Some(nick) => nick,
                None => params.need_or(0, Numeric::NoNicknameGiven)?,
            }),
            Verb::Other => return Err(params.refuse(Numeric::UnknownCommand)),
        })
    }
}

/// The parameters of a message, with the error to give for a missing one.
struct Params<'a, 'm>(&'m Message<'a>);

impl<'a> Params<'a, '_> {
    fn get(&self, index: usize) -> Option<&'a str> {
        self.0.params.get(index).copied()
    }

    /// The parameter if it is there and not empty.
    fn text(&self, index: usize) -> Option<&'a str> {
        self.get(index).filter(|param| !param.is_empty())
    }

    fn need(&self, index: usize) -> Result<&'a str, Refusal<'a>> {
        self.text(index)
            .ok_or_else(|| self.refuse(Numeric::NeedMoreParams))
    }

    fn need_or(&self, index: usize, numeric: Numeric) -> Result<&'a str, Refusal<'a>> {
        self.text(index).ok_or(Refusal {
            numeric,
            about: None,
        })
    }

    /// A comma-separated list with at least one entry.
    fn list(&self, index: usize) -> Result<Vec<&'a str>, Refusal<'a>> {
        let entries: Vec<&str> = self
            .need(index)?
            .split(',')
            .filter(|entry| !entry.is_empty())
            .collect();
        if entries.is_empty() {
            return Err(self.refuse(Numeric::NeedMoreParams));
        }
        Ok(entries)
    }

    /// All words from parameter `index` on; clients send such lists both as parameters and as one text.
    fn words(&self, index: usize) -> Result<Vec<&'a str>, Refusal<'a>> {
        self.need(index)?;
        let params = self.0.params[index..].iter();
        Ok(params.flat_map(|param| param.split_whitespace()).collect())
    }

    fn say(&self, speech: Speech) -> Result<Command<'a>, Refusal<'a>> {
        self.need_or(0, Numeric::NoRecipient)?;
        let text = self.need_or(1, Numeric::NoTextToSend)?;
        let targets = self.list(0)?;
        if targets.len() > TARGETS_MAX {
            return Err(self.refuse(Numeric::TooManyTargets));
        }
        Ok(Command::Say {
            speech,
            targets,
            text,
        })
    }

    fn cap(&self) -> Result<Command<'a>, Refusal<'a>> {
        let word = self.need(0)?;
        match word.to_ascii_uppercase().as_str() {
            "LS" => Ok(Command::CapLs),
            "LIST" => Ok(Command::CapList),
            "REQ" => Ok(Command::CapReq(self.get(1).unwrap_or_default())),
            "END" => Ok(Command::CapEnd),
            _ => Err(Refusal {
                numeric: Numeric::InvalidCapCommand,
                about: Some(word),
            }),
        }
    }

    fn refuse(&self, numeric: Numeric) -> Refusal<'a> {
        Refusal {
            numeric,
            about: Some(self.0.command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each command with its parameters, as real clients send them.
    #[test]
    fn understands() {
        let cases = [
            ("away :gone", Command::Away(Some("gone"))),
            ("AWAY", Command::Away(None)),
            ("CAP LS 302", Command::CapLs),
            ("CAP end", Command::CapEnd),
            ("CAP REQ :sasl", Command::CapReq("sasl")),
            ("ISON a b", Command::IsOn(vec!["a", "b"])),
            ("ISON :a b", Command::IsOn(vec!["a", "b"])),
            ("JOIN #a,#b key", Command::Join(vec!["#a", "#b"])),
            ("JOIN 0", Command::PartAll),
            ("LIST", Command::List(vec![])),
            (
                "MODE nick +i",
                Command::Mode {
                    target: "nick",
                    change: Some("+i"),
                },
            ),
            ("NAMES #a", Command::Names(vec!["#a"])),
            (
                "PART #a :bye",
                Command::Part {
                    rooms: vec!["#a"],
                    reason: Some("bye"),
                },
            ),
            ("QUIT", Command::Quit(None)),
            (
                "PRIVMSG a,#b :hi there",
                Command::Say {
                    speech: Speech::Privmsg,
                    targets: vec!["a", "#b"],
                    text: "hi there",
                },
            ),
            (
                "TOPIC #a :",
                Command::Topic {
                    room: "#a",
                    text: Some(""),
                },
            ),
            (
                "USER u 0 * :Real Name",
                Command::User {
                    user: "u",
                    realname: "Real Name",
                },
            ),
            ("WHOIS server bob", Command::Whois("bob")),
        ];
        for (line, expect) in cases {
            let message = Message::parse(line).unwrap();
            assert_eq!(Command::of(&message), Ok(expect), "{line}");
        }
    }

    /// Each kind of misuse gets the reply that clients expect.
    #[test]
    fn refuses() {
        let cases = [
            ("JOIN :", Numeric::NeedMoreParams, Some("JOIN")),
            ("JOIN ,", Numeric::NeedMoreParams, Some("JOIN")),
            ("JOIN", Numeric::NeedMoreParams, Some("JOIN")),
            ("PART", Numeric::NeedMoreParams, Some("PART")),
            ("USER a b c", Numeric::NeedMoreParams, Some("USER")),
            ("NICK", Numeric::NoNicknameGiven, None),
            ("PING", Numeric::NoOrigin, None),
            ("PRIVMSG", Numeric::NoRecipient, None),
            ("PRIVMSG a", Numeric::NoTextToSend, None),
            ("PRIVMSG a :", Numeric::NoTextToSend, None),
            (
                "PRIVMSG a,b,c,d,e :x",
                Numeric::TooManyTargets,
                Some("PRIVMSG"),
            ),
            ("CAP WHAT", Numeric::InvalidCapCommand, Some("WHAT")),
            ("CAP", Numeric::NeedMoreParams, Some("CAP")),
            ("FLY away", Numeric::UnknownCommand, Some("FLY")),
            ("OTHER", Numeric::UnknownCommand, Some("OTHER")),
        ];
        for (line, numeric, about) in cases {
            let message = Message::parse(line).unwrap();
            assert_eq!(
                Command::of(&message),
                Err(Refusal { numeric, about }),
                "{line}"
            );
        }
    }

    /// Counters are indexed by verb, so the list must be complete and in order.
    #[test]
    fn verbs_are_in_order() {
        for (index, verb) in Verb::ALL.into_iter().enumerate() {
            assert_eq!(verb as usize, index);
            assert_eq!(Verb::of(&verb.name().to_lowercase()), verb);
        }
    }
}
