//! One client's conversation: is it registered, what may it ask, what must be done; PURE.
//!
//! Values in (messages, results of claims), actions out. The session formats the replies that need nothing but itself;
//! whatever needs other clients or rooms leaves as an [`Action`] for the connection to carry out.

use std::sync::Arc;

use crate::command::{Command, Speech};
use crate::message::{Line, Message};
use crate::name;
use crate::numeric::{Addressee, Numeric};

/// Longest real name kept, in bytes; it is sent in every WHO and WHOIS answer.
const REALNAME_MAX: usize = 100;

/// Longest away text kept, in bytes; announced as `AWAYLEN`.
pub const AWAY_MAX: usize = 200;

/// Longest topic kept, in bytes; announced as `TOPICLEN`. Leaves room for the prefix in a line of 512.
pub const TOPIC_MAX: usize = 300;

/// Something the connection must do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are the protocol's own words")]
pub enum Action {
    /// Send this line to this client.
    Send(Line),
    /// Ask the directory for this nickname, then call [`Session::granted`] or [`Session::taken`].
    ClaimNick(String),
    /// Registration is complete: enter the directory, welcome the client.
    Register,
    /// The nickname of a registered client has changed: tell whoever sees it.
    Renamed {
        before: String,
    },
    /// End the connection.
    Quit(String),
    /// Set or clear the away text.
    Away(Option<String>),
    /// Say which of these are here.
    IsOn(Vec<String>),
    Join(String),
    PartAll,
    Part {
        room: String,
        reason: Option<String>,
    },
    /// One message to one target.
    Say {
        speech: Speech,
        target: String,
        text: String,
    },
    List(Vec<String>),
    Lusers,
    Names(String),
    /// Whether the room exists decides between the modes and 403; `bans` asks for its ban list.
    RoomMode {
        room: String,
        change: Option<String>,
    },
    Topic {
        room: String,
        text: Option<String>,
    },
    UserHost(Vec<String>),
    Who(String),
    Whois(String),
}

/// What a session knows about its client.
#[derive(Debug)]
pub struct Session {
    /// Name of this server, for replies.
    server: Arc<str>,
    /// Address of the peer, for the client's prefix.
    host: String,
    /// The nickname the directory has granted.
    nick: Option<String>,
    /// User name and real name, once USER was accepted.
    user: Option<(String, String)>,
    /// The client has begun CAP negotiation; registration waits for `CAP END`.
    negotiating: bool,
    /// Registration is complete; it cannot be undone.
    registered: bool,
}

impl Session {
    /// A new session of a client at `host`.
    #[must_use]
    pub fn new(server: Arc<str>, host: String) -> Self {
        Self {
            server,
            host,
            nick: None,
            user: None,
            negotiating: false,
            registered: false,
        }
    }

    /// Whether registration is complete.
    #[must_use]
    pub fn registered(&self) -> bool {
        self.registered
    }

    /// The nickname, `*` while there is none.
    #[must_use]
    pub fn nick(&self) -> &str {
        self.nick.as_deref().unwrap_or("*")
    }

    /// The user name and the real name, empty before USER.
    #[must_use]
    pub fn user(&self) -> (&str, &str) {
        self.user
            .as_ref()
            .map_or(("", ""), |(user, realname)| (user, realname))
    }

    /// Address of the peer.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The prefix of lines this client causes: `nick!user@host`.
    #[must_use]
    pub fn mask(&self) -> String {
        format!("{}!{}@{}", self.nick(), self.user().0, self.host)
    }

    /// For formatting replies to this client.
    #[must_use]
    pub fn addressee(&self) -> Addressee<'_> {
        Addressee {
            server: &self.server,
            nick: self.nick(),
        }
    }

    /// What to do about one message.
    #[must_use]
    pub fn message(&mut self, message: &Message<'_>) -> Vec<Action> {
        match Command::of(message) {
            // A robot must never be answered about its NOTICE.
            Err(_) if message.command.eq_ignore_ascii_case("NOTICE") => Vec::new(),
            Err(refusal) => {
                let about: Vec<&str> = refusal.about.into_iter().collect();
                self.reply(refusal.numeric, &about)
            }
            Ok(command) => self.command(command),
        }
    }

    /// The directory has granted `nick`.
    #[must_use]
    pub fn granted(&mut self, nick: String) -> Vec<Action> {
        match self.nick.replace(nick) {
            Some(before) if self.registered => vec![Action::Renamed { before }],
            _ => self.try_register(),
        }
    }

    /// The directory has refused `nick`: somebody else has it.
    #[must_use]
    pub fn taken(&self, nick: &str) -> Vec<Action> {
        self.reply(Numeric::NicknameInUse, &[nick])
    }

    fn reply(&self, numeric: Numeric, about: &[&str]) -> Vec<Action> {
        vec![Action::Send(self.addressee().fixed(numeric, about))]
    }

    /// Commands that work at any time; the rest needs registration.
    fn command(&mut self, command: Command<'_>) -> Vec<Action> {
        match command {
            Command::CapLs => {
                self.negotiating = !self.registered;
                self.cap("LS", "")
            }
            Command::CapList => self.cap("LIST", ""),
            Command::CapReq(wanted) => {
                self.negotiating = !self.registered;
                self.cap("NAK", wanted)
            }
            Command::CapEnd => {
                self.negotiating = false;
                self.try_register()
            }
            Command::Pass | Command::User { .. } if self.registered => {
                self.reply(Numeric::AlreadyRegistered, &[])
            }
            // There are no passwords on this server; clients that send one are let in.
            Command::Pass | Command::Pong => Vec::new(),
            Command::User { user, realname } => {
                self.user = Some((name::user(user), cut(realname, REALNAME_MAX)));
                self.try_register()
            }
            Command::Nick(nick) => self.ask_nick(nick),
            Command::Ping(token) => {
                let server: &str = &self.server;
                let pong = Line::new(Some(server), "PONG", &[server], Some(token));
                vec![Action::Send(pong)]
            }
            Command::Quit(reason) => vec![Action::Quit(match reason {
                Some(reason) => format!("Quit: {reason}"),
                None => "Client quit".to_owned(),
            })],
            _ if !self.registered => self.reply(Numeric::NotRegistered, &[]),
            command => self.registered_command(command),
        }
    }

    fn registered_command(&self, command: Command<'_>) -> Vec<Action> {
        match command {
            Command::Away(text) => vec![Action::Away(text.map(|text| cut(text, AWAY_MAX)))],
            Command::IsOn(nicks) => vec![Action::IsOn(owned(&nicks))],
            Command::Join(rooms) => self.each_room(&rooms, Action::Join),
            Command::PartAll => vec![Action::PartAll],
            Command::List(rooms) => vec![Action::List(owned(&rooms))],
            Command::Lusers => vec![Action::Lusers],
            Command::Mode { target, change } => self.mode(target, change),
            Command::Motd => self.reply(Numeric::NoMotd, &[]),
            // Without a room it would list everybody: an answer of unbounded size.
            Command::Names(rooms) if rooms.is_empty() => self.reply(Numeric::EndOfNames, &["*"]),
            Command::Names(rooms) => rooms
                .iter()
                .map(|room| Action::Names((*room).to_owned()))
                .collect(),
            Command::Part { rooms, reason } => self.each_room(&rooms, |room| Action::Part {
                room,
                reason: reason.map(str::to_owned),
            }),
            Command::Say {
                speech,
                targets,
                text,
            } => targets
                .iter()
                .map(|target| Action::Say {
                    speech,
                    target: (*target).to_owned(),
                    text: text.to_owned(),
                })
                .collect(),
            Command::Topic { room, text } => self.each_room(&[room], |room| Action::Topic {
                room,
                text: text.map(|text| cut(text, TOPIC_MAX)),
            }),
            Command::UserHost(nicks) => vec![Action::UserHost(owned(&nicks))],
            Command::Version => self.version(),
            Command::Who(Some(mask)) => vec![Action::Who(mask.to_owned())],
            Command::Who(None) => self.reply(Numeric::EndOfWho, &["*"]),
            Command::Whois(nick) => vec![Action::Whois(nick.to_owned())],
            // The rest works at any time and was handled before.
            _ => Vec::new(),
        }
    }

    fn ask_nick(&self, nick: &str) -> Vec<Action> {
        if !name::is_nick(nick) {
            return self.reply(Numeric::ErroneousNickname, &[nick]);
        }
        if self.nick.as_deref() == Some(nick) {
            return Vec::new();
        }
        vec![Action::ClaimNick(nick.to_owned())]
    }

    fn try_register(&mut self) -> Vec<Action> {
        let complete = self.nick.is_some() && self.user.is_some() && !self.negotiating;
        if !complete || self.registered {
            return Vec::new();
        }
        self.registered = true;
        vec![Action::Register]
    }

    fn cap(&self, word: &str, text: &str) -> Vec<Action> {
        let params = [self.nick(), word];
        vec![Action::Send(Line::new(
            Some(&self.server),
            "CAP",
            &params,
            Some(text),
        ))]
    }

    /// Every client of this server counts as invisible (WHO finds it only by room or by exact name), so its modes are
    /// `+i` always; asking for that is granted by showing it.
    fn mode(&self, target: &str, change: Option<&str>) -> Vec<Action> {
        if name::looks_like_room(target) {
            return vec![Action::RoomMode {
                room: target.to_owned(),
                change: change.map(str::to_owned),
            }];
        }
        if name::Folded::new(target) != name::Folded::new(self.nick()) {
            return self.reply(Numeric::UsersDontMatch, &[]);
        }
        match change {
            None | Some("+i" | "i" | "+") => {
                vec![Action::Send(
                    self.addressee().plain(Numeric::UserModeIs, &["+i"]),
                )]
            }
            Some(_) => self.reply(Numeric::UnknownUserMode, &[]),
        }
    }

    fn version(&self) -> Vec<Action> {
        let version = concat!("chat-", env!("CARGO_PKG_VERSION"));
        vec![Action::Send(self.addressee().filled(
            Numeric::Version,
            &[version, &self.server],
            "an IRC server to be observed",
        ))]
    }

    /// One action a valid room name, 403 for the others.
    fn each_room(&self, rooms: &[&str], action: impl Fn(String) -> Action) -> Vec<Action> {
        let one = |room: &&str| {
            if name::is_room(room) {
                action((*room).to_owned())
            } else {
                Action::Send(self.addressee().fixed(Numeric::NoSuchChannel, &[room]))
            }
        };
        rooms.iter().map(one).collect()
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// `text` cut to at most `max` bytes at a character boundary.
fn cut(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new("irc.test".into(), "192.0.2.1".to_owned())
    }

    /// What the session answers to a line; claims are granted at once, actions are shown in debug form.
    fn say(session: &mut Session, line: &str) -> String {
        let mut shown = Vec::new();
        let mut actions = session.message(&Message::parse(line).unwrap());
        while !actions.is_empty() {
            let action = actions.remove(0);
            match action {
                Action::Send(line) => {
                    let text = std::str::from_utf8(line.as_bytes()).unwrap();
                    shown.push(text.trim_end().to_owned());
                }
                Action::ClaimNick(nick) => actions.extend(session.granted(nick)),
                other => shown.push(format!("{other:?}")),
            }
        }
        shown.join(" / ")
    }

    fn registered() -> Session {
        let mut session = session();
        assert_eq!(say(&mut session, "NICK bob"), "");
        assert_eq!(say(&mut session, "USER bob 0 * :Bob"), "Register");
        session
    }

    /// irssi's way in: capabilities, an empty JOIN before registration, END, NICK, USER.
    #[test]
    fn registers_irssi() {
        let mut session = session();
        let script = [
            ("CAP LS 302", ":irc.test CAP * LS :"),
            ("JOIN :", ":irc.test 461 * JOIN :Not enough parameters"),
            ("CAP END", ""),
            ("NICK bob", ""),
            ("USER bob bob irc.test :Bob B", "Register"),
            ("MODE bob +i", ":irc.test 221 bob +i"),
        ];
        for (line, expect) in script {
            assert_eq!(say(&mut session, line), expect, "{line}");
        }
        assert!(session.registered());
        assert_eq!(session.mask(), "bob!bob@192.0.2.1");
    }

    /// A client that negotiates is registered only by `CAP END`, in whatever order the rest comes.
    #[test]
    fn negotiation_holds_registration() {
        let mut session = session();
        assert_eq!(say(&mut session, "USER u 0 * :U"), "");
        assert_eq!(
            say(&mut session, "CAP REQ :sasl"),
            ":irc.test CAP * NAK :sasl"
        );
        assert_eq!(say(&mut session, "NICK u"), "");
        assert_eq!(say(&mut session, "CAP END"), "Register");
        assert_eq!(say(&mut session, "CAP END"), "");
        assert_eq!(say(&mut session, "CAP LS"), ":irc.test CAP u LS :");
    }

    /// Before registration everything else is refused, afterwards registering again is.
    #[test]
    fn guards_registration() {
        let mut fresh = session();
        for line in ["JOIN #a", "PRIVMSG bob :x", "WHO #a", "LIST", "TOPIC #a"] {
            assert_eq!(
                say(&mut fresh, line),
                ":irc.test 451 * :You have not registered",
                "{line}"
            );
        }
        let mut session = registered();
        for line in ["USER a b c d", "PASS x"] {
            assert_eq!(
                say(&mut session, line),
                ":irc.test 462 bob :You may not reregister",
                "{line}"
            );
        }
    }

    /// Nicknames: invalid, taken, unchanged, changed.
    #[test]
    fn handles_nicks() {
        let mut session = registered();
        assert_eq!(
            say(&mut session, "NICK 1x"),
            ":irc.test 432 bob 1x :Erroneous nickname"
        );
        assert_eq!(say(&mut session, "NICK bob"), "");
        assert_eq!(say(&mut session, "NICK rob"), "Renamed { before: \"bob\" }");
        let taken = session.taken("eve");
        let expect = ":irc.test 433 rob eve :Nickname is already in use\r\n";
        assert_eq!(
            taken,
            [Action::Send(Line::new(
                None,
                expect[..].trim_end(),
                &[],
                None
            ))]
        );
    }

    /// Answers and actions of a registered client, by table.
    #[test]
    fn answers_by_table() {
        let mut session = registered();
        let script = [
            ("PING :tok en", ":irc.test PONG irc.test :tok en"),
            ("PONG x", ""),
            ("JOIN :", ":irc.test 461 bob JOIN :Not enough parameters"),
            (
                "JOIN #a,b",
                "Join(\"#a\") / :irc.test 403 bob b :No such channel",
            ),
            ("JOIN 0", "PartAll"),
            ("QUIT :bye", "Quit(\"Quit: bye\")"),
            ("QUIT", "Quit(\"Client quit\")"),
            (
                "MODE eve",
                ":irc.test 502 bob :Cannot change mode for other users",
            ),
            ("MODE bob +o", ":irc.test 501 bob :Unknown user mode"),
            (
                "MOTD",
                ":irc.test 422 bob :This server has no message of the day",
            ),
            ("NAMES", ":irc.test 366 bob * :End of NAMES list"),
            ("WHO", ":irc.test 315 bob * :End of WHO list"),
            ("FLY", ":irc.test 421 bob FLY :Unknown command"),
            ("PRIVMSG", ":irc.test 411 bob :No recipient given"),
            ("PRIVMSG a", ":irc.test 412 bob :No text to send"),
            ("NOTICE", ""),
            ("AWAY", "Away(None)"),
            (
                "PRIVMSG #a,eve :x",
                "Say { speech: Privmsg, target: \"#a\", text: \"x\" } / Say { speech: Privmsg, target: \"eve\", text: \"x\" }",
            ),
        ];
        for (line, expect) in script {
            assert_eq!(say(&mut session, line), expect, "{line}");
        }
    }
}
