//! Names of people and rooms: which are valid, and which are the same; PURE.
//!
//! A server compares names under the case mapping that it announces. Whoever looks a name up must fold it first; the type
//! [`Folded`], which only a [`CaseMapping`] makes, turns forgetting that into a compile error.

/// Longest nickname in bytes. Announced as `NICKLEN`; long enough for bridges, short enough for a prefix in every line.
pub const NICK_MAX: usize = 30;

/// Longest room name in bytes. Announced as `CHANNELLEN`; the limit of RFC 2812.
pub const ROOM_MAX: usize = 50;

/// Longest user name in bytes. Announced as `USERLEN`; part of the prefix of every line.
pub const USER_MAX: usize = 18;

/// Which letters are the same; announced as `CASEMAPPING`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CaseMapping {
    /// `A` to `Z` are `a` to `z`.
    Ascii,
    /// As `Ascii`, and `[]\~` are the capitals of `{}|^`, as on the Scandinavian keyboards of 1988. What clients expect of
    /// a server that announces nothing.
    #[default]
    Rfc1459,
}

impl CaseMapping {
    /// The name in the announcement.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Rfc1459 => "rfc1459",
        }
    }

    /// `name` in the form under which it is compared. Takes any string.
    #[must_use]
    pub fn fold(self, name: &str) -> Folded {
        Folded(
            name.chars()
                .map(|letter| self.fold_letter(letter))
                .collect(),
        )
    }

    /// Whether two names are the same.
    #[must_use]
    pub fn same(self, one: &str, other: &str) -> bool {
        let fold = |letter| self.fold_letter(letter);
        one.chars().map(fold).eq(other.chars().map(fold))
    }

    /// The small form of one letter.
    #[must_use]
    pub const fn fold_letter(self, letter: char) -> char {
        match (self, letter) {
            (Self::Rfc1459, '[') => '{',
            (Self::Rfc1459, ']') => '}',
            (Self::Rfc1459, '\\') => '|',
            (Self::Rfc1459, '~') => '^',
            _ => letter.to_ascii_lowercase(),
        }
    }
}

/// A name in the form under which it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folded(String);

/// Whether `name` may be a nickname: a letter or one of ``[]\`_^{|}`` first, then also digits and `-`.
#[must_use]
pub fn is_nick(name: &str) -> bool {
    let special = |byte: u8| matches!(byte, b'['..=b'`' | b'{'..=b'}');
    let first = |byte: u8| byte.is_ascii_alphabetic() || special(byte);
    let rest = |byte: u8| first(byte) || byte.is_ascii_digit() || byte == b'-';
    name.len() <= NICK_MAX && name.bytes().next().is_some_and(first) && name.bytes().all(rest)
}

/// Whether `name` may be a room: `#` and at least one more character, no space, comma, colon or control character.
#[must_use]
pub fn is_room(name: &str) -> bool {
    let forbidden = |letter: char| letter.is_control() || matches!(letter, ' ' | ',' | ':');
    (2..=ROOM_MAX).contains(&name.len()) && name.starts_with('#') && !name.contains(forbidden)
}

/// Whether `name` was meant to be a room, valid or not.
#[must_use]
pub fn looks_like_room(name: &str) -> bool {
    name.starts_with('#')
}

/// The user name to use for what a client said: characters with a meaning in prefixes removed, length limited.
#[must_use]
pub fn user(said: &str) -> String {
    let kept = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let user: String = said.chars().filter(kept).take(USER_MAX).collect();
    if user.is_empty() {
        "user".to_owned()
    } else {
        user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mappings differ in four letters only; a comparison without allocation agrees with one of folded names.
    #[test]
    fn folds_as_announced() {
        let cases = [
            ("Ab[]\\~", "aB{}|^", CaseMapping::Rfc1459, true),
            ("Ab[]\\~", "aB{}|^", CaseMapping::Ascii, false),
            ("Ab[]", "aB[]", CaseMapping::Ascii, true),
            ("a_", "a", CaseMapping::Rfc1459, false),
            ("é", "É", CaseMapping::Rfc1459, false),
        ];
        for (one, other, mapping, same) in cases {
            assert_eq!(mapping.fold(one) == mapping.fold(other), same, "{one}");
            assert_eq!(mapping.same(one, other), same, "{one}");
        }
    }

    /// Valid and invalid nicknames, by table.
    #[test]
    fn knows_nicks() {
        let max = "x".repeat(NICK_MAX);
        for good in ["a", "Alice", "[x]", "a-1", "_", "`", "{|}^", &max] {
            assert!(is_nick(good), "{good}");
        }
        let long = "x".repeat(NICK_MAX + 1);
        for bad in [
            "", "1a", "-a", "a b", "é", "a!b", "a@b", "#a", "a,b", "~a", &long,
        ] {
            assert!(!is_nick(bad), "{bad}");
        }
    }

    /// Valid and invalid room names, by table.
    #[test]
    fn knows_rooms() {
        for good in ["#a", "##", "#Ünïcode", "#a-b.c"] {
            assert!(is_room(good), "{good}");
        }
        let long = format!("#{}", "x".repeat(ROOM_MAX));
        for bad in ["", "#", "a", "#a b", "#a,b", "#a:b", "#\u{7}", &long] {
            assert!(!is_room(bad), "{bad}");
        }
    }

    /// A user name can never forge a prefix.
    #[test]
    fn cleans_user_names() {
        assert_eq!(user("al!i@ce"), "alice");
        assert_eq!(user("!@"), "user");
        assert_eq!(user(&"x".repeat(99)).len(), USER_MAX);
    }
}
