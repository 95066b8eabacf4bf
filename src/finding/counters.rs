//! Tokio's unstable counters, `None` where this build does not have them.

use tokio::runtime::RuntimeMetrics;

use super::sample::BlockingPool;

/// The blocking pool.
#[cfg(tokio_unstable)]
pub(crate) fn blocking_pool(metrics: &RuntimeMetrics) -> Option<BlockingPool> {
    Some(BlockingPool {
        threads: count(metrics.num_blocking_threads()),
        idle: count(metrics.num_idle_blocking_threads()),
        queued: count(metrics.blocking_queue_depth()),
    })
}

/// Tasks in the workers' own queues.
#[cfg(tokio_unstable)]
pub(crate) fn local_queues(metrics: &RuntimeMetrics) -> Option<u64> {
    let depth = |worker| count(metrics.worker_local_queue_depth(worker));
    Some((0..metrics.num_workers()).map(depth).sum())
}

/// Times that a task's budget was spent.
#[cfg(tokio_unstable)]
pub(crate) fn forced_yields(metrics: &RuntimeMetrics) -> Option<u64> {
    Some(metrics.budget_forced_yield_count())
}

/// Descriptors registered with the driver. Tokio counts them with its feature `net`, which `admin` turns on.
#[cfg(all(tokio_unstable, feature = "admin"))]
pub(crate) fn descriptors(metrics: &RuntimeMetrics) -> Option<u64> {
    let gone = metrics.io_driver_fd_deregistered_count();
    Some(metrics.io_driver_fd_registered_count().saturating_sub(gone))
}

#[cfg(not(tokio_unstable))]
pub(crate) fn blocking_pool(_metrics: &RuntimeMetrics) -> Option<BlockingPool> {
    None
}

#[cfg(not(tokio_unstable))]
pub(crate) fn local_queues(_metrics: &RuntimeMetrics) -> Option<u64> {
    None
}

#[cfg(not(tokio_unstable))]
pub(crate) fn forced_yields(_metrics: &RuntimeMetrics) -> Option<u64> {
    None
}

#[cfg(not(all(tokio_unstable, feature = "admin")))]
pub(crate) fn descriptors(_metrics: &RuntimeMetrics) -> Option<u64> {
    None
}

#[cfg(tokio_unstable)]
fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
