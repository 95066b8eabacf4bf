//! Who may speak in a room, and what the others get; PURE.

use crate::identity::{Asker, Identity};
use crate::moment::Moment;
use crate::protocol::capability::Capability;
use crate::protocol::command::Speech;
use crate::protocol::line::Line;
use crate::protocol::mode::Flag;
use crate::protocol::numeric::Numeric;
use crate::protocol::tags::ClientTags;

use super::{Effect, Room};

impl<W: Clone> Room<W> {
    pub(super) fn say(
        &self,
        asker: &Asker<W>,
        speech: Speech,
        text: &str,
        tags: ClientTags,
        now: Moment,
    ) -> Vec<Effect<W>> {
        if !self.may_speak(asker) {
            return match speech {
                Speech::Privmsg => vec![self.refuse(asker, Numeric::CannotSendToChannel)],
                Speech::Notice | Speech::Tagmsg => Vec::new(),
            };
        }
        let line = said(&asker.identity, speech, &self.name, text, tags, now);
        let echo = asker.capabilities.has(Capability::EchoMessage);
        let echo = echo.then(|| Effect::send(&asker.way, line.clone()));
        let fan = Effect::Fan {
            except: Some(asker.id),
            line,
        };
        std::iter::once(fan).chain(echo).collect()
    }

    fn may_speak(&self, asker: &Asker<W>) -> bool {
        let member = self.members.get(&asker.id);
        if member.is_some_and(|member| member.standing.has_rank()) {
            return true;
        }
        let is_admitted = member.is_some() || !self.settings.has(Flag::MembersOnly);
        is_admitted && !self.settings.has(Flag::Moderated) && !self.is_banned(&asker.identity)
    }
}

/// The line that others get when `speaker` says something to `target`.
#[must_use]
pub fn said(
    speaker: &Identity,
    speech: Speech,
    target: &str,
    text: &str,
    tags: ClientTags,
    now: Moment,
) -> Line {
    let prefix = Some(speaker.address.as_str());
    let line = match speech {
        Speech::Tagmsg => {
            Line::new(prefix, speech.word(), &[target], None).only_with(Capability::MessageTags)
        }
        Speech::Privmsg | Speech::Notice => Line::new(prefix, speech.word(), &[target], Some(text)),
    };
    line.at(now.unix_ms).tagged(tags)
}
