//! Who probably holds the lock that a thread waits for; PURE.
//!
//! A lock of the standard library does not say who holds it. What other threads do does: one that waits for the same lock
//! does not hold it, one that idles holds nothing, and one that keeps the lock's address on its stack while it computes or
//! waits elsewhere most probably does. Where several threads fit as well, none is named.

use std::time::Duration;

/// What one look saw of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Witness {
    /// Kernel thread id.
    pub(crate) tid: i32,
    /// State letter.
    pub(crate) state: char,
    /// Name of the system call it stands in.
    pub(crate) syscall: Option<String>,
    /// Address of the futex it waits for.
    pub(crate) futex: Option<u64>,
    /// Whether it is inside a poll.
    pub(crate) in_poll: bool,
    /// Whether the address of the lock in question is on its stack.
    pub(crate) mentions: bool,
    /// When it was looked at.
    pub(crate) at: Duration,
    /// CPU time that it had had by then.
    pub(crate) cpu: Option<Duration>,
}

/// Why a thread is taken for the holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grounds {
    /// The lock itself names its owner, as one of the C library does.
    Owner,
    /// The lock's address is on its stack.
    OnStack,
    /// No other thread ran throughout.
    OnlyRunning,
    /// No other thread did anything but wait for locks or for work.
    OnlyBusy,
}

impl Grounds {
    /// In words, after "probably holds it:".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Owner => "the lock names it as its owner",
            Self::OnStack => "the lock's address is on its stack",
            Self::OnlyRunning => "no other thread ran all the while",
            Self::OnlyBusy => "all others wait for locks or for work",
        }
    }
}

/// Who may hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// This thread probably.
    Holder {
        /// Kernel thread id.
        tid: i32,
        /// Why.
        grounds: Grounds,
    },
    /// One of so many threads.
    OneOf(usize),
    /// No thread that was seen: all wait for locks or for work.
    Nobody,
}

/// Judges the looks, the latest last, at the other threads while `waiter` waited for the lock at `futex`.
pub(crate) fn suspicion(futex: u64, owner: Option<i32>, looks: &[Vec<Witness>]) -> Suspicion {
    let Some(latest) = looks.last() else {
        return Suspicion::Nobody;
    };
    if let Some(tid) = owner.filter(|owner| latest.iter().any(|witness| witness.tid == *owner)) {
        return Suspicion::Holder {
            tid,
            grounds: Grounds::Owner,
        };
    }
    // Whoever waited for it at any look did not hold it since.
    let seen = |witness: &Witness, is: &dyn Fn(&Witness) -> bool| {
        looks.iter().all(|look| {
            let then = look.iter().find(|then| then.tid == witness.tid);
            then.is_none_or(is)
        })
    };
    let others: Vec<&Witness> = latest
        .iter()
        .filter(|witness| seen(witness, &|then| then.futex != Some(futex)))
        .collect();
    let mentioning = || others.iter().copied().filter(|witness| witness.mentions);
    let running = || {
        let runs = |then: &Witness| matches!(then.state, 'R' | 'D');
        others
            .iter()
            .copied()
            .filter(move |witness| seen(witness, &runs))
    };
    let busy = || {
        others
            .iter()
            .copied()
            .filter(|witness| seen(witness, &Witness::is_busy))
    };
    if mentioning().next().is_some() {
        return the_one(mentioning(), Grounds::OnStack);
    }
    if running().next().is_some() {
        return the_one(running(), Grounds::OnlyRunning);
    }
    if busy().next().is_some() {
        return the_one(busy(), Grounds::OnlyBusy);
    }
    Suspicion::Nobody
}

/// The only one, or the only one inside a poll, or one of several.
fn the_one<'a>(
    candidates: impl Iterator<Item = &'a Witness> + Clone,
    grounds: Grounds,
) -> Suspicion {
    let mut in_polls = candidates.clone().filter(|witness| witness.in_poll);
    let mut all = candidates.clone();
    let holder = match (in_polls.next(), in_polls.next()) {
        (Some(one), None) => Some(one),
        (Some(_), Some(_)) => None,
        (None, _) => all.next().filter(|_| all.next().is_none()),
    };
    match holder {
        Some(holder) => Suspicion::Holder {
            tid: holder.tid,
            grounds,
        },
        None => Suspicion::OneOf(candidates.count()),
    }
}

impl Witness {
    /// Whether it did something: ran, or waited for anything but a lock or work.
    fn is_busy(&self) -> bool {
        const WAITING: [&str; 7] = [
            "futex",
            "futex_waitv",
            "epoll_wait",
            "epoll_pwait",
            "epoll_pwait2",
            "poll",
            "ppoll",
        ];
        if matches!(self.state, 'R' | 'D') {
            return true;
        }
        match &self.syscall {
            Some(syscall) if self.in_poll => !syscall.starts_with("futex"),
            Some(syscall) => !WAITING.contains(&syscall.as_str()),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: u64 = 0x5000;

    fn witness(tid: i32, state: char, syscall: &str) -> Witness {
        Witness {
            tid,
            state,
            syscall: (!syscall.is_empty()).then(|| syscall.to_owned()),
            futex: None,
            in_poll: false,
            mentions: false,
            at: Duration::ZERO,
            cpu: None,
        }
    }

    fn waits(tid: i32, futex: u64) -> Witness {
        Witness {
            futex: Some(futex),
            in_poll: true,
            ..witness(tid, 'S', "futex")
        }
    }

    fn in_poll(witness: Witness) -> Witness {
        Witness {
            in_poll: true,
            ..witness
        }
    }

    fn mentions(witness: Witness) -> Witness {
        Witness {
            mentions: true,
            ..witness
        }
    }

    fn holder(tid: i32, grounds: Grounds) -> Suspicion {
        Suspicion::Holder { tid, grounds }
    }

    /// Each way to be found out, by one look.
    #[test]
    fn grounds() {
        let idle = || [witness(90, 'S', "epoll_wait"), witness(91, 'S', "futex")];
        for (threads, expected) in [
            (vec![], Suspicion::Nobody),
            (vec![waits(2, LOCK)], Suspicion::Nobody),
            (
                vec![witness(2, 'S', "clock_nanosleep")],
                holder(2, Grounds::OnlyBusy),
            ),
            (vec![witness(2, 'R', "")], holder(2, Grounds::OnlyRunning)),
            // A runner is the better suspect than a sleeper, a mention than both.
            (
                vec![witness(2, 'R', ""), witness(3, 'S', "clock_nanosleep")],
                holder(2, Grounds::OnlyRunning),
            ),
            (
                vec![
                    witness(2, 'R', ""),
                    mentions(witness(3, 'S', "clock_nanosleep")),
                ],
                holder(3, Grounds::OnStack),
            ),
            // Also one that waits for another lock.
            (
                vec![mentions(waits(2, 0x6000)), waits(3, LOCK)],
                holder(2, Grounds::OnStack),
            ),
            // Who waits for this one has its address as well.
            (
                vec![mentions(waits(2, LOCK)), witness(3, 'R', "")],
                holder(3, Grounds::OnlyRunning),
            ),
            // Of several, the one inside a poll.
            (
                vec![
                    witness(2, 'S', "read"),
                    in_poll(witness(3, 'S', "clock_nanosleep")),
                ],
                holder(3, Grounds::OnlyBusy),
            ),
            (
                vec![witness(2, 'S', "read"), witness(3, 'S', "read")],
                Suspicion::OneOf(2),
            ),
            (
                vec![in_poll(witness(2, 'R', "")), in_poll(witness(3, 'R', ""))],
                Suspicion::OneOf(2),
            ),
        ] {
            let look = threads.iter().cloned().chain(idle()).collect();
            assert_eq!(suspicion(LOCK, None, &[look]), expected, "{threads:?}");
        }
    }

    /// The lock's own word counts most, if that thread exists.
    #[test]
    fn owners() {
        let look = vec![witness(2, 'R', ""), waits(3, 0x6000)];
        let looks = [look];
        assert_eq!(suspicion(LOCK, Some(3), &looks), holder(3, Grounds::Owner));
        assert_eq!(
            suspicion(LOCK, Some(77), &looks),
            holder(2, Grounds::OnlyRunning)
        );
    }

    /// Only who was busy at every look, and never waited for it, can have held it throughout.
    #[test]
    fn throughout() {
        let earlier = vec![
            witness(2, 'S', "epoll_wait"),
            witness(3, 'R', ""),
            waits(4, LOCK),
        ];
        let later = vec![
            witness(2, 'R', ""),
            witness(3, 'R', ""),
            witness(4, 'R', ""),
            witness(5, 'S', "epoll_wait"),
        ];
        assert_eq!(
            suspicion(LOCK, None, &[earlier, later]),
            holder(3, Grounds::OnlyRunning)
        );
        assert_eq!(suspicion(LOCK, None, &[]), Suspicion::Nobody);
    }
}
