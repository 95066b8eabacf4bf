//! How the modes of a room are changed, and what everybody is told about it; PURE.

use crate::identity::Asker;
use crate::moment::Moment;
use crate::protocol::answer::{self, Ban};
use crate::protocol::isupport::BANS_MAX;
use crate::protocol::mask::Mask;
use crate::protocol::mode::{Applied, Change, Changes, Problem, Rank};
use crate::protocol::numeric::Numeric;

use super::{Effect, Room};

impl<W: Clone> Room<W> {
    /// Does what may be done, tells the asker what may not, and everybody what has changed; nothing if nothing has.
    pub(super) fn change(
        &mut self,
        asker: &Asker<W>,
        changes: Changes,
        now: Moment,
    ) -> Vec<Effect<W>> {
        let Changes { changes, problems } = changes;
        let problems = problems.iter();
        let mut effects: Vec<Effect<W>> = problems.map(|one| self.tell(asker, one)).collect();
        let allowed = self.need_operator(asker);
        let mut refused = false;
        let mut applied = Applied::default();
        for change in changes {
            match (change, allowed) {
                // Everybody may know who is banned.
                (Change::ShowBans, _) => {
                    let lines = answer::bans(self.to(asker), &self.name, &self.bans);
                    effects.extend(self.replies(asker, lines));
                }
                (_, Err(numeric)) if !refused => {
                    refused = true;
                    effects.push(self.refuse(asker, numeric));
                }
                (_, Err(_)) => {}
                (change, Ok(())) => {
                    effects.extend(self.apply(asker, change, now, &mut applied));
                    if applied.is_full() {
                        effects.push(self.told(asker, &std::mem::take(&mut applied), now));
                    }
                }
            }
        }
        if !applied.is_empty() {
            effects.push(self.told(asker, &applied, now));
        }
        effects
    }

    fn told(&self, asker: &Asker<W>, applied: &Applied, now: Moment) -> Effect<W> {
        let line = self.said_by(asker, "MODE", &applied.words(), None, now);
        Effect::Fan { except: None, line }
    }

    fn tell(&self, asker: &Asker<W>, problem: &Problem) -> Effect<W> {
        let to = self.to(asker);
        let line = match problem {
            Problem::Unknown(letter) => to.fixed(Numeric::UnknownMode, &[&letter.to_string()]),
            Problem::Missing => to.fixed(Numeric::NeedMoreParams, &["MODE"]),
            Problem::Invalid(letter, param, why) => {
                let about = [&*self.name, &letter.to_string(), param];
                to.filled(Numeric::InvalidModeParam, &about, why)
            }
        };
        Effect::send(&asker.way, line)
    }

    /// Makes one change; what really changed goes to `applied`.
    fn apply(
        &mut self,
        asker: &Asker<W>,
        change: Change,
        now: Moment,
        applied: &mut Applied,
    ) -> Option<Effect<W>> {
        match change {
            Change::Flag { flag, on } => {
                if self.settings.set(flag, on) {
                    applied.push(on, flag.letter(), None);
                }
            }
            Change::Rank { rank, on, nick } => {
                return self.set_rank(asker, rank, on, &nick, applied);
            }
            Change::Key(key) => {
                if self.settings.key != key {
                    // The key that is taken away is nobody's business, but clients expect a parameter.
                    applied.push(key.is_some(), 'k', Some(key.as_deref().unwrap_or("*")));
                    self.settings.key = key;
                }
            }
            Change::Limit(limit) => {
                if self.settings.limit != limit {
                    let shown = limit.map(|limit| limit.to_string());
                    applied.push(limit.is_some(), 'l', shown.as_deref());
                    self.settings.limit = limit;
                }
            }
            Change::Ban { mask, on: true } => return self.ban(asker, mask, now, applied),
            Change::Ban { mask, on: false } => {
                let mapping = self.house.case_mapping;
                let same = |ban: &Ban| ban.mask.same(mapping, &mask);
                if let Some(index) = self.bans.iter().position(same) {
                    let ban = self.bans.remove(index);
                    applied.push(false, 'b', Some(ban.mask.as_str()));
                }
            }
            // Shown by the caller, to members and strangers alike.
            Change::ShowBans => {}
        }
        None
    }

    fn set_rank(
        &mut self,
        asker: &Asker<W>,
        rank: Rank,
        on: bool,
        nick: &str,
        applied: &mut Applied,
    ) -> Option<Effect<W>> {
        let found = self.find(nick);
        let Some((id, member)) = found.and_then(|id| Some((id, self.members.get_mut(&id)?))) else {
            return Some(self.reply(asker, Numeric::UserNotInChannel, &[nick, &self.name]));
        };
        let standing = member.standing.with(rank, on);
        if member.standing == standing {
            return None;
        }
        member.standing = standing;
        applied.push(on, rank.letter(), Some(&member.identity.nick));
        let standing = Some(standing);
        Some(Effect::Standing { id, standing })
    }

    fn ban(
        &mut self,
        asker: &Asker<W>,
        mask: Mask,
        now: Moment,
        applied: &mut Applied,
    ) -> Option<Effect<W>> {
        let mapping = self.house.case_mapping;
        if self.bans.iter().any(|ban| ban.mask.same(mapping, &mask)) {
            return None;
        }
        if self.bans.len() == BANS_MAX {
            return Some(self.reply(asker, Numeric::BanListFull, &[&self.name, mask.as_str()]));
        }
        applied.push(true, 'b', Some(mask.as_str()));
        self.bans.push(Ban {
            mask,
            by: asker.identity.address.clone(),
            at_unix_seconds: now.unix_seconds(),
        });
        None
    }
}
