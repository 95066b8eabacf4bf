//! Waiting for storage: synchronous reads past the page cache, syncs, locks on files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::{Act, Call};

pub(super) const FILE: &str = file!();

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "file-read",
        prepare: None,
        run: read_past_the_cache,
    },
    Act {
        name: "file-sync",
        prepare: None,
        run: sync,
    },
    Act {
        name: "file-lock",
        prepare: None,
        run: lock,
    },
];

/// Bytes of the file that is read or synced; read again and again until the time is over.
const FILE_BYTES: usize = 16 << 20;

/// Bytes of one direct read: so small that waiting for the disk takes longer than copying.
const READ_BYTES: usize = 4096;

/// What a buffer for direct reads must be aligned to on every usual file system.
const ALIGNMENT: usize = 4096;

/// A file that is removed when dropped; in a directory on a disk, which `/tmp` often is not.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(PathBuf::from(format!(
            "/var/tmp/faults-{}-{number}",
            std::process::id()
        )))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Somebody who cleaned the directory meanwhile has done the work.
        let _ = fs::remove_file(&self.0);
    }
}

#[expect(clippy::disallowed_methods, reason = "part of the act")]
fn create(scratch: &Scratch) -> io::Result<File> {
    File::create(&scratch.0)
}

#[inline(never)]
fn read_past_the_cache(call: &Call) -> io::Result<Duration> {
    // act begins: file-read
    let scratch = Scratch::new();
    let mut file = create(&scratch)?;
    file.write_all(&vec![7; FILE_BYTES])?;
    file.sync_all()?;
    let direct = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(direct)
        .open(&scratch.0)?;
    let mut buffer = vec![0_u8; READ_BYTES + ALIGNMENT];
    let start = buffer.as_ptr().align_offset(ALIGNMENT);
    let began = Instant::now();
    let mut offset = 0;
    while began.elapsed() < call.duration {
        let part = &mut buffer[start..start + READ_BYTES];
        std::os::unix::fs::FileExt::read_exact_at(&file, part, offset)?;
        offset = (offset + READ_BYTES as u64) % FILE_BYTES as u64;
    }
    // act ends: file-read
    Ok(began.elapsed())
}

#[inline(never)]
fn sync(call: &Call) -> io::Result<Duration> {
    let scratch = Scratch::new();
    let mut file = create(&scratch)?;
    // So little that waiting for the disk takes longer than writing.
    let part = [7; ALIGNMENT];
    let began = Instant::now();
    // act begins: file-sync
    while began.elapsed() < call.duration {
        file.write_all(&part)?;
        file.sync_all()?;
    }
    // act ends: file-sync
    Ok(began.elapsed())
}

#[inline(never)]
fn lock(call: &Call) -> io::Result<Duration> {
    let scratch = Scratch::new();
    let (held, wanted) = (create(&scratch)?, create(&scratch)?);
    flock(&held, FlockOperation::LockExclusive)?;
    let duration = call.duration;
    thread::Builder::new()
        .name("file-holder".to_owned())
        .spawn(move || {
            #[expect(
                clippy::disallowed_methods,
                reason = "a thread of its own, which holds the lock"
            )]
            thread::sleep(duration);
            drop(held);
        })?;
    let began = Instant::now();
    flock(&wanted, FlockOperation::LockExclusive)?; // act: file-lock
    Ok(began.elapsed())
}
