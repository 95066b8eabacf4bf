//! A room: who is in it, who may what, and what follows; PURE.
//!
//! [`Room::handle`] takes a [`Request`] with the time it was received and gives [`Effect`]s: plain values that say who gets which
//! line. It calls nobody, so the same machine runs in a task behind a queue, behind a mutex or behind a bus; and as its state
//! follows from its requests alone, several copies that are given the same requests in the same order stay the same.
//!
//! [`settings`] are the modes, [`admission`] who comes in, [`speech`] who may speak, [`change`] how modes are changed.

pub mod admission;
pub mod change;
pub mod effect;
pub mod request;
pub mod settings;
pub mod speech;
pub mod standing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use effect::Effect;
pub use request::Request;
pub use standing::Standing;

use crate::identity::{Asker, ClientId, Identity, Neighbour};
use crate::moment::Moment;
use crate::protocol::answer::{self, Ban, Topic};
use crate::protocol::line::Line;
use crate::protocol::listing::Listed;
use crate::protocol::mode::Flag;
use crate::protocol::name::CaseMapping;
use crate::protocol::numeric::{Addressee, Numeric};
use settings::Settings;

/// What all rooms of a server have in common.
#[derive(Debug, Clone)]
pub struct House {
    /// The name replies come from.
    pub server: Arc<str>,
    /// How nicknames and masks are compared.
    pub case_mapping: CaseMapping,
}

/// Somebody who is in the room.
#[derive(Debug)]
pub struct Member<W> {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// What it may.
    pub standing: Standing,
    /// How it is reached.
    pub way: W,
}

/// The state of one room. `W` is the way to a client, see [`Asker`].
#[derive(Debug)]
pub struct Room<W> {
    /// The name as first written.
    name: Arc<str>,
    /// Server name and case mapping.
    house: House,
    /// In the order of connection, which is also the order of NAMES.
    members: BTreeMap<ClientId, Member<W>>,
    /// The topic, if set.
    topic: Option<Topic>,
    /// The modes but the bans.
    settings: Settings,
    /// The ban list, oldest first; at most [`BANS_MAX`](crate::protocol::isupport::BANS_MAX).
    bans: Vec<Ban>,
    /// Who was invited and has not come yet, oldest first; at most [`admission::INVITED_MAX`].
    invited: VecDeque<ClientId>,
    /// When the first member came.
    created_unix_seconds: u64,
}

impl<W: Clone> Room<W> {
    /// A room that nobody is in yet.
    #[must_use]
    pub fn new(name: &str, house: House) -> Self {
        Self {
            name: name.into(),
            house,
            members: BTreeMap::new(),
            topic: None,
            settings: Settings::default(),
            bans: Vec::new(),
            invited: VecDeque::new(),
            created_unix_seconds: 0,
        }
    }

    /// The name as first written.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Who is in it, in the order of connection.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<ClientId, Member<W>> {
        &self.members
    }

    /// Its name and how many are in it.
    #[must_use]
    pub fn size(&self) -> (&str, usize) {
        (&self.name, self.members.len())
    }

    /// What LIST shows of it.
    #[must_use]
    pub fn listed(&self) -> Listed {
        Listed {
            name: self.name.to_string(),
            members: self.members.len(),
            topic: self.topic_text().to_owned(),
        }
    }

    /// Text of the topic, empty if there is none.
    #[must_use]
    pub fn topic_text(&self) -> &str {
        self.topic.as_ref().map_or("", |topic| &topic.text)
    }

    /// What follows from one request, received at `now`. The effects are to be carried out in their order, after this returned.
    #[must_use]
    pub fn handle(&mut self, asker: &Asker<W>, request: Request, now: Moment) -> Vec<Effect<W>> {
        match request {
            Request::Join { key } => self.join(asker, key.as_deref(), now),
            Request::Part { reason } => self.part(asker, reason.as_deref(), now),
            Request::Say { speech, text, tags } => self.say(asker, speech, &text, tags, now),
            Request::Names => self.replies(asker, self.names(asker)),
            Request::ShowTopic => self.replies(asker, self.topic_lines(asker)),
            Request::SetTopic(text) => self.set_topic(asker, text, now),
            Request::ShowModes => self.replies(asker, self.modes(asker)),
            Request::Change(changes) => self.change(asker, changes, now),
            Request::Kick { nicks, comment } => self.kick(asker, &nicks, comment, now),
        }
    }

    /// Takes a client out without a word; gives the others, for whoever tells them, once each over all rooms. Nobody if the
    /// client is not in.
    #[must_use]
    pub fn leave(&mut self, id: ClientId) -> (Vec<Neighbour<W>>, Vec<Effect<W>>) {
        if self.members.remove(&id).is_none() {
            return (Vec::new(), Vec::new());
        }
        let gone = Effect::Standing { id, standing: None };
        (self.others(id), vec![gone])
    }

    /// A client is somebody else now: another nickname, away, visible. Gives the others, for whoever tells them.
    #[must_use]
    pub fn present(&mut self, id: ClientId, identity: Arc<Identity>) -> Vec<Neighbour<W>> {
        match self.members.get_mut(&id) {
            Some(member) => {
                member.identity = identity;
                self.others(id)
            }
            None => Vec::new(),
        }
    }

    /// Members and their standing for WHO, as far as `asker` may see them; at most `members_max`.
    #[must_use]
    pub fn roster(&self, asker: ClientId, members_max: usize) -> Vec<(ClientId, Standing)> {
        let seen = self.seen_by(asker).take(members_max);
        seen.map(|(id, member)| (*id, member.standing)).collect()
    }

    fn others(&self, of: ClientId) -> Vec<Neighbour<W>> {
        let others = self.members.iter().filter(|(id, _)| **id != of);
        others
            .map(|(id, member)| Neighbour {
                id: *id,
                way: member.way.clone(),
            })
            .collect()
    }

    /// Members see all members; who stands outside does not see the invisible.
    fn seen_by(&self, asker: ClientId) -> impl Iterator<Item = (&ClientId, &Member<W>)> {
        let is_member = self.members.contains_key(&asker);
        let members = self.members.iter();
        members.filter(move |(_, member)| is_member || !member.identity.invisible)
    }

    fn part(&mut self, asker: &Asker<W>, reason: Option<&str>, now: Moment) -> Vec<Effect<W>> {
        if self.members.remove(&asker.id).is_none() {
            return vec![self.refuse(asker, Numeric::NotOnChannel)];
        }
        let line = self.said_by(asker, "PART", &[], reason, now);
        vec![
            Effect::send(&asker.way, line.clone()),
            Effect::Standing {
                id: asker.id,
                standing: None,
            },
            Effect::Fan { except: None, line },
        ]
    }

    fn kick(
        &mut self,
        asker: &Asker<W>,
        nicks: &[String],
        comment: Option<String>,
        now: Moment,
    ) -> Vec<Effect<W>> {
        if let Err(numeric) = self.need_operator(asker) {
            return vec![self.refuse(asker, numeric)];
        }
        let comment = comment.unwrap_or_else(|| asker.identity.nick.clone());
        let mut effects = Vec::new();
        let mut kicked: Vec<(ClientId, Member<W>)> = Vec::new();
        for nick in nicks {
            match self
                .find(nick)
                .and_then(|id| self.members.remove_entry(&id))
            {
                Some(entry) => kicked.push(entry),
                None => {
                    effects.push(self.reply(asker, Numeric::UserNotInChannel, &[nick, &self.name]))
                }
            }
        }
        for (index, (id, member)) in kicked.iter().enumerate() {
            let nick = member.identity.nick.as_str();
            let line = self.said_by(asker, "KICK", &[nick], Some(&comment), now);
            // Those who are thrown out later in the same line still see this one.
            for (_, present) in &kicked[index..] {
                effects.push(Effect::send(&present.way, line.clone()));
            }
            effects.push(Effect::Standing {
                id: *id,
                standing: None,
            });
            effects.push(Effect::Fan { except: None, line });
        }
        effects
    }

    fn set_topic(&mut self, asker: &Asker<W>, text: String, now: Moment) -> Vec<Effect<W>> {
        let allowed = match self.members.get(&asker.id) {
            None => Err(Numeric::NotOnChannel),
            Some(_) if self.settings.has(Flag::TopicLocked) => self.need_operator(asker),
            Some(_) => Ok(()),
        };
        if let Err(numeric) = allowed {
            return vec![self.refuse(asker, numeric)];
        }
        let line = self.said_by(asker, "TOPIC", &[], Some(&text), now);
        self.topic = (!text.is_empty()).then(|| Topic {
            text,
            by: asker.identity.address.clone(),
            at_unix_seconds: now.unix_seconds(),
        });
        vec![Effect::Fan { except: None, line }]
    }

    fn topic_lines(&self, asker: &Asker<W>) -> Vec<Line> {
        answer::topic(self.to(asker), &self.name, self.topic.as_ref())
    }

    fn names(&self, asker: &Asker<W>) -> Vec<Line> {
        let nicks = self.seen_by(asker.id).map(|(_, member)| {
            let signs = member.standing.signs(asker.capabilities);
            (signs, member.identity.nick.as_str())
        });
        answer::names(self.to(asker), &self.name, nicks)
    }

    fn modes(&self, asker: &Asker<W>) -> Vec<Line> {
        let is_member = self.members.contains_key(&asker.id);
        let applied = self.settings.show(is_member);
        let mut params = vec![&*self.name];
        params.extend(applied.words());
        let to = self.to(asker);
        let created = self.created_unix_seconds.to_string();
        vec![
            to.plain(Numeric::ChannelModeIs, &params),
            to.plain(Numeric::CreationTime, &[&self.name, &created]),
        ]
    }

    /// The member of that nickname. Walks through the room: only KICK and MODE ask, a few times a line.
    fn find(&self, nick: &str) -> Option<ClientId> {
        let mapping = self.house.case_mapping;
        let mut members = self.members.iter();
        let found = members.find(|(_, member)| mapping.same(&member.identity.nick, nick));
        found.map(|(id, _)| *id)
    }

    fn need_operator(&self, asker: &Asker<W>) -> Result<(), Numeric> {
        match self.members.get(&asker.id) {
            None => Err(Numeric::NotOnChannel),
            Some(member) if member.standing.operator => Ok(()),
            Some(_) => Err(Numeric::ChannelOpNeeded),
        }
    }

    /// A line that `asker` causes in this room: `:address COMMAND #room …`.
    fn said_by(
        &self,
        asker: &Asker<W>,
        command: &str,
        more: &[&str],
        text: Option<&str>,
        now: Moment,
    ) -> Line {
        let mut params = vec![&*self.name];
        params.extend(more);
        let prefix = Some(asker.identity.address.as_str());
        Line::new(prefix, command, &params, text).at(now.unix_ms)
    }

    /// A refusal about this room.
    fn refuse(&self, asker: &Asker<W>, numeric: Numeric) -> Effect<W> {
        self.reply(asker, numeric, &[&self.name])
    }

    fn reply(&self, asker: &Asker<W>, numeric: Numeric, about: &[&str]) -> Effect<W> {
        Effect::send(&asker.way, self.to(asker).fixed(numeric, about))
    }

    fn replies(&self, asker: &Asker<W>, lines: Vec<Line>) -> Vec<Effect<W>> {
        let send = |line| Effect::send(&asker.way, line);
        lines.into_iter().map(send).collect()
    }

    fn to<'a>(&'a self, asker: &'a Asker<W>) -> Addressee<'a> {
        asker.addressee(&self.house.server)
    }
}
