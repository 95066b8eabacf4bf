//! What follows from a request, as values; PURE.

use super::Standing;
use crate::identity::ClientId;
use crate::protocol::line::Line;

/// Something that whoever runs the room must do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect<W> {
    /// One line to one client, member or not.
    Send {
        /// How it is reached.
        to: W,
        /// The line.
        line: Line,
    },
    /// One line to everybody who is in the room now, but one.
    Fan {
        /// Who does not get it.
        except: Option<ClientId>,
        /// The line.
        line: Line,
    },
    /// Somebody has come, has another rank, or (`None`) has gone: the directory must know.
    Standing {
        /// Who.
        id: ClientId,
        /// Its standing from now on.
        standing: Option<Standing>,
    },
}

impl<W: Clone> Effect<W> {
    /// One line to one client.
    pub(crate) fn send(to: &W, line: Line) -> Self {
        Self::Send {
            to: to.clone(),
            line,
        }
    }
}
