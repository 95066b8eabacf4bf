//! The one error type of the crate.
//!
//! It is opaque, so that causes can change without breaking callers, and it keeps the source chain. It knows
//! nothing of how it is shown: printing the chain is the edge's work.

use std::error::Error as StdError;
use std::fmt;

/// What went wrong, as one lowercase sentence fragment, with its cause behind it.
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync + 'static>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Configuration,
    Unavailable,
    Setup,
}

impl Error {
    /// A value the user gave cannot be used; `message` says which, and what was expected.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Configuration,
            message: message.into(),
            source: None,
        }
    }

    /// Something outside is taken or missing (a port, a runtime); another try can succeed.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Unavailable,
            message: message.into(),
            source: None,
        }
    }

    /// The operating system refused a part of the set-up.
    pub(crate) fn setup(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Setup,
            message: message.into(),
            source: None,
        }
    }

    /// The same error with its cause attached.
    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether a value given by the user (struct field or environment variable) was refused.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.kind == Kind::Configuration
    }

    /// Whether something outside the process was taken or missing, such as a port or a running runtime.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.kind == Kind::Unavailable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    // `fn main() -> Result<(), pollscope::Error>` prints the `Debug` form, so it is the readable chain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
