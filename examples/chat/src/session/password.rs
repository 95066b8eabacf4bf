//! The word that lets clients in; PURE.

use std::fmt;
use std::sync::Arc;

/// The password of a server. Its debug form does not tell it, so that no log can.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Arc<str>);

impl Password {
    /// The password `word`.
    #[must_use]
    pub fn new(word: &str) -> Self {
        Self(word.into())
    }

    /// Whether `given` is the word. Takes the same time for every wrong word of the right length, so that nobody can find it
    /// letter by letter.
    #[must_use]
    pub fn is(&self, given: &str) -> bool {
        let pairs = self.0.bytes().zip(given.bytes());
        let difference = pairs.fold(0, |difference, (one, other)| difference | (one ^ other));
        self.0.len() == given.len() && difference == 0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the whole word is right, and it is not shown.
    #[test]
    fn is_the_whole_word() {
        let password = Password::new("se cret");
        assert!(password.is("se cret"));
        for wrong in ["", "se cre", "se cret ", "se creT", "SE CRET"] {
            assert!(!password.is(wrong), "{wrong}");
        }
        assert!(!format!("{password:?}").contains("cret"));
    }
}
