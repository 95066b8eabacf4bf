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
    /// Something of the kernel's own: an epoll instance, an event counter, a device.
    Kernel,
    /// Nothing but a timeout, or a timer's descriptor.
    Timer,
    /// A process, by its descriptor.
    Process,
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
    /// Whether the kernel did not tell if and in which system call it sleeps.
    pub(crate) is_unreadable: bool,
    /// What its descriptor stands for.
    pub(crate) target: Option<Target>,
    /// Kernel function the thread sleeps in.
    pub(crate) wchan: Option<&'a str>,
    /// Whether it sleeps uninterruptibly (state `D`), as for storage.
    pub(crate) uninterruptible: bool,
    /// Whether an `fcntl` asks to wait for a lock.
    pub(crate) wants_lock: bool,
    /// Whether the thread had page faults that needed the disk meanwhile.
    pub(crate) reads_pages: bool,
}

/// Calls that change the address space of the process, for which they wait while another of its threads changes or fills it; mmap(2)
/// and its kin. With `MAP_POPULATE`, `MADV_WILLNEED` or a lock on pages they also read storage.
const ADDRESS_SPACE_CALLS: [&str; 8] = [
    "brk", "madvise", "mlock", "mlock2", "mmap", "mprotect", "mremap", "munmap",
];

/// Parts of the names of kernel functions that wait for storage.
const STORAGE_FUNCTIONS: [&str; 5] = ["folio_", "page_bit", "lock_page", "io_schedule", "swap"];

/// Parts of the names of kernel functions that a page fault waits in for the address space: the lock's own, or, as kernels
/// leave those out of what they tell, the one that takes it.
const SPACE_LOCKING_FUNCTIONS: [&str; 6] = [
    "rwsem_",
    "down_read",
    "lock_mm_and_find_vma",
    "do_user_addr_fault",
    "exc_page_fault",
    "do_page_fault",
];

/// Parts of the names of kernel functions that threads sleep in, for when nothing else is told.
const KERNEL_FUNCTIONS: &[(&str, Verdict)] = &[
    ("nanosleep", Verdict::Sleep),
    ("futex", Verdict::LockWait),
    ("locks_lock_inode", Verdict::FileLock),
    ("fcntl_setlk", Verdict::FileLock),
    ("do_wait", Verdict::ChildWait),
    ("vfork", Verdict::ChildWait),
    ("pipe_read", Verdict::Pipe),
    ("pipe_write", Verdict::Pipe),
    ("wait_for_partner", Verdict::Pipe),
    ("n_tty", Verdict::Pipe),
    ("inet_wait_for_connect", Verdict::Connect),
    ("stream_connect", Verdict::Connect),
    ("unix_wait_for_peer", Verdict::Socket),
    ("unix_stream", Verdict::Socket),
    ("sk_wait", Verdict::Socket),
    ("sk_stream_wait", Verdict::Socket),
    ("skb_wait", Verdict::Socket),
    ("csk_accept", Verdict::Socket),
    ("csk_wait", Verdict::Socket),
    // Of the address space or of a file: without the call none can tell.
    ("rwsem_", Verdict::BlockedOther),
    ("vm_mmap", Verdict::BlockedOther),
    ("vm_munmap", Verdict::BlockedOther),
    ("lock_mm_and_find_vma", Verdict::BlockedOther),
];

impl Waiting<'_> {
    /// The verdict on a thread that slept there for a whole threshold.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.syscall {
            None if self.is_unreadable => self.by_kernel_function(),
            _ if self.is_for_the_address_space() => Verdict::BlockedOther,
            None if self.uninterruptible || self.reads_pages => Verdict::PageFault,
            None => Verdict::BlockedOther,
            Some("nanosleep" | "clock_nanosleep") => Verdict::Sleep,
            Some("futex" | "futex_waitv" | "semop" | "semtimedop") => Verdict::LockWait,
            Some("connect") => self.connect(),
            // Starting a child waits until it runs its program.
            Some("wait4" | "waitid" | "vfork" | "clone" | "clone3") => Verdict::ChildWait,
            Some("flock") => Verdict::FileLock,
            Some("fcntl") if self.wants_lock => Verdict::FileLock,
            Some(
                "fsync" | "fdatasync" | "sync" | "syncfs" | "sync_file_range" | "msync"
                | "ftruncate" | "fallocate" | "getdents64" | "io_getevents",
            ) => Verdict::Disk,
            Some(syscall) => self.on_descriptor(syscall),
        }
    }

    /// Whether it sleeps until other threads of the process are done with the address space, which no interruption ends. A call that
    /// needs it and is not seen at storage waits for it.
    pub(crate) fn is_for_the_address_space(&self) -> bool {
        let sleeps_in = |parts: &[&str]| {
            let wchan = self.wchan.unwrap_or_default();
            parts.iter().any(|part| wchan.contains(part))
        };
        match self.syscall {
            _ if self.is_unreadable || !self.uninterruptible => false,
            None => sleeps_in(&SPACE_LOCKING_FUNCTIONS),
            Some(call) => ADDRESS_SPACE_CALLS.contains(&call) && !sleeps_in(&STORAGE_FUNCTIONS),
        }
    }

    /// Of a process that may not read its threads' system calls, the kernel still names the function they sleep in.
    fn by_kernel_function(&self) -> Verdict {
        let wchan = self.wchan.unwrap_or_default();
        let known = KERNEL_FUNCTIONS
            .iter()
            .find(|(part, _)| wchan.contains(part));
        match known {
            Some((_, verdict)) => *verdict,
            None if self.uninterruptible && self.reads_pages => Verdict::PageFault,
            None if self.uninterruptible => Verdict::Disk,
            None => Verdict::BlockedOther,
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
            Some(Target::Process) => Verdict::ChildWait,
            None if matches!(
                syscall,
                "accept" | "accept4" | "sendto" | "recvfrom" | "sendmsg" | "recvmsg"
            ) =>
            {
                Verdict::Socket
            }
            None if self.uninterruptible => Verdict::Disk,
            // Of an io_uring, whose requests may be for anything, only the state tells.
            Some(Target::Kernel) if self.uninterruptible => Verdict::Disk,
            Some(Target::Kernel) | None => Verdict::BlockedOther,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Target::{File, Kernel, NameServer, Pipe, Socket};

    /// Name of the call, its target, kernel function, whether uninterruptible, and the verdict.
    type Recorded = (&'static str, Option<Target>, &'static str, bool, Verdict);

    const RECORDED: &[Recorded] = &[
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
        ("clone3", None, "kernel_clone", true, Verdict::ChildWait),
        ("poll", Some(Target::Process), "", false, Verdict::ChildWait),
        ("poll", Some(Socket), "do_poll", false, Verdict::Socket),
        ("read", Some(Target::Timer), "", false, Verdict::Sleep),
        (
            "semtimedop",
            None,
            "do_semtimedop",
            false,
            Verdict::LockWait,
        ),
        (
            "io_uring_enter",
            Some(Kernel),
            "io_cqring_wait",
            false,
            Verdict::BlockedOther,
        ),
        ("io_uring_enter", Some(Kernel), "", true, Verdict::Disk),
        ("pread64", Some(File), "__iomap_dio_rw", true, Verdict::Disk),
        ("fsync", Some(File), "folio_wait_bit", true, Verdict::Disk),
        ("openat", None, "", true, Verdict::Disk),
        ("", None, "folio_wait_bit_common", true, Verdict::PageFault),
        ("", None, "", false, Verdict::BlockedOther),
        // The address space, as Linux 6.18 tells it, and where it does not tell the function.
        ("munmap", None, "__vm_munmap", true, Verdict::BlockedOther),
        ("mmap", None, "vm_mmap_pgoff", true, Verdict::BlockedOther),
        ("mprotect", None, "", true, Verdict::BlockedOther),
        (
            "brk",
            None,
            "rwsem_down_write_slowpath",
            true,
            Verdict::BlockedOther,
        ),
        ("mmap", None, "folio_wait_bit_common", true, Verdict::Disk),
        ("madvise", None, "io_schedule", true, Verdict::Disk),
        (
            "",
            None,
            "lock_mm_and_find_vma",
            true,
            Verdict::BlockedOther,
        ),
        (
            "",
            None,
            "rwsem_down_read_slowpath",
            true,
            Verdict::BlockedOther,
        ),
        // A file's own lock, whose holder is at its storage.
        (
            "write",
            Some(File),
            "rwsem_down_write_slowpath",
            true,
            Verdict::Disk,
        ),
    ];

    /// Recorded calls and what they waited for.
    #[test]
    fn recorded_calls() {
        for &(syscall, target, wchan, uninterruptible, expected) in RECORDED {
            let waiting = Waiting {
                syscall: (!syscall.is_empty()).then_some(syscall),
                target,
                wchan: (!wchan.is_empty()).then_some(wchan),
                uninterruptible,
                ..Waiting::default()
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

    /// Without the system call the kernel function tells, and what it does not know is not guessed.
    #[test]
    fn kernel_functions_tell() {
        for (wchan, uninterruptible, reads_pages, expected) in [
            ("hrtimer_nanosleep", false, false, Verdict::Sleep),
            ("futex_do_wait", false, false, Verdict::LockWait),
            ("anon_pipe_read", false, false, Verdict::Pipe),
            ("unix_stream_read_generic", false, false, Verdict::Socket),
            ("sk_wait_data", false, false, Verdict::Socket),
            ("inet_wait_for_connect", false, false, Verdict::Connect),
            ("locks_lock_inode_wait", false, false, Verdict::FileLock),
            ("do_wait", false, false, Verdict::ChildWait),
            (
                "rwsem_down_write_slowpath",
                true,
                false,
                Verdict::BlockedOther,
            ),
            ("__vm_munmap", true, true, Verdict::BlockedOther),
            ("folio_wait_bit_common", true, false, Verdict::Disk),
            ("folio_wait_bit_common", true, true, Verdict::PageFault),
            ("do_poll", false, false, Verdict::BlockedOther),
            ("", false, false, Verdict::BlockedOther),
        ] {
            let waiting = Waiting {
                is_unreadable: true,
                wchan: (!wchan.is_empty()).then_some(wchan),
                uninterruptible,
                reads_pages,
                ..Waiting::default()
            };
            assert_eq!(waiting.verdict(), expected, "{wchan}");
        }
    }

    /// Asleep outside a system call is a page fault if it is uninterruptible, or if pages were read meanwhile.
    #[test]
    fn page_faults() {
        let waiting = |uninterruptible, reads_pages| Waiting {
            uninterruptible,
            reads_pages,
            ..Waiting::default()
        };
        assert_eq!(waiting(true, false).verdict(), Verdict::PageFault);
        assert_eq!(waiting(false, true).verdict(), Verdict::PageFault);
        assert_eq!(waiting(false, false).verdict(), Verdict::BlockedOther);
    }
}
