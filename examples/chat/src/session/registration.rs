//! The way in: CAP, PASS, NICK, USER, in whatever order a client sends them; PURE.

use std::sync::Arc;

use super::{Action, Cause, Farewell, Session, cut};
use crate::directory::Question;
use crate::identity::Identity;
use crate::moment::Moment;
use crate::protocol::answer;
use crate::protocol::capability::Capabilities;
use crate::protocol::line::Line;
use crate::protocol::name;
use crate::protocol::numeric::Numeric;

/// Longest real name kept, in bytes; it is sent in every WHO and WHOIS answer.
const REALNAME_MAX: usize = 100;

/// What is known of a client before it is registered.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The nickname the directory has granted.
    pub(super) nick: Option<String>,
    /// User name and real name, once USER was accepted.
    pub(super) user: Option<(String, String)>,
    /// The client has begun CAP negotiation; registration waits for `CAP END`.
    negotiating: bool,
    /// The last PASS was the right one.
    password_is_right: bool,
}

impl Session {
    /// The directory has granted `nick`.
    #[must_use]
    pub fn granted(&mut self, nick: String, now: Moment) -> Vec<Action> {
        let Some(identity) = &self.identity else {
            self.entry.nick = Some(nick);
            return self.try_register();
        };
        // The line comes from the old name.
        let line = Line::new(Some(&identity.address), "NICK", &[&nick], None).at(now.unix_ms);
        self.identity = Some(Arc::new(identity.renamed(&nick)));
        vec![
            Action::Send(line.clone()),
            Action::Present { line: Some(line) },
        ]
    }

    /// The directory has refused `nick`: somebody else has it.
    #[must_use]
    pub fn taken(&self, nick: &str) -> Vec<Action> {
        self.reply(Numeric::NicknameInUse, &[nick])
    }

    pub(super) fn ask_nick(&self, nick: &str) -> Vec<Action> {
        if !name::is_nick(nick) {
            return self.reply(Numeric::ErroneousNickname, &[nick]);
        }
        if self.nick() == nick {
            return Vec::new();
        }
        vec![Action::ClaimNick(nick.to_owned())]
    }

    pub(super) fn user(&mut self, user: &str, realname: &str) -> Vec<Action> {
        self.entry.user = Some((name::user(user), cut(realname, REALNAME_MAX)));
        self.try_register()
    }

    pub(super) fn pass(&mut self, given: &str) -> Vec<Action> {
        self.entry.password_is_right = self.policy.admits(Some(given));
        Vec::new()
    }

    pub(super) fn cap_ls(&mut self) -> Vec<Action> {
        self.entry.negotiating = true;
        self.cap("LS", &Capabilities::offered().names())
    }

    pub(super) fn cap_list(&self) -> Vec<Action> {
        self.cap("LIST", &self.capabilities.names())
    }

    /// Granted as a whole or not at all.
    pub(super) fn cap_req(&mut self, request: &str) -> Vec<Action> {
        self.entry.negotiating = true;
        let Some(capabilities) = self.capabilities.requested(request) else {
            return self.cap("NAK", request);
        };
        self.capabilities = capabilities;
        let mut actions = self.cap("ACK", request);
        actions.push(Action::Capabilities(capabilities));
        actions
    }

    pub(super) fn cap_end(&mut self) -> Vec<Action> {
        self.entry.negotiating = false;
        self.try_register()
    }

    fn cap(&self, word: &str, text: &str) -> Vec<Action> {
        let params = [self.nick(), word];
        let line = Line::new(Some(&self.policy.server), "CAP", &params, Some(text));
        vec![Action::Send(line)]
    }

    fn try_register(&mut self) -> Vec<Action> {
        if self.registered() || self.entry.negotiating {
            return Vec::new();
        }
        let (Some(nick), Some((user, realname))) = (&self.entry.nick, &self.entry.user) else {
            return Vec::new();
        };
        if !self.entry.password_is_right && !self.policy.admits(None) {
            let mut actions = self.reply(Numeric::PasswordMismatch, &[]);
            actions.push(Action::End(Farewell {
                reason: "Bad password".to_owned(),
                cause: Cause::BadPassword,
            }));
            return actions;
        }
        let identity = Identity::new(nick, user, &self.host, realname);
        self.identity = Some(Arc::new(identity));
        self.welcome()
    }

    fn welcome(&self) -> Vec<Action> {
        let to = self.addressee();
        let address = self
            .identity
            .as_ref()
            .map_or("", |identity| &identity.address);
        let welcome = answer::welcome(to, address, self.policy.limits);
        let motd = answer::motd(to, &self.policy.motd);
        let mut actions = vec![Action::Register];
        actions.extend(welcome.into_iter().map(Action::Send));
        actions.push(Action::Ask(Question::Lusers));
        actions.extend(motd.into_iter().map(Action::Send));
        actions
    }
}
