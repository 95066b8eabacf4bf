//! Waiting for storage: reads past the page cache, writes that are synced, locks on files.
//!
//! The files are made before, off the worker, have no name any more and stay open: nothing in an act can wait for a directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "file-read",
        prepare: Some(|_| prepare(&READ)),
        run: read_past_the_cache,
    },
    Act {
        name: "file-sync",
        prepare: Some(|_| prepare(&WRITTEN)),
        run: sync,
    },
    Act {
        name: "file-lock",
        prepare: Some(|_| prepare(&LOCKED)),
        run: lock,
    },
];

/// Bytes of the file that is read or written, again and again until the time is over.
const FILE_BYTES: usize = 16 << 20;

/// Bytes of one direct read: so many that the disk takes longer for them than the kernel for asking it.
const PART_BYTES: usize = 256 << 10;

/// Bytes written before each sync: so many that the disk takes longer for them than the kernel for copying and for its journal.
const SYNCED_BYTES: usize = 256 << 10;

/// What a buffer for direct reads must be aligned to on every usual file system.
const ALIGNMENT: usize = 4096;

/// Files for the acts, in a directory on a disk, which `/tmp` often is not.
static READ: LazyLock<io::Result<File>> = LazyLock::new(|| one_file(OFlags::DIRECT));
static WRITTEN: LazyLock<io::Result<File>> = LazyLock::new(|| one_file(OFlags::empty()));
static LOCKED: LazyLock<io::Result<(File, File)>> = LazyLock::new(|| two_files(OFlags::empty()));

fn one_file(flags: OFlags) -> io::Result<File> {
    two_files(flags).map(|(_, file)| file)
}

/// A file of 16 MiB without a name, opened as usual and with these flags.
#[expect(clippy::disallowed_methods, reason = "before the act, off the worker")]
fn two_files(flags: OFlags) -> io::Result<(File, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = format!("/var/tmp/faults-{}-{number}", std::process::id());
    let mut file = File::create(&path)?;
    let flagged = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(i32::try_from(flags.bits()).map_err(io::Error::other)?)
        .open(&path);
    // From here on it has no name, whatever happens.
    fs::remove_file(&path)?;
    file.write_all(&vec![7; FILE_BYTES])?;
    file.sync_all()?;
    Ok((file, flagged?))
}

/// What goes wrong here is told by the act.
fn prepare<T>(file: &'static LazyLock<io::Result<T>>) {
    let _ = LazyLock::force(file);
}

fn made<T>(made: &'static LazyLock<io::Result<T>>) -> io::Result<&'static T> {
    let made = LazyLock::force(made).as_ref();
    made.map_err(|error| io::Error::new(error.kind(), error.to_string()))
}

/// A buffer for direct reads, and where in it they may begin.
fn buffer() -> (Vec<u8>, usize) {
    let buffer = vec![7_u8; PART_BYTES + ALIGNMENT];
    let start = buffer.as_ptr().align_offset(ALIGNMENT);
    (buffer, start)
}

#[inline(never)]
fn read_past_the_cache(call: &Call) -> io::Result<Duration> {
    let file = made(&READ)?;
    let (mut buffer, start) = buffer();
    let part = &mut buffer[start..start + PART_BYTES];
    let began = Instant::now();
    let mut offset = 0;
    // act begins: file-read
    while began.elapsed() < call.duration {
        file.read_exact_at(part, offset)?;
        offset = (offset + PART_BYTES as u64) % FILE_BYTES as u64;
    }
    // act ends: file-read
    Ok(began.elapsed())
}

/// Each part is brought to the disk before the next is written, as a log does that loses nothing.
#[inline(never)]
fn sync(call: &Call) -> io::Result<Duration> {
    let file = made(&WRITTEN)?;
    let part = vec![7_u8; SYNCED_BYTES];
    let began = Instant::now();
    let mut offset = 0;
    // act begins: file-sync
    while began.elapsed() < call.duration {
        file.write_all_at(&part, offset)?;
        file.sync_data()?;
        offset = (offset + SYNCED_BYTES as u64) % FILE_BYTES as u64;
    }
    // act ends: file-sync
    Ok(began.elapsed())
}

#[inline(never)]
fn lock(call: &Call) -> io::Result<Duration> {
    let (held, wanted) = made(&LOCKED)?;
    let duration = call.duration;
    flock(held, FlockOperation::LockExclusive)?;
    thread::Builder::new()
        .name("file-holder".to_owned())
        .spawn(move || {
            #[expect(
                clippy::disallowed_methods,
                reason = "a thread of its own, which holds the lock"
            )]
            thread::sleep(duration);
            flock(held, FlockOperation::Unlock)
        })?;
    let began = Instant::now();
    flock(wanted, FlockOperation::LockExclusive)?; // act: file-lock
    let took = began.elapsed();
    flock(wanted, FlockOperation::Unlock)?;
    Ok(took)
}
