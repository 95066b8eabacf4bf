//! Which rooms a LIST asks for: names, masks, sizes; PURE.
//!
//! The letters of `ELIST` say what is understood: masks (M), masks to leave out (N), sizes (U).

use super::mask;
use super::name::CaseMapping;

/// The announcement of what [`Filter::parse`] understands.
pub const ELIST: &str = "MNU";

/// Most conditions of one LIST; what is beyond is ignored. Each is held against each room.
const CONDITIONS_MAX: usize = 8;

/// What LIST shows of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name as first written.
    pub name: String,
    /// How many are in it.
    pub members: usize,
    /// Its topic, or empty.
    pub topic: String,
}

/// What a LIST asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A room must match one of these, if there are any.
    wanted: Vec<String>,
    /// A room must match none of these.
    unwanted: Vec<String>,
    /// A room must have more members than this.
    more_than: Option<usize>,
    /// A room must have fewer members than this.
    fewer_than: Option<usize>,
}

impl Filter {
    /// Reads conditions such as `#rust*`, `!*test*`, `>3`, `<100`. What is none of them is a name.
    #[must_use]
    pub fn parse(conditions: &[&str]) -> Self {
        let mut filter = Self::default();
        for condition in conditions.iter().take(CONDITIONS_MAX) {
            let size = |text: &str| text.parse().ok();
            if let Some(least) = condition.strip_prefix('>').and_then(size) {
                filter.more_than = Some(least);
            } else if let Some(most) = condition.strip_prefix('<').and_then(size) {
                filter.fewer_than = Some(most);
            } else if let Some(mask) = condition.strip_prefix('!') {
                filter.unwanted.push(mask.to_owned());
            } else {
                filter.wanted.push((*condition).to_owned());
            }
        }
        filter
    }

    /// Whether a room of this name and size is asked for. An empty room is none.
    #[must_use]
    pub fn admits(&self, mapping: CaseMapping, name: &str, members: usize) -> bool {
        let matches = |pattern: &String| mask::matches(mapping, pattern, name);
        members > self.more_than.unwrap_or(0)
            && self.fewer_than.is_none_or(|limit| members < limit)
            && (self.wanted.is_empty() || self.wanted.iter().any(matches))
            && !self.unwanted.iter().any(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conditions of every kind, alone and together.
    #[test]
    fn filters_rooms() {
        let rooms = [("#rust", 3), ("#Rust-de", 10), ("#tea", 1), ("#gone", 0)];
        let cases: [(&[&str], &[&str]); 9] = [
            (&[], &["#rust", "#Rust-de", "#tea"]),
            (&["#RUST"], &["#rust"]),
            (&["#rust*"], &["#rust", "#Rust-de"]),
            (&["#tea", "#rust", "#none"], &["#rust", "#tea"]),
            (&["!#rust*"], &["#tea"]),
            (&[">1"], &["#rust", "#Rust-de"]),
            (&["<10"], &["#rust", "#tea"]),
            (&[">1", "<10", "*"], &["#rust"]),
            (&[">x"], &[]),
        ];
        for (conditions, expect) in cases {
            let filter = Filter::parse(conditions);
            let admitted = rooms
                .iter()
                .filter(|(name, members)| filter.admits(CaseMapping::Rfc1459, name, *members));
            let names: Vec<&str> = admitted.map(|(name, _)| *name).collect();
            assert_eq!(names, expect, "{conditions:?}");
        }
    }
}
