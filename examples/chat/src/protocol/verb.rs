//! The commands of this server, for a counter and a span name each; bounded, whatever clients send; PURE.

/// A command word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the protocol's own")]
pub enum Verb {
    Away,
    Cap,
    Invite,
    IsOn,
    Join,
    Kick,
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
    Tagmsg,
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
    pub const ALL: [Self; 27] = [
        Self::Away,
        Self::Cap,
        Self::Invite,
        Self::IsOn,
        Self::Join,
        Self::Kick,
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
        Self::Tagmsg,
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
            Self::Invite => "INVITE",
            Self::IsOn => "ISON",
            Self::Join => "JOIN",
            Self::Kick => "KICK",
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
            Self::Tagmsg => "TAGMSG",
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Counters are indexed by verb, so the list must be complete and in order.
    #[test]
    fn verbs_are_in_order() {
        for (index, verb) in Verb::ALL.into_iter().enumerate() {
            assert_eq!(verb as usize, index);
            assert_eq!(Verb::of(&verb.name().to_lowercase()), verb);
        }
    }
}
