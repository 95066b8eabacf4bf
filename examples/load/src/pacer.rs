//! Waits for the intended times, more exactly than a runtime's timer can.
//!
//! Tokio's timers tick in milliseconds and the kernel wakes a sleeper some fifty microseconds late. So a thread of its own
//! sleeps until shortly before the time and spins for the rest. A late message is sent at once, never skipped: the delay is
//! part of what is measured. It must not know what it paces.

use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::stop::Stop;

/// How long before the intended time the thread stops sleeping: a little more than the kernel's usual lateness.
const SPIN: Duration = Duration::from_micros(60);

/// How often a closed loop looks for its answer.
const ANSWER_POLL: Duration = Duration::from_micros(20);

/// Longest single sleep, so that a cancelled run ends at once for a person.
const SLEEP_MAX: Duration = Duration::from_millis(20);

/// Calls `send` with the index and intended time of each message when it is due. Returns early when stopped.
pub(crate) fn pace(
    clock: Clock,
    intended_ns: &[u64],
    stop: &Stop,
    mut send: impl FnMut(usize, u64),
) {
    for (index, intended) in intended_ns.iter().enumerate() {
        if !wait_until(clock.at(*intended), stop) {
            return;
        }
        send(index, *intended);
    }
}

/// Sends as a closed loop would: waits for the answer before each message, and leaves out those whose successor is due by
/// then. This is the mistake, kept to be shown: what was left out is what a stall would have cost.
#[expect(
    clippy::disallowed_methods,
    reason = "the pacing thread is its own and has no runtime"
)]
pub(crate) fn pace_closed(
    clock: Clock,
    intended_ns: &[u64],
    stop: &Stop,
    is_answered: impl Fn() -> bool,
    mut send: impl FnMut(usize, u64),
) {
    for (index, intended) in intended_ns.iter().enumerate() {
        while !is_answered() {
            if stop.is_set() {
                return;
            }
            std::thread::sleep(ANSWER_POLL);
        }
        let next = intended_ns.get(index + 1);
        if next.is_some_and(|next| *next <= clock.now_ns()) {
            continue;
        }
        if !wait_until(clock.at(*intended), stop) {
            return;
        }
        send(index, *intended);
    }
}

/// Waits for a moment; says whether it has come, rather than the stop.
#[expect(
    clippy::disallowed_methods,
    reason = "the pacing thread is its own and has no runtime"
)]
pub(crate) fn wait_until(moment: Instant, stop: &Stop) -> bool {
    loop {
        if stop.is_set() {
            return false;
        }
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        match left.checked_sub(SPIN) {
            Some(sleep) if !sleep.is_zero() => std::thread::sleep(sleep.min(SLEEP_MAX)),
            _ => std::hint::spin_loop(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: no message goes before its time, none is skipped, and late ones follow at once.
    #[test]
    fn sends_all_and_never_early() {
        let clock = Clock::starting_at(Instant::now());
        let intended: Vec<u64> = (0..50).map(|index| index * 200_000).collect();
        let mut sent = Vec::new();
        pace(clock, &intended, &Stop::default(), |index, intended| {
            assert!(clock.now_ns() >= intended);
            sent.push(index);
            if index == 0 {
                // Late for all the others from here on.
                let late = clock.at(30_000_000);
                assert!(wait_until(late, &Stop::default()));
            }
        });
        assert_eq!(sent, (0..50).collect::<Vec<_>>());
    }

    /// Goal: a closed loop waits for answers and forgets what was due meanwhile.
    #[test]
    fn closed_loop_leaves_out() {
        let clock = Clock::starting_at(Instant::now());
        let intended: Vec<u64> = (0..10).map(|index| index * 10_000_000).collect();
        let mut sent = Vec::new();
        // The answer to the first message takes until the sixth is due.
        let is_answered = || clock.now_ns() < 1_000_000 || clock.now_ns() > 55_000_000;
        pace_closed(
            clock,
            &intended,
            &Stop::default(),
            is_answered,
            |index, _| sent.push(index),
        );
        assert!(!sent.contains(&2) && !sent.contains(&3), "{sent:?}");
        assert_eq!(sent.last(), Some(&9));
    }

    /// Goal: a stop ends the wait for a moment far away.
    #[test]
    fn stop_ends_the_wait() {
        let stop = Stop::default();
        let far = Instant::now() + Duration::from_secs(3600);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait_until(far, &stop));
            stop.set();
            assert!(!waiting.join().unwrap());
        });
    }
}
