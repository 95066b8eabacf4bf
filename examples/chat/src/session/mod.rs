//! One client's conversation: is it registered, what may it ask, what must be done; PURE.
//!
//! Values in (messages, results of claims, the time), [`Action`]s out. The session formats the replies that need nothing but
//! itself; whatever needs other clients or rooms leaves as an action for whoever runs the session to carry out.
//!
//! [`Flood`] says how fast a client may send and [`Keepalive`] how long it may be silent: state machines of their own, which
//! the owner of the socket asks.

mod action;
pub mod flood;
pub mod keepalive;
mod password;
mod policy;
mod registration;

use std::sync::Arc;

pub use action::{Action, Cause, Farewell};
pub use flood::{Flood, FloodLimits};
pub use keepalive::{Keepalive, Patience};
pub use password::Password;
pub use policy::Policy;

use crate::directory::{Question, Whisper};
use crate::identity::Identity;
use crate::moment::Moment;
use crate::protocol::answer;
use crate::protocol::capability::{Capabilities, Capability};
use crate::protocol::command::{Command, Speech};
use crate::protocol::isupport::{AWAY_MAX, COMMENT_MAX, TOPIC_MAX};
use crate::protocol::line::Line;
use crate::protocol::message::{Message, ParseError};
use crate::protocol::mode::Changes;
use crate::protocol::name;
use crate::protocol::numeric::{Addressee, Numeric};
use crate::protocol::tags::ClientTags;
use crate::room::Request;
use crate::room::admission::away_line;
use registration::Entry;

/// What a session knows about its client.
#[derive(Debug)]
pub struct Session {
    /// The same for all.
    policy: Arc<Policy>,
    /// Network address of the peer.
    host: String,
    /// What it has said to come in.
    entry: Entry,
    /// Who it is to others, from its registration on; that cannot be undone.
    identity: Option<Arc<Identity>>,
    /// What it has negotiated.
    capabilities: Capabilities,
}

impl Session {
    /// A new session of a client at `host`, which must be one word and not begin with a colon.
    #[must_use]
    pub fn new(policy: Arc<Policy>, host: String) -> Self {
        Self {
            policy,
            host,
            entry: Entry::default(),
            identity: None,
            capabilities: Capabilities::NONE,
        }
    }

    /// Whether registration is complete.
    #[must_use]
    pub fn registered(&self) -> bool {
        self.identity.is_some()
    }

    /// Who the client is to others; `None` before its registration.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// What the client has negotiated.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The nickname, `*` while there is none.
    #[must_use]
    pub fn nick(&self) -> &str {
        match &self.identity {
            Some(identity) => &identity.nick,
            None => self.entry.nick.as_deref().unwrap_or("*"),
        }
    }

    /// For formatting replies to this client.
    #[must_use]
    pub fn addressee(&self) -> Addressee<'_> {
        Addressee {
            server: &self.policy.server,
            nick: self.nick(),
        }
    }

    /// What to do about one message, received at `now`.
    #[must_use]
    pub fn message(&mut self, message: &Message<'_>, now: Moment) -> Vec<Action> {
        match Command::of(message) {
            // A robot must never be answered about its NOTICE.
            Err(_) if message.command.eq_ignore_ascii_case("NOTICE") => Vec::new(),
            Err(refusal) => {
                let about: Vec<&str> = refusal.about.into_iter().collect();
                self.reply(refusal.numeric, &about)
            }
            Ok(command) => self.command(command, message, now),
        }
    }

    /// The answer to a line that is no message.
    #[must_use]
    pub fn malformed(&self, error: ParseError) -> Line {
        match error {
            ParseError::TooLong => self.too_long(),
            error => self
                .addressee()
                .filled(Numeric::UnknownCommand, &["*"], error.text()),
        }
    }

    /// The answer to a line that was skipped because it was too long.
    #[must_use]
    pub fn too_long(&self) -> Line {
        self.addressee().fixed(Numeric::InputTooLong, &[])
    }

    fn reply(&self, numeric: Numeric, about: &[&str]) -> Vec<Action> {
        vec![Action::Send(self.addressee().fixed(numeric, about))]
    }

    /// Commands that work at any time; the rest needs registration.
    fn command(&mut self, command: Command<'_>, message: &Message<'_>, now: Moment) -> Vec<Action> {
        match command {
            Command::CapLs => self.cap_ls(),
            Command::CapList => self.cap_list(),
            Command::CapReq(request) => self.cap_req(request),
            Command::CapEnd => self.cap_end(),
            Command::Pass(_) | Command::User { .. } if self.registered() => {
                self.reply(Numeric::AlreadyRegistered, &[])
            }
            Command::Pass(given) => self.pass(given),
            Command::User { user, realname } => self.user(user, realname),
            Command::Nick(nick) => self.ask_nick(nick),
            Command::Ping(token) => {
                let server: &str = &self.policy.server;
                let pong = Line::new(Some(server), "PONG", &[server], Some(token));
                vec![Action::Send(pong)]
            }
            Command::Pong => Vec::new(),
            Command::Quit(reason) => vec![Action::End(Farewell {
                reason: match reason {
                    Some(reason) => format!("Quit: {reason}"),
                    None => "Client quit".to_owned(),
                },
                cause: Cause::Quit,
            })],
            _ if !self.registered() => self.reply(Numeric::NotRegistered, &[]),
            Command::Away(text) => self.away(text, now),
            Command::Mode { target, words } => self.mode(target, &words, now),
            Command::Say {
                speech,
                targets,
                text,
            } => self.say(speech, &targets, text, message),
            command if command.is_about_rooms() => self.room_command(command),
            command => self.question(command),
        }
    }

    fn room_command(&self, command: Command<'_>) -> Vec<Action> {
        match command {
            Command::Invite { nick, room } => self.each_room(&[room], |room| Action::Invite {
                nick: nick.to_owned(),
                room,
            }),
            Command::Join(rooms) => {
                let rooms = rooms.into_iter();
                let join = |(room, key): (&str, Option<&str>)| {
                    let key = key.map(str::to_owned);
                    self.room_action(room, |room| Action::Join { room, key })
                };
                rooms.map(join).collect()
            }
            Command::PartAll => vec![Action::PartAll],
            Command::Part { rooms, reason } => self.each_room(&rooms, |room| {
                let reason = reason.map(str::to_owned);
                ask(room, Request::Part { reason })
            }),
            Command::Kick {
                room,
                nicks,
                comment,
            } => self.each_room(&[room], |room| {
                let nicks = owned(&nicks);
                let comment = comment.map(|comment| cut(comment, COMMENT_MAX));
                ask(room, Request::Kick { nicks, comment })
            }),
            // Without a room it would list everybody: an answer of unbounded size.
            Command::Names(rooms) if rooms.is_empty() => self.reply(Numeric::EndOfNames, &["*"]),
            Command::Names(rooms) => {
                let rooms = rooms.iter();
                rooms
                    .map(|room| ask((*room).to_owned(), Request::Names))
                    .collect()
            }
            Command::Topic { room, text } => self.each_room(&[room], |room| {
                ask(
                    room,
                    match text {
                        Some(text) => Request::SetTopic(cut(text, TOPIC_MAX)),
                        None => Request::ShowTopic,
                    },
                )
            }),
            _ => Vec::new(),
        }
    }

    fn question(&self, command: Command<'_>) -> Vec<Action> {
        let question = match command {
            Command::List(filter) => return vec![Action::List(filter)],
            Command::Motd => {
                let lines = answer::motd(self.addressee(), &self.policy.motd);
                return lines.into_iter().map(Action::Send).collect();
            }
            Command::Version => return self.version(),
            Command::Who(None) => return self.reply(Numeric::EndOfWho, &["*"]),
            Command::Who(Some(mask)) if name::looks_like_room(mask) => {
                return vec![Action::WhoRoom(mask.to_owned())];
            }
            Command::Who(Some(mask)) => Question::Who(mask.to_owned()),
            Command::IsOn(nicks) => Question::IsOn(owned(&nicks)),
            Command::UserHost(nicks) => Question::UserHost(owned(&nicks)),
            Command::Whois(nick) => Question::Whois(nick.to_owned()),
            Command::Lusers => Question::Lusers,
            // The rest was handled before.
            _ => return Vec::new(),
        };
        vec![Action::Ask(question)]
    }

    fn say(
        &self,
        speech: Speech,
        targets: &[&str],
        text: &str,
        message: &Message<'_>,
    ) -> Vec<Action> {
        let has_tags = self.capabilities.has(Capability::MessageTags);
        if speech == Speech::Tagmsg && !has_tags {
            return self.reply(Numeric::UnknownCommand, &[message.command]);
        }
        let tags = if has_tags {
            message.tags.client_only()
        } else {
            ClientTags::default()
        };
        let say = |target: &&str| {
            let (target, text, tags) = ((*target).to_owned(), text.to_owned(), tags.clone());
            if name::looks_like_room(&target) {
                ask(target, Request::Say { speech, text, tags })
            } else {
                let nick = target;
                Action::Whisper(Whisper {
                    speech,
                    nick,
                    text,
                    tags,
                })
            }
        };
        targets.iter().map(say).collect()
    }

    fn away(&mut self, text: Option<&str>, now: Moment) -> Vec<Action> {
        let numeric = match text {
            Some(_) => Numeric::NowAway,
            None => Numeric::UnAway,
        };
        let mut actions = self.reply(numeric, &[]);
        let away = text.map(|text| cut(text, AWAY_MAX));
        if let Some(identity) = &mut self.identity
            && identity.away != away
        {
            Arc::make_mut(identity).away = away;
            let line = Some(away_line(identity, now));
            actions.push(Action::Present { line });
        }
        actions
    }

    fn mode(&mut self, target: &str, words: &[&str], now: Moment) -> Vec<Action> {
        if name::looks_like_room(target) {
            let request = match words {
                [] | [""] => Request::ShowModes,
                words => Request::Change(Changes::parse(words)),
            };
            return vec![ask(target.to_owned(), request)];
        }
        if !self.policy.limits.case_mapping.same(target, self.nick()) {
            return self.reply(Numeric::UsersDontMatch, &[]);
        }
        self.own_mode(words.first().copied().unwrap_or_default(), now)
    }

    /// The only mode a client has is `i`.
    fn own_mode(&mut self, letters: &str, now: Moment) -> Vec<Action> {
        let Some(identity) = &mut self.identity else {
            return Vec::new();
        };
        let (mut on, mut invisible, mut is_known) = (true, identity.invisible, true);
        for letter in letters.chars() {
            match letter {
                '+' => on = true,
                '-' => on = false,
                'i' => invisible = on,
                _ => is_known = false,
            }
        }
        let shown = if invisible { "+i" } else { "-i" };
        let mut actions = Vec::new();
        if identity.invisible != invisible {
            Arc::make_mut(identity).invisible = invisible;
            let prefix = Some(identity.address.as_str());
            let line = Line::new(prefix, "MODE", &[&identity.nick, shown], None);
            actions.push(Action::Send(line.at(now.unix_ms)));
            actions.push(Action::Present { line: None });
        }
        if letters.is_empty() {
            let shown = if invisible { "+i" } else { "+" };
            let line = self.addressee().plain(Numeric::UserModeIs, &[shown]);
            actions.push(Action::Send(line));
        }
        if !is_known {
            actions.extend(self.reply(Numeric::UnknownUserMode, &[]));
        }
        actions
    }

    fn version(&self) -> Vec<Action> {
        let about = [answer::VERSION, &*self.policy.server];
        let text = "an IRC server to be observed";
        let line = self.addressee().filled(Numeric::Version, &about, text);
        vec![Action::Send(line)]
    }

    /// One action a valid room name, 403 for the others.
    fn each_room(&self, rooms: &[&str], action: impl Fn(String) -> Action) -> Vec<Action> {
        let one = |room: &&str| self.room_action(room, &action);
        rooms.iter().map(one).collect()
    }

    fn room_action(&self, room: &str, action: impl FnOnce(String) -> Action) -> Action {
        if name::is_room(room) {
            action(room.to_owned())
        } else {
            Action::Send(self.addressee().fixed(Numeric::NoSuchChannel, &[room]))
        }
    }
}

fn ask(room: String, request: Request) -> Action {
    Action::Room { room, request }
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
mod tests;
