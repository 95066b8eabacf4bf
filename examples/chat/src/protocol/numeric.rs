//! The numbered replies and their wording; PURE.
//!
//! Clients act on the numbers and show the texts to people. The wording follows the "Modern IRC" client protocol
//! document. What fills a reply is the caller's business.

use super::line::Line;

/// A numbered reply. The names are those of the protocol documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are the protocol's own; the table in `text` says what each means"
)]
#[repr(u16)]
pub enum Numeric {
    Welcome = 1,
    YourHost = 2,
    Created = 3,
    MyInfo = 4,
    ISupport = 5,
    UserModeIs = 221,
    LuserClient = 251,
    LuserUnknown = 253,
    LuserChannels = 254,
    LuserMe = 255,
    LocalUsers = 265,
    GlobalUsers = 266,
    Away = 301,
    UserHost = 302,
    IsOn = 303,
    UnAway = 305,
    NowAway = 306,
    WhoisUser = 311,
    WhoisServer = 312,
    EndOfWho = 315,
    EndOfWhois = 318,
    WhoisChannels = 319,
    ListStart = 321,
    List = 322,
    ListEnd = 323,
    ChannelModeIs = 324,
    CreationTime = 329,
    NoTopic = 331,
    Topic = 332,
    TopicWhoTime = 333,
    Inviting = 341,
    Version = 351,
    WhoReply = 352,
    NamesReply = 353,
    EndOfNames = 366,
    BanList = 367,
    EndOfBanList = 368,
    Motd = 372,
    MotdStart = 375,
    EndOfMotd = 376,
    NoSuchNick = 401,
    NoSuchChannel = 403,
    CannotSendToChannel = 404,
    TooManyChannels = 405,
    TooManyTargets = 407,
    NoOrigin = 409,
    InvalidCapCommand = 410,
    NoRecipient = 411,
    NoTextToSend = 412,
    TooManyMatches = 416,
    InputTooLong = 417,
    UnknownCommand = 421,
    NoMotd = 422,
    NoNicknameGiven = 431,
    ErroneousNickname = 432,
    NicknameInUse = 433,
    UnavailableResource = 437,
    UserNotInChannel = 441,
    NotOnChannel = 442,
    UserOnChannel = 443,
    NotRegistered = 451,
    NeedMoreParams = 461,
    AlreadyRegistered = 462,
    PasswordMismatch = 464,
    ChannelIsFull = 471,
    UnknownMode = 472,
    InviteOnlyChannel = 473,
    BannedFromChannel = 474,
    BadChannelKey = 475,
    BanListFull = 478,
    ChannelOpNeeded = 482,
    UnknownUserMode = 501,
    UsersDontMatch = 502,
    InvalidModeParam = 696,
}

impl Numeric {
    /// The number, three digits on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The fixed wording; empty where the caller fills the text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::UnAway => "You are no longer marked as being away",
            Self::NowAway => "You have been marked as being away",
            Self::EndOfWho => "End of WHO list",
            Self::EndOfWhois => "End of WHOIS list",
            Self::ListStart => "Users  Name",
            Self::ListEnd => "End of LIST",
            Self::NoTopic => "No topic is set",
            Self::EndOfNames => "End of NAMES list",
            Self::EndOfBanList => "End of channel ban list",
            Self::EndOfMotd => "End of MOTD command",
            Self::LuserUnknown => "connections not registered yet",
            Self::LuserChannels => "channels formed",
            Self::NoSuchNick => "No such nick/channel",
            Self::NoSuchChannel => "No such channel",
            Self::CannotSendToChannel => "Cannot send to channel",
            Self::TooManyChannels => "You have joined too many channels",
            Self::TooManyTargets => "Too many targets in one message",
            Self::NoOrigin => "No origin specified",
            Self::InvalidCapCommand => "Invalid CAP command",
            Self::NoRecipient => "No recipient given",
            Self::NoTextToSend => "No text to send",
            Self::TooManyMatches => "Output too long, ask for less",
            Self::InputTooLong => "Input line was too long",
            Self::UnknownCommand => "Unknown command",
            Self::NoMotd => "This server has no message of the day",
            Self::NoNicknameGiven => "No nickname given",
            Self::ErroneousNickname => "Erroneous nickname",
            Self::NicknameInUse => "Nickname is already in use",
            Self::UnavailableResource => "Channel is temporarily unavailable, try again",
            Self::UserNotInChannel => "They are not on that channel",
            Self::NotOnChannel => "You are not on that channel",
            Self::UserOnChannel => "is already on that channel",
            Self::NotRegistered => "You have not registered",
            Self::NeedMoreParams => "Not enough parameters",
            Self::AlreadyRegistered => "You may not reregister",
            Self::PasswordMismatch => "Password incorrect",
            Self::ChannelIsFull => "Cannot join channel (+l)",
            Self::UnknownMode => "is no mode of this server",
            Self::InviteOnlyChannel => "Cannot join channel (+i)",
            Self::BannedFromChannel => "Cannot join channel (+b)",
            Self::BadChannelKey => "Cannot join channel (+k)",
            Self::BanListFull => "Channel ban list is full",
            Self::ChannelOpNeeded => "You are no channel operator",
            Self::UnknownUserMode => "Unknown user mode",
            Self::UsersDontMatch => "Cannot change mode for other users",
            _ => "",
        }
    }
}

/// Whom a reply is for, and from which server.
#[derive(Debug, Clone, Copy)]
pub struct Addressee<'a> {
    /// The name this server goes by; the prefix of every reply.
    pub server: &'a str,
    /// The client's nickname, `*` while it has none; the first parameter of every reply.
    pub nick: &'a str,
}

impl Addressee<'_> {
    /// A reply with its fixed wording.
    #[must_use]
    pub fn fixed(&self, numeric: Numeric, middle: &[&str]) -> Line {
        self.filled(numeric, middle, numeric.text())
    }

    /// A reply with a text of its own.
    #[must_use]
    pub fn filled(&self, numeric: Numeric, middle: &[&str], text: &str) -> Line {
        let params: Vec<&str> = std::iter::once(self.nick)
            .chain(middle.iter().copied())
            .collect();
        let code = format!("{:03}", numeric.code());
        Line::new(Some(self.server), &code, &params, Some(text))
    }

    /// A reply of plain parameters, without a text.
    #[must_use]
    pub fn plain(&self, numeric: Numeric, middle: &[&str]) -> Line {
        let params: Vec<&str> = std::iter::once(self.nick)
            .chain(middle.iter().copied())
            .collect();
        let code = format!("{:03}", numeric.code());
        Line::new(Some(self.server), &code, &params, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes have three digits, the addressee comes first, texts carry the colon.
    #[test]
    fn formats_replies() {
        let to = Addressee {
            server: "irc.test",
            nick: "bob",
        };
        let cases = [
            (
                to.filled(Numeric::Welcome, &[], "Hello"),
                ":irc.test 001 bob :Hello\r\n",
            ),
            (
                to.fixed(Numeric::NoSuchNick, &["eve"]),
                ":irc.test 401 bob eve :No such nick/channel\r\n",
            ),
            (
                to.plain(Numeric::ChannelModeIs, &["#r", "+n"]),
                ":irc.test 324 bob #r +n\r\n",
            ),
        ];
        for (line, expect) in cases {
            assert_eq!(line.as_bytes(), expect.as_bytes());
        }
    }
}
