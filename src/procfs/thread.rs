//! The kept descriptors of one thread's evidence files.
//!
//! `pread` on a kept descriptor costs a third of open-read-close (1.6 against 6.4 µs for `syscall`), and a descriptor
//! of a thread that is gone answers ESRCH instead of reading a stranger's file.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::parse::{self, BlockedCall, Schedule, Switches, SyscallState, ThreadStat};
use super::recorded::ThreadTexts;
use super::surroundings::Own;
use super::wait_object::wait_object;
use crate::capture::sys;
use crate::stall::{Reason, Unreadable, WaitObject};

/// Longest text read: `stat` is under 400 bytes with every field at its widest; `status` has 1.5 KiB on a small machine
/// and a CPU mask of 2 KiB on the largest.
const TEXT_BYTES_MAX: usize = 8192;

/// The files of one thread that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ThreadFile {
    Stat,
    Syscall,
    Wchan,
    Schedstat,
    Status,
}

impl ThreadFile {
    const ALL: [Self; 5] = [
        Self::Stat,
        Self::Syscall,
        Self::Wchan,
        Self::Schedstat,
        Self::Status,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Syscall => "syscall",
            Self::Wchan => "wchan",
            Self::Schedstat => "schedstat",
            Self::Status => "status",
        }
    }
}

/// Evidence files of one thread; each may be missing. What they say is read the same way whoever has it: the kernel now, or
/// a recording.
#[derive(Debug)]
pub(crate) struct ThreadFiles {
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Opened at their first use, so that a worker that never stalls holds one descriptor.
    Kernel {
        tid: i32,
        files: [Lazy; 5],
    },
    Recorded(Box<ThreadTexts>),
}

impl ThreadFiles {
    /// The files of thread `tid` of this process.
    pub(crate) fn open(tid: i32) -> Self {
        let files = ThreadFile::ALL.map(|file| Lazy {
            tid,
            name: file.name(),
            file: OnceCell::new(),
            missing: Cell::new(None),
        });
        Self {
            source: Source::Kernel { tid, files },
        }
    }

    /// What the files of a thread said at one moment.
    pub(crate) fn recorded(texts: ThreadTexts) -> Self {
        Self {
            source: Source::Recorded(Box::new(texts)),
        }
    }

    /// System call the thread is in.
    pub(crate) fn syscall(&self) -> Option<SyscallState> {
        self.parsed(ThreadFile::Syscall, parse::syscall)
    }

    /// State and counters.
    pub(crate) fn stat(&self) -> Option<ThreadStat> {
        self.parsed(ThreadFile::Stat, parse::stat)
    }

    /// Kernel function the thread waits in; `None` while it runs.
    pub(crate) fn wchan(&self) -> Option<String> {
        self.text(ThreadFile::Wchan)
            .map(Cow::into_owned)
            .filter(|name| name != "0" && !name.is_empty())
    }

    /// Run-queue time.
    pub(crate) fn schedule(&self) -> Option<Schedule> {
        self.parsed(ThreadFile::Schedstat, parse::schedstat)
    }

    /// Context switches. Four times as dear as the other files.
    pub(crate) fn switches(&self) -> Option<Switches> {
        self.parsed(ThreadFile::Status, parse::switches)
    }

    /// The files that told nothing when they were last asked, where there are such files.
    pub(crate) fn unreadable(&self) -> Vec<Unreadable> {
        let reason = |file: ThreadFile| match &self.source {
            Source::Kernel { files, .. } => {
                let missing = files[file as usize].missing.get();
                missing.filter(|_| sys::TELLS_THREADS)
            }
            Source::Recorded(texts) => texts.text(file).is_none().then_some(Reason::NotRecorded),
        };
        let missing = |file: ThreadFile| {
            Some(Unreadable {
                file: file.name(),
                reason: reason(file)?,
            })
        };
        ThreadFile::ALL.into_iter().filter_map(missing).collect()
    }

    /// CPU time.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        match &self.source {
            Source::Kernel { tid, .. } => sys::thread_cpu_time(*tid),
            Source::Recorded(texts) => texts.cpu,
        }
    }

    /// What a call that this thread is blocked in waits for.
    pub(crate) fn wait_object(&self, call: &BlockedCall) -> Option<WaitObject> {
        match &self.source {
            Source::Kernel { .. } => wait_object(call, &Own),
            Source::Recorded(texts) => wait_object(call, &*texts.surroundings),
        }
    }

    fn parsed<T>(&self, file: ThreadFile, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let parsed = parse(&self.text(file)?);
        if let (None, Source::Kernel { files, .. }) = (&parsed, &self.source) {
            files[file as usize].missing.set(Some(Reason::Untold));
        }
        parsed
    }

    fn text(&self, file: ThreadFile) -> Option<Cow<'_, str>> {
        match &self.source {
            Source::Kernel { files, .. } => files[file as usize].text().map(Cow::Owned),
            Source::Recorded(texts) => texts.text(file).map(Cow::Borrowed),
        }
    }
}

/// A file that is opened at its first use.
#[derive(Debug)]
struct Lazy {
    tid: i32,
    name: &'static str,
    file: OnceCell<File>,
    /// Why it told nothing when it was last asked.
    missing: Cell<Option<Reason>>,
}

impl Lazy {
    /// The file's text. One that is refused or absent stays so and is not tried again; a want of descriptors, which comes with the very
    /// overload that makes stalls, passes.
    fn text(&self) -> Option<String> {
        if matches!(self.missing.get(), Some(Reason::Refused | Reason::Absent)) {
            return None;
        }
        let text = self.read();
        self.missing.set(text.as_ref().err().map(reason));
        text.ok()
    }

    fn read(&self) -> io::Result<String> {
        let file = match self.file.get() {
            Some(file) => file,
            None => {
                let opened = self.open()?;
                self.file.get_or_init(|| opened)
            }
        };
        let mut bytes = [0; TEXT_BYTES_MAX];
        let len = file.read_at(&mut bytes, 0)?;
        let text = bytes.get(..len).unwrap_or_default();
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "procfs, on the watchdog's own thread"
    )]
    fn open(&self) -> io::Result<File> {
        File::open(format!("/proc/self/task/{}/{}", self.tid, self.name))
    }
}

/// What an error says, by its number: those of open(2) and read(2).
fn reason(error: &io::Error) -> Reason {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => Reason::Refused,
        Some(libc::ENOENT) => Reason::Absent,
        Some(libc::ESRCH) => Reason::Gone,
        Some(libc::EMFILE | libc::ENFILE) => Reason::NoDescriptor,
        number => Reason::Failed(number.unwrap_or_default()),
    }
}

// The twin without capture cannot ask the system.
#[cfg(test)]
#[cfg(not(pollscope_no_capture))]
mod tests {
    use super::*;

    /// This thread can be read; of a thread that does not exist nothing is known, and that is said.
    #[test]
    fn each_file_fails_by_itself() {
        let own = ThreadFiles::open(sys::current_tid());
        assert_eq!(own.unreadable(), [], "nothing was asked for yet");
        assert_eq!(own.stat().map(|stat| stat.state), Some('R'));
        assert!(own.switches().is_some() && own.schedule().is_some());
        // It is in the very call that reads this.
        assert!(own.syscall().is_some());
        assert_eq!(own.unreadable(), []);
        /// Above the largest thread id that the kernel gives.
        const NOBODY: i32 = 4_194_304;
        let nobody = ThreadFiles::open(NOBODY);
        assert!(nobody.stat().is_none() && nobody.syscall().is_none());
        assert!(nobody.switches().is_none() && nobody.cpu_time().is_none());
        let missing = nobody.unreadable();
        let files: Vec<&str> = missing.iter().map(|missing| missing.file).collect();
        assert_eq!(files, ["stat", "syscall", "status"]);
        assert!(
            missing
                .iter()
                .all(|missing| missing.reason == Reason::Absent)
        );
    }

    /// What passes is tried again, what stays is not, and both are told until the file is read.
    #[test]
    fn a_failure_may_pass() {
        let own = ThreadFiles::open(sys::current_tid());
        let Source::Kernel { files, .. } = &own.source else {
            unreachable!("opened, not recorded")
        };
        let stat = &files[ThreadFile::Stat as usize];
        let number = |number| reason(&io::Error::from_raw_os_error(number));
        for (error, comes_back) in [
            (libc::EMFILE, true),
            (libc::ENFILE, true),
            (libc::EIO, true),
            (libc::EACCES, false),
            (libc::EPERM, false),
            (libc::ENOENT, false),
        ] {
            stat.missing.set(Some(number(error)));
            assert_eq!(own.unreadable().len(), 1);
            assert_eq!(own.stat().is_some(), comes_back, "{error}");
            assert_eq!(own.unreadable().is_empty(), comes_back, "{error}");
        }
    }

    /// A file that is read and does not tell what it should is missing too.
    #[test]
    fn a_text_may_tell_nothing() {
        let own = ThreadFiles::open(sys::current_tid());
        assert_eq!(own.parsed(ThreadFile::Stat, |_| None::<()>), None);
        assert_eq!(
            own.unreadable(),
            [Unreadable {
                file: "stat",
                reason: Reason::Untold
            }]
        );
        assert!(own.stat().is_some());
        assert_eq!(own.unreadable(), []);
    }
}
