//! Why a session ended: the one list behind `exchange_sessions_closed_total`.

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both sides said Logout, or the client did.
    Logout,
    /// The client closed the connection without Logout.
    Disconnected,
    /// Reading or writing failed.
    Error,
    /// The first message was not a Logon, or no message at all.
    NotFix,
    /// No Logon in time.
    LogonTimeout,
    /// A Logon that cannot be accepted.
    LogonRefused,
    /// Silence, and no answer to a TestRequest.
    HeartbeatTimeout,
    /// A sequence number below the expected one, or a gap never filled.
    Sequence,
    /// A breach of the session rules that must end it.
    Protocol,
    /// The client did not read its reports fast enough.
    SlowConsumer,
    /// The exchange is closing.
    Shutdown,
}

impl Ending {
    /// Every ending, for the metrics.
    pub const ALL: [Self; 11] = [
        Self::Logout,
        Self::Disconnected,
        Self::Error,
        Self::NotFix,
        Self::LogonTimeout,
        Self::LogonRefused,
        Self::HeartbeatTimeout,
        Self::Sequence,
        Self::Protocol,
        Self::SlowConsumer,
        Self::Shutdown,
    ];

    /// The label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Disconnected => "disconnected",
            Self::Error => "error",
            Self::NotFix => "not_fix",
            Self::LogonTimeout => "logon_timeout",
            Self::LogonRefused => "logon_refused",
            Self::HeartbeatTimeout => "heartbeat_timeout",
            Self::Sequence => "sequence",
            Self::Protocol => "protocol",
            Self::SlowConsumer => "slow_consumer",
            Self::Shutdown => "shutdown",
        }
    }
}
