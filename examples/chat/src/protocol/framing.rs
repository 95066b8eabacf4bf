//! Lines out of a byte stream; PURE.
//!
//! The buffer is bounded whatever the peer sends: a line over its limit is reported once and skipped up to its end, and
//! the connection goes on. Bytes that are no UTF-8 are replaced, not refused, because old clients still send Latin-1.

use bytes::{Buf as _, BytesMut};

use super::line::LINE_MAX;
use super::message::TAGS_MAX;

/// What the stream gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A line without its line end. `lossy` if bytes were replaced because they were no UTF-8.
    Line {
        /// The text of the line.
        text: String,
        /// Whether it is exactly what was sent.
        lossy: bool,
    },
    /// A line over the limit; its bytes are gone.
    TooLong,
}

/// Splits a stream into lines.
#[derive(Debug, Default)]
pub struct Framing {
    /// Bytes of the buffer already searched for a line end, so that a slow trickle is not searched again and again.
    searched: usize,
    /// Inside a line that was reported as too long: everything up to its end is dropped.
    skipping: bool,
    /// Bytes consumed since somebody asked; the owner of the socket counts them.
    consumed: usize,
}

impl Framing {
    /// Bytes consumed since the last call.
    pub fn take_consumed(&mut self) -> usize {
        std::mem::take(&mut self.consumed)
    }

    /// The next frame in `buffer`, whose bytes are removed; `None` until more bytes have come. What is left in the buffer
    /// when the stream ends is half a line and no command: the peer may have died in the middle of it.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Option<Frame> {
        loop {
            let limit = limit(buffer.first());
            let end = buffer[self.searched..]
                .iter()
                .position(|byte| *byte == b'\n')
                .map(|offset| self.searched + offset + 1);
            let Some(end) = end else {
                self.searched = buffer.len();
                if !self.skipping && buffer.len() <= limit {
                    return None;
                }
                self.advance(buffer, buffer.len());
                let reported = std::mem::replace(&mut self.skipping, true);
                return (!reported).then_some(Frame::TooLong);
            };
            if std::mem::take(&mut self.skipping) {
                self.advance(buffer, end);
                continue;
            }
            if end > limit {
                self.advance(buffer, end);
                return Some(Frame::TooLong);
            }
            let line = &buffer[..end - 1];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let text = String::from_utf8_lossy(line);
            let lossy = matches!(text, std::borrow::Cow::Owned(_));
            let text = text.into_owned();
            self.advance(buffer, end);
            // Empty lines are allowed and mean nothing (RFC 1459, 2.3).
            if !text.trim_start_matches(' ').is_empty() {
                return Some(Frame::Line { text, lossy });
            }
        }
    }

    fn advance(&mut self, buffer: &mut BytesMut, bytes: usize) {
        buffer.advance(bytes);
        self.consumed += bytes;
        self.searched = 0;
    }
}

/// The limit of a line that begins with `first`: tags have an allowance of their own.
fn limit(first: Option<&u8>) -> usize {
    match first {
        Some(b'@') => TAGS_MAX + LINE_MAX,
        _ => LINE_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `chunks` one by one and collects the frames, checking the buffer bound on the way.
    fn frames(chunks: &[&[u8]]) -> Vec<Frame> {
        let mut framing = Framing::default();
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            while let Some(frame) = framing.next(&mut buffer) {
                frames.push(frame);
            }
            assert!(buffer.len() <= TAGS_MAX + LINE_MAX);
        }
        let sent: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        assert_eq!(framing.take_consumed() + buffer.len(), sent);
        frames
    }

    fn line(text: &str) -> Frame {
        Frame::Line {
            text: text.to_owned(),
            lossy: false,
        }
    }

    /// Both line ends, empty lines, lines over several reads, half a line at the end.
    #[test]
    fn splits_lines() {
        assert_eq!(
            frames(&[b"a\r\nb\n\r\n  \nc", b"d\r", b"\nhalf"]),
            [line("a"), line("b"), line("cd")]
        );
    }

    /// A line over the limit is reported once, however it arrives, and the next line is read.
    #[test]
    fn skips_a_line_that_is_too_long() {
        let long = vec![b'x'; 10_000];
        assert_eq!(
            frames(&[&long, b"y\r\nok\r\n"]),
            [Frame::TooLong, line("ok")]
        );
        let trickle: Vec<&[u8]> = long.chunks(100).chain([&b"\nok\n"[..]]).collect();
        assert_eq!(frames(&trickle), [Frame::TooLong, line("ok")]);
        let at_once = [&long[..], b"\nok\n"].concat();
        assert_eq!(frames(&[&at_once]), [Frame::TooLong, line("ok")]);
    }

    /// Exactly 512 bytes pass, 513 do not; tags have an allowance of their own.
    #[test]
    fn knows_the_exact_limit() {
        let fits = format!("{}\r\n", "x".repeat(510));
        assert_eq!(frames(&[fits.as_bytes()]), [line(&fits[..510])]);
        let over = format!("{}\r\n", "x".repeat(511));
        assert_eq!(frames(&[over.as_bytes()]), [Frame::TooLong]);
        let tagged = format!("@{} PING x", "t".repeat(4000));
        assert_eq!(frames(&[tagged.as_bytes(), b"\n"]), [line(tagged.as_str())]);
    }

    /// Latin-1 is read with replacements and said to be so.
    #[test]
    fn replaces_what_is_no_utf8() {
        assert_eq!(
            frames(&[b"caf\xe9\n"]),
            [Frame::Line {
                text: "caf\u{fffd}".to_owned(),
                lossy: true
            }]
        );
    }
}
