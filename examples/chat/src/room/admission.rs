//! Who comes into a room: bans, invitations, key, limit; PURE.

use std::sync::Arc;

use crate::identity::{Asker, ClientId, Identity};
use crate::moment::Moment;
use crate::protocol::capability::Capability;
use crate::protocol::line::Line;
use crate::protocol::mode::Flag;
use crate::protocol::numeric::Numeric;

use super::settings::Settings;
use super::{Effect, Member, Room, Standing};

/// Most invitations that wait for their guest; the oldest is forgotten first. Bounds what members can make a room remember.
pub const INVITED_MAX: usize = 100;

/// Somebody who is invited.
#[derive(Debug, Clone)]
pub struct Guest<W> {
    /// Which connection.
    pub id: ClientId,
    /// Who it is to others.
    pub identity: Arc<Identity>,
    /// How it is reached.
    pub way: W,
}

impl<W: Clone> Room<W> {
    pub(super) fn join(
        &mut self,
        asker: &Asker<W>,
        key: Option<&str>,
        now: Moment,
    ) -> Vec<Effect<W>> {
        let id = asker.id;
        if self.members.contains_key(&id) {
            return Vec::new();
        }
        let standing = if self.members.is_empty() {
            self.renew(now);
            Standing::FOUNDER
        } else {
            Standing::default()
        };
        if let Err(numeric) = self.admits(asker, key) {
            return vec![self.refuse(asker, numeric)];
        }
        self.invited.retain(|guest| *guest != id);
        let member = Member {
            identity: asker.identity.clone(),
            standing,
            way: asker.way.clone(),
        };
        self.members.insert(id, member);
        let mut effects = vec![
            Effect::Standing {
                id,
                standing: Some(standing),
            },
            Effect::Fan {
                except: None,
                line: self.said_by(asker, "JOIN", &[], None, now),
            },
        ];
        if asker.identity.away.is_some() {
            let line = away_line(&asker.identity, now);
            let except = Some(id);
            effects.push(Effect::Fan { except, line });
        }
        if self.topic.is_some() {
            effects.extend(self.replies(asker, self.topic_lines(asker)));
        }
        effects.extend(self.replies(asker, self.names(asker)));
        effects
    }

    /// `asker` invites `guest`. The guest is told, and may come in once although the room is invite-only.
    #[must_use]
    pub fn invite(&mut self, asker: &Asker<W>, guest: &Guest<W>, now: Moment) -> Vec<Effect<W>> {
        let nick = guest.identity.nick.as_str();
        let allowed = match self.members.get(&asker.id) {
            None => Err(Numeric::NotOnChannel),
            Some(_) if self.settings.has(Flag::InviteOnly) => self.need_operator(asker),
            Some(_) => Ok(()),
        };
        if let Err(numeric) = allowed {
            return vec![self.refuse(asker, numeric)];
        }
        if self.members.contains_key(&guest.id) {
            return vec![self.reply(asker, Numeric::UserOnChannel, &[nick, &self.name])];
        }
        self.invited.retain(|invited| *invited != guest.id);
        if self.invited.len() == INVITED_MAX {
            self.invited.pop_front();
        }
        self.invited.push_back(guest.id);
        let prefix = Some(asker.identity.address.as_str());
        let line = Line::new(prefix, "INVITE", &[nick, &self.name], None).at(now.unix_ms);
        let told = self.to(asker).plain(Numeric::Inviting, &[nick, &self.name]);
        let mut effects = vec![
            Effect::send(&asker.way, told),
            Effect::send(&guest.way, line),
        ];
        if let Some(away) = &guest.identity.away {
            let away = self.to(asker).filled(Numeric::Away, &[nick], away);
            effects.push(Effect::send(&asker.way, away));
        }
        effects
    }

    /// A room that everybody has left has ceased to be: whoever comes next opens a new one.
    fn renew(&mut self, now: Moment) {
        self.topic = None;
        self.settings = Settings::default();
        self.bans.clear();
        self.invited.clear();
        self.created_unix_seconds = now.unix_seconds();
    }

    fn admits(&self, asker: &Asker<W>, key: Option<&str>) -> Result<(), Numeric> {
        let is_invited = self.invited.contains(&asker.id);
        let is_full =
            |limit: u32| usize::try_from(limit).is_ok_and(|limit| self.members.len() >= limit);
        if self.is_banned(&asker.identity) {
            return Err(Numeric::BannedFromChannel);
        }
        if self.settings.has(Flag::InviteOnly) && !is_invited {
            return Err(Numeric::InviteOnlyChannel);
        }
        if self.settings.key.is_some() && self.settings.key.as_deref() != key {
            return Err(Numeric::BadChannelKey);
        }
        if self.settings.limit.is_some_and(is_full) {
            return Err(Numeric::ChannelIsFull);
        }
        Ok(())
    }

    pub(super) fn is_banned(&self, identity: &Identity) -> bool {
        let mapping = self.house.case_mapping;
        let mut bans = self.bans.iter();
        bans.any(|ban| ban.mask.matches(mapping, &identity.address))
    }

    /// Whether the client is in the room.
    #[must_use]
    pub fn has(&self, id: ClientId) -> bool {
        self.members.contains_key(&id)
    }
}

/// The line that tells somebody's away text, or that it has come back, to those who asked for such lines.
#[must_use]
pub fn away_line(identity: &Identity, now: Moment) -> Line {
    let text = identity.away.as_deref();
    let line = Line::new(Some(&identity.address), "AWAY", &[], text);
    line.at(now.unix_ms).only_with(Capability::AwayNotify)
}
