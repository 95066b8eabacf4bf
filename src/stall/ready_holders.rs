//! Whether those who may hold a lock wait for a CPU themselves; PURE.
//!
//! A thread that loses its CPU while it holds a lock makes others wait for the machine's doing. Its own CPU time tells: if it
//! was ready at every look and yet ran for less than half of the time between, it was kept from giving the lock back.

use std::time::Duration;

use super::holder::{Grounds, Suspicion, Witness, suspicion};

/// Threads that may hold a lock, each ready to run at every look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ReadyHolders {
    /// How many.
    pub(crate) count: usize,
    /// CPU time between the first and the latest look, of the one that had most.
    pub(crate) cpu: Duration,
    /// The time between the first and the latest look; zero while there is only one.
    pub(crate) watched: Duration,
}

impl ReadyHolders {
    /// Whether none of them had a CPU for half of the time, nor so long that holding the lock that long is a stall by itself.
    pub(crate) fn starve(&self, threshold: Duration) -> bool {
        self.cpu < threshold && self.cpu * 2 < self.watched
    }

    /// Whether a second look is missing to tell.
    pub(crate) fn is_first_look(&self) -> bool {
        self.watched.is_zero()
    }
}

/// The threads that may hold the lock at `futex`, by the looks, the latest last; `None` unless all were ready at each.
///
/// Where one thread is named by the lock or by its stack, it is that one; else all that ran or wanted to throughout.
pub(crate) fn ready_holders(
    futex: u64,
    owner: Option<i32>,
    looks: &[Vec<Witness>],
) -> Option<ReadyHolders> {
    let (first, latest) = (looks.first()?, looks.last()?);
    let named = match suspicion(futex, owner, looks) {
        Suspicion::Nobody => return None,
        Suspicion::Holder {
            tid,
            grounds: Grounds::Owner | Grounds::OnStack,
        } => Some(tid),
        Suspicion::Holder { .. } | Suspicion::OneOf(_) => None,
    };
    let then = |look: &'_ [Witness], tid: i32| look.iter().find(|then| then.tid == tid).cloned();
    let throughout = |tid: i32, is: &dyn Fn(&Witness) -> bool| {
        looks
            .iter()
            .all(|look| then(look, tid).is_some_and(|then| is(&then)))
    };
    // Not the one that waits for it, and none that came later.
    let may_hold = |witness: &&Witness| match named {
        Some(tid) => witness.tid == tid,
        None => throughout(witness.tid, &|then| {
            matches!(then.state, 'R' | 'D') && then.futex != Some(futex)
        }),
    };
    let mut found: Option<ReadyHolders> = None;
    for now in latest.iter().filter(may_hold) {
        // One that sleeps, or waits for storage, is not kept from a CPU.
        throughout(now.tid, &|then| then.state == 'R').then_some(())?;
        let base = then(first, now.tid)?;
        let cpu = now.cpu?.saturating_sub(base.cpu?);
        let watched = now.at.saturating_sub(base.at);
        let others = found.unwrap_or(ReadyHolders {
            watched,
            ..ReadyHolders::default()
        });
        found = Some(ReadyHolders {
            count: others.count + 1,
            cpu: others.cpu.max(cpu),
            watched: others.watched.min(watched),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: u64 = 0x5000;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A thread that had had so much CPU time at that time.
    fn ready(tid: i32, at: u64, cpu: u64) -> Witness {
        Witness {
            tid,
            state: 'R',
            syscall: None,
            futex: None,
            in_poll: false,
            mentions: false,
            at: ms(at),
            cpu: Some(ms(cpu)),
        }
    }

    fn asleep(tid: i32, at: u64, syscall: &str) -> Witness {
        Witness {
            state: 'S',
            syscall: Some(syscall.to_owned()),
            ..ready(tid, at, 0)
        }
    }

    fn waits(tid: i32, at: u64) -> Witness {
        Witness {
            futex: Some(LOCK),
            in_poll: true,
            ..asleep(tid, at, "futex")
        }
    }

    fn mentions(witness: Witness) -> Witness {
        Witness {
            mentions: true,
            ..witness
        }
    }

    /// Two looks, at 5 and 10 ms, and what is found: how many, their most CPU time, and over how long.
    #[test]
    fn looks_show_who_was_ready() {
        let storage = |at| Witness {
            state: 'D',
            ..ready(3, at, 0)
        };
        for (first, latest, expected) in [
            // Nobody but the waiter and idle threads.
            (
                vec![waits(2, 5), asleep(9, 5, "epoll_wait")],
                vec![waits(2, 10), asleep(9, 10, "epoll_wait")],
                None,
            ),
            (
                vec![waits(2, 5), ready(3, 5, 100)],
                vec![waits(2, 10), ready(3, 10, 101)],
                Some((1, 1, 5)),
            ),
            // One that computes, among starved ones.
            (
                vec![ready(3, 5, 100), ready(4, 5, 7)],
                vec![ready(3, 10, 100), ready(4, 10, 12)],
                Some((2, 5, 5)),
            ),
            // Came later, or slept before.
            (
                vec![ready(3, 5, 0), asleep(4, 5, "read")],
                vec![ready(3, 10, 1), ready(4, 10, 0), ready(5, 10, 0)],
                Some((1, 1, 5)),
            ),
            // Storage is what is waited for.
            (
                vec![ready(4, 5, 0), storage(5)],
                vec![ready(4, 10, 0), storage(10)],
                None,
            ),
            // A sleeper that has the lock on its stack.
            (
                vec![ready(4, 5, 0), asleep(3, 5, "clock_nanosleep")],
                vec![ready(4, 10, 0), mentions(asleep(3, 10, "clock_nanosleep"))],
                None,
            ),
            // Several of those say nothing: a pool's threads all know the pool's lock.
            (
                vec![ready(4, 5, 0), asleep(3, 5, "read"), asleep(6, 5, "read")],
                vec![
                    ready(4, 10, 0),
                    mentions(asleep(3, 10, "read")),
                    mentions(asleep(6, 10, "read")),
                ],
                Some((1, 0, 5)),
            ),
        ] {
            let shown = format!("{first:?} {latest:?}");
            let found = ready_holders(LOCK, None, &[first, latest]);
            let expected = expected.map(|(count, cpu, watched)| ReadyHolders {
                count,
                cpu: ms(cpu),
                watched: ms(watched),
            });
            assert_eq!(found, expected, "{shown}");
        }
    }

    /// The owner that the lock names counts alone; without its clock nothing is known, and one look tells no time.
    #[test]
    fn owners_and_gaps() {
        let looks = [
            vec![ready(3, 5, 0), ready(4, 5, 0)],
            vec![ready(3, 15, 9), ready(4, 15, 1)],
        ];
        let owned = ready_holders(LOCK, Some(4), &looks).unwrap();
        assert_eq!((owned.count, owned.cpu), (1, ms(1)));
        let clockless = Witness {
            cpu: None,
            ..ready(3, 5, 0)
        };
        assert_eq!(ready_holders(LOCK, None, &[vec![clockless]]), None);
        let once = ready_holders(LOCK, None, &looks[..1]).unwrap();
        assert!(once.is_first_look());
        assert_eq!(ready_holders(LOCK, None, &[]), None);
    }

    /// Half of the time on a CPU, or a whole threshold, is the holder's own doing.
    #[test]
    fn starving() {
        for (cpu, watched, expected) in [
            (0, 0, false),
            (0, 5, true),
            (2, 5, true),
            (3, 5, false),
            (5, 5, false),
            (9, 40, true),
            (10, 40, false),
        ] {
            let holders = ReadyHolders {
                count: 1,
                cpu: ms(cpu),
                watched: ms(watched),
            };
            assert_eq!(holders.starve(ms(10)), expected, "{cpu} of {watched}");
        }
    }
}
