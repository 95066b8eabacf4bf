//! Who a client is to others, and how it is reached; PURE.
//!
//! An [`Identity`] never changes: a new nickname or an away text makes a new one, which replaces the old one in the
//! directory and in each room. So it is shared without a lock, between tasks, threads or processes alike.

use std::sync::Arc;

use crate::protocol::capability::Capabilities;
use crate::protocol::numeric::Addressee;

/// The number of a connection; never used twice while the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// A registered client as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The nickname as last written.
    pub nick: String,
    /// User name.
    pub user: String,
    /// Network address.
    pub host: String,
    /// What the client calls itself.
    pub realname: String,
    /// `nick!user@host`: the prefix of every line this client causes, made once.
    pub address: String,
    /// The away text, told to whoever writes to this client.
    pub away: Option<String>,
    /// Mode `+i`: found only by who shares a room or knows the nickname.
    pub invisible: bool,
}

impl Identity {
    /// Somebody who is here and visible.
    #[must_use]
    pub fn new(nick: &str, user: &str, host: &str, realname: &str) -> Self {
        Self {
            nick: nick.to_owned(),
            user: user.to_owned(),
            host: host.to_owned(),
            realname: realname.to_owned(),
            address: address(nick, user, host),
            away: None,
            invisible: false,
        }
    }

    /// The same client under another nickname.
    #[must_use]
    pub fn renamed(&self, nick: &str) -> Self {
        Self {
            nick: nick.to_owned(),
            address: address(nick, &self.user, &self.host),
            ..self.clone()
        }
    }
}

fn address(nick: &str, user: &str, host: &str) -> String {
    format!("{nick}!{user}@{host}")
}

/// A registered client that asks for something.
///
/// `W` is the way lines get to it, of whatever kind the server's model delivers to: a send queue, a descriptor, the
/// number of a process. The core keeps it and gives it back, and knows nothing of it.
#[derive(Debug, Clone)]
pub struct Asker<W> {
    /// Which connection.
    pub id: ClientId,
    /// Who it is to others.
    pub identity: Arc<Identity>,
    /// What it can be sent.
    pub capabilities: Capabilities,
    /// How it is reached.
    pub way: W,
}

impl<W> Asker<W> {
    /// For formatting replies of `server` to this client.
    #[must_use]
    pub fn addressee<'a>(&'a self, server: &'a str) -> Addressee<'a> {
        Addressee {
            server,
            nick: &self.identity.nick,
        }
    }
}

/// Somebody who can be told something once, whatever number of rooms tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour<W> {
    /// To recognise duplicates.
    pub id: ClientId,
    /// How it is reached.
    pub way: W,
}
