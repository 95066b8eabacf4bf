//! What a server tells every client and asks of it; the same for all sessions; PURE.

use std::sync::Arc;

use super::password::Password;
use crate::protocol::isupport::Limits;
use crate::protocol::motd::Motd;
use crate::room::House;

/// The policy of one server.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The name in the prefix of replies.
    pub server: Arc<str>,
    /// What is announced and enforced.
    pub limits: Limits,
    /// The word that clients must give with PASS; `None` lets everybody in.
    pub password: Option<Password>,
    /// The message of the day.
    pub motd: Motd,
}

impl Policy {
    /// What rooms need of it.
    #[must_use]
    pub fn house(&self) -> House {
        House {
            server: Arc::clone(&self.server),
            case_mapping: self.limits.case_mapping,
        }
    }

    /// Whether `given` lets a client in.
    #[must_use]
    pub fn admits(&self, given: Option<&str>) -> bool {
        match (&self.password, given) {
            (None, _) => true,
            (Some(password), Some(given)) => password.is(given),
            (Some(_), None) => false,
        }
    }
}
