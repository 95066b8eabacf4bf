//! What a blocked system call waits for: from its name, its object and the kernel's own word to a verdict; PURE.
//!
//! The system call alone does not tell: a `read` can wait for a disk, a pipe or a peer. What the descriptor stands for and
//! the kernel function that the thread sleeps in decide. Names of kernel functions differ between versions, so only their
//! common parts are looked for, and what fits nothing stays `blocked-other`.

use super::verdict::Verdict;

/// What is behind the descriptor of a blocked system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A regular file or directory.
    File,
    /// A pipe, a FIFO or a terminal.
    Pipe,
    /// A socket.
    Socket,
    /// A socket whose peer is a name server (port 53 or 853).
    NameServer,
    /// Something of the kernel's own: an epoll instance, an event counter.
    Kernel,
    /// Nothing but a timeout.
    Timer,
}

/// What a blocked system call waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitObject {
    /// In words, with path, peer or address.
    pub(crate) text: String,
    /// Its kind, where the call has one.
    pub(crate) target: Option<Target>,
    /// Whether an `fcntl` asks to wait for a lock.
    pub(crate) wants_lock: bool,
}

/// A blocked system call, as far as the verdict needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Waiting<'a> {
    /// Name of the system call; `None` when the thread sleeps outside one.
    pub(crate) syscall: Option<&'a str>,
    /// What its descriptor stands for.
    pub(crate) target: Option<Target>,
    /// Kernel function the thread sleeps in.
    pub(crate) wchan: Option<&'a str>,
    /// Whether it sleeps uninterruptibly (state `D`), as for storage.
    pub(crate) uninterruptible: bool,
    /// Whether an `fcntl` asks to wait for a lock.
    pub(crate) wants_lock: bool,
}

impl Waiting<'_> {
    /// The verdict on a thread that slept there for a whole threshold.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.syscall {
            None if self.uninterruptible => Verdict::PageFault,
            None => Verdict::BlockedOther,
            Some("nanosleep" | "clock_nanosleep") => Verdict::Sleep,
            Some("futex") => Verdict::LockWait,
            Some("connect") => self.connect(),
            Some("wait4" | "waitid") => Verdict::ChildWait,
            Some("flock") => Verdict::FileLock,
            Some("fcntl") if self.wants_lock => Verdict::FileLock,
            Some(
                "fsync" | "fdatasync" | "sync" | "syncfs" | "sync_file_range" | "msync"
                | "ftruncate" | "fallocate" | "getdents64" | "io_getevents",
            ) => Verdict::Disk,
            Some(syscall) => self.on_descriptor(syscall),
        }
    }

    fn connect(&self) -> Verdict {
        if self.target == Some(Target::NameServer) {
            Verdict::Dns
        } else {
            Verdict::Connect
        }
    }

    fn on_descriptor(&self, syscall: &str) -> Verdict {
        if self
            .wchan
            .is_some_and(|wchan| wchan.contains("pipe") || wchan.contains("wait_for_partner"))
        {
            return Verdict::Pipe;
        }
        match self.target {
            Some(Target::Timer) => Verdict::Sleep,
            Some(Target::NameServer) => Verdict::Dns,
            Some(Target::Socket) => Verdict::Socket,
            Some(Target::Pipe) => Verdict::Pipe,
            Some(Target::File) => Verdict::Disk,
            None if matches!(
                syscall,
                "accept" | "accept4" | "sendto" | "recvfrom" | "sendmsg" | "recvmsg"
            ) =>
            {
                Verdict::Socket
            }
            None if self.uninterruptible => Verdict::Disk,
            Some(Target::Kernel) | None => Verdict::BlockedOther,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded calls and what they waited for.
    #[test]
    fn recorded_calls() {
        use Target::{File, Kernel, NameServer, Pipe, Socket};
        for (syscall, target, wchan, uninterruptible, expected) in [
            (
                "clock_nanosleep",
                None,
                "hrtimer_nanosleep",
                false,
                Verdict::Sleep,
            ),
            ("futex", None, "futex_do_wait", false, Verdict::LockWait),
            ("read", Some(Pipe), "anon_pipe_read", false, Verdict::Pipe),
            ("read", Some(File), "pipe_read", false, Verdict::Pipe),
            ("openat", None, "wait_for_partner", false, Verdict::Pipe),
            ("write", Some(Pipe), "", false, Verdict::Pipe),
            (
                "recvfrom",
                Some(Socket),
                "unix_stream_read_generic",
                false,
                Verdict::Socket,
            ),
            ("recvfrom", None, "", false, Verdict::Socket),
            ("read", Some(Socket), "", false, Verdict::Socket),
            ("poll", Some(NameServer), "", false, Verdict::Dns),
            ("poll", None, "do_poll", false, Verdict::BlockedOther),
            (
                "poll",
                Some(Target::Timer),
                "do_poll",
                false,
                Verdict::Sleep,
            ),
            (
                "epoll_wait",
                Some(Kernel),
                "do_epoll_wait",
                false,
                Verdict::BlockedOther,
            ),
            (
                "connect",
                Some(Socket),
                "inet_stream_connect",
                false,
                Verdict::Connect,
            ),
            (
                "flock",
                Some(File),
                "locks_lock_inode_wait",
                false,
                Verdict::FileLock,
            ),
            ("wait4", None, "do_wait", false, Verdict::ChildWait),
            ("pread64", Some(File), "__iomap_dio_rw", true, Verdict::Disk),
            ("fsync", Some(File), "folio_wait_bit", true, Verdict::Disk),
            ("openat", None, "", true, Verdict::Disk),
            ("", None, "folio_wait_bit_common", true, Verdict::PageFault),
            ("", None, "", false, Verdict::BlockedOther),
        ] {
            let waiting = Waiting {
                syscall: (!syscall.is_empty()).then_some(syscall),
                target,
                wchan: (!wchan.is_empty()).then_some(wchan),
                uninterruptible,
                wants_lock: false,
            };
            assert_eq!(waiting.verdict(), expected, "{syscall} {target:?} {wchan}");
        }
    }

    /// `fcntl` is a lock wait only when it asks for one.
    #[test]
    fn fcntl_needs_its_command() {
        let waiting = |wants_lock| Waiting {
            syscall: Some("fcntl"),
            wants_lock,
            ..Waiting::default()
        };
        assert_eq!(waiting(true).verdict(), Verdict::FileLock);
        assert_eq!(waiting(false).verdict(), Verdict::BlockedOther);
    }
}
