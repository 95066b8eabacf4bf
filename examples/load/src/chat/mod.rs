//! Load for a chat: IRC clients in rooms, each message delivered to everybody else in its room.
//!
//! The text of a message carries its sender, number and intended time, so that every receiver can tell what came late,
//! twice, out of order or not at all. What else the clients do is a [`Profile`].

mod arrivals;
mod hall;
pub(crate) mod line;
mod part;
mod plan;
mod profile;
mod rooms;
mod session;
mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use self::hall::Hall;
use self::session::IrcSession;
use crate::account::Account;
use crate::error::Error;
use crate::generator::{self, Outcome};
use crate::progress::Progress;
use crate::report::Report;
use crate::session::{Role, Workload};

pub use self::part::Part;
pub use self::plan::{CLIENTS_LEN_MAX, ChatPlan};
pub use self::profile::Profile;

/// Runs the load until its end, until `cancel` completes (what has come so far is reported), or until the service is gone.
/// Calls `on_progress` once a second. Needs a runtime with its timer enabled.
///
/// # Errors
///
/// A plan out of bounds, a service that cannot be reached or lets a client not in, a cancellation before the first message.
pub async fn run(
    plan: ChatPlan,
    cancel: impl Future<Output = ()>,
    on_progress: impl FnMut(&Progress),
) -> Result<Report, Error> {
    let outcome = outcome(&plan, std::future::ready(()), cancel, on_progress).await?;
    plan.report(&outcome.account, outcome.server, outcome.started)
}

/// Runs one process's part of a load: connects, and begins when `go` completes. All parts are in when each of their
/// `on_progress` has shown as many connected as there are clients.
///
/// # Errors
///
/// As [`run`].
pub async fn run_part(
    plan: ChatPlan,
    go: impl Future<Output = ()>,
    cancel: impl Future<Output = ()>,
    on_progress: impl FnMut(&Progress),
) -> Result<Account, Error> {
    let outcome = outcome(&plan, go, cancel, on_progress).await?;
    Ok(outcome.account)
}

async fn outcome(
    plan: &ChatPlan,
    go: impl Future<Output = ()>,
    cancel: impl Future<Output = ()>,
    on_progress: impl FnMut(&Progress),
) -> Result<Outcome, Error> {
    plan.check()?;
    let chat = Chat::new(plan.hall());
    generator::run(chat, plan.course()?, go, cancel, on_progress).await
}

/// The chat as the generator sees it.
struct Chat {
    hall: Arc<Hall>,
    /// Members that are in, by room.
    present: Vec<AtomicU32>,
}

impl Chat {
    fn new(hall: Hall) -> Self {
        Self {
            present: (0..hall.rooms.len()).map(|_| AtomicU32::new(0)).collect(),
            hall: Arc::new(hall),
        }
    }

    /// Those present in the client's room, if the client is one who counts.
    fn present(&self, client: usize) -> Option<&AtomicU32> {
        let is_counted = self.hall.role(client) == Role::Member;
        is_counted.then(|| &self.present[self.hall.rooms.room_of(client)])
    }
}

impl Workload for Chat {
    type Session = IrcSession;

    const NAME: &'static str = plan::NAME;

    fn clients(&self) -> usize {
        self.hall.rooms.clients()
    }

    fn session(&self, client: usize) -> IrcSession {
        IrcSession::new(Arc::clone(&self.hall), client)
    }

    fn sender(&self, index: usize) -> usize {
        self.hall.turns.turn(index).client()
    }

    /// Everybody who is in the room but the sender; nobody for a move, which is told apart; the asker for a sign of life.
    fn expected(&self, index: usize) -> u32 {
        if self.hall.is_move(index) {
            return 0;
        }
        if !self.hall.has_rooms() {
            return 1;
        }
        self.present(self.sender(index))
            .map_or(0, |present| present.load(Ordering::Relaxed))
            .saturating_sub(1)
    }

    fn is_headline(&self, index: usize) -> bool {
        !self.hall.is_move(index)
    }

    fn role(&self, client: usize) -> Role {
        self.hall.role(client)
    }

    fn number(&self, client: usize) -> usize {
        self.hall.number(client)
    }

    fn joined(&self, client: usize) {
        if let Some(present) = self.present(client) {
            present.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn left(&self, client: usize) {
        if let Some(present) = self.present(client) {
            present.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::rooms::Rooms;
    use super::*;

    /// Goal: a message is expected by the others who are in its room at that moment, nobody else.
    #[test]
    fn expects_who_is_present() {
        let hall = Hall::new(Profile::Rooms, Rooms::equal(4, 2), 0, 1);
        let chat = Chat::new(hall);
        assert_eq!(chat.expected(0), 0);
        for client in 0..4 {
            chat.joined(client);
        }
        assert_eq!(
            (chat.expected(0), chat.expected(1), chat.expected(6)),
            (1, 1, 1)
        );
        chat.left(2);
        assert_eq!((chat.expected(0), chat.expected(1)), (0, 1));
    }

    /// Goal: those who read slowly or come and go are not waited for, and a move is no message.
    #[test]
    fn expects_only_members() {
        for (profile, expect) in [
            (Profile::Rooms, 9),
            (Profile::Slow, 8),
            (Profile::Churn, 8),
            (Profile::Idle, 1),
        ] {
            let chat = Chat::new(Hall::new(profile, Rooms::equal(10, 10), 0, 1));
            for client in 0..10 {
                chat.joined(client);
            }
            assert_eq!(chat.expected(0), expect, "{profile}");
            let is_move = profile == Profile::Churn;
            assert_eq!(chat.is_headline(9), !is_move, "{profile}");
            assert_eq!(chat.expected(9), if is_move { 0 } else { expect });
        }
    }
}
