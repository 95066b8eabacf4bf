//! The two reference services, by name, with the addresses they have when nobody says otherwise.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use faults::{Fault, Point};

/// A reference service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Service {
    /// The IRC server.
    Chat,
    /// The FIX exchange.
    Exchange,
}

impl Service {
    /// Both, in the order in which they are shown.
    pub(crate) const ALL: [Self; 2] = [Self::Chat, Self::Exchange];

    /// The word for it on the command line, in events and in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Exchange => "exchange",
        }
    }

    /// The protocol its clients speak, as people write it.
    pub(crate) const fn protocol(self) -> &'static str {
        match self {
            Self::Chat => "IRC",
            Self::Exchange => "FIX",
        }
    }

    /// Where faults can act in it.
    pub(crate) const fn points(self) -> &'static [Point] {
        match self {
            Self::Chat => chat::POINTS,
            Self::Exchange => exchange::POINTS,
        }
    }

    /// Whether a fault can act in it.
    pub(crate) fn has(self, fault: &Fault) -> bool {
        self.points().contains(&fault.point)
    }

    /// The option of `serve` that sets its address.
    pub(crate) const fn listen_option(self) -> &'static str {
        match self {
            Self::Chat => "--irc",
            Self::Exchange => "--fix",
        }
    }

    /// Where it listens for its clients by default: the usual port of the protocol.
    pub(crate) const fn listen(self) -> SocketAddr {
        local(match self {
            Self::Chat => 6667,
            Self::Exchange => 9878,
        })
    }

    /// Where its admin server listens by default.
    pub(crate) const fn admin(self) -> SocketAddr {
        local(match self {
            Self::Chat => 7667,
            Self::Exchange => 7878,
        })
    }

    /// Where it serves tokio-console by default.
    pub(crate) const fn console(self) -> SocketAddr {
        local(match self {
            Self::Chat => 6669,
            Self::Exchange => 6670,
        })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
