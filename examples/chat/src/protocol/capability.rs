//! What a client can be sent beyond RFC 1459, negotiated by CAP; PURE.
//!
//! A set is one byte, so that it can travel with every line and every client. Source: <https://ircv3.net/specs/extensions/capability-negotiation>.

/// One capability. Declared in the order in which they are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Is told when somebody in one of its rooms goes away or comes back.
    AwayNotify,
    /// Gets its own messages back, as the others got them.
    EchoMessage,
    /// Reads tags in front of lines, may send client-only tags and TAGMSG.
    MessageTags,
    /// Sees every rank of a member, not only the highest.
    MultiPrefix,
    /// Gets the time at which the server received what it passes on.
    ServerTime,
}

impl Capability {
    /// Every capability, in the order of declaration.
    pub const ALL: [Self; 5] = [
        Self::AwayNotify,
        Self::EchoMessage,
        Self::MessageTags,
        Self::MultiPrefix,
        Self::ServerTime,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwayNotify => "away-notify",
            Self::EchoMessage => "echo-message",
            Self::MessageTags => "message-tags",
            Self::MultiPrefix => "multi-prefix",
            Self::ServerTime => "server-time",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of capabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// No capability: a client that never heard of CAP.
    pub const NONE: Self = Self(0);

    /// Whatever this server offers.
    #[must_use]
    pub fn offered() -> Self {
        let all = Capability::ALL.into_iter();
        all.fold(Self::NONE, Self::with)
    }

    /// Whether `capability` is in the set.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// Whether every capability of `needed` is in the set.
    #[must_use]
    pub const fn cover(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// The set with `capability`.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | capability.bit())
    }

    /// The set without `capability`.
    #[must_use]
    pub const fn without(self, capability: Capability) -> Self {
        Self(self.0 & !capability.bit())
    }

    /// The set after a request such as `server-time -echo-message`; `None` if any word of it is unknown, because a request
    /// is granted as a whole or not at all.
    #[must_use]
    pub fn requested(self, request: &str) -> Option<Self> {
        request
            .split_ascii_whitespace()
            .try_fold(self, |set, word| {
                let (name, wanted) = match word.strip_prefix('-') {
                    Some(name) => (name, false),
                    None => (word, true),
                };
                let mut known = Capability::ALL.into_iter();
                let capability = known.find(|capability| capability.name() == name)?;
                Some(if wanted {
                    set.with(capability)
                } else {
                    set.without(capability)
                })
            })
    }

    /// The names, separated by spaces.
    #[must_use]
    pub fn names(self) -> String {
        let held = Capability::ALL.into_iter().filter(|one| self.has(*one));
        held.map(Capability::name).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request is granted as a whole or not at all; a minus removes, the last word about a name counts.
    #[test]
    fn grants_all_or_nothing() {
        let none = Capabilities::NONE;
        let both = none
            .with(Capability::ServerTime)
            .with(Capability::EchoMessage);
        let cases = [
            (none, "", Some(none)),
            (none, "server-time echo-message", Some(both)),
            (none, " echo-message  server-time ", Some(both)),
            (none, "server-time sasl", None),
            (none, "Server-Time", None),
            (
                both,
                "-echo-message",
                Some(none.with(Capability::ServerTime)),
            ),
            (both, "-server-time -echo-message", Some(none)),
            (none, "-multi-prefix", Some(none)),
            (none, "-", None),
            (none, "multi-prefix -multi-prefix", Some(none)),
        ];
        for (held, request, expect) in cases {
            assert_eq!(held.requested(request), expect, "{request:?}");
        }
    }

    /// The announcement names every capability and can be requested back.
    #[test]
    fn announces_what_it_grants() {
        let names = Capabilities::offered().names();
        assert_eq!(
            names,
            "away-notify echo-message message-tags multi-prefix server-time"
        );
        assert_eq!(
            Capabilities::NONE.requested(&names),
            Some(Capabilities::offered())
        );
        assert!(Capabilities::offered().cover(Capabilities::NONE));
        assert!(!Capabilities::NONE.cover(Capabilities::offered()));
    }
}
