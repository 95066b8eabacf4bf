//! Message tags of IRCv3: `key=value` pairs between `@` and the first space of a line; PURE.
//!
//! Tags are kept as they came and read when somebody asks, because most lines have none and most tags are read by nobody.
//! Only client-only tags (`+key`) are passed on, and only after they were taken apart and put together again: what a
//! client sent never reaches another one byte for byte. It must not know what any tag means.
//!
//! Source: <https://ircv3.net/specs/extensions/message-tags>.

use std::collections::BTreeMap;

/// Most bytes of tags a client may send, without `@` and space; the limit of the specification.
pub const CLIENT_DATA_MAX: usize = 4094;

/// Most bytes of tags a server may add; the limit of the specification.
pub const SERVER_DATA_MAX: usize = 4094;

/// Longest tag section that a client must be able to read: `@`, the server's tags, `;`, the sender's tags, a space.
pub const SECTION_MAX: usize = 8191;

const _: () = assert!(1 + SERVER_DATA_MAX + 1 + CLIENT_DATA_MAX + 1 == SECTION_MAX);

/// The tags of one message, as they were sent. Borrows from the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tags<'a>(&'a str);

impl<'a> Tags<'a> {
    /// The tags of a section without its `@` and space.
    #[must_use]
    pub fn new(section: &'a str) -> Self {
        Self(section)
    }

    /// Keys and values in the order sent, values still escaped. Pairs whose key is malformed are passed over.
    pub fn pairs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self.0.split(';');
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(|(key, _)| is_key(key))
    }

    /// The value of `key`, unescaped; empty if the tag has none. The last of several counts.
    #[must_use]
    pub fn get(self, key: &str) -> Option<String> {
        let values = self.pairs().filter(|(known, _)| *known == key);
        values.last().map(|(_, value)| unescape(value))
    }

    /// What may be passed on to others: client-only tags, each once, with its last value.
    #[must_use]
    pub fn client_only(self) -> ClientTags {
        let pairs = self.pairs().filter(|(key, _)| key.starts_with('+'));
        let last: BTreeMap<&str, &str> = pairs.collect();
        let mut section = String::new();
        for (key, value) in last {
            if !section.is_empty() {
                section.push(';');
            }
            section.push_str(key);
            let value = escape(&unescape(value));
            if !value.is_empty() {
                section.push('=');
                section.push_str(&value);
            }
        }
        // Never longer than what came: putting together again only removes.
        debug_assert!(section.len() <= self.0.len());
        ClientTags(section)
    }
}

/// Client-only tags on their way from one client to others; at most [`CLIENT_DATA_MAX`] bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTags(String);

impl ClientTags {
    /// The section without `@` and space; empty if there are no tags.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no tag.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether `key` is well-formed: an optional `+`, an optional vendor (a host name) with a slash, letters, digits, hyphens.
fn is_key(key: &str) -> bool {
    let key = key.strip_prefix('+').unwrap_or(key);
    let (vendor, name) = key.split_once('/').unwrap_or(("", key));
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let vendor_is_host = vendor.bytes().all(|byte| is_word(byte) || byte == b'.');
    !name.is_empty() && name.bytes().all(is_word) && vendor_is_host && !key.starts_with('/')
}

/// `value` in the form that may stand in a line.
#[must_use]
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            ';' => escaped.push_str("\\:"),
            ' ' => escaped.push_str("\\s"),
            '\\' => escaped.push_str("\\\\"),
            '\r' => escaped.push_str("\\r"),
            '\n' => escaped.push_str("\\n"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The value that an escaped one stands for. An unknown escape loses its backslash, so does one at the end.
#[must_use]
pub fn unescape(escaped: &str) -> String {
    let mut value = String::with_capacity(escaped.len());
    let mut letters = escaped.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            value.push(letter);
            continue;
        }
        match letters.next() {
            Some(':') => value.push(';'),
            Some('s') => value.push(' '),
            Some('r') => value.push('\r'),
            Some('n') => value.push('\n'),
            Some(other) => value.push(other),
            None => {}
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character comes back from its escaped form, and none of those that would break a line is left in it.
    #[test]
    fn escapes_and_back() {
        for value in ["", "a", "a;b c\\d\r\n", "\\:", "é\\"] {
            let escaped = escape(value);
            assert!(!escaped.contains([';', ' ', '\r', '\n']), "{escaped}");
            assert_eq!(unescape(&escaped), value);
        }
        let cases = [
            ("a\\", "a"),
            ("\\b", "b"),
            ("\\s\\:", " ;"),
            ("\\\\s", "\\s"),
        ];
        for (escaped, value) in cases {
            assert_eq!(unescape(escaped), value, "{escaped}");
        }
    }

    /// Values are found by key, the last of several counts, and malformed pairs are passed over.
    #[test]
    fn reads_tags() {
        let tags = Tags::new("id=1;;+x;a/b=2;-=3;id=4\\s;=5;é=6;+example.com/y=z=w");
        assert_eq!(tags.get("id").unwrap(), "4 ");
        assert_eq!(tags.get("+x").unwrap(), "");
        assert_eq!(tags.get("a/b").unwrap(), "2");
        assert_eq!(tags.get("-").unwrap(), "3");
        assert_eq!(tags.get("+example.com/y").unwrap(), "z=w");
        assert_eq!(tags.get("é"), None);
        assert_eq!(tags.get(""), None);
    }

    /// Only client-only tags are passed on, each once, in the canonical form.
    #[test]
    fn passes_on_client_only_tags() {
        let cases = [
            ("", ""),
            ("time=now;account=eve", ""),
            ("+b=1;msgid=2;+a;+b=2", "+a;+b=2"),
            ("+a=", "+a"),
            ("+a=\\", "+a"),
            ("+a=\\q", "+a=q"),
            ("+/a=1;+=2;+a b=3", ""),
            ("+traceparent=00-ab-cd-01", "+traceparent=00-ab-cd-01"),
        ];
        for (section, expect) in cases {
            assert_eq!(
                Tags::new(section).client_only().as_str(),
                expect,
                "{section}"
            );
        }
    }
}
