//! What a client asks for: a message with its parameters checked; PURE.
//!
//! The only file that knows how many parameters a command takes and which error answers a missing one. Whether the
//! client may ask is the session's business, whether the thing exists the directory's.

use super::listing::Filter;
use super::message::Message;
use super::numeric::Numeric;
use super::verb::Verb;

/// Most targets of one PRIVMSG, NOTICE, TAGMSG, NAMES or KICK; announced as `TARGMAX`. More would let one line cost as much as many.
pub const TARGETS_MAX: usize = 4;

/// The three ways to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// PRIVMSG: may be answered automatically.
    Privmsg,
    /// NOTICE: must not be answered, not even with an error, or two robots would talk for ever.
    Notice,
    /// TAGMSG: tags and no text, for those only who read tags.
    Tagmsg,
}

impl Speech {
    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Privmsg => Verb::Privmsg.name(),
            Self::Notice => Verb::Notice.name(),
            Self::Tagmsg => Verb::Tagmsg.name(),
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
    Invite {
        nick: &'a str,
        room: &'a str,
    },
    IsOn(Vec<&'a str>),
    /// Rooms, each with its key if one was given.
    Join(Vec<(&'a str, Option<&'a str>)>),
    /// `JOIN 0`: part from every room.
    PartAll,
    Kick {
        room: &'a str,
        nicks: Vec<&'a str>,
        comment: Option<&'a str>,
    },
    List(Filter),
    Lusers,
    /// Letters and their parameters; none to ask.
    Mode {
        target: &'a str,
        words: Vec<&'a str>,
    },
    Motd,
    Names(Vec<&'a str>),
    Nick(&'a str),
    Part {
        rooms: Vec<&'a str>,
        reason: Option<&'a str>,
    },
    Pass(&'a str),
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
    /// Whether it names rooms to do something in or about.
    #[must_use]
    pub fn is_about_rooms(&self) -> bool {
        matches!(
            self,
            Self::Invite { .. }
                | Self::Join(_)
                | Self::Kick { .. }
                | Self::Names(_)
                | Self::Part { .. }
                | Self::PartAll
                | Self::Topic { .. }
        )
    }

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
            Verb::Invite => Self::Invite {
                nick: params.need(0)?,
                room: params.need(1)?,
            },
            Verb::IsOn => Self::IsOn(params.words(0)?),
            Verb::Join if params.need(0)? == "0" => Self::PartAll,
            Verb::Join => Self::Join(params.rooms_and_keys()?),
            Verb::Kick => Self::Kick {
                room: params.need(0)?,
                nicks: params.targets(1)?,
                comment: params.text(2),
            },
            Verb::List => Self::List(Filter::parse(&params.list(0).unwrap_or_default())),
            Verb::Lusers => Self::Lusers,
            Verb::Mode => Self::Mode {
                target: params.need(0)?,
                words: message.params[1..].to_vec(),
            },
            Verb::Motd => Self::Motd,
            Verb::Names if params.text(0).is_none() => Self::Names(Vec::new()),
            Verb::Names => Self::Names(params.targets(0)?),
            Verb::Nick => Self::Nick(params.need_or(0, Numeric::NoNicknameGiven)?),
            Verb::Notice => params.say(Speech::Notice)?,
            Verb::Part => Self::Part {
                rooms: params.list(0)?,
                reason: params.text(1),
            },
            Verb::Pass => Self::Pass(params.need(0)?),
            Verb::Ping => Self::Ping(params.need_or(0, Numeric::NoOrigin)?),
            Verb::Pong => Self::Pong,
            Verb::Privmsg => params.say(Speech::Privmsg)?,
            Verb::Quit => Self::Quit(params.text(0)),
            Verb::Tagmsg => Self::Say {
                speech: Speech::Tagmsg,
                targets: params.targets(0)?,
                text: "",
            },
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
        Ok(Command::Say {
            speech,
            targets: self.targets(0)?,
            text,
        })
    }

    /// A list that is not too long to be worked off for one line.
    fn targets(&self, index: usize) -> Result<Vec<&'a str>, Refusal<'a>> {
        let targets = self.list(index)?;
        if targets.len() > TARGETS_MAX {
            return Err(self.refuse(Numeric::TooManyTargets));
        }
        Ok(targets)
    }

    /// Rooms with the keys of the second list, in the same order; rooms after the last key have none.
    fn rooms_and_keys(&self) -> Result<Vec<(&'a str, Option<&'a str>)>, Refusal<'a>> {
        let keys = self.text(1).into_iter().flat_map(|keys| keys.split(','));
        let mut keys = keys.map(|key| Some(key).filter(|key| !key.is_empty()));
        let rooms = self.list(0)?.into_iter();
        Ok(rooms.map(|room| (room, keys.next().flatten())).collect())
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
            (
                "JOIN #a,#b,#c key,,x",
                Command::Join(vec![("#a", Some("key")), ("#b", None), ("#c", Some("x"))]),
            ),
            (
                "JOIN #a,#b key",
                Command::Join(vec![("#a", Some("key")), ("#b", None)]),
            ),
            (
                "INVITE bob #a",
                Command::Invite {
                    nick: "bob",
                    room: "#a",
                },
            ),
            (
                "KICK #a bob,eve :go away",
                Command::Kick {
                    room: "#a",
                    nicks: vec!["bob", "eve"],
                    comment: Some("go away"),
                },
            ),
            (
                "@+typing=active TAGMSG #a",
                Command::Say {
                    speech: Speech::Tagmsg,
                    targets: vec!["#a"],
                    text: "",
                },
            ),
            ("PASS :se cret", Command::Pass("se cret")),
            ("JOIN 0", Command::PartAll),
            ("LIST", Command::List(Filter::default())),
            ("LIST >3,#a*", Command::List(Filter::parse(&[">3", "#a*"]))),
            (
                "MODE nick +i",
                Command::Mode {
                    target: "nick",
                    words: vec!["+i"],
                },
            ),
        ];
        check(&cases);
    }

    /// The same for those that speak, move and ask.
    #[test]
    fn understands_the_rest() {
        let cases = [
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
        check(&cases);
    }

    fn check(cases: &[(&str, Command<'_>)]) {
        for (line, expect) in cases {
            let message = Message::parse(line).unwrap();
            assert_eq!(Command::of(&message).as_ref(), Ok(expect), "{line}");
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
            ("INVITE bob", Numeric::NeedMoreParams, Some("INVITE")),
            ("KICK #a", Numeric::NeedMoreParams, Some("KICK")),
            ("KICK #a a,b,c,d,e", Numeric::TooManyTargets, Some("KICK")),
            ("NAMES a,b,c,d,e", Numeric::TooManyTargets, Some("NAMES")),
            ("TAGMSG", Numeric::NeedMoreParams, Some("TAGMSG")),
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
}
