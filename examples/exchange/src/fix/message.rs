//! A FIX message: its fields when read, its bytes when written; PURE.

use std::fmt::Display;
use std::io::Write as _;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::frame::{Frame, SOH, checksum, integer};
use super::reject::{Fault, Reason};
use super::tag;

/// The only protocol version spoken here.
pub const BEGIN_STRING: &str = "FIX.4.4";
/// Most fields kept of one message; with [`super::frame::BODY_MAX`] bytes a real one has far fewer.
const FIELDS_MAX: usize = 512;
/// Fields whose value may contain [`SOH`], each with the field before it that gives its length.
const DATA_FIELDS: [(u32, u32); 8] = [
    (90, 91),
    (93, 89),
    (95, 96),
    (212, 213),
    (348, 349),
    (350, 351),
    (354, 355),
    (356, 357),
];

/// A message with whole frame, split into fields. Fields it cannot make sense of are remembered as one [`Fault`].
#[derive(Debug, Clone)]
pub struct Message {
    begin: Bytes,
    body: Bytes,
    fields: Vec<(u32, Range<usize>)>,
    fault: Option<Fault>,
}

impl Message {
    /// Splits a frame; `None` if the first field is not MsgType, which makes the frame a garbled one.
    #[must_use]
    pub fn parse(frame: Frame) -> Option<Self> {
        let Frame { begin, body } = frame;
        let mut message = Self {
            begin,
            body,
            fields: Vec::with_capacity(24),
            fault: None,
        };
        message.split();
        let first = message.fields.first()?;
        (first.0 == tag::MSG_TYPE && !first.1.is_empty()).then_some(message)
    }

    /// The value of the first field with this tag.
    #[must_use]
    pub fn get(&self, tag: u32) -> Option<&[u8]> {
        let range = self.fields.iter().find(|field| field.0 == tag)?.1.clone();
        self.body.get(range)
    }

    /// The value of a field that must be there.
    ///
    /// # Errors
    ///
    /// [`Reason::RequiredTagMissing`] if it is not.
    pub fn require(&self, tag: u32) -> Result<&[u8], Fault> {
        self.get(tag)
            .ok_or_else(|| Fault::new(Reason::RequiredTagMissing, tag, "required tag missing"))
    }

    /// A required field that is a plain number of at most 12 digits.
    ///
    /// # Errors
    ///
    /// If it is missing or not a number.
    pub fn require_integer(&self, tag: u32) -> Result<u64, Fault> {
        integer(self.require(tag)?).ok_or_else(|| {
            Fault::new(
                Reason::IncorrectDataFormat,
                tag,
                "expected an unsigned number of at most 12 digits",
            )
        })
    }

    /// A `Y`/`N` field; missing means no.
    #[must_use]
    pub fn is_set(&self, tag: u32) -> bool {
        self.get(tag) == Some(b"Y")
    }

    /// The value of MsgType.
    #[must_use]
    pub fn kind(&self) -> &[u8] {
        self.get(tag::MSG_TYPE).unwrap_or_default()
    }

    /// The value of BeginString.
    #[must_use]
    pub fn begin(&self) -> &[u8] {
        &self.begin
    }

    /// What is wrong with the form of its fields, if anything is.
    #[must_use]
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The first of `tags` that stands more than once. Only fields outside repeating groups may be asked for.
    #[must_use]
    pub fn repeated(&self, tags: &[u32]) -> Option<u32> {
        let count = |tag: u32| self.fields.iter().filter(|field| field.0 == tag).count();
        tags.iter().copied().find(|&tag| count(tag) > 1)
    }

    /// Every field as text, in order.
    #[cfg(test)]
    pub(super) fn fields_for_test(&self) -> Vec<(u32, String)> {
        let text =
            |range: &Range<usize>| String::from_utf8_lossy(&self.body[range.clone()]).into_owned();
        self.fields
            .iter()
            .map(|(tag, range)| (*tag, text(range)))
            .collect()
    }

    fn split(&mut self) {
        let mut at = 0;
        let mut data_length = None;
        while at < self.body.len() {
            let Some(field) = Field::at(&self.body, at, data_length) else {
                self.blame(Fault::new(
                    Reason::InvalidTag,
                    0,
                    "expected tag=value with a numeric tag",
                ));
                at = end_of_field(&self.body, at) + 1;
                continue;
            };
            at = field.value.end + 1;
            if field.value.is_empty() {
                self.blame(Fault::new(
                    Reason::TagWithoutValue,
                    field.tag,
                    "tag without a value",
                ));
            }
            data_length = DATA_FIELDS
                .iter()
                .find(|pair| pair.0 == field.tag)
                .and_then(|pair| Some((pair.1, integer(&self.body[field.value.clone()])?)));
            if self.fields.len() == FIELDS_MAX {
                return self.blame(Fault::new(Reason::InvalidTag, field.tag, "too many fields"));
            }
            self.fields.push((field.tag, field.value));
        }
    }

    fn blame(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
}

struct Field {
    tag: u32,
    value: Range<usize>,
}

impl Field {
    /// Reads `tag=value` at offset `at`; `data` says which tag may hold separators, and how long it is.
    fn at(body: &[u8], at: usize, data: Option<(u32, u64)>) -> Option<Self> {
        let end = end_of_field(body, at);
        let equals = at + body[at..end].iter().position(|&byte| byte == b'=')?;
        let tag = integer(&body[at..equals]).and_then(|tag| u32::try_from(tag).ok())?;
        if tag == 0 || body[at] == b'0' {
            return None;
        }
        let start = equals + 1;
        let end = match data {
            Some((expected, length)) if expected == tag => {
                let end = start.checked_add(usize::try_from(length).ok()?)?;
                (body.get(end) == Some(&SOH)).then_some(end)?
            }
            _ => end,
        };
        Some(Self {
            tag,
            value: start..end,
        })
    }
}

fn end_of_field(body: &[u8], at: usize) -> usize {
    body[at..]
        .iter()
        .position(|&byte| byte == SOH)
        .map_or(body.len(), |length| at + length)
}

/// Fields on their way out; the session puts header and trailer around them.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The value of MsgType.
    pub kind: &'static str,
    fields: Vec<u8>,
}

impl Draft {
    /// An empty message of a type.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        Self {
            kind,
            fields: Vec::with_capacity(192),
        }
    }

    /// Adds a field. Separators inside the value become spaces: they would begin a new field.
    #[must_use]
    pub fn with(mut self, tag: u32, value: impl Display) -> Self {
        // Writing to a Vec cannot fail.
        let _ = write!(self.fields, "{tag}=");
        let start = self.fields.len();
        let _ = write!(self.fields, "{value}");
        for byte in &mut self.fields[start..] {
            if *byte == SOH {
                *byte = b' ';
            }
        }
        self.fields.push(SOH);
        self
    }

    /// Adds a field if there is a value.
    #[must_use]
    pub fn maybe(self, tag: u32, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(tag, value),
            None => self,
        }
    }

    /// The fields, each ended by [`SOH`].
    #[must_use]
    pub fn fields(&self) -> &[u8] {
        &self.fields
    }
}

/// Appends a whole message to `wire`: `header` and `fields` are runs of fields, each ended by [`SOH`].
pub fn encode(kind: &str, header: &[u8], fields: &[u8], wire: &mut BytesMut) {
    let length = 3 + kind.len() + 1 + header.len() + fields.len();
    let start = wire.len();
    wire.extend_from_slice(
        format!("8={BEGIN_STRING}\u{1}9={length}\u{1}35={kind}\u{1}").as_bytes(),
    );
    wire.extend_from_slice(header);
    wire.extend_from_slice(fields);
    let sum = checksum(&wire[start..]);
    wire.extend_from_slice(format!("10={sum:03}\u{1}").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Option<Message> {
        Message::parse(Frame {
            begin: Bytes::from_static(b"FIX.4.4"),
            body: Bytes::from(body.replace('|', "\u{1}").into_bytes()),
        })
    }

    /// What is wrong with the form of fields is named by the standard's reason.
    #[test]
    fn faults() {
        let table = [
            ("35=0|", None),
            ("35=0|58=|", Some((Reason::TagWithoutValue, 58))),
            ("35=0|x=1|", Some((Reason::InvalidTag, 0))),
            ("35=0|0=1|", Some((Reason::InvalidTag, 0))),
            ("35=0|058=1|", Some((Reason::InvalidTag, 0))),
            ("35=0|=1|", Some((Reason::InvalidTag, 0))),
            ("35=0|58|", Some((Reason::InvalidTag, 0))),
            ("35=0|99999999999=1|", Some((Reason::InvalidTag, 0))),
            ("35=A|95=3|96=a|b|", None),
            ("35=A|95=9|96=a|b|", Some((Reason::InvalidTag, 0))),
        ];
        for (body, expected) in table {
            let message = parse(body).unwrap();
            let got = message.fault().map(|fault| (fault.reason, fault.tag));
            assert_eq!(got, expected, "{body}");
        }
    }

    /// MsgType must come first, or the message is garbled.
    #[test]
    fn type_first() {
        assert!(parse("34=1|35=0|").is_none());
        assert!(parse("35=|34=1|").is_none());
        assert!(parse("").is_none());
    }

    /// Values are found by tag, repeats are noticed, data fields may hold separators.
    #[test]
    fn values() {
        let message = parse("35=D|11=a|55=X|11=b|95=3|96=a|b|44=1|").unwrap();
        assert_eq!(message.get(11), Some(&b"a"[..]));
        assert_eq!(message.get(96), Some(&b"a\x01b"[..]));
        assert_eq!(message.get(44), Some(&b"1"[..]));
        assert_eq!(message.repeated(&[55, 44]), None);
        assert_eq!(message.repeated(&[55, 11]), Some(11));
        assert_eq!(
            message.require(38).unwrap_err().reason,
            Reason::RequiredTagMissing
        );
        assert_eq!(
            message.require_integer(55).unwrap_err().reason,
            Reason::IncorrectDataFormat
        );
    }

    /// What is written is read back, and a separator in a value cannot smuggle in a field.
    #[test]
    fn round_trip() {
        let draft = Draft::new("8").with(58, "a\u{1}39=2").maybe(1, None::<u8>);
        let mut wire = BytesMut::new();
        encode(draft.kind, b"34=7\x01", draft.fields(), &mut wire);
        let super::super::frame::Scan::Frame(frame) = super::super::frame::next(&mut wire) else {
            panic!("expected a frame");
        };
        let message = Message::parse(frame).unwrap();
        assert_eq!(message.kind(), b"8");
        assert_eq!(message.get(34), Some(&b"7"[..]));
        assert_eq!(message.get(58), Some(&b"a 39=2"[..]));
        assert_eq!(message.get(39), None);
        assert!(wire.is_empty());
    }
}
