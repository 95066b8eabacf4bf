//! Masks: patterns over `nick!user@host`, and the wildcard match they rest on; PURE.

use super::name::CaseMapping;

/// Longest mask kept, in bytes; longer ones are cut. A full address has at most 96.
pub const MASK_MAX: usize = 100;

/// A pattern over addresses, always with all three parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask(String);

impl Mask {
    /// The mask that `said` stands for: missing parts are `*`, so `bob` is `bob!*@*` and `*.example.org` without `!` and `@`
    /// is a host.
    #[must_use]
    pub fn new(said: &str) -> Self {
        // A mask is shown as a middle parameter, which has no space.
        let said = said.split(' ').next().unwrap_or_default();
        let (nick, user, host) = match (said.split_once('!'), said.split_once('@')) {
            (Some((nick, rest)), _) => {
                let (user, host) = rest.split_once('@').unwrap_or((rest, "*"));
                (nick, user, host)
            }
            (None, Some((user, host))) => ("*", user, host),
            (None, None) if said.contains(['.', ':']) => ("*", "*", said),
            (None, None) => (said, "*", "*"),
        };
        let [nick, user, host] = [nick, user, host].map(|part| match part {
            "" => "*",
            part => part,
        });
        let mut mask = format!("{nick}!{user}@{host}");
        while mask.contains("**") {
            mask = mask.replace("**", "*");
        }
        let mut end = mask.len().min(MASK_MAX);
        while !mask.is_char_boundary(end) {
            end -= 1;
        }
        mask.truncate(end);
        Self(mask)
    }

    /// The mask as it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `address`, a `nick!user@host`, matches.
    #[must_use]
    pub fn matches(&self, mapping: CaseMapping, address: &str) -> bool {
        matches(mapping, &self.0, address)
    }

    /// Whether two masks are the same.
    #[must_use]
    pub fn same(&self, mapping: CaseMapping, other: &Self) -> bool {
        mapping.same(&self.0, &other.0)
    }
}

/// Whether `pattern` has a wildcard at all; without one a match is a comparison.
#[must_use]
pub fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// Whether `text` matches `pattern`, in which `*` stands for any characters and `?` for one.
///
/// Only the last star is ever tried again, so the time is at most the product of the lengths, whatever the pattern.
#[must_use]
pub fn matches(mapping: CaseMapping, pattern: &str, text: &str) -> bool {
    let (mut wanted, mut rest) = (pattern.chars(), text.chars());
    // What follows the last star, and where its match began.
    let mut star = None;
    loop {
        match wanted.next() {
            Some('*') => {
                star = Some((wanted.clone(), rest.clone()));
                continue;
            }
            Some(want) => match rest.next() {
                Some(letter) if is_match(mapping, want, letter) => continue,
                Some(_) => {}
                None => return false,
            },
            None if rest.as_str().is_empty() => return true,
            None => {}
        }
        // The last star takes one more character.
        let Some((after, begin)) = &mut star else {
            return false;
        };
        if begin.next().is_none() {
            return false;
        }
        (wanted, rest) = (after.clone(), begin.clone());
    }
}

fn is_match(mapping: CaseMapping, want: char, letter: char) -> bool {
    want == '?' || mapping.fold_letter(want) == mapping.fold_letter(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a client writes becomes a mask of three parts, bounded in length.
    #[test]
    fn completes_masks() {
        let cases = [
            ("bob", "bob!*@*"),
            ("bob!u", "bob!u@*"),
            ("u@h", "*!u@h"),
            ("*.example.org", "*!*@*.example.org"),
            ("2001:db8::1", "*!*@2001:db8::1"),
            ("!@", "*!*@*"),
            ("", "*!*@*"),
            ("a**b!***@**", "a*b!*@*"),
            ("a!b@c!d@e", "a!b@c!d@e"),
        ];
        for (said, expect) in cases {
            assert_eq!(Mask::new(said).as_str(), expect, "{said}");
        }
        assert!(Mask::new(&"é".repeat(300)).as_str().len() <= MASK_MAX);
    }

    /// Wildcards, by table; case is folded as the mapping says.
    #[test]
    fn matches_by_table() {
        let cases = [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("?", "é", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1c2b", false),
            ("*!*@192.0.2.*", "bob!u@192.0.2.7", true),
            ("BOB[1]!*@*", "bob{1}!u@h", true),
            ("b?b!*@*", "blob!u@h", false),
            ("*ab", "aab", true),
        ];
        for (pattern, text, expect) in cases {
            let matched = matches(CaseMapping::Rfc1459, pattern, text);
            assert_eq!(matched, expect, "{pattern} {text}");
        }
        assert!(!matches(CaseMapping::Ascii, "[", "{"));
    }

    /// The worst pattern that fits ends at once: the match is no exponential search.
    #[test]
    fn a_hostile_pattern_is_cheap() {
        let pattern = "*a".repeat(50);
        let text = "a".repeat(49);
        assert!(!matches(CaseMapping::Ascii, &pattern, &text));
        let text = format!("{}b", "a".repeat(5000));
        assert!(!matches(CaseMapping::Ascii, &pattern, &text));
    }
}
