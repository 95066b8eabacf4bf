//! How a command ends, and the exit code for it.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// A command that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As expected: exit code 0.
    Expected,
    /// Done, but what was expected did not come: exit code 1.
    NotExpected,
}

impl Ending {
    /// [`Ending::Expected`] if `met`.
    pub(crate) fn expected_if(met: bool) -> Self {
        if met {
            Self::Expected
        } else {
            Self::NotExpected
        }
    }
}

/// Why a command did not run to its end; the text is one line that says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Wrong use, nothing was done: exit code 2.
    Usage(String),
    /// Something outside was missing or taken: exit code 3.
    Unable(String),
    /// Nobody reads the output any more, as in `pollscope stalls | head`: no failure of ours, exit code 0.
    NobodyReads,
}

impl Failure {
    /// Could not run, with the chain of causes in one line.
    pub(crate) fn unable(what: impl fmt::Display, cause: &dyn std::error::Error) -> Self {
        Self::Unable(format!("{what}: {}", chain(cause)))
    }
}

impl From<io::Error> for Failure {
    /// An error of writing to the terminal, a pipe or a file.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::NobodyReads
        } else {
            Self::Unable(format!("cannot write: {error}"))
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Unable(text) => f.write_str(text),
            Self::NobodyReads => f.write_str("the output was closed"),
        }
    }
}

/// An error and everything behind it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries repeat their cause in their own words.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The exit code of an outcome.
pub(crate) fn code(outcome: &Result<Ending, Failure>) -> ExitCode {
    match outcome {
        Ok(Ending::Expected) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Ok(Ending::NotExpected) => ExitCode::from(1),
        Err(Failure::Usage(_)) => ExitCode::from(2),
        Err(Failure::Unable(_)) => ExitCode::from(3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a reader that goes away is not an error, anything else about writing is.
    #[test]
    fn closed_output_is_no_failure() {
        let closed = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(closed, Failure::NobodyReads);
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(full, Failure::Unable(_)));
    }

    /// Goal: the chain has every cause once.
    #[test]
    fn chain_has_every_cause_once() {
        let inner = io::Error::other("no route");
        assert_eq!(chain(&io::Error::other(inner)), "no route");
    }
}
