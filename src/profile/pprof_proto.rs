//! A profile as pprof's `profile.proto`, written by hand. PURE.
//!
//! The format is <https://github.com/google/pprof/blob/main/proto/profile.proto>; the handful of messages needed is
//! smaller than a protobuf crate and its code generator. Field numbers stand beside the names they have there.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::time::UNIX_EPOCH;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{EMPTY, Function, PRECISION, Profile};

/// The message, uncompressed; readers take it as it is, but expect it gzipped.
pub(crate) fn encode(service: &str, profile: &Profile) -> Vec<u8> {
    let mut tables = Tables::default();
    let mut message = Message::default();
    let [samples, count, cpu, nanoseconds] =
        ["samples", "count", "cpu", "nanoseconds"].map(|text| tables.string(text));
    let value_type = |kind, unit| Message::default().int(1, kind).int(2, unit); // type, unit
    message = message
        .message(1, &value_type(samples, count)) // sample_type
        .message(1, &value_type(cpu, nanoseconds));
    let period = nanos(profile.period.as_nanos());
    let thread = tables.string("thread");
    for sample in &profile.samples {
        let locations: Vec<u64> = sample.stack.iter().map(|at| tables.location(at)).collect();
        let label = Message::default()
            .int(1, thread) // key
            .int(2, tables.string(&sample.thread)); // str
        let values = [sample.count, sample.count.saturating_mul(period)];
        let sample = Message::default()
            .packed(1, &locations) // location_id
            .packed(2, &values) // value
            .message(3, &label); // label
        message = message.message(2, &sample); // sample
    }
    let started_at = profile.started_at.duration_since(UNIX_EPOCH);
    let service = tables.string(&format!("service: {service}"));
    let note = tables.string(if profile.samples.is_empty() {
        EMPTY
    } else {
        PRECISION
    });
    message = message
        .raw(&tables.locations.bytes)
        .raw(&tables.functions.bytes)
        .int(9, nanos(started_at.unwrap_or_default().as_nanos())) // time_nanos
        .int(10, nanos(profile.length.as_nanos())) // duration_nanos
        .message(11, &value_type(cpu, nanoseconds)) // period_type
        .int(12, period) // period
        .packed(13, &[service, note]) // comment
        .int(14, cpu); // default_sample_type
    for text in &tables.strings {
        message = message.field(6, text.as_bytes()); // string_table
    }
    message.bytes
}

/// `bytes` in a gzip envelope.
///
/// # Errors
///
/// Only those of the compressor, which writes to memory.
pub(crate) fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Nanoseconds as the format's signed 64 bits; enough until the year 2262.
fn nanos(nanos: u128) -> u64 {
    u64::try_from(nanos)
        .unwrap_or(u64::MAX)
        .min(i64::MAX as u64)
}

/// The tables that samples point into. Strings, functions and locations are written once each.
struct Tables {
    strings: Vec<String>,
    string_ids: HashMap<String, u64>,
    functions: Message,
    function_ids: HashMap<(u64, u64), u64>,
    locations: Message,
    location_ids: HashMap<(u64, u64), u64>,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            // The format demands that the first string is the empty one.
            strings: vec![String::new()],
            string_ids: HashMap::from([(String::new(), 0)]),
            functions: Message::default(),
            function_ids: HashMap::new(),
            locations: Message::default(),
            location_ids: HashMap::new(),
        }
    }
}

impl Tables {
    fn string(&mut self, text: &str) -> u64 {
        if let Some(id) = self.string_ids.get(text) {
            return *id;
        }
        let id = self.strings.len() as u64;
        self.strings.push(text.to_owned());
        self.string_ids.insert(text.to_owned(), id);
        id
    }

    fn location(&mut self, at: &Function) -> u64 {
        let function = self.function(at);
        let line = u64::from(at.line.unwrap_or(0));
        // Ids start at 1; 0 means none.
        let id = self.location_ids.len() as u64 + 1;
        let known = *self.location_ids.entry((function, line)).or_insert(id);
        if known == id {
            let line = Message::default().int(1, function).int(2, line); // function_id, line
            let location = Message::default().int(1, id).message(4, &line); // id, line
            self.locations = std::mem::take(&mut self.locations).message(4, &location); // location
        }
        known
    }

    fn function(&mut self, at: &Function) -> u64 {
        let name = self.string(&at.name);
        let file = self.string(at.file.as_deref().unwrap_or_default());
        let symbol = self.string(&at.symbol);
        let id = self.function_ids.len() as u64 + 1;
        let known = *self.function_ids.entry((symbol, file)).or_insert(id);
        if known == id {
            let function = Message::default()
                .int(1, id)
                .int(2, name)
                .int(3, symbol) // system_name
                .int(4, file); // filename
            self.functions = std::mem::take(&mut self.functions).message(5, &function); // function
        }
        known
    }
}

/// A protobuf message under construction (<https://protobuf.dev/programming-guides/encoding/>).
#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A number; 0 is the default and is left out.
    fn int(mut self, field: u64, value: u64) -> Self {
        if value != 0 {
            self.varint(field << 3);
            self.varint(value);
        }
        self
    }

    fn message(self, field: u64, message: &Self) -> Self {
        self.field(field, &message.bytes)
    }

    fn packed(self, field: u64, values: &[u64]) -> Self {
        let mut list = Self::default();
        for value in values {
            list.varint(*value);
        }
        self.field(field, &list.bytes)
    }

    /// Length-delimited bytes.
    fn field(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.raw(bytes)
    }

    /// Fields that are encoded already.
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn varint(&mut self, mut value: u64) {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                self.bytes.push(low & 0x7f);
                return;
            }
            self.bytes.push(low | 0x80);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::Sample;
    use super::*;

    /// A profile of these threads, stacks (innermost first) and counts.
    pub(in super::super) fn profile(samples: &[(&str, &[&str], u64)]) -> Profile {
        let function = |name: &&str| Function {
            name: (*name).to_owned(),
            symbol: format!("_{name}"),
            file: Some(format!("src/{name}.rs")),
            line: Some(7),
        };
        Profile {
            started_at: UNIX_EPOCH + Duration::from_secs(1),
            length: Duration::from_secs(2),
            hz: 99,
            period: Duration::from_millis(10),
            samples: samples
                .iter()
                .map(|(thread, stack, count)| Sample {
                    thread: (*thread).to_owned(),
                    stack: stack.iter().map(function).collect(),
                    count: *count,
                })
                .collect(),
        }
    }

    /// One field of a message: its number, and its value or bytes.
    #[derive(Debug, Clone, PartialEq)]
    enum Field {
        Int(u64, u64),
        Bytes(u64, Vec<u8>),
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn wire(mut bytes: &[u8]) -> Vec<Field> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            if tag & 7 == 0 {
                fields.push(Field::Int(tag >> 3, varint(&mut bytes)));
            } else {
                let len = usize::try_from(varint(&mut bytes)).unwrap();
                let (taken, rest) = bytes.split_at(len);
                fields.push(Field::Bytes(tag >> 3, taken.to_vec()));
                bytes = rest;
            }
        }
        fields
    }

    fn all(fields: &[Field], number: u64) -> Vec<Vec<u8>> {
        fields
            .iter()
            .filter_map(|field| match field {
                Field::Bytes(at, bytes) if *at == number => Some(bytes.clone()),
                _ => None,
            })
            .collect()
    }

    /// Numbers up to 64 bits come back from the wire.
    #[test]
    fn varints_round_trip() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut message = Message::default();
            message.varint(value);
            assert_eq!(varint(&mut message.bytes.as_slice()), value);
        }
    }

    /// Shared functions are written once, samples point at them, and the period is the measured one.
    #[test]
    fn tables_are_shared() {
        let profile = profile(&[("w", &["burn", "main"], 3), ("v", &["main"], 1)]);
        let fields = wire(&encode("orders", &profile));
        let strings: Vec<String> = all(&fields, 6)
            .into_iter()
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect();
        assert_eq!(strings[0], "");
        for text in [
            "burn",
            "_burn",
            "src/burn.rs",
            "w",
            "v",
            "service: orders",
            PRECISION,
        ] {
            assert_eq!(
                strings.iter().filter(|known| *known == text).count(),
                1,
                "{text}"
            );
        }
        assert_eq!(all(&fields, 4).len(), 2, "locations");
        assert_eq!(all(&fields, 5).len(), 2, "functions");
        assert!(fields.contains(&Field::Int(12, 10_000_000)), "period");
        let samples = all(&fields, 2);
        assert_eq!(samples.len(), 2);
        let first = wire(&samples[0]);
        assert_eq!(first[0], Field::Bytes(1, vec![1, 2]));
        let mut values = all(&first, 2)[0].clone();
        let mut values = values.as_mut_slice() as &[u8];
        assert_eq!((varint(&mut values), varint(&mut values)), (3, 30_000_000));
    }

    /// An empty profile still has its types, its period and a note.
    #[test]
    fn an_empty_profile_is_valid() {
        let fields = wire(&encode("orders", &profile(&[])));
        assert_eq!(all(&fields, 1).len(), 2);
        assert!(all(&fields, 2).is_empty());
        assert!(all(&fields, 6).contains(&EMPTY.as_bytes().to_vec()));
    }
}
