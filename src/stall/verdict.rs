//! Why a worker stood still: the closed list of causes, in the words of JSON, labels and text.

use serde::{Deserialize, Serialize};

/// Why the worker stood still.
///
/// The words are a promise: never renamed, only added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// The poll burned CPU time in user code.
    CpuUser,
    /// The poll burned CPU time inside the kernel: page faults, large maps, copies.
    CpuSystem,
    /// The thread slept on purpose (`nanosleep`).
    Sleep,
    /// The thread waited for a futex: a mutex, a condition variable, a channel, a join.
    LockWait,
    /// The thread waited for a file's storage: a read, a write, a sync.
    Disk,
    /// The thread touched memory whose page had to come from storage.
    PageFault,
    /// The thread waited for the peer of a socket.
    Socket,
    /// The thread waited for a connection to be established.
    Connect,
    /// The thread waited for a name server's answer.
    Dns,
    /// The thread waited for the other end of a pipe or a terminal.
    Pipe,
    /// The thread waited for a lock on a file.
    FileLock,
    /// The thread waited for a child process.
    ChildWait,
    /// The thread waited in a system call that a C library made and that nothing more is known about.
    ForeignCall,
    /// The thread waited in the kernel for something that fits no other word.
    BlockedOther,
    /// The thread was ready to run but got no CPU: the machine, not the code.
    Starved,
    /// The process had used up its CPU quota: the machine's limits, not the code.
    Throttled,
    /// The whole process stood still (stopped, frozen, paused virtual machine): the machine, not the code.
    Frozen,
    /// The whole machine was suspended: the machine, not the code.
    Suspended,
    /// The time went into a diagnosis: a backtrace being resolved, symbols being read.
    Diagnostics,
    /// The evidence does not decide.
    Unknown,
}

impl Verdict {
    /// Every verdict, in the order of the list above.
    pub const ALL: [Self; 20] = [
        Self::CpuUser,
        Self::CpuSystem,
        Self::Sleep,
        Self::LockWait,
        Self::Disk,
        Self::PageFault,
        Self::Socket,
        Self::Connect,
        Self::Dns,
        Self::Pipe,
        Self::FileLock,
        Self::ChildWait,
        Self::ForeignCall,
        Self::BlockedOther,
        Self::Starved,
        Self::Throttled,
        Self::Frozen,
        Self::Suspended,
        Self::Diagnostics,
        Self::Unknown,
    ];

    /// The word used in JSON, labels and text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuUser => "cpu-user",
            Self::CpuSystem => "cpu-system",
            Self::Sleep => "sleep",
            Self::LockWait => "lock-wait",
            Self::Disk => "disk",
            Self::PageFault => "page-fault",
            Self::Socket => "socket",
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Pipe => "pipe",
            Self::FileLock => "file-lock",
            Self::ChildWait => "child-wait",
            Self::ForeignCall => "foreign-call",
            Self::BlockedOther => "blocked-other",
            Self::Starved => "starved",
            Self::Throttled => "throttled",
            Self::Frozen => "frozen",
            Self::Suspended => "suspended",
            Self::Diagnostics => "diagnostics",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the machine is to blame and no line of code is.
    #[must_use]
    pub const fn is_machine(self) -> bool {
        matches!(
            self,
            Self::Starved | Self::Throttled | Self::Frozen | Self::Suspended
        )
    }

    /// Whether the whole process stood still, not one thread of it.
    #[must_use]
    pub const fn is_standstill(self) -> bool {
        matches!(self, Self::Frozen | Self::Suspended)
    }

    /// Whether the thread was computing rather than waiting.
    #[must_use]
    pub const fn is_cpu(self) -> bool {
        matches!(self, Self::CpuUser | Self::CpuSystem | Self::Diagnostics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list is whole and each word is what JSON says.
    #[test]
    fn names_are_the_json_words() {
        for (index, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(
                serde_json::to_value(verdict).unwrap(),
                verdict.name(),
                "{index}"
            );
            assert_eq!(verdict as usize, index);
        }
        assert_eq!(Verdict::ALL.last(), Some(&Verdict::Unknown));
    }
}
