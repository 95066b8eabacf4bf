//! Server-sent events out of bytes. PURE.
//!
//! The part of the format that admin servers speak: `event:` and `data:` lines, comments, an empty line at the end of
//! an event. Bytes may be cut anywhere.

/// Longest event that is kept; a stall with its stack is about 10 KiB. What is longer is dropped up to its end.
const EVENT_LEN_MAX: usize = 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// What kind it is; `message` if it does not say.
    pub(crate) name: String,
    /// Its data lines, joined by line ends.
    pub(crate) data: String,
}

/// Bytes that are not an event yet.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    name: String,
    data: String,
    is_too_long: bool,
}

impl Parser {
    /// Takes the next bytes and returns the events that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                events.extend(self.take_line(&String::from_utf8_lossy(&line)));
            } else if self.line.len() + self.data.len() < EVENT_LEN_MAX {
                self.line.push(*byte);
            } else {
                self.is_too_long = true;
            }
        }
        events
    }

    fn take_line(&mut self, line: &str) -> Option<Event> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return self.finish();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            // Comments (an empty field), ids and retry times say nothing to us.
            _ => {}
        }
        None
    }

    fn finish(&mut self) -> Option<Event> {
        let (name, data) = (
            std::mem::take(&mut self.name),
            std::mem::take(&mut self.data),
        );
        let is_whole = !std::mem::take(&mut self.is_too_long);
        (is_whole && !data.is_empty()).then(|| Event {
            name: if name.is_empty() {
                "message".to_owned()
            } else {
                name
            },
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str)]) {
        for cut in 1..=text.len() {
            let mut parser = Parser::default();
            let events: Vec<_> = text
                .as_bytes()
                .chunks(cut)
                .flat_map(|part| parser.feed(part))
                .collect();
            let got: Vec<_> = events
                .iter()
                .map(|event| (&*event.name, &*event.data))
                .collect();
            assert_eq!(got, expect, "{text:?} cut every {cut} bytes");
        }
    }

    /// Goal: events come out the same wherever the bytes are cut; comments and empty events do not.
    #[test]
    fn events_survive_cuts() {
        check(": subscribed\n\n", &[]);
        check(
            "event: stall\nid: 7\ndata: {\"id\":7}\n\n",
            &[("stall", "{\"id\":7}")],
        );
        check("data: a\ndata:b\n\nevent: x\n\n", &[("message", "a\nb")]);
        check(
            "event: lagged\r\ndata: 3\r\n\r\ndata: ü\n\n",
            &[("lagged", "3"), ("message", "ü")],
        );
        check("data: not complete\n", &[]);
    }

    /// Goal: an event without end does not fill the memory, and the one after it is whole.
    #[test]
    fn long_events_are_dropped() {
        let mut parser = Parser::default();
        let long = format!("data: {}", "x".repeat(2 * EVENT_LEN_MAX));
        assert_eq!(parser.feed(long.as_bytes()), []);
        assert!(parser.line.len() <= EVENT_LEN_MAX);
        let events = parser.feed(b"\n\ndata: y\n\n");
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].data, "y");
    }
}
