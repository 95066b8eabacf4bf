//! What pollscope itself costs a process: wake-ups while idle, CPU while busy, memory with everything full.
//!
//! Each figure is measured in a process of its own and printed beside its limit; a missed limit fails the run.
//! `cargo bench --bench footprint`; three minutes, half of that with `-- limits`, for those that have one. CPU and wake-ups
//! are those of the threads named `pollscope-*`, which is all the library has.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "the benchmark's own thread waits, and reads procfs"
)]

use std::any::Any;
use std::fs;
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};

use addr2line::Loader;
use pollscope::{Config, Scope};
use tokio::runtime::{Builder, Handle};

/// Workers of every runtime whose figure has a limit.
const WORKERS: usize = 8;

/// Workers of the runtimes that show how the cost grows with them.
const MANY_WORKERS: [usize; 3] = [8, 64, 256];

/// Time for start-up (threads, debug information, first probes) to be over.
const SETTLE: Duration = Duration::from_secs(4);

/// The watchdog's pace at the default threshold, for the thread that does nothing else.
const PACE: Duration = Duration::from_micros(4500);

/// Runs of the busy figures, in turn; their medians are told.
const BUSY_RUNS: usize = 3;

/// Times what a bare sleeper takes: a watchdog that takes no more is held up by the machine, not by itself.
const BARE_RATIO_MAX: f64 = 2.5;

/// Length of one measurement.
const MEASURE: Duration = Duration::from_secs(5);

/// Stall events that a scope keeps; with these the ring is full.
const RING_LEN: usize = 512;

/// Longest wait for a full ring.
const FILL_MAX: Duration = Duration::from_secs(60);

const MIB: f64 = 1024.0 * 1024.0;

/// One process: its name, what it prints, and the most that may come of it.
struct Measure {
    name: &'static str,
    what: &'static str,
    limit: f64,
    figure: fn() -> f64,
}

const MEASURES: [Measure; 5] = [
    Measure {
        name: "idle-hooks",
        what: "idle, built runtime (T2, T1 without tokio_unstable): wake-ups a second",
        limit: 0.0,
        figure: || idle(&Kind::Built),
    },
    Measure {
        name: "idle-no-task-hooks",
        what: "idle, built runtime without task hooks (T1): wake-ups a second",
        limit: 0.0,
        figure: || idle(&Kind::NoTaskHooks),
    },
    Measure {
        name: "idle-attached",
        what: "idle, attached runtime (T0): wake-ups a second",
        limit: 10.0,
        figure: || idle(&Kind::Attached),
    },
    Measure {
        name: "busy",
        what: "8 workers, each a tenth busy, threshold 10 ms: % of a core",
        limit: 0.5,
        figure: || median(|| in_process("busy-once")),
    },
    Measure {
        name: "memory",
        what: "memory with a full ring, without debug information: MiB",
        limit: 8.0,
        figure: memory,
    },
];

fn main() -> ExitCode {
    let asked = std::env::args().nth(1).unwrap_or_default();
    if let Some(figure) = figure(&asked) {
        println!("{figure}");
        return ExitCode::SUCCESS;
    }
    println!("{:<76} {:>8} {:>8}", "", "figure", "limit");
    let missed = limited();
    if asked != "limits" {
        unlimited();
    }
    if missed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What a process of this benchmark was started for, measured; `None` for the benchmark itself.
fn figure(asked: &str) -> Option<f64> {
    if let Some((kind, workers)) = asked.split_once("-mostly-idle-") {
        let kind = Kind::of(kind).expect("a kind of runtime");
        let workers = workers.parse().expect("a number of workers");
        return Some(mostly_idle(&kind, workers));
    }
    let measure = || MEASURES.iter().find(|measure| measure.name == asked);
    Some(match asked {
        "debug-information" => debug_information(),
        "busy-once" => busy(Duration::from_millis(1)),
        "bare" => bare(),
        "overloaded" => busy(Duration::ZERO),
        _ => (measure()?.figure)(),
    })
}

/// Prints what has a limit, and gives how many miss it.
fn limited() -> u32 {
    let mut missed = 0;
    for measure in &MEASURES {
        let figure = in_process(measure.name);
        let is_missed = figure > measure.limit;
        let bare = (measure.name == "busy").then(|| median(|| in_process("bare")));
        let is_dear = bare.is_some_and(|bare| figure <= bare * BARE_RATIO_MAX);
        let verdict = match (is_missed, is_dear) {
            (false, _) => "",
            (true, true) => "missed, but wake-ups are dear here",
            (true, false) => "MISSED",
        };
        missed += u32::from(is_missed && !is_dear);
        println!(
            "{:<76} {figure:>8.3} {:>8} {verdict}",
            measure.what, measure.limit
        );
        if let Some(bare) = bare {
            // What no watchdog of this pace can go below on this machine.
            row(
                "the same of a thread that only sleeps at its pace: % of a core",
                bare,
            );
        }
    }
    missed
}

/// Prints what has none.
fn unlimited() {
    // With more workers than CPUs polls do stall, for want of a CPU, and are looked into.
    row(
        "8 workers, never idle, on the CPUs there are: % of a core",
        in_process("overloaded"),
    );
    row(
        "debug information of this executable, parsed for one address: MiB",
        in_process("debug-information"),
    );
    // What grows with the workers must be seen to grow no faster than they.
    for (tier, kind) in [("T0", "attached"), ("T1", "no-task-hooks")] {
        for workers in MANY_WORKERS {
            row(
                &format!("{workers} workers, all but one idle, {tier}: % of a core"),
                in_process(&format!("{kind}-mostly-idle-{workers}")),
            );
        }
    }
}

fn row(what: &str, figure: f64) {
    println!("{what:<76} {figure:>8.3}");
}

/// The figure that a fresh process of this benchmark prints.
fn in_process(name: &str) -> f64 {
    let output = Command::new("/proc/self/exe").arg(name).output();
    let output = output.expect("this benchmark as a process");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("expected a figure of {name}, got {output:?}"))
}

enum Kind {
    Built,
    NoTaskHooks,
    Attached,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        match name {
            "attached" => Some(Self::Attached),
            "no-task-hooks" => Some(Self::NoTaskHooks),
            _ => None,
        }
    }
}

/// A watched runtime of either make, kept alive.
struct Service {
    handle: Handle,
    _runtime: Box<dyn Any>,
    _scope: Scope,
}

fn start(kind: &Kind, workers: usize) -> Service {
    let scope = Scope::start(Config::default()).expect("the only scope of this process");
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).enable_all();
    let built = match kind {
        Kind::Built => scope.runtime(builder),
        Kind::NoTaskHooks => scope.runtime(builder).without_task_hooks(),
        Kind::Attached => {
            let runtime = builder.build().expect("a runtime");
            let attached = runtime.block_on(async { scope.attach() });
            attached.expect("a runtime to attach to");
            return Service {
                handle: runtime.handle().clone(),
                _runtime: Box::new(runtime),
                _scope: scope,
            };
        }
    };
    let runtime = built.name("bench").build().expect("a runtime");
    Service {
        handle: runtime.handle().clone(),
        _runtime: Box::new(runtime),
        _scope: scope,
    }
}

/// Wake-ups a second of our threads while a runtime has a listener and a task that waits, and nothing comes.
fn idle(kind: &Kind) -> f64 {
    let service = start(kind, WORKERS);
    service.handle.spawn(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        listener.expect("a loopback port").accept().await.map(drop)
    });
    sleep(SETTLE);
    let before = own_threads(switches);
    sleep(MEASURE);
    (own_threads(switches) - before) / MEASURE.as_secs_f64()
}

/// CPU time of our threads, in percent of a core, while each worker works and pauses.
fn busy(pause: Duration) -> f64 {
    let service = start(&Kind::Built, WORKERS);
    work(&service.handle, pause);
    own_share()
}

/// One task a worker that works and pauses for ever.
fn work(handle: &Handle, pause: Duration) {
    /// A poll of a busy service.
    const WORK: Duration = Duration::from_micros(100);
    for _ in 0..WORKERS {
        handle.spawn(async move {
            loop {
                let until = Instant::now() + WORK;
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
                if pause.is_zero() {
                    tokio::task::yield_now().await;
                } else {
                    tokio::time::sleep(pause).await;
                }
            }
        });
    }
}

/// The same of a thread that does nothing at the watchdog's pace, beside the same work.
fn bare() -> f64 {
    let built = std::thread::Builder::new().name("pollscope-bare".to_owned());
    let bare = built.spawn(|| {
        loop {
            sleep(PACE);
        }
    });
    bare.expect("a thread");
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .expect("a runtime");
    work(runtime.handle(), Duration::from_millis(1));
    own_share()
}

/// The same while one task comes and goes, so that the watchdog looks all the time, at workers that are nearly all parked.
fn mostly_idle(kind: &Kind, workers: usize) -> f64 {
    let service = start(kind, workers);
    service.handle.spawn(async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    own_share()
}

/// The middle of some runs.
fn median(figure: impl Fn() -> f64) -> f64 {
    let mut figures: Vec<f64> = (0..BUSY_RUNS).map(|_| figure()).collect();
    figures.sort_by(f64::total_cmp);
    figures[BUSY_RUNS / 2]
}

/// CPU time of our threads in percent of a core, once all has started.
fn own_share() -> f64 {
    sleep(SETTLE);
    let (before, began) = (own_threads(cpu_ns), Instant::now());
    sleep(MEASURE);
    let share = (own_threads(cpu_ns) - before) / began.elapsed().as_nanos() as f64;
    share * 100.0
}

/// What the scope adds to the process's own memory once its ring is full of stalls with stacks, less what the debug
/// information of the executable takes by itself.
fn memory() -> f64 {
    let debug_information = in_process("debug-information");
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(WORKERS).enable_all();
    let before = anonymous_bytes();
    let scope = Scope::start(Config::default()).expect("the only scope of this process");
    let runtime = scope.runtime(builder).name("bench").build();
    let runtime = runtime.expect("a runtime");
    let deadline = Instant::now() + FILL_MAX;
    let mut site = 0;
    while scope.stalls().len() < RING_LEN && Instant::now() < deadline {
        for _ in 0..WORKERS / 2 {
            site += 1;
            runtime.spawn(stall(site));
        }
        sleep(Duration::from_millis(60));
    }
    let after = anonymous_bytes();
    assert_eq!(scope.stalls().len(), RING_LEN, "expected a full ring");
    (after - before) / MIB - debug_information
}

/// Stalls that differ in depth, so that their stacks do.
async fn stall(site: usize) {
    down(site % 40);
}

#[inline(never)]
fn down(depth: usize) {
    if depth == 0 {
        sleep(Duration::from_millis(16));
    } else {
        down(depth - 1);
    }
    std::hint::black_box(depth);
}

/// MiB that one loader of debug information takes for its first address: the named exception to the limit of memory.
fn debug_information() -> f64 {
    let before = anonymous_bytes();
    let loader = Loader::new("/proc/self/exe").expect("this executable");
    let address = main as fn() -> ExitCode as usize as u64 - load_address();
    let found = loader.find_frames(address).is_ok();
    let after = anonymous_bytes();
    assert!(found, "expected readable debug information");
    (after - before) / MIB
}

/// Where the executable is mapped: its first mapping.
fn load_address() -> u64 {
    let maps = fs::read_to_string("/proc/self/maps").expect("the mappings");
    let start = maps.split('-').next().unwrap_or_default();
    u64::from_str_radix(start, 16).expect("an address")
}

/// A sum over the threads of the library; all of them have its name.
fn own_threads(value: fn(&str) -> f64) -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("the threads");
    let paths = tasks.map(|task| task.expect("a thread").path().display().to_string());
    paths
        .filter(|task| {
            fs::read_to_string(format!("{task}/comm"))
                .is_ok_and(|name| name.starts_with("pollscope-"))
        })
        .map(|task| value(&task))
        .sum()
}

/// How often a thread went to sleep, and so was woken: an involuntary switch is no wake-up.
fn switches(task: &str) -> f64 {
    let status = fs::read_to_string(format!("{task}/status")).expect("the thread's status");
    let counts = status.lines().filter_map(|line| {
        let (name, count) = line.split_once(':')?;
        (name == "voluntary_ctxt_switches").then(|| count.trim().parse::<f64>().expect("a count"))
    });
    counts.sum()
}

fn cpu_ns(task: &str) -> f64 {
    let schedule = fs::read_to_string(format!("{task}/schedstat")).expect("the thread's times");
    let first = schedule.split(' ').next().unwrap_or_default();
    first.parse().expect("nanoseconds")
}

/// Memory of this process that no file backs.
fn anonymous_bytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("the process's status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
    line.and_then(|kilobytes| kilobytes.trim().parse::<f64>().ok())
        .expect("a line RssAnon")
        * 1024.0
}
