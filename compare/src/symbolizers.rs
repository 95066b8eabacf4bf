//! Which crate names the frames of a stall: `addr2line`, `backtrace` or `blazesym`.
//!
//! Each candidate resolves the same kind of stack, taken inside a task of a real runtime, in a fresh process: the cold
//! figure is the first stack of that process, the warm one the same stack again. Candidates are interleaved, since
//! other work on the machine must hit all of them alike.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::row::Row;

/// The hidden word under which the program measures one candidate.
pub(crate) const CHILD: &str = "--measure-symbolizer";

const CANDIDATES: [&str; 3] = ["addr2line", "backtrace", "blazesym"];
const REPETITIONS: usize = 7;
const WARM_ROUNDS: u32 = 50;

/// What one fresh process measured.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    addresses: usize,
    frames: usize,
    /// Whether the function that took the stack was named with its file and line.
    right_line: bool,
    cold_ms: f64,
    warm_us_per_address: f64,
    anonymous_mib: f64,
    kept_mib: f64,
}

/// Metric, unit, and where it stands.
type Figure = (&'static str, &'static str, fn(&Measured) -> f64);

/// Measures all candidates.
pub(crate) fn measure() -> Vec<Row> {
    let mut measured: Vec<Vec<Measured>> = CANDIDATES.iter().map(|_| Vec::new()).collect();
    for _ in 0..REPETITIONS {
        for (candidate, measured) in CANDIDATES.iter().zip(&mut measured) {
            measured.push(run_child(candidate));
        }
    }
    let mut rows = Vec::new();
    let figures: [Figure; 6] = [
        ("cold, one stack", "ms", |one| one.cold_ms),
        ("warm, per address", "µs", |one| one.warm_us_per_address),
        ("memory added", "MiB", |one| one.anonymous_mib),
        ("memory kept after drop", "MiB", |one| one.kept_mib),
        ("frames with inlined ones", "frames", |one| {
            one.frames as f64
        }),
        ("own line right", "of 1", |one| {
            f64::from(u8::from(one.right_line))
        }),
    ];
    for (metric, unit, figure) in figures {
        let mut baseline = None;
        for (candidate, measured) in CANDIDATES.iter().zip(&measured) {
            let values = measured.iter().map(figure).collect();
            let row = Row::new("symbolizers", candidate, metric, unit, values, baseline);
            baseline.get_or_insert(row.value);
            rows.push(row);
        }
    }
    rows
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measuring program without a runtime of its own"
)]
fn run_child(candidate: &str) -> Measured {
    let this = std::env::current_exe().expect("the program's own path");
    let output = Command::new(this)
        .args([CHILD, candidate])
        .output()
        .expect("the program starts itself");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{candidate}: {error}: {output:?}"))
}

/// The child's work; prints one JSON object.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
pub(crate) fn child(candidate: &str) {
    let addresses = stack_of_a_task();
    let mut resolve = resolver(candidate);
    let before = anonymous_mib();
    let began = Instant::now();
    let frames = resolve(&addresses);
    let cold_ms = began.elapsed().as_secs_f64() * 1e3;
    let began = Instant::now();
    for _ in 0..WARM_ROUNDS {
        black_box(resolve(&addresses));
    }
    let warm =
        began.elapsed().as_secs_f64() * 1e6 / f64::from(WARM_ROUNDS) / addresses.len() as f64;
    let anonymous = anonymous_mib() - before;
    drop(resolve);
    let measured = Measured {
        addresses: addresses.len(),
        frames: frames.len(),
        right_line: frames
            .iter()
            .any(|frame| frame.contains("take_stack") && frame.contains("symbolizers.rs:")),
        cold_ms,
        warm_us_per_address: warm,
        anonymous_mib: anonymous,
        kept_mib: anonymous_mib() - before,
    };
    println!(
        "{}",
        serde_json::to_string(&measured).expect("plain numbers")
    );
}

/// Return addresses of a stack inside a task, as a capture would give them. A plain runtime: pollscope would warm its own
/// symbolizer and with it the figures.
fn stack_of_a_task() -> Vec<usize> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        tokio::spawn(handler())
            .await
            .expect("the task does not panic")
    })
}

async fn handler() -> Vec<usize> {
    tokio::task::yield_now().await;
    take_stack()
}

#[inline(never)]
fn take_stack() -> Vec<usize> {
    let mut addresses = Vec::new();
    backtrace::trace(|frame| {
        // Return addresses point behind the call.
        addresses.push((frame.ip() as usize).saturating_sub(1));
        true
    });
    addresses
}

/// A resolver gives `function file:line` for every frame, inlined ones included.
type Resolver = Box<dyn FnMut(&[usize]) -> Vec<String>>;

fn resolver(candidate: &str) -> Resolver {
    match candidate {
        "addr2line" => with_addr2line(),
        "backtrace" => with_backtrace(),
        "blazesym" => with_blazesym(),
        other => panic!("no symbolizer {other:?}, expected one of {CANDIDATES:?}"),
    }
}

fn with_addr2line() -> Resolver {
    let mut loader = None;
    let bias = load_bias();
    Box::new(move |addresses| {
        let loader = loader.get_or_insert_with(|| {
            addr2line::Loader::new("/proc/self/exe").expect("the program can be read")
        });
        let mut found = Vec::new();
        for address in addresses {
            let Ok(mut frames) = loader.find_frames((*address as u64).wrapping_sub(bias)) else {
                continue;
            };
            while let Ok(Some(frame)) = frames.next() {
                let name = frame
                    .function
                    .as_ref()
                    .and_then(|function| function.raw_name().ok())
                    .unwrap_or_default();
                let place = frame
                    .location
                    .and_then(|place| Some(format!("{}:{}", place.file?, place.line?)))
                    .unwrap_or_default();
                found.push(format!("{:#} {place}", rustc_demangle::demangle(&name)));
            }
        }
        found
    })
}

fn with_backtrace() -> Resolver {
    Box::new(|addresses| {
        let mut found = Vec::new();
        for address in addresses {
            backtrace::resolve(*address as *mut _, |symbol| {
                let name = symbol
                    .name()
                    .map(|name| format!("{name:#}"))
                    .unwrap_or_default();
                let file = symbol
                    .filename()
                    .map(|file| file.display().to_string())
                    .unwrap_or_default();
                found.push(format!("{name} {file}:{}", symbol.lineno().unwrap_or(0)));
            });
        }
        found
    })
}

fn with_blazesym() -> Resolver {
    use blazesym::symbolize::source::{Process, Source};
    use blazesym::symbolize::{CodeInfo, Input, Symbolizer};

    let symbolizer = Symbolizer::new();
    let place = |code: Option<&CodeInfo<'_>>| {
        code.map(|code| format!("{}:{}", code.to_path().display(), code.line.unwrap_or(0)))
            .unwrap_or_default()
    };
    Box::new(move |addresses| {
        let addresses: Vec<u64> = addresses.iter().map(|address| *address as u64).collect();
        let source = Source::Process(Process::new(blazesym::Pid::Slf));
        let symbols = symbolizer
            .symbolize(&source, Input::AbsAddr(&addresses))
            .expect("its own process");
        let mut found = Vec::new();
        for symbol in symbols.iter().filter_map(|symbol| symbol.as_sym()) {
            found.extend(
                symbol.inlined.iter().map(|inlined| {
                    format!("{} {}", inlined.name, place(inlined.code_info.as_ref()))
                }),
            );
            found.push(format!(
                "{} {}",
                symbol.name,
                place(symbol.code_info.as_deref())
            ));
        }
        found
    })
}

/// Where the program was loaded: the start of its first mapping.
#[expect(
    clippy::disallowed_methods,
    reason = "a measuring program without a runtime of its own"
)]
fn load_bias() -> u64 {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.split('-')
        .next()
        .and_then(|start| u64::from_str_radix(start, 16).ok())
        .unwrap_or(0)
}

/// Anonymous resident memory.
#[expect(
    clippy::disallowed_methods,
    reason = "a measuring program without a runtime of its own"
)]
fn anonymous_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1024.0
}
