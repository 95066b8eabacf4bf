//! `blocking-fs`: a handler reads a file that is slow to answer.
//!
//! Symptom: every task on the same worker pauses while the machine is idle and a file, a disk or a mount is slow.
//! Mechanism: `std::fs::read` blocks the worker's thread in the kernel until the data is there.
//! Finding: a stall with the verdict `pipe` on the line of the read below.
//!
//! A FIFO stands in for the slow disk or the hung network mount, because it takes the same time on every machine. The
//! firing thread opens the FIFO for reading and writing first, which never waits, and gives that end to a helper thread.
//! So the reader's own opening never waits either; only its reading does, until the helper has written and closed. Neither
//! side can be left waiting: the helper closes when its byte is taken or when the reader is gone.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use rustix::io::{ioctl_fionread, write};

use crate::fault::Fault;
use crate::finding::Finding;
use crate::marker;
use crate::parameter::Parameters;
use crate::point::Point;

/// How often the helper looks whether its byte was taken: late by at most this, without burning CPU.
const TAKEN_POLL: Duration = Duration::from_micros(200);

const SOURCE: &str = include_str!("blocking_fs.rs");

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "blocking-fs",
    symptom: "every task on the worker pauses while the CPU is idle and a file answers slowly",
    mechanism: "std::fs::read in an async handler blocks the worker in the kernel until the data arrives",
    point: Point::Handler,
    parameters: Parameters::waiting("long the file takes to answer"),
    finding: Finding::Stall {
        verdict: "pipe",
        file: file!(),
        lines: marker::line(SOURCE),
    },
    block: Some(block),
};

fn block(duration: Duration) -> io::Result<Duration> {
    let fifo = Fifo::create(&std::env::temp_dir())?;
    let writer = fifo.open_without_waiting()?;
    let gone = Arc::new(AtomicBool::new(false));
    let reader_gone = Arc::clone(&gone);
    thread::Builder::new()
        .name("slow-file".to_owned())
        .spawn(move || answer_late(&writer, &reader_gone, duration))?;
    let answer = read_in_task(&fifo.path);
    gone.store(true, Ordering::Release);
    answer
}

/// Reads a file on the calling thread and returns how long it took.
#[inline(never)]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the fault: a handler that reads a file"
)]
fn read_in_task(path: &Path) -> io::Result<Duration> {
    let began = Instant::now();
    let content = fs::read(path); // fault: blocks here
    let took = began.elapsed();
    content.map(|_| took)
}

/// The slow disk: answers after `duration` and closes once the answer is taken.
#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own, which is slow on purpose"
)]
fn answer_late(writer: &OwnedFd, reader_gone: &AtomicBool, duration: Duration) {
    thread::sleep(duration);
    // An empty FIFO takes one byte at once; if it were refused all the same, closing is answer enough.
    let written = write(writer, b"\n").is_ok();
    while written && !reader_gone.load(Ordering::Acquire) && ioctl_fionread(writer) != Ok(0) {
        thread::sleep(TAKEN_POLL);
    }
}

/// A FIFO in the file system, removed when dropped.
struct Fifo {
    path: PathBuf,
}

impl Fifo {
    fn create(directory: &Path) -> io::Result<Self> {
        let path = directory.join(unique_name());
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        Ok(Self { path })
    }

    /// Both ends in one, which Linux opens without waiting for anybody.
    fn open_without_waiting(&self) -> io::Result<OwnedFd> {
        Ok(open(
            &self.path,
            OFlags::RDWR | OFlags::CLOEXEC,
            Mode::empty(),
        )?)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // Somebody who cleaned the directory meanwhile has done the work.
        let _ = fs::remove_file(&self.path);
    }
}

/// A name that neither another process nor an earlier one with the same number has used.
fn unique_name() -> OsString {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "slow-file-{}-{}-{}.fifo",
        std::process::id(),
        since_epoch.as_micros(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the line that must be reported is the one that reads.
    #[test]
    fn marked_line_reads() {
        let line = *marker::line(SOURCE).start();
        assert!(marker::text(SOURCE, line).contains("fs::read(path)"));
    }

    /// Goal: firing blocks at least as long as it was told.
    #[test]
    fn blocks_for_the_duration() {
        let duration = Duration::from_millis(30);
        for _ in 0..5 {
            let began = Instant::now();
            block(duration).unwrap();
            assert!(began.elapsed() >= duration);
        }
    }

    /// Goal: the FIFO is gone after use, and a directory that cannot hold one is an error, not a panic.
    #[test]
    fn fifo_is_removed() {
        let fifo = Fifo::create(&std::env::temp_dir()).unwrap();
        let path = fifo.path.clone();
        assert!(path.exists());
        drop(fifo);
        assert!(!path.exists());
        assert!(Fifo::create(Path::new("/nowhere-to-be-found")).is_err());
    }

    /// Goal: the helper ends when the reader has gone without reading.
    #[test]
    fn helper_ends_without_a_reader() {
        let fifo = Fifo::create(&std::env::temp_dir()).unwrap();
        let writer = fifo.open_without_waiting().unwrap();
        answer_late(&writer, &AtomicBool::new(true), Duration::ZERO);
    }
}
