//! Questions about people, and a word to one of them; PURE.
//!
//! An invisible client (mode `+i`) is found by who shares a room with it or knows its nickname, by nobody else.

use super::{Directory, Person, Place};
use crate::identity::{Asker, ClientId};
use crate::moment::Moment;
use crate::protocol::answer::{self, LINES_MAX};
use crate::protocol::capability::{Capabilities, Capability};
use crate::protocol::command::Speech;
use crate::protocol::line::Line;
use crate::protocol::mask;
use crate::protocol::numeric::{Addressee, Numeric};
use crate::protocol::tags::ClientTags;
use crate::room::speech::said;
use crate::room::{Effect, Standing};

/// What a client wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Which of these are here.
    IsOn(Vec<String>),
    /// Sizes of the server.
    Lusers,
    /// User names and hosts of these.
    UserHost(Vec<String>),
    /// Who matches this nickname or mask.
    Who(String),
    /// Everything about one.
    Whois(String),
}

/// A message to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whisper {
    /// PRIVMSG, NOTICE or TAGMSG.
    pub speech: Speech,
    /// To whom.
    pub nick: String,
    /// What is said; empty for TAGMSG.
    pub text: String,
    /// Tags that go with it.
    pub tags: ClientTags,
}

impl<W: Clone, R> Directory<W, R> {
    /// The answer to a question.
    #[must_use]
    pub fn answer(&self, asker: &Asker<W>, to: Addressee<'_>, question: &Question) -> Vec<Line> {
        match question {
            Question::IsOn(nicks) => {
                let here = self
                    .found(nicks)
                    .map(|person| person.identity.nick.as_str());
                let here: Vec<&str> = here.collect();
                vec![to.filled(Numeric::IsOn, &[], &here.join(" "))]
            }
            Question::UserHost(nicks) => {
                let shown: Vec<String> = self.found(nicks).map(user_host).collect();
                vec![to.filled(Numeric::UserHost, &[], &shown.join(" "))]
            }
            Question::Lusers => answer::lusers(to, self.census()),
            Question::Who(mask) => self.who(asker, to, mask),
            Question::Whois(nick) => self.whois(asker, to, nick),
        }
    }

    /// 352 for everybody of a room's roster, cut at [`LINES_MAX`], then 315.
    #[must_use]
    pub fn who_in_room(
        &self,
        reader: Capabilities,
        to: Addressee<'_>,
        room: &str,
        roster: &[(ClientId, Standing)],
    ) -> Vec<Line> {
        let people = roster.iter().filter_map(|(id, standing)| {
            let signs = standing.signs(reader);
            Some((self.people.get(id)?, signs))
        });
        who_lines(to, room, room, people)
    }

    /// Says something to one person: to it, back to the speaker if that wants its own words, and whether the person is away.
    #[must_use]
    pub fn whisper(
        &self,
        asker: &Asker<W>,
        to: Addressee<'_>,
        whisper: Whisper,
        now: Moment,
    ) -> Vec<Effect<W>> {
        let Whisper {
            speech,
            nick,
            text,
            tags,
        } = whisper;
        let nick = nick.as_str();
        let Some((_, person)) = self.find(nick) else {
            let refused = to.fixed(Numeric::NoSuchNick, &[nick]);
            let answers = speech == Speech::Privmsg;
            return answers
                .then(|| Effect::send(&asker.way, refused))
                .into_iter()
                .collect();
        };
        let nick = &person.identity.nick;
        let line = said(&asker.identity, speech, nick, &text, tags, now);
        let mut effects = vec![Effect::send(&person.way, line.clone())];
        if asker.capabilities.has(Capability::EchoMessage) {
            effects.push(Effect::send(&asker.way, line));
        }
        if let (Speech::Privmsg, Some(away)) = (speech, &person.identity.away) {
            let away = to.filled(Numeric::Away, &[nick], away);
            effects.push(Effect::send(&asker.way, away));
        }
        effects
    }

    fn found<'a>(&'a self, nicks: &'a [String]) -> impl Iterator<Item = &'a Person<W>> {
        nicks.iter().filter_map(|nick| Some(self.find(nick)?.1))
    }

    fn who(&self, asker: &Asker<W>, to: Addressee<'_>, mask: &str) -> Vec<Line> {
        if !mask::has_wildcard(mask) {
            let found = self.find(mask).map(|(_, person)| (person, ""));
            return who_lines(to, mask, "*", found.into_iter());
        }
        let own = self.people.get(&asker.id);
        let matching = self.people.iter().filter(|(id, person)| {
            let is_seen = !person.identity.invisible
                || **id == asker.id
                || own.is_some_and(|own| own.shares_a_room_with(person));
            is_seen && self.is_match(mask, person)
        });
        let matching = matching.map(|(_, person)| (person, ""));
        who_lines(to, mask, "*", matching.take(LINES_MAX + 1))
    }

    fn is_match(&self, mask: &str, person: &Person<W>) -> bool {
        let identity = &person.identity;
        [&identity.nick, &identity.user, &identity.host]
            .into_iter()
            .any(|text| mask::matches(self.mapping, mask, text))
    }

    /// 311, 319, 312, 301, then 318; or 401.
    fn whois(&self, asker: &Asker<W>, to: Addressee<'_>, nick: &str) -> Vec<Line> {
        let end = |nick: &str| to.fixed(Numeric::EndOfWhois, &[nick]);
        let Some((id, person)) = self.find(nick) else {
            return vec![to.fixed(Numeric::NoSuchNick, &[nick]), end(nick)];
        };
        let identity = &person.identity;
        let nick = identity.nick.as_str();
        let mut lines = vec![to.filled(
            Numeric::WhoisUser,
            &[nick, &identity.user, &identity.host, "*"],
            &identity.realname,
        )];
        let is_shown = |place: &Place| {
            !identity.invisible
                || id == asker.id
                || self.is_in(asker.id, &self.mapping.fold(&place.room))
        };
        let rooms = person.places().filter(|place| is_shown(place));
        let rooms: Vec<String> = rooms
            .map(|place| format!("{}{}", place.standing.signs(asker.capabilities), place.room))
            .collect();
        // As many rooms as fit into a line each; a name is at most 52 bytes with its signs.
        for rooms in rooms.chunks(ROOMS_PER_LINE) {
            lines.push(to.filled(Numeric::WhoisChannels, &[nick], &rooms.join(" ")));
        }
        lines.push(to.filled(Numeric::WhoisServer, &[nick, to.server], "chat"));
        if let Some(away) = &identity.away {
            lines.push(to.filled(Numeric::Away, &[nick], away));
        }
        lines.push(end(nick));
        lines
    }
}

/// Rooms in one line of WHOIS.
const ROOMS_PER_LINE: usize = 7;

fn user_host<W>(person: &Person<W>) -> String {
    let identity = &person.identity;
    let flag = if identity.away.is_some() { '-' } else { '+' };
    format!(
        "{}={flag}{}@{}",
        identity.nick, identity.user, identity.host
    )
}

/// 352 for each person and the signs of its ranks, cut at [`LINES_MAX`], then 315.
fn who_lines<'a, W: 'a>(
    to: Addressee<'_>,
    mask: &str,
    room: &str,
    people: impl Iterator<Item = (&'a Person<W>, &'static str)>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for (person, signs) in people {
        if lines.len() == LINES_MAX {
            lines.push(to.fixed(Numeric::TooManyMatches, &[mask]));
            break;
        }
        let identity = &person.identity;
        let presence = if identity.away.is_some() { "G" } else { "H" };
        let params = [
            room,
            &identity.user,
            &identity.host,
            to.server,
            &identity.nick,
            &format!("{presence}{signs}"),
        ];
        let text = format!("0 {}", identity.realname);
        lines.push(to.filled(Numeric::WhoReply, &params, &text));
    }
    lines.push(to.fixed(Numeric::EndOfWho, &[mask]));
    lines
}
