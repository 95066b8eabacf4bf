//! Whether those who may hold a lock wait for a CPU themselves; PURE.
//!
//! A thread that loses its CPU while it holds a lock makes others wait for the machine's doing. Its own CPU time tells: if it
//! was ready at every look and yet ran for less than half of the time between, it was kept from giving the lock back.

use std::time::Duration;

use super::holder::{Grounds, Suspicion, Witness, suspicion};

/// The part of the time in which a thread that does not get on may still have had a CPU.
const STANDING: u32 = 20;

/// What is known about those who may hold a lock, where it leaves a doubt that code is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holders {
    /// They were looked at once, and no sleeping one is named.
    SeenOnce,
    /// All of them were ready.
    Ready(ReadyHolders),
}

/// Threads that may hold a lock, each ready to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadyHolders {
    /// How many.
    pub(crate) count: usize,
    /// CPU time between the first and the latest look, of the one that had most.
    pub(crate) cpu: Duration,
    /// The time between the first and the latest look.
    pub(crate) watched: Duration,
    /// Whether each was ready at every look; else other threads at each.
    pub(crate) throughout: bool,
    /// Whether the lock or a stack names it; else somebody else may hold it, who got no CPU at these looks.
    pub(crate) is_named: bool,
}

impl ReadyHolders {
    /// Whether none of them had a CPU for half of the time, nor so long that holding the lock that long is a stall by itself.
    pub(crate) fn starve(&self, threshold: Duration) -> bool {
        self.cpu < threshold && self.cpu * 2 < self.watched
    }

    fn named(self) -> Holders {
        Holders::Ready(Self {
            is_named: true,
            ..self
        })
    }

    /// Whether none of them got on, though each was ready at every look: then the process starves.
    pub(crate) fn stand_still(&self) -> bool {
        self.throughout && self.cpu * STANDING < self.watched
    }
}

/// The threads that may hold the lock at `futex`, by the looks, the latest last; `None` if one of them sleeps.
///
/// Where one thread is named by the lock or by its stack, it is that one. Else it is all that ran or wanted to throughout, and
/// where there are none, as in a convoy that hands the lock on, those of the latest look, if each look had some.
pub(crate) fn holders(futex: u64, owner: Option<i32>, looks: &[Vec<Witness>]) -> Option<Holders> {
    let latest = looks.last()?;
    let named = match suspicion(futex, owner, looks) {
        Suspicion::Holder {
            tid,
            grounds: Grounds::Owner | Grounds::OnStack,
        } => latest.iter().find(|witness| witness.tid == tid),
        Suspicion::Holder { .. } | Suspicion::OneOf(_) | Suspicion::Nobody => None,
    };
    // One that waits for a lock itself is a link of a chain, whose end it does not tell.
    let named = named.filter(|witness| witness.futex.is_none());
    if looks.len() == 1 {
        let seen = named.is_none_or(|named| named.state == 'R');
        return seen.then_some(Holders::SeenOnce);
    }
    if let Some(named) = named {
        return of_all(looks, &[named.tid], true).map(ReadyHolders::named);
    }
    let may_hold = |then: &Witness| matches!(then.state, 'R' | 'D') && then.futex != Some(futex);
    let of_look = |look: &[Witness]| -> Vec<i32> {
        let those = look.iter().filter(|then| may_hold(then));
        those.map(|then| then.tid).collect()
    };
    let now = of_look(latest);
    let throughout = |tid: &i32| looks.iter().all(|look| of_look(look).contains(tid));
    let steady: Vec<i32> = now.iter().copied().filter(throughout).collect();
    if !steady.is_empty() {
        return of_all(looks, &steady, true).map(Holders::Ready);
    }
    let always_some = looks.iter().all(|look| !of_look(look).is_empty());
    let changing = always_some.then(|| of_all(looks, &now, false)).flatten();
    changing.map(Holders::Ready)
}

/// What those threads had of the CPUs, unless one of them was not ready at a look that counts.
fn of_all(looks: &[Vec<Witness>], tids: &[i32], throughout: bool) -> Option<ReadyHolders> {
    let (first, latest) = (looks.first()?, looks.last()?);
    let then = |look: &'_ [Witness], tid: i32| look.iter().find(|then| then.tid == tid).cloned();
    let mut found: Option<ReadyHolders> = None;
    for &tid in tids {
        let is_ready = |look: &Vec<Witness>| then(look, tid).is_some_and(|then| then.state == 'R');
        let were_ready = if throughout {
            looks.iter().all(is_ready)
        } else {
            is_ready(latest)
        };
        // One that sleeps, or waits for storage, is not kept from a CPU.
        were_ready.then_some(())?;
        let now = then(latest, tid)?;
        // One that came later has not had it all the while.
        let Some(base) = then(first, tid) else {
            continue;
        };
        let cpu = now.cpu?.saturating_sub(base.cpu?);
        let watched = now.at.saturating_sub(base.at);
        let others = found.unwrap_or(ReadyHolders {
            count: 0,
            cpu,
            watched,
            throughout,
            is_named: false,
        });
        found = Some(ReadyHolders {
            count: others.count + 1,
            cpu: others.cpu.max(cpu),
            watched: others.watched.min(watched),
            throughout,
            is_named: false,
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

    fn is_named(holders: Holders) -> bool {
        matches!(holders, Holders::Ready(ReadyHolders { is_named: true, .. }))
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
            // A link of a chain of locks does not tell its end.
            (
                vec![ready(4, 5, 0), waits(3, 5)],
                vec![
                    ready(4, 10, 0),
                    Witness {
                        futex: Some(0x6000),
                        ..mentions(waits(3, 10))
                    },
                ],
                Some((1, 0, 5)),
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
            let found = holders(LOCK, None, &[first, latest]);
            let expected = expected.map(|(count, cpu, watched)| {
                Holders::Ready(ReadyHolders {
                    count,
                    cpu: ms(cpu),
                    watched: ms(watched),
                    throughout: true,
                    is_named: found.is_some_and(is_named),
                })
            });
            assert_eq!(found, expected, "{shown}");
        }
    }

    /// The owner that the lock names counts alone; without its clock nothing is known.
    #[test]
    fn owners_and_clocks() {
        let looks = [
            vec![ready(3, 5, 0), ready(4, 5, 0)],
            vec![ready(3, 15, 9), ready(4, 15, 1)],
        ];
        let Some(Holders::Ready(owned)) = holders(LOCK, Some(4), &looks) else {
            panic!("ready")
        };
        assert_eq!((owned.count, owned.cpu), (1, ms(1)));
        assert!(owned.is_named);
        let unowned = holders(LOCK, None, &looks);
        assert!(unowned.is_some_and(|found| !is_named(found)));
        let clockless = |at| Witness {
            cpu: None,
            ..ready(3, at, 0)
        };
        let looks = [vec![clockless(5)], vec![clockless(10)]];
        assert_eq!(holders(LOCK, None, &looks), None);
    }

    /// One look is too little, unless it shows a holder asleep.
    #[test]
    fn one_look() {
        let sleeper = mentions(asleep(3, 5, "clock_nanosleep"));
        for (look, owner, expected) in [
            (vec![waits(2, 5)], None, Some(Holders::SeenOnce)),
            (vec![ready(4, 5, 0)], None, Some(Holders::SeenOnce)),
            (vec![ready(4, 5, 0)], Some(4), Some(Holders::SeenOnce)),
            (vec![ready(4, 5, 0), sleeper], None, None),
            (vec![asleep(4, 5, "read")], Some(4), None),
        ] {
            let shown = format!("{look:?} {owner:?}");
            assert_eq!(holders(LOCK, owner, &[look]), expected, "{shown}");
        }
        assert_eq!(holders(LOCK, None, &[]), None);
    }

    /// In a convoy each look finds others ready; a look that finds nobody ready shows that it is none.
    #[test]
    fn convoys() {
        let convoy = |first: Witness| {
            let sleeps = |at| asleep(9, at, "clock_nanosleep");
            let latest = vec![ready(4, 10, 2), ready(5, 10, 90), sleeps(10)];
            holders(LOCK, None, &[vec![first, waits(4, 5), sleeps(5)], latest])
        };
        let handed_on = Holders::Ready(ReadyHolders {
            count: 1,
            cpu: ms(2),
            watched: ms(5),
            throughout: false,
            is_named: false,
        });
        assert_eq!(convoy(ready(3, 5, 0)), Some(handed_on));
        assert_eq!(convoy(asleep(3, 5, "read")), None);
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
                throughout: true,
                is_named: true,
            };
            assert_eq!(holders.starve(ms(10)), expected, "{cpu} of {watched}");
        }
    }
}
