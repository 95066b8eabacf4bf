//! Names of people and rooms: which are valid, and which are the same; PURE.
//!
//! IRC compares names under the "rfc1459" case mapping, in which `{}|^` are the small letters of `[]\~`. Whoever looks a
//! name up must fold it first; the type [`Folded`] makes forgetting that a compile error.

/// Longest nickname in bytes. Announced as `NICKLEN`; long enough for bridges, short enough for a prefix in every line.
pub const NICK_MAX: usize = 30;

/// Longest room name in bytes. Announced as `CHANNELLEN`; the limit of RFC 2812.
pub const ROOM_MAX: usize = 50;

/// Longest user name in bytes. Announced as `USERLEN`; part of the prefix of every line.
pub const USER_MAX: usize = 18;

/// A name in the form under which it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folded(String);

impl Folded {
    /// Folds `name` under the rfc1459 case mapping. Takes any string.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let fold = |letter| match letter {
            '[' => '{',
            ']' => '}',
            '\\' => '|',
            '~' => '^',
            other => other.to_ascii_lowercase(),
        };
        Self(name.chars().map(fold).collect())
    }
}

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

    /// Names that differ only by the case mapping are one name; the rest are not.
    #[test]
    fn folds_as_rfc1459() {
        assert_eq!(Folded::new("Ab[]\\~"), Folded::new("aB{}|^"));
        assert_ne!(Folded::new("a_"), Folded::new("a"));
        assert_ne!(Folded::new("é"), Folded::new("É"));
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
