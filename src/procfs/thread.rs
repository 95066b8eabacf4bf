//! The kept descriptors of one thread's evidence files.
//!
//! `pread` on a kept descriptor costs a third of open-read-close (1.6 against 6.4 µs for `syscall`), and a descriptor
//! of a thread that is gone answers ESRCH instead of reading a stranger's file.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::parse::{self, BlockedCall, Schedule, Switches, SyscallState, ThreadStat};
use super::recorded::ThreadTexts;
use super::surroundings::Own;
use super::wait_object::wait_object;
use crate::capture::sys;
use crate::stall::WaitObject;

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
        parse::syscall(&self.text(ThreadFile::Syscall)?)
    }

    /// State and counters.
    pub(crate) fn stat(&self) -> Option<ThreadStat> {
        parse::stat(&self.text(ThreadFile::Stat)?)
    }

    /// Kernel function the thread waits in; `None` while it runs.
    pub(crate) fn wchan(&self) -> Option<String> {
        self.text(ThreadFile::Wchan)
            .map(Cow::into_owned)
            .filter(|name| name != "0" && !name.is_empty())
    }

    /// Run-queue time.
    pub(crate) fn schedule(&self) -> Option<Schedule> {
        parse::schedstat(&self.text(ThreadFile::Schedstat)?)
    }

    /// Context switches. Four times as dear as the other files.
    pub(crate) fn switches(&self) -> Option<Switches> {
        parse::switches(&self.text(ThreadFile::Status)?)
    }

    /// The files that were asked for and could not be opened, where there are such files.
    pub(crate) fn unreadable(&self) -> Vec<&'static str> {
        let is_missing = |file: &ThreadFile| match &self.source {
            Source::Kernel { files, .. } => {
                sys::TELLS_THREADS && matches!(files[*file as usize].file.get(), Some(None))
            }
            Source::Recorded(texts) => texts.text(*file).is_none(),
        };
        let missing = ThreadFile::ALL.into_iter().filter(is_missing);
        missing.map(ThreadFile::name).collect()
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
    file: OnceCell<Option<File>>,
}

impl Lazy {
    fn text(&self) -> Option<String> {
        #[expect(
            clippy::disallowed_methods,
            reason = "procfs, on the watchdog's own thread"
        )]
        let open = || File::open(format!("/proc/self/task/{}/{}", self.tid, self.name)).ok();
        let file = self.file.get_or_init(open).as_ref()?;
        let mut bytes = [0; TEXT_BYTES_MAX];
        let len = file.read_at(&mut bytes, 0).ok()?;
        Some(String::from_utf8_lossy(bytes.get(..len)?).into_owned())
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
        assert_eq!(own.unreadable(), [""; 0], "nothing was asked for yet");
        assert_eq!(own.stat().map(|stat| stat.state), Some('R'));
        assert!(own.switches().is_some() && own.schedule().is_some());
        // It is in the very call that reads this.
        assert!(own.syscall().is_some());
        assert_eq!(own.unreadable(), [""; 0]);
        /// Above the largest thread id that the kernel gives.
        const NOBODY: i32 = 4_194_304;
        let nobody = ThreadFiles::open(NOBODY);
        assert!(nobody.stat().is_none() && nobody.syscall().is_none());
        assert!(nobody.switches().is_none() && nobody.cpu_time().is_none());
        assert_eq!(nobody.unreadable(), ["stat", "syscall", "status"]);
    }
}
