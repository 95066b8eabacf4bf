//! Waiting for the other end of a pipe: a collector that does not read, a source that does not write.
#![expect(
    clippy::disallowed_methods,
    reason = "the other end is a thread of its own, slow on purpose"
)]

use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "pipe-write",
        prepare: None,
        run: write,
    },
    Act {
        name: "pipe-read",
        prepare: None,
        run: read,
    },
];

/// More than a pipe holds (64 KiB).
const TEXT_BYTES: usize = 128 * 1024;

#[inline(never)]
fn write(call: &Call) -> io::Result<Duration> {
    let (mut reader, mut writer) = io::pipe()?;
    let duration = call.duration;
    let collector = thread::Builder::new()
        .name("collector".to_owned())
        .spawn(move || {
            thread::sleep(duration);
            io::copy(&mut reader, &mut io::sink())
        })?;
    let text = vec![b'x'; TEXT_BYTES];
    let began = Instant::now();
    writer.write_all(&text)?; // act: pipe-write
    let took = began.elapsed();
    drop(writer);
    collector
        .join()
        .map_err(|_| io::Error::other("the collector panicked"))??;
    Ok(took)
}

#[inline(never)]
fn read(call: &Call) -> io::Result<Duration> {
    let (mut reader, mut writer) = io::pipe()?;
    let duration = call.duration;
    thread::Builder::new()
        .name("source".to_owned())
        .spawn(move || {
            thread::sleep(duration);
            writer.write_all(b"late")
        })?;
    let mut bytes = [0; 4];
    let began = Instant::now();
    reader.read_exact(&mut bytes)?; // act: pipe-read
    Ok(began.elapsed())
}
