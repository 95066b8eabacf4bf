//! What a member may, and the signs it is shown with; PURE.

use crate::protocol::capability::{Capabilities, Capability};
use crate::protocol::mode::Rank;

/// The ranks of one member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Mode `o`: may change the room.
    pub operator: bool,
    /// Mode `v`: may speak when others may not.
    pub voice: bool,
}

impl Standing {
    /// The standing of who opens a room.
    pub const FOUNDER: Self = Self {
        operator: true,
        voice: false,
    };

    /// Whether it has any rank.
    #[must_use]
    pub const fn has_rank(self) -> bool {
        self.operator || self.voice
    }

    /// The standing with a rank given or taken.
    #[must_use]
    pub const fn with(self, rank: Rank, on: bool) -> Self {
        match rank {
            Rank::Operator => Self {
                operator: on,
                ..self
            },
            Rank::Voice => Self { voice: on, ..self },
        }
    }

    /// The signs in front of the nickname: all for a reader that can tell them apart, else the highest.
    #[must_use]
    pub const fn signs(self, reader: Capabilities) -> &'static str {
        match (self.operator, self.voice) {
            (true, true) if reader.has(Capability::MultiPrefix) => "@+",
            (true, _) => "@",
            (false, true) => "+",
            (false, false) => "",
        }
    }
}
