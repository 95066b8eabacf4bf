//! The number inside Tokio's opaque ids.
//!
//! `task::Id` and `runtime::Id` show their number only as text. Their derived `Hash` feeds exactly that number to the
//! hasher, so a hasher that keeps the last word returns it without allocating.

use std::hash::{Hash, Hasher};

#[derive(Default)]
struct LastWord(u64);

impl Hasher for LastWord {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// The number of an id; 0 if Tokio stops hashing one word.
#[inline]
pub(crate) fn number_of(id: &impl Hash) -> u64 {
    let mut hasher = LastWord::default();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number is the one that Tokio prints.
    #[tokio::test]
    async fn agrees_with_display() {
        let task = tokio::spawn(async {});
        assert_eq!(number_of(&task.id()).to_string(), task.id().to_string());
        task.await.unwrap();
    }
}
