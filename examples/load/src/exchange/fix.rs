//! FIX messages as bytes: `tag=value` fields with a length before and a checksum behind. Pure.
//!
//! Only what a client of orders needs: no repeating groups, no data fields.

use bytes::{Buf, BytesMut};

/// Ends every field.
const SOH: u8 = 1;
/// How every message begins, up to its length.
const BEGIN: &[u8] = b"8=FIX.4.4\x019=";
/// Most digits of the length: some engines pad it with zeros.
const LENGTH_DIGITS_MAX: usize = 10;
/// Longest body read; an execution report has some 300 bytes.
const BODY_LEN_MAX: usize = 64 * 1024;
/// The checksum field, `10=nnn` and its end.
const TRAILER_LEN: usize = 7;

/// A message on its way out.
#[derive(Debug)]
pub(crate) struct Draft(Vec<u8>);

impl Draft {
    /// Begins a message of this type.
    pub(crate) fn new(kind: &str) -> Self {
        Self(Vec::with_capacity(256)).field(35, kind)
    }

    /// Adds a field; `value` must not hold the byte 1.
    pub(crate) fn field(mut self, tag: u32, value: impl AsRef<str>) -> Self {
        self.0.extend_from_slice(tag.to_string().as_bytes());
        self.0.push(b'=');
        self.0.extend_from_slice(value.as_ref().as_bytes());
        self.0.push(SOH);
        self
    }

    /// Adds a field with a number.
    pub(crate) fn number(self, tag: u32, value: u64) -> Self {
        self.field(tag, value.to_string())
    }

    /// Appends the whole message to `out`.
    pub(crate) fn finish(self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(BEGIN);
        out.extend_from_slice(self.0.len().to_string().as_bytes());
        out.push(SOH);
        out.extend_from_slice(&self.0);
        let trailer = format!("10={:03}\u{1}", checksum(&out[begin..]));
        out.extend_from_slice(trailer.as_bytes());
    }
}

/// A message that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message(Vec<(u32, String)>);

impl Message {
    /// Takes one message off the front of `input`; `None` if it is not complete yet.
    ///
    /// # Errors
    ///
    /// What is not FIX 4.4 about it; the stream cannot be read any further then.
    pub(crate) fn take(input: &mut BytesMut) -> Result<Option<Self>, String> {
        let Some((header_len, body_len)) = header(input)? else {
            return Ok(None);
        };
        let len = header_len + body_len + TRAILER_LEN;
        if input.len() < len {
            return Ok(None);
        }
        let trailer = &input[header_len + body_len..len];
        let sum = checksum(&input[..header_len + body_len]);
        if trailer != format!("10={sum:03}\u{1}").as_bytes() {
            return Err(format!(
                "a message ends in {:?}; expected the checksum {sum:03}",
                String::from_utf8_lossy(trailer)
            ));
        }
        let message = fields(&input[header_len..header_len + body_len])?;
        input.advance(len);
        Ok(Some(message))
    }

    /// The value of a field.
    pub(crate) fn get(&self, tag: u32) -> Option<&str> {
        let field = self.0.iter().find(|(found, _)| *found == tag)?;
        Some(&field.1)
    }

    /// The value of a field with a number.
    pub(crate) fn number(&self, tag: u32) -> Option<u64> {
        self.get(tag)?.parse().ok()
    }

    /// Type of the message; empty if it has none.
    pub(crate) fn kind(&self) -> &str {
        self.get(35).unwrap_or_default()
    }
}

/// Lengths of the header and of the body behind it; `None` if the header is not complete yet.
fn header(input: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let known = input.len().min(BEGIN.len());
    if input[..known] != BEGIN[..known] {
        return Err(format!(
            "received {:?}; expected a message of FIX.4.4",
            String::from_utf8_lossy(&input[..known])
        ));
    }
    let digits = &input[known..];
    let digits = &digits[..digits.len().min(LENGTH_DIGITS_MAX + 1)];
    let Some(end) = digits.iter().position(|byte| *byte == SOH) else {
        return if digits.len() > LENGTH_DIGITS_MAX {
            Err(format!("a length of more than {LENGTH_DIGITS_MAX} digits"))
        } else {
            Ok(None)
        };
    };
    let text = String::from_utf8_lossy(&digits[..end]);
    match text.parse() {
        Ok(body_len) if body_len <= BODY_LEN_MAX => Ok(Some((BEGIN.len() + end + 1, body_len))),
        _ => Err(format!(
            "a length of {text:?}; expected at most {BODY_LEN_MAX}"
        )),
    }
}

fn fields(body: &[u8]) -> Result<Message, String> {
    let text = String::from_utf8_lossy(body);
    let fields = text.split_terminator('\u{1}').map(|field| {
        let (tag, value) = field.split_once('=')?;
        Some((tag.parse().ok()?, value.to_owned()))
    });
    let fields: Option<Vec<_>> = fields.collect();
    fields
        .map(Message)
        .ok_or_else(|| format!("a message with a field that is no tag=value: {text:?}"))
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(draft: Draft) -> Vec<u8> {
        let mut out = Vec::new();
        draft.finish(&mut out);
        out
    }

    /// Goal: the bytes of a message, checked by hand once.
    #[test]
    fn writes_length_and_checksum() {
        let bytes = written(Draft::new("0").field(49, "A").field(56, "B").number(34, 2));
        let text = String::from_utf8(bytes).unwrap().replace('\u{1}', "|");
        assert_eq!(text, "8=FIX.4.4|9=20|35=0|49=A|56=B|34=2|10=126|");
    }

    /// Goal: what is written reads back, in any pieces, and one message leaves the next alone.
    #[test]
    fn reads_back_in_pieces() {
        let one = written(Draft::new("8").field(11, "x").number(34, 7));
        let two = written(Draft::new("0"));
        let mut input = BytesMut::new();
        for (at, byte) in one.iter().enumerate() {
            assert_eq!(Message::take(&mut input), Ok(None), "after {at} bytes");
            input.extend_from_slice(&[*byte]);
        }
        input.extend_from_slice(&two);
        let message = Message::take(&mut input).unwrap().unwrap();
        assert_eq!(
            (message.kind(), message.get(11), message.number(34)),
            ("8", Some("x"), Some(7))
        );
        assert_eq!((message.get(1), message.number(11)), (None, None));
        assert_eq!(Message::take(&mut input).unwrap().unwrap().kind(), "0");
        assert!(input.is_empty());
    }

    /// Goal: a length padded with zeros is read.
    #[test]
    fn padded_length_is_read() {
        let text = "8=FIX.4.4\u{1}9=0000005\u{1}35=0\u{1}";
        let sum = checksum(text.as_bytes());
        let mut input = BytesMut::from(format!("{text}10={sum:03}\u{1}").as_str());
        assert_eq!(Message::take(&mut input).unwrap().unwrap().kind(), "0");
    }

    /// Goal: what is not FIX is refused with words, never with a panic, and never waited for without end.
    #[test]
    fn refuses_nonsense() {
        for (text, part) in [
            ("HTTP/1.1 400 Bad Request", "expected a message of FIX.4.4"),
            (
                "8=FIX.4.2|9=5|35=0|10=000|",
                "expected a message of FIX.4.4",
            ),
            ("8=FIX.4.4|9=5|35=0|10=000|", "expected the checksum"),
            ("8=FIX.4.4|9=x|", "a length of \"x\""),
            ("8=FIX.4.4|9=-1|", "a length of \"-1\""),
            ("8=FIX.4.4|9=99999999|", "expected at most 65536"),
            ("8=FIX.4.4|9=00000000000000", "more than 10 digits"),
        ] {
            let mut input = BytesMut::from(text.replace('|', "\u{1}").as_str());
            let error = Message::take(&mut input).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    /// Goal: a field without tag or value is refused although the checksum is right.
    #[test]
    fn refuses_malformed_fields() {
        for body in ["35=0|x=1|", "35=0|novalue|"] {
            let body = body.replace('|', "\u{1}");
            let text = format!("8=FIX.4.4\u{1}9={}\u{1}{body}", body.len());
            let mut input =
                BytesMut::from(format!("{text}10={:03}\u{1}", checksum(text.as_bytes())).as_str());
            assert!(
                Message::take(&mut input).unwrap_err().contains("tag=value"),
                "{body}"
            );
        }
    }
}
