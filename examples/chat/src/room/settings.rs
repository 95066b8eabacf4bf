//! The modes of a room but its lists; PURE.

use crate::protocol::mode::{Applied, Flag};

/// The modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which of [`Flag::ALL`] are on.
    flags: [bool; Flag::ALL.len()],
    /// The word that lets people in.
    pub(super) key: Option<String>,
    /// Most members.
    pub(super) limit: Option<u32>,
}

impl Default for Settings {
    /// What a new room has: only members speak in it, only operators set its topic. What people expect of an IRC server.
    fn default() -> Self {
        let mut settings = Self {
            flags: [false; Flag::ALL.len()],
            key: None,
            limit: None,
        };
        settings.set(Flag::MembersOnly, true);
        settings.set(Flag::TopicLocked, true);
        settings
    }
}

impl Settings {
    /// Whether a property is on.
    #[must_use]
    pub fn has(&self, flag: Flag) -> bool {
        self.flags[flag as usize]
    }

    /// Switches a property; gives whether that changed anything.
    pub(super) fn set(&mut self, flag: Flag, on: bool) -> bool {
        std::mem::replace(&mut self.flags[flag as usize], on) != on
    }

    /// The modes in the form of the command that would set them. The key is shown to members only.
    #[must_use]
    pub fn show(&self, to_member: bool) -> Applied {
        let mut applied = Applied::default();
        for flag in Flag::ALL.into_iter().filter(|flag| self.has(*flag)) {
            applied.push(true, flag.letter(), None);
        }
        if let Some(key) = &self.key {
            applied.push(true, 'k', to_member.then_some(key.as_str()));
        }
        if let Some(limit) = self.limit {
            applied.push(true, 'l', Some(&limit.to_string()));
        }
        if applied.is_empty() {
            applied.sign(true);
        }
        applied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Modes are shown as they would be set; a key is no one's business outside.
    #[test]
    fn shows_modes() {
        let mut settings = Settings::default();
        assert_eq!(settings.show(true).words(), ["+nt"]);
        assert!(settings.set(Flag::InviteOnly, true));
        assert!(!settings.set(Flag::InviteOnly, true));
        settings.key = Some("word".to_owned());
        settings.limit = Some(5);
        assert_eq!(settings.show(true).words(), ["+intkl", "word", "5"]);
        assert_eq!(settings.show(false).words(), ["+intkl", "5"]);
        settings = Settings::default();
        for flag in Flag::ALL {
            settings.set(flag, false);
        }
        assert_eq!(settings.show(true).words(), ["+"]);
    }

    /// Flags index an array, so each must sit at its own place.
    #[test]
    fn flags_are_in_order() {
        for (index, flag) in Flag::ALL.into_iter().enumerate() {
            assert_eq!(flag as usize, index);
        }
    }
}
