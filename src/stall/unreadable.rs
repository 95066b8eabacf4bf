//! What could not be read, and why, as evidence; PURE.
//!
//! A verdict that lacks a piece of evidence must say so, and the reason decides what can be done about it: a refusal stays, a want of
//! descriptors passes.

use std::borrow::Cow;

/// A piece of evidence that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Name of the file that tells it.
    pub(crate) file: &'static str,
    /// Why it does not.
    pub(crate) reason: Reason,
}

/// Why a file tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The kernel refuses it to this process.
    Refused,
    /// There is no such file.
    Absent,
    /// The thread has ended.
    Gone,
    /// The process, or the machine, had no free descriptor for it.
    NoDescriptor,
    /// Another error of the kernel, by its number, errno(3).
    Failed(i32),
    /// It was read, and its text does not tell what it should.
    Untold,
    /// Nobody recorded it.
    NotRecorded,
}

impl Reason {
    fn words(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Refused => "refused: an undumpable process, or a sandbox",
            Self::Absent => "not there: the kernel or a sandbox has no such file",
            Self::Gone => "the thread has ended",
            Self::NoDescriptor => "no file descriptor was free",
            Self::Failed(error) => return Cow::Owned(format!("the kernel gave error {error}")),
            Self::Untold => "its text does not tell it",
            Self::NotRecorded => "not recorded",
        })
    }
}

/// The missing pieces in one sentence, those with one reason together; `None` if nothing is missing.
pub(super) fn sentence(missing: &[Unreadable]) -> Option<String> {
    let mut reasons: Vec<Reason> = Vec::new();
    for piece in missing {
        if !reasons.contains(&piece.reason) {
            reasons.push(piece.reason);
        }
    }
    let group = |reason: &Reason| {
        let of_it = missing.iter().filter(|piece| piece.reason == *reason);
        let files: Vec<&str> = of_it.map(|piece| piece.file).collect();
        format!("{} ({})", files.join(", "), reason.words())
    };
    let groups: Vec<String> = reasons.iter().map(group).collect();
    (!groups.is_empty()).then(|| format!("could not be read: {}", groups.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files are named by reason, in the order in which the reasons are met; nothing missing is nothing said.
    #[test]
    fn reasons_are_told() {
        assert_eq!(sentence(&[]), None);
        let missing = [
            ("stat", Reason::NoDescriptor),
            ("syscall", Reason::Refused),
            ("wchan", Reason::NoDescriptor),
            ("status", Reason::Failed(5)),
        ]
        .map(|(file, reason)| Unreadable { file, reason });
        let expected = "could not be read: stat, wchan (no file descriptor was free); \
                        syscall (refused: an undumpable process, or a sandbox); status (the kernel gave error 5)";
        assert_eq!(sentence(&missing).as_deref(), Some(expected));
    }
}
