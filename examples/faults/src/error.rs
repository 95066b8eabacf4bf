//! Why a fault could not be switched, in words that say what was expected.

use std::fmt;

use crate::fault::CATALOGUE;
use crate::point::Point;

/// A fault could not be switched; the message says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Undeclared,
    Setting,
}

impl Error {
    /// There is no fault of this name.
    pub(crate) fn unknown(name: &str) -> Self {
        let known: Vec<_> = CATALOGUE.iter().map(|fault| fault.name).collect();
        Self {
            kind: Kind::Unknown,
            message: format!(
                "unknown fault `{name}`; expected one of {}",
                known.join(", ")
            ),
        }
    }

    /// The service never visits the point at which the fault acts.
    pub(crate) fn undeclared(name: &str, point: Point, service: &str, points: &[Point]) -> Self {
        let declared: Vec<_> = points.iter().map(|point| point.name()).collect();
        let declared = if declared.is_empty() {
            "no point".to_owned()
        } else {
            declared.join(", ")
        };
        Self {
            kind: Kind::Undeclared,
            message: format!(
                "fault `{name}` acts at the point `{}`, which {service} does not declare; it declares {declared}",
                point.name()
            ),
        }
    }

    /// A setting lies outside its bounds.
    pub(crate) fn setting(message: String) -> Self {
        Self {
            kind: Kind::Setting,
            message,
        }
    }

    /// Whether no fault has the given name.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.kind == Kind::Unknown
    }

    /// Whether the fault exists, but this service does not declare the point it needs.
    #[must_use]
    pub fn is_undeclared(&self) -> bool {
        self.kind == Kind::Undeclared
    }

    /// Whether a setting was out of bounds.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        self.kind == Kind::Setting
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: an unknown name is answered with every name that would have worked.
    #[test]
    fn unknown_lists_the_known() {
        let message = Error::unknown("nap").to_string();
        assert!(message.starts_with("unknown fault `nap`; expected one of "));
        for fault in CATALOGUE {
            assert!(message.contains(fault.name), "{message}");
        }
    }

    /// Goal: the message tells which point is missing and which there are.
    #[test]
    fn undeclared_names_the_points() {
        let error = Error::undeclared(
            "task-leak",
            Point::SessionEnd,
            "chat",
            &[Point::Handler, Point::SendQueue],
        );
        assert_eq!(
            error.to_string(),
            "fault `task-leak` acts at the point `session-end`, which chat does not declare; it declares handler, send-queue"
        );
        let error = Error::undeclared("task-leak", Point::SessionEnd, "chat", &[]);
        assert!(error.to_string().ends_with("it declares no point"));
    }
}
