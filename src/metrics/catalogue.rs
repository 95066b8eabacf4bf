//! Every metric of the toolkit itself: stalls, runtimes, process, and its own cost.
//!
//! All of them are sampled at scrape time from values that somebody keeps anyway, so counting costs nothing extra.

use super::table::{Metric, Table, Unit};

/// Stalls reported, by their verdict when they were opened.
pub static STALLS: Metric = Metric::counter(
    "pollscope_stalls_total",
    &["runtime", "verdict"],
    "Stalls that were opened, by runtime and first verdict.",
    "Something holds workers for longer than the threshold; `/stalls` names the line.",
);

/// Seconds of finished stalls.
pub static STALL_SECONDS: Metric = Metric::counter(
    "pollscope_stall_seconds_total",
    &["runtime", "verdict"],
    "Time that workers spent in stalls that have ended.",
    "Requests on these workers waited that long; a slope of 0.1 is a tenth of one worker lost.",
)
.in_unit(Unit::Seconds);

/// Stalls now.
pub static STALLS_ACTIVE: Metric = Metric::gauge(
    "pollscope_stalls_active",
    &["runtime"],
    "Stalls that are open at this moment.",
    "Workers are stuck right now; equal to the number of workers means the runtime stands still.",
);

/// Seconds by site.
pub static STALL_SITE_SECONDS: Metric = Metric::counter(
    "pollscope_stall_site_seconds_total",
    &["site", "verdict"],
    "Time in stalls that have ended, by the line that caused them; the worst sites and `other`.",
    "This line is the one to change.",
)
.in_unit(Unit::Seconds);

/// Seconds that others waited.
pub static STALL_VICTIM_SECONDS: Metric = Metric::counter(
    "pollscope_stall_victim_delay_seconds_total",
    &["site", "verdict", "basis"],
    "Time that other tasks waited for stalls that have ended, by the line that caused them; `basis` is `measured` where it can be, else `estimated`, from queue depths.",
    "This line is the one that costs others most, which a short stall of a full worker can do.",
)
.in_unit(Unit::Seconds);

/// Waits lost.
pub static VICTIMS_LOST: Metric = Metric::counter(
    "pollscope_victims_lost_total",
    &[],
    "Tasks that waited for a stall and were not counted among its victims because too many came at once.",
    "The victims of stalls are more than the events say.",
);

/// Stalls excused.
pub static STALLS_EXCUSED: Metric = Metric::counter(
    "pollscope_stalls_excused_total",
    &["reason"],
    "Long polls that are no stalls, such as `block_in_place`.",
    "Blocking work is announced to the runtime; harmless unless the blocking pool runs out.",
);

/// Time in announced blocks.
pub static BLOCK_IN_PLACE_SECONDS: Metric = Metric::counter(
    "pollscope_block_in_place_seconds_total",
    &["runtime"],
    "Time in polls over the threshold that were announced by `block_in_place` and have ended.",
    "More blocking work in tasks; each second held a thread beside the worker.",
)
.in_unit(Unit::Seconds);

/// Findings.
pub static FINDINGS: Metric = Metric::counter(
    "pollscope_findings_total",
    &["runtime", "kind"],
    "Findings that were opened: conditions that are no stalls, by kind.",
    "A condition comes and goes; `/findings` has its figures and what to do.",
);

/// Lints of the debug mode that were not told.
pub static LINTS_UNTOLD: Metric = Metric::counter(
    "pollscope_debug_lints_untold_total",
    &[],
    "Lints of the debug mode that were counted but not told: repeats of a line, or too many at once.",
    "A mistake is repeated; it was told at its first, tenth, hundredth time.",
);

/// Findings now.
pub static FINDINGS_ACTIVE: Metric = Metric::gauge(
    "pollscope_findings_active",
    &["runtime", "kind"],
    "Findings that are open at this moment, by kind.",
    "The condition lasts; `/findings` has its figures and what to do.",
);

/// Log reports held back.
pub static REPORTS_SUPPRESSED: Metric = Metric::counter(
    "pollscope_reports_suppressed_total",
    &[],
    "Stalls not logged because their cause was logged before; the ring and the metrics have them.",
    "One cause stalls again and again.",
);

/// Reports lost.
pub static REPORTS_DROPPED: Metric = Metric::counter(
    "pollscope_reports_dropped_total",
    &["sink"],
    "Reports lost on the way: `reporter` was behind with everything, `log` only with the subscriber.",
    "`reporter`: more stalls at once than can be symbolised. `log`: a `tracing` subscriber blocks or panics; ring and metrics have the events.",
);

/// Captures.
pub static CAPTURES: Metric = Metric::counter(
    "pollscope_captures_total",
    &["outcome"],
    "Stack captures by outcome: `syscall` and `signal` gave whole stacks, `cut` a part, `none` nothing, `saved` were not tried for the budget, `deferred` were put off to the next look.",
    "`cut` and `none`: stacks could not be proven, or threads did not answer; events then carry no line. `deferred`: many stall at once, or threads do not answer.",
);

/// Interrupted calls.
pub static INTERRUPTED_CALLS: Metric = Metric::counter(
    "pollscope_interrupted_calls_total",
    &[],
    "System calls of the service that a signal for a stack may have broken off.",
    "Blocked threads could not be read from outside. Calls that the kernel restarts go on unnoticed; with `POLLSCOPE_SIGNAL=always` others may fail with EINTR.",
);

/// Blocked threads that were signalled.
pub static BLOCKED_THREADS_SIGNALLED: Metric = Metric::counter(
    "pollscope_blocked_threads_signalled_total",
    &[],
    "Those interrupted calls that the thread was known to stand in when it was sent the signal.",
    "Blocked threads could not be read from outside: unwind tables are missing, or stacks are no ordinary ones. Zero is usual.",
);

/// Watchdog late.
pub static WATCHDOG_LATE: Metric = Metric::counter(
    "pollscope_watchdog_late_total",
    &["cause"],
    "Times the watchdog woke at least 20 ms late: `crowded` machine, `throttled` by the CPU quota, `frozen` process, `suspended` machine.",
    "The machine has too little CPU, or pauses; stalls of that time are the machine's doing.",
);

/// Watchdog CPU.
pub static WATCHDOG_CPU: Metric = Metric::counter(
    "pollscope_watchdog_cpu_seconds_total",
    &[],
    "CPU time of the watchdog thread.",
    "The toolkit's own cost; a slope above 0.005 is more than it promises.",
)
.in_unit(Unit::Seconds);

/// Watchdog looks.
pub static WATCHDOG_LOOKS: Metric = Metric::counter(
    "pollscope_watchdog_looks_total",
    &[],
    "Times the watchdog looked at the workers.",
    "Workers are awake; it does not look while all are parked.",
);

/// Threads without a slot.
pub static UNWATCHED_THREADS: Metric = Metric::counter(
    "pollscope_unwatched_threads_total",
    &[],
    "Runtime threads that found no free slot and are not watched.",
    "More than 1024 runtime threads at once; stalls of the rest are not seen.",
);

/// Tasks with a record.
pub static WATCHED_TASKS: Metric = Metric::gauge(
    "pollscope_watched_tasks",
    &["runtime", "state"],
    "Live tasks of `pollscope::spawn` by what they do: `never-polled`, `polling`, `ready`, `waiting`.",
    "`ready` and `never-polled`: tasks wait for a worker, too few or stalled; `waiting` without an end: a task leak.",
);

/// Tasks without one.
pub static UNLISTED_TASKS: Metric = Metric::counter(
    "pollscope_unlisted_tasks_total",
    &[],
    "Tasks of `pollscope::spawn` that were not listed because 65,536 were alive.",
    "Stalls of these tasks are seen as ever; what needs the list (lost wakers, tasks that never run) is not.",
);

/// Workers.
pub static WORKERS: Metric = Metric::gauge(
    "tokio_workers",
    &["runtime"],
    "Worker threads of the runtime.",
    "Fixed when the runtime is built.",
);

/// Busy time.
pub static WORKER_BUSY: Metric = Metric::counter(
    "tokio_worker_busy_seconds_total",
    &["runtime", "worker"],
    "Time the worker was not parked, as Tokio publishes it: frozen while one poll lasts.",
    "The worker is used; a slope near 1 is saturation, a flat line on a loaded service is a stall.",
)
.in_unit(Unit::Seconds);

/// Parks.
pub static WORKER_PARKS: Metric = Metric::counter(
    "tokio_worker_parks_total",
    &["runtime", "worker"],
    "Times the worker went idle.",
    "Plenty of idle moments; falling under load means the worker never gets to rest.",
);

/// Alive tasks.
pub static ALIVE_TASKS: Metric = Metric::gauge(
    "tokio_alive_tasks",
    &["runtime"],
    "Tasks that were spawned and have not ended.",
    "More work in flight; without an end it is a task leak.",
);

/// Global queue.
pub static GLOBAL_QUEUE: Metric = Metric::gauge(
    "tokio_global_queue_depth",
    &["runtime"],
    "Tasks ready in the queue that all workers share.",
    "Ready tasks wait for a worker: too few workers, or some are stalled.",
);

/// Resident memory.
pub static RESIDENT_MEMORY: Metric = Metric::gauge(
    "process_resident_memory_bytes",
    &[],
    "Resident memory size in bytes.",
    "The process keeps more; with growing queues or tasks it is a leak.",
)
.in_unit(Unit::Bytes);

/// Virtual memory.
pub static VIRTUAL_MEMORY: Metric = Metric::gauge(
    "process_virtual_memory_bytes",
    &[],
    "Virtual memory size in bytes.",
    "Address space only; rarely a problem by itself.",
)
.in_unit(Unit::Bytes);

/// CPU time.
pub static PROCESS_CPU: Metric = Metric::counter(
    "process_cpu_seconds_total",
    &[],
    "User and system CPU time of the process.",
    "The process works; a slope near the number of CPUs is saturation.",
)
.in_unit(Unit::Seconds);

/// File descriptors.
pub static OPEN_FDS: Metric = Metric::gauge(
    "process_open_fds",
    &[],
    "Open file descriptors.",
    "More connections or files; near the limit accepts fail.",
);

/// Threads.
pub static THREADS: Metric = Metric::gauge(
    "process_threads",
    &[],
    "Threads of the process.",
    "The blocking pool grows: blocking work piles up.",
);

/// Start time.
pub static START_TIME: Metric = Metric::gauge(
    "process_start_time_seconds",
    &[],
    "Begin of the process in seconds since the Unix epoch.",
    "The process was restarted.",
)
.in_unit(Unit::Seconds);

/// The toolkit's table.
pub static TOOLKIT: Table = &[
    &STALLS,
    &STALL_SECONDS,
    &STALLS_ACTIVE,
    &STALL_SITE_SECONDS,
    &STALL_VICTIM_SECONDS,
    &VICTIMS_LOST,
    &STALLS_EXCUSED,
    &BLOCK_IN_PLACE_SECONDS,
    &FINDINGS,
    &FINDINGS_ACTIVE,
    &LINTS_UNTOLD,
    &REPORTS_SUPPRESSED,
    &REPORTS_DROPPED,
    &CAPTURES,
    &INTERRUPTED_CALLS,
    &BLOCKED_THREADS_SIGNALLED,
    &WATCHDOG_LATE,
    &WATCHDOG_CPU,
    &WATCHDOG_LOOKS,
    &UNWATCHED_THREADS,
    &WATCHED_TASKS,
    &UNLISTED_TASKS,
    &WORKERS,
    &WORKER_BUSY,
    &WORKER_PARKS,
    &ALIVE_TASKS,
    &GLOBAL_QUEUE,
    &RESIDENT_MEMORY,
    &VIRTUAL_MEMORY,
    &PROCESS_CPU,
    &OPEN_FDS,
    &THREADS,
    &START_TIME,
];
