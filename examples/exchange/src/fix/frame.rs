//! Cuts a byte stream into FIX messages; PURE.
//!
//! A frame is `8=…|9=length|…|10=checksum|`. The standard says what to do with a garbled one: ignore it, do not count it
//! in the sequence, and go on with the next. So a broken frame is an item of its own, and the stream is read again from
//! the next thing that looks like a beginning. The buffer is bounded because no frame above [`BODY_MAX`] is waited for.

use bytes::{Buf, Bytes, BytesMut};

/// Field separator, the ASCII control character SOH.
pub const SOH: u8 = 1;
/// Longest body accepted, in bytes: an order is about 200, a Logon with credentials about 500.
pub const BODY_MAX: usize = 8 * 1024;
/// Longest `8=…|` accepted; real ones have ten bytes.
const BEGIN_MAX: usize = 16;
/// Most digits of BodyLength; some engines pad with zeros.
const LENGTH_DIGITS_MAX: usize = 12;
/// `10=ddd|`
const TRAILER: usize = 7;
/// How a message begins; also where reading goes on after rubbish.
const BEGINNING: &[u8] = b"8=FIX";
/// Most bytes of a message: header, body, trailer.
pub const MESSAGE_MAX: usize = BEGIN_MAX + 2 + LENGTH_DIGITS_MAX + 1 + BODY_MAX + TRAILER;

/// What stands at the beginning of the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// Nothing complete yet: read more.
    Incomplete,
    /// A whole message with a right length and checksum.
    Frame(Frame),
    /// Something that is no message; it has been skipped.
    Garbled(Garbled),
}

/// One message as it stood on the wire, proven whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The value of BeginString.
    pub begin: Bytes,
    /// Everything between BodyLength and CheckSum, each field ended by [`SOH`].
    pub body: Bytes,
}

/// Why bytes were skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbled {
    /// Bytes where a message should begin.
    NoBeginning,
    /// BodyLength missing, not a number, or not where the checksum stands.
    BodyLength,
    /// BodyLength above [`BODY_MAX`].
    TooLong,
    /// The checksum does not add up.
    CheckSum,
}

impl Garbled {
    /// Every reason, for the metrics.
    pub const ALL: [Self; 4] = [
        Self::NoBeginning,
        Self::BodyLength,
        Self::TooLong,
        Self::CheckSum,
    ];

    /// The label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoBeginning => "no_beginning",
            Self::BodyLength => "body_length",
            Self::TooLong => "too_long",
            Self::CheckSum => "checksum",
        }
    }
}

/// Takes the next message (or piece of rubbish) off the front of `buffer`.
pub fn next(buffer: &mut BytesMut) -> Scan {
    let begins = buffer.len().min(BEGINNING.len());
    if buffer[..begins] != BEGINNING[..begins] {
        skip_to_beginning(buffer, 0);
        return Scan::Garbled(Garbled::NoBeginning);
    }
    match header(buffer) {
        Header::Incomplete => Scan::Incomplete,
        Header::Broken(reason) => {
            skip_to_beginning(buffer, BEGINNING.len());
            Scan::Garbled(reason)
        }
        Header::Whole {
            begin_end,
            body,
            length,
        } => whole(buffer, begin_end, body, length),
    }
}

enum Header {
    Incomplete,
    Broken(Garbled),
    /// Offsets of the end of BeginString and of the body, and the body's length.
    Whole {
        begin_end: usize,
        body: usize,
        length: usize,
    },
}

/// Reads `8=…|9=…|` at the front.
fn header(buffer: &[u8]) -> Header {
    let Some(begin_end) = position(buffer, SOH) else {
        return incomplete_below(buffer, BEGIN_MAX);
    };
    let rest = &buffer[begin_end + 1..];
    if begin_end > BEGIN_MAX || (rest.len() >= 2 && !rest.starts_with(b"9=")) {
        return Header::Broken(Garbled::BodyLength);
    }
    let Some(length_end) = position(rest, SOH) else {
        return incomplete_below(rest, 2 + LENGTH_DIGITS_MAX);
    };
    let digits = rest.get(2..length_end).unwrap_or_default();
    let Some(length) = integer(digits) else {
        return Header::Broken(Garbled::BodyLength);
    };
    match usize::try_from(length) {
        Ok(length) if length <= BODY_MAX => Header::Whole {
            begin_end,
            body: begin_end + 1 + length_end + 1,
            length,
        },
        _ => Header::Broken(Garbled::TooLong),
    }
}

const fn incomplete_below(buffer: &[u8], limit: usize) -> Header {
    if buffer.len() <= limit {
        Header::Incomplete
    } else {
        Header::Broken(Garbled::BodyLength)
    }
}

/// Checks the trailer and takes the message off.
fn whole(buffer: &mut BytesMut, begin_end: usize, body: usize, length: usize) -> Scan {
    let trailer = body + length;
    let Some(end) = buffer.get(trailer..trailer + TRAILER) else {
        return Scan::Incomplete;
    };
    let in_place = buffer[trailer - 1] == SOH && end.starts_with(b"10=") && end[TRAILER - 1] == SOH;
    let stated = integer(&end[3..TRAILER - 1]);
    let (Some(stated), true) = (stated, in_place) else {
        skip_to_beginning(buffer, BEGINNING.len());
        return Scan::Garbled(Garbled::BodyLength);
    };
    let right = stated == u64::from(checksum(&buffer[..trailer]));
    let mut message = buffer.split_to(trailer + TRAILER).freeze();
    if !right {
        return Scan::Garbled(Garbled::CheckSum);
    }
    message.truncate(trailer);
    Scan::Frame(Frame {
        begin: message.slice(2..begin_end),
        body: message.slice(body..),
    })
}

/// Drops bytes up to the next possible beginning at or after `from`; a beginning cut short by the buffer's end is kept.
fn skip_to_beginning(buffer: &mut BytesMut, from: usize) {
    let found = (from..buffer.len()).find(|&at| {
        let rest = &buffer[at..];
        let length = rest.len().min(BEGINNING.len());
        rest[..length] == BEGINNING[..length]
    });
    buffer.advance(found.unwrap_or(buffer.len()));
}

/// The sum of all bytes modulo 256.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}

/// A plain unsigned number of 1 to 12 digits.
#[must_use]
pub fn integer(digits: &[u8]) -> Option<u64> {
    let plain =
        (1..=LENGTH_DIGITS_MAX).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| {
        digits
            .iter()
            .fold(0, |value, &digit| value * 10 + u64::from(digit - b'0'))
    })
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    // A header is short; looking further would make a long junk run quadratic.
    bytes
        .iter()
        .take(BEGIN_MAX + LENGTH_DIGITS_MAX)
        .position(|&byte| byte == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame around `body` ('|' stands for SOH), its BodyLength written as `length`.
    fn framed(length: &str, body: &str) -> Vec<u8> {
        let mut bytes = format!("8=FIX.4.4|9={length}|{body}")
            .replace('|', "\u{1}")
            .into_bytes();
        let sum = checksum(&bytes);
        bytes.extend_from_slice(format!("10={sum:03}\u{1}").as_bytes());
        bytes
    }

    fn scan_all(bytes: &[u8]) -> (Vec<Scan>, usize) {
        let mut buffer = BytesMut::from(bytes);
        let mut scans = Vec::new();
        while !buffer.is_empty() {
            match next(&mut buffer) {
                Scan::Incomplete => break,
                scan => scans.push(scan),
            }
        }
        (scans, buffer.len())
    }

    fn label(scan: &Scan) -> &'static str {
        match scan {
            Scan::Incomplete => "incomplete",
            Scan::Frame(_) => "frame",
            Scan::Garbled(reason) => reason.label(),
        }
    }

    /// Right frames are taken, wrong ones skipped for the right reason, and the next right one is found.
    #[test]
    fn table() {
        let good = framed("5", "35=0|");
        let padded = framed("0000005", "35=0|");
        let mut bad_sum = good.clone();
        let at = bad_sum.len() - 2;
        bad_sum[at] = if bad_sum[at] == b'0' { b'1' } else { b'0' };
        let cases: Vec<(Vec<u8>, &[&str])> = vec![
            (good.clone(), &["frame"]),
            (padded, &["frame"]),
            (bad_sum, &["checksum", "frame"]),
            (framed("4", "35=0|"), &["body_length", "frame"]),
            (framed("6", "35=0|"), &["body_length", "frame"]),
            (framed("x", "35=0|"), &["body_length", "frame"]),
            (framed("", "35=0|"), &["body_length", "frame"]),
            (framed("-5", "35=0|"), &["body_length", "frame"]),
            (framed("99999", "35=0|"), &["too_long", "frame"]),
            (
                framed("9999999999999999999999", "35=0|"),
                &["body_length", "frame"],
            ),
            (
                b"GET / HTTP/1.1\r\n\r\n".to_vec(),
                &["no_beginning", "frame"],
            ),
            (b"8=FIX.4.4\x0135=0\x01".to_vec(), &["body_length", "frame"]),
            (
                b"8=FIX.9999999999999999999999".to_vec(),
                &["body_length", "frame"],
            ),
        ];
        for (mut bytes, expected) in cases {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if expected.len() > 1 {
                bytes.extend_from_slice(&good);
            }
            let (scans, left) = scan_all(&bytes);
            let labels: Vec<&str> = scans.iter().map(label).collect();
            assert_eq!(labels, expected, "{text}");
            assert_eq!(left, 0, "{text}");
        }
    }

    /// However the stream is cut into reads, the same messages come out.
    #[test]
    fn any_cut() {
        let mut stream = b"junk".to_vec();
        stream.extend_from_slice(&framed("5", "35=0|"));
        stream.extend_from_slice(&framed("007", "35=A|1|"));
        for cut in 1..stream.len() {
            let mut buffer = BytesMut::new();
            let mut frames = 0;
            for piece in stream.chunks(cut) {
                buffer.extend_from_slice(piece);
                while !buffer.is_empty() {
                    match next(&mut buffer) {
                        Scan::Incomplete => break,
                        Scan::Frame(_) => frames += 1,
                        Scan::Garbled(_) => {}
                    }
                }
            }
            assert_eq!((frames, buffer.len()), (2, 0), "cut every {cut} bytes");
        }
    }

    /// Nothing makes the buffer wait for more than one message's worth.
    #[test]
    fn waits_for_bounded_input() {
        let mut buffer = BytesMut::from(&b"8=FIX.4.4\x019=8192\x01"[..]);
        buffer.resize(MESSAGE_MAX, b'x');
        assert_ne!(next(&mut buffer), Scan::Incomplete);
    }
}
