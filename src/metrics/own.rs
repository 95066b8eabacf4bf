//! The toolkit's own values and the process's, for a scrape.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Samples;
use super::catalogue as table;
use crate::debug;
use crate::procfs::{ProcessUsage, open_descriptors};
use crate::report::to_f64;
use crate::runtime::{delays, slots};
use crate::watchdog::Stats;

/// The watchdog's counters.
pub(crate) fn sample_watchdog(stats: &Stats, samples: &mut Samples) {
    let count = |counter: &AtomicU64| to_f64(counter.load(Ordering::Relaxed));
    for (outcome, counter) in [
        ("syscall", &stats.captured_syscall),
        ("signal", &stats.captured_signal),
        ("cut", &stats.captured_cut),
        ("none", &stats.captured_none),
        ("saved", &stats.captures_saved),
        ("deferred", &stats.captures_deferred),
    ] {
        samples.set(&table::CAPTURES, &[outcome], count(counter));
    }
    samples.set(
        &table::INTERRUPTED_CALLS,
        &[],
        count(&stats.interrupted_calls),
    );
    samples.set(
        &table::BLOCKED_THREADS_SIGNALLED,
        &[],
        count(&stats.signalled_in_call),
    );
    for (cause, counter) in [
        ("crowded", &stats.crowded),
        ("throttled", &stats.throttled),
        ("frozen", &stats.frozen),
        ("suspended", &stats.suspended),
    ] {
        samples.set(&table::WATCHDOG_LATE, &[cause], count(counter));
    }
    samples.set(
        &table::REPORTS_DROPPED,
        &["reporter"],
        count(&stats.dropped),
    );
    samples.set(&table::WATCHDOG_LOOKS, &[], count(&stats.looks));
    let cpu = Duration::from_nanos(stats.cpu_ns.load(Ordering::Relaxed));
    samples.set(&table::WATCHDOG_CPU, &[], cpu.as_secs_f64());
    samples.set(&table::LINTS_UNTOLD, &[], to_f64(debug::untold()));
    samples.set(&table::VICTIMS_LOST, &[], to_f64(delays::lost()));
    samples.set(
        &table::UNWATCHED_THREADS,
        &[],
        to_f64(slots::unwatched_threads()),
    );
}

/// The process's usage.
pub(crate) fn sample_process(samples: &mut Samples) {
    let Some(usage) = ProcessUsage::read() else {
        return;
    };
    samples.set(&table::RESIDENT_MEMORY, &[], to_f64(usage.resident_bytes));
    samples.set(&table::VIRTUAL_MEMORY, &[], to_f64(usage.virtual_bytes));
    samples.set(&table::PROCESS_CPU, &[], usage.cpu.as_secs_f64());
    samples.set(&table::THREADS, &[], to_f64(usage.threads));
    if let Some(descriptors) = open_descriptors() {
        samples.set(&table::OPEN_FDS, &[], to_f64(descriptors));
    }
    if let Some(age) = usage.age() {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        samples.set(
            &table::START_TIME,
            &[],
            now.saturating_sub(age).as_secs_f64(),
        );
    }
}
