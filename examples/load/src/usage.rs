//! How much of a core the calling thread uses: a generator at its limit must not judge a service.

use std::time::{Duration, Instant};

/// The CPU time of one thread since a moment.
#[derive(Debug)]
pub(crate) struct ThreadUsage {
    began: Instant,
    used_before: Option<Duration>,
}

impl ThreadUsage {
    /// Begins to count for the calling thread.
    pub(crate) fn begin() -> Self {
        Self {
            began: Instant::now(),
            used_before: used(),
        }
    }

    /// CPU time since then in percent of a core; `None` if the kernel does not tell. Only on the thread that began.
    pub(crate) fn pct(&self) -> Option<f64> {
        let used = used()?.checked_sub(self.used_before?)?;
        let elapsed = self.began.elapsed().as_secs_f64();
        Some(100.0 * used.as_secs_f64() / elapsed.max(f64::MIN_POSITIVE))
    }
}

/// CPU time of the calling thread, in nanoseconds by the kernel.
#[expect(
    clippy::disallowed_methods,
    reason = "a file of the kernel, answered from memory, outside the run"
)]
fn used() -> Option<Duration> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = schedstat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a thread that computes is told from one that waits. The bounds are wide: this machine may be crowded.
    #[test]
    fn computing_is_told_from_waiting() {
        let usage = ThreadUsage::begin();
        let Some(used_before) = usage.used_before else {
            // A kernel without schedstat: the report then says that it does not know.
            assert_eq!(usage.pct(), None);
            return;
        };
        while used().unwrap() < used_before + Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        assert!(usage.pct().unwrap() > 0.0);
    }
}
