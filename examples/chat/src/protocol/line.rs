//! One line on its way to clients; PURE.
//!
//! A line is made once and shared, because one line goes to every member of a room. What differs between its readers is the
//! tags in front of it, and whether they are to get it at all; both follow from their capabilities, which only the
//! reader's own end knows. So a line carries everything, and [`Line::write`] picks. Rooms know nothing of it.

use std::sync::Arc;

use bytes::BytesMut;

use super::capability::{Capabilities, Capability};
use super::tags::ClientTags;
use super::timestamp;

/// Longest line in bytes, CR LF included, tags not; the limit of RFC 1459, which clients rely on.
pub const LINE_MAX: usize = 512;

/// Bytes of a `time` tag.
const TIME_TAG_LEN: usize = "time=".len() + timestamp::LEN;

/// One line to clients, CR LF included, never longer than [`LINE_MAX`] without its tags. Clones share the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(Arc<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    /// Everything but the tags.
    body: String,
    /// When the server received what this line passes on, in milliseconds since 1970.
    at_unix_ms: Option<u64>,
    /// Tags of the client that caused it.
    tags: ClientTags,
    /// Readers without these do not get the line.
    needs: Capabilities,
}

impl Line {
    /// Formats a line; `text` is the trailing parameter and gets the colon.
    ///
    /// Whatever the strings hold, the result is one line: a middle parameter ends at its first space, an empty one
    /// becomes `*`, line ends become spaces, and what is too long is cut at a character boundary, as servers do.
    #[must_use]
    pub fn new(prefix: Option<&str>, command: &str, middle: &[&str], text: Option<&str>) -> Self {
        let mut line = String::with_capacity(128);
        if let Some(prefix) = prefix {
            line.push(':');
            line.push_str(prefix);
            line.push(' ');
        }
        line.push_str(command);
        for param in middle {
            line.push(' ');
            let word = param.trim_start_matches([' ', ':']);
            let word = word.split(' ').next().unwrap_or_default();
            line.push_str(if word.is_empty() { "*" } else { word });
        }
        if let Some(text) = text {
            line.push_str(" :");
            line.push_str(text);
        }
        if line.contains(['\r', '\n', '\0']) {
            line = line.replace(['\r', '\n', '\0'], " ");
        }
        let mut end = line.len().min(LINE_MAX - "\r\n".len());
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push_str("\r\n");
        Self(Arc::new(Parts {
            body: line,
            at_unix_ms: None,
            tags: ClientTags::default(),
            needs: Capabilities::NONE,
        }))
    }

    /// The line, stamped with the time at which its cause was received.
    #[must_use]
    pub fn at(mut self, unix_ms: u64) -> Self {
        Arc::make_mut(&mut self.0).at_unix_ms = Some(unix_ms);
        self
    }

    /// The line with the tags of the client that caused it.
    #[must_use]
    pub fn tagged(mut self, tags: ClientTags) -> Self {
        Arc::make_mut(&mut self.0).tags = tags;
        self
    }

    /// The line, for readers with `capability` only.
    #[must_use]
    pub fn only_with(mut self, capability: Capability) -> Self {
        let parts = Arc::make_mut(&mut self.0);
        parts.needs = parts.needs.with(capability);
        self
    }

    /// The bytes without tags, line end included: what a reader without capabilities gets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.body.as_bytes()
    }

    /// Whether a reader with these capabilities gets the line.
    #[must_use]
    pub fn is_for(&self, reader: Capabilities) -> bool {
        reader.cover(self.0.needs)
    }

    /// Bytes the line takes on the wire for a reader with these capabilities.
    #[must_use]
    pub fn wire_len(&self, reader: Capabilities) -> usize {
        let tags: usize = match (self.time_for(reader), self.tags_for(reader)) {
            (None, "") => 0,
            (None, tags) => tags.len() + "@ ".len(),
            (Some(_), "") => TIME_TAG_LEN + "@ ".len(),
            (Some(_), tags) => TIME_TAG_LEN + tags.len() + "@; ".len(),
        };
        tags + self.0.body.len()
    }

    /// Appends the line as a reader with these capabilities gets it.
    pub fn write(&self, reader: Capabilities, out: &mut BytesMut) {
        let (time, tags) = (self.time_for(reader), self.tags_for(reader));
        if time.is_some() || !tags.is_empty() {
            out.extend_from_slice(b"@");
            if let Some(unix_ms) = time {
                out.extend_from_slice(b"time=");
                out.extend_from_slice(timestamp::iso(unix_ms).as_bytes());
                if !tags.is_empty() {
                    out.extend_from_slice(b";");
                }
            }
            out.extend_from_slice(tags.as_bytes());
            out.extend_from_slice(b" ");
        }
        out.extend_from_slice(self.as_bytes());
    }

    fn time_for(&self, reader: Capabilities) -> Option<u64> {
        self.0
            .at_unix_ms
            .filter(|_| reader.has(Capability::ServerTime))
    }

    fn tags_for(&self, reader: Capabilities) -> &str {
        if reader.has(Capability::MessageTags) {
            self.0.tags.as_str()
        } else {
            ""
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tags::Tags;
    use super::*;

    /// No text can make two lines, a wrong parameter or a line that is too long.
    #[test]
    fn formats_one_line_whatever_comes() {
        let check = |line: Line, expect: &str| {
            assert_eq!(std::str::from_utf8(line.as_bytes()).unwrap(), expect);
        };
        check(
            Line::new(Some("s"), "432", &["*", "a b"], Some("no")),
            ":s 432 * a :no\r\n",
        );
        check(
            Line::new(None, "X", &["", ":y"], Some("a\r\nQUIT")),
            "X * y :a  QUIT\r\n",
        );
        let long = Line::new(Some("s"), "PRIVMSG", &["#r"], Some(&"é".repeat(400)));
        assert!(long.as_bytes().len() <= LINE_MAX);
        assert!(std::str::from_utf8(long.as_bytes()).is_ok());
        assert!(long.as_bytes().ends_with(b"\r\n"));
    }

    /// Each reader gets the tags it asked for, and the length is told beforehand.
    #[test]
    fn readers_get_what_they_asked_for() {
        let tags = Tags::new("+a=1").client_only();
        let line = Line::new(None, "PING", &["x"], None).at(0).tagged(tags);
        let none = Capabilities::NONE;
        let time = none.with(Capability::ServerTime);
        let tags = none.with(Capability::MessageTags);
        let both = time.with(Capability::MessageTags);
        let cases = [
            (none, "PING x\r\n"),
            (time, "@time=1970-01-01T00:00:00.000Z PING x\r\n"),
            (tags, "@+a=1 PING x\r\n"),
            (both, "@time=1970-01-01T00:00:00.000Z;+a=1 PING x\r\n"),
        ];
        for (reader, expect) in cases {
            let mut out = BytesMut::new();
            line.write(reader, &mut out);
            assert_eq!(out, expect.as_bytes());
            assert_eq!(line.wire_len(reader), expect.len());
        }
    }

    /// A line for some readers only is for those who have what it needs.
    #[test]
    fn some_lines_are_for_some_readers() {
        let line = Line::new(None, "TAGMSG", &["#r"], None);
        assert!(line.is_for(Capabilities::NONE));
        let line = line.only_with(Capability::MessageTags);
        assert!(!line.is_for(Capabilities::NONE));
        assert!(line.is_for(Capabilities::NONE.with(Capability::MessageTags)));
        assert!(line.is_for(Capabilities::offered()));
    }
}
