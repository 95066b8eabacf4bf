//! Why a load could not be run.
//!
//! Only what prevents a run is an error. What goes wrong while messages flow is counted in the report, which is worth
//! having all the same.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// What prevented the run, as one sentence fragment that says what was expected.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<io::Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plan,
    Connect,
    Refused,
    Cancelled,
    Setup,
}

/// `EMFILE`: this process may not open another file or socket.
const TOO_MANY_FILES: i32 = 24;

impl Error {
    /// A value of the plan cannot be used.
    pub(crate) fn plan(message: impl Into<String>) -> Self {
        Self::new(Kind::Plan, message, None)
    }

    /// The service does not answer at its address.
    pub(crate) fn connect(address: SocketAddr, clients: usize, cause: io::Error) -> Self {
        let message = if cause.raw_os_error() == Some(TOO_MANY_FILES) {
            format!(
                "too many open files for {clients} clients; expected a limit (`ulimit -n`) somewhat above that, or several \
                 processes"
            )
        } else {
            format!("cannot connect to {address}; expected a running service there")
        };
        Self::new(Kind::Connect, message, Some(cause))
    }

    /// The service answered, but did not let a client in.
    pub(crate) fn refused(address: SocketAddr, message: &str) -> Self {
        Self::new(
            Kind::Refused,
            format!("{address} did not let a client in: {message}"),
            None,
        )
    }

    /// The run was cancelled before there was anything to report.
    pub(crate) fn cancelled() -> Self {
        Self::new(
            Kind::Cancelled,
            "cancelled before the first message was sent",
            None,
        )
    }

    /// The operating system refused a thread or a runtime.
    pub(crate) fn setup(message: &str, cause: io::Error) -> Self {
        Self::new(Kind::Setup, message, Some(cause))
    }

    /// A thread of the generator has panicked: a defect of ours.
    pub(crate) fn panicked() -> Self {
        Self::new(
            Kind::Setup,
            "a thread of the generator ended unexpectedly; its panic message tells why",
            None,
        )
    }

    fn new(kind: Kind, message: impl Into<String>, source: Option<io::Error>) -> Self {
        Self {
            kind,
            message: message.into(),
            source,
        }
    }

    /// Whether a value of the plan was refused: wrong use, nothing was tried.
    #[must_use]
    pub fn is_plan(&self) -> bool {
        self.kind == Kind::Plan
    }

    /// Whether the service could not be reached at its address.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.kind == Kind::Connect
    }

    /// Whether the service was reached but refused a client.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.kind == Kind::Refused
    }

    /// Whether the run was cancelled while it was still connecting.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.kind == Kind::Cancelled
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_ref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
