//! One profiling session: a thread that starts the sampler, waits, stops it, and makes something of the samples.
//!
//! Never on a worker: starting the sampler takes a tenth of a second, and symbols may take seconds. One at a time: the
//! sampler is process-wide. Whoever asked may go away; the session then ends early and frees its place.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use pprof::{Frames, ProfilerGuardBuilder};
use tokio::sync::oneshot;

use super::cpu_time;
use super::unwinder;
use super::{Function, Profile, Sample};
use crate::Error;

/// Fastest sampling: beyond the kernel's tick more is not given, and pprof divides by 0 and disarms above a million.
const HZ_MAX: u32 = 250;

/// Frames searched for the sampler's own; unoptimised builds have three.
const OWN_FRAMES_MAX: usize = 8;

/// Whether a session is under way in this process.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Why there is no profile.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another session is under way.
    Busy,
    /// This process cannot be profiled safely; the text says why.
    Unsafe(String),
    /// The sampler or the rendering failed.
    Failed(Error),
}

/// A session under way; dropping it ends the session early.
#[derive(Debug)]
pub(crate) struct Recording<T> {
    outcome: oneshot::Receiver<Result<T, Refused>>,
    _interest: mpsc::Sender<()>,
}

/// Begins to profile this process for `length` at `hz` (1 to 250) samples a second of CPU time; `render` then runs on
/// the session's thread.
///
/// # Errors
///
/// [`Refused::Busy`] while another session is under way, [`Refused::Failed`] when the thread cannot start.
pub(crate) fn record<T: Send + 'static>(
    length: Duration,
    hz: u32,
    render: impl FnOnce(&Profile) -> Result<T, Error> + Send + 'static,
) -> Result<Recording<T>, Refused> {
    let place = Place::take().ok_or(Refused::Busy)?;
    let (interest, gone) = mpsc::channel();
    let (result, outcome) = oneshot::channel();
    thread::Builder::new()
        .name("pollscope-profile".to_owned())
        .spawn(move || {
            // Locals are dropped last to first: after a panic, too, the place is free before the answer is there.
            let (result, place) = (result, place);
            let made = profile(length, hz.clamp(1, HZ_MAX), &gone);
            let made = match made {
                // Nobody is left to render for.
                _ if result.is_closed() => return,
                Ok(profile) => render(&profile).map_err(Refused::Failed),
                Err(refused) => Err(refused),
            };
            // The place is free before the answer is: who asks again at once is served.
            drop(place);
            let _ = result.send(made);
        })
        .map_err(|source| {
            Refused::Failed(Error::setup("the profiling thread cannot start").because(source))
        })?;
    Ok(Recording {
        outcome,
        _interest: interest,
    })
}

impl<T> Recording<T> {
    /// What `render` made, once the session is over.
    ///
    /// # Errors
    ///
    /// When the process cannot be profiled, or sampler or rendering failed.
    pub(crate) async fn finish(mut self) -> Result<T, Refused> {
        (&mut self.outcome).await.unwrap_or_else(|_| {
            Err(Refused::Failed(Error::setup(
                "the profiling thread panicked, its message is on the standard error stream",
            )))
        })
    }
}

/// The only place; given back on drop, also by a panic.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        // Built only when taken: a refused `Self` would free somebody else's place when it is dropped.
        (!BUSY.swap(true, Ordering::AcqRel)).then(|| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::Release);
    }
}

/// Samples until `length` is over or the other end of `gone` is dropped.
fn profile(length: Duration, hz: u32, gone: &mpsc::Receiver<()>) -> Result<Profile, Refused> {
    unwinder::check().map_err(Refused::Unsafe)?;
    let failed = |source| {
        Refused::Failed(
            Error::unavailable(
                "the sampler failed, expected no other user of pprof in this process",
            )
            .because(source),
        )
    };
    // At most 250, so it fits; the fallback is never taken.
    let frequency = i32::try_from(hz).unwrap_or(1);
    // No blocklist: it would drop every sample inside libc, and `unwinder::check` has ruled out what it protects from.
    let guard = ProfilerGuardBuilder::default()
        .frequency(frequency)
        .build()
        .map_err(failed)?;
    let (started_at, begin, spent_before) = (SystemTime::now(), Instant::now(), spent());
    let _ = gone.recv_timeout(length);
    let length = begin.elapsed();
    let spent_after = spent();
    let raw = guard.report().build_unresolved().map_err(failed)?;
    // The sampler stops before symbols are looked up, or it would mostly see itself.
    drop(guard);
    let samples = fold(
        raw.data
            .into_iter()
            .map(|(raw, count)| (Frames::from(raw), count)),
    );
    let total = samples.iter().map(|sample| sample.count).sum();
    let spent = spent_before
        .zip(spent_after)
        .and_then(|(before, after)| after.checked_sub(before));
    Ok(Profile {
        started_at,
        length,
        hz,
        period: cpu_time::period(hz, total, spent),
        samples,
    })
}

/// CPU time of this process, if the kernel tells.
fn spent() -> Option<Duration> {
    #[expect(
        clippy::disallowed_methods,
        reason = "runs on the session's own thread"
    )]
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    cpu_time::spent(&stat)
}

/// Sums equal stacks of equal threads; pprof keeps threads of one name apart.
fn fold(stacks: impl Iterator<Item = (Frames, isize)>) -> Vec<Sample> {
    let mut counts: BTreeMap<(String, Vec<Function>), u64> = BTreeMap::new();
    for (frames, count) in stacks {
        let mut stack: Vec<Function> = frames.frames.iter().flatten().map(function).collect();
        stack.drain(..own_frames(&stack));
        let count = u64::try_from(count).unwrap_or(0);
        *counts
            .entry((frames.thread_name_or_id(), stack))
            .or_default() += count;
    }
    counts
        .into_iter()
        .map(|((thread, stack), count)| Sample {
            thread,
            stack,
            count,
        })
        .collect()
}

/// How many of the innermost frames are the sampler's. pprof cuts its signal handler away, but where the functions that
/// the handler calls are not inlined (unoptimised builds) it leaves them, and every sample would seem to be in them.
fn own_frames(stack: &[Function]) -> usize {
    stack
        .iter()
        .take(OWN_FRAMES_MAX)
        .rposition(|function| {
            let name = function.name.trim_start_matches('<');
            name.starts_with("pprof::")
        })
        .map_or(0, |at| at + 1)
}

fn function(symbol: &pprof::Symbol) -> Function {
    Function {
        name: symbol.name(),
        symbol: symbol.sys_name().into_owned(),
        file: symbol
            .filename
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned()),
        line: symbol.lineno,
    }
}

/// Lets tests take turns: the sampler is one for the process.
#[cfg(test)]
pub(crate) fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::sync::Arc;

    use super::super::folded;
    use super::*;

    /// How long a test waits for what must happen; only a broken session takes that long.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[inline(never)]
    fn burn_until(stop: &AtomicBool) -> u64 {
        let mut sum = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            for number in 0..1000_u64 {
                sum = black_box(sum.wrapping_mul(31) ^ number);
            }
        }
        sum
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    /// A thread that burns CPU is found by name and function, with about the CPU time it burned.
    #[test]
    fn finds_who_burns() {
        let _turn = turn();
        let stop = Arc::new(AtomicBool::new(false));
        let burner = {
            let stop = Arc::clone(&stop);
            thread::Builder::new()
                .name("burner".to_owned())
                .spawn(move || burn_until(&stop))
                .unwrap()
        };
        let recording = record(Duration::from_secs(1), 99, |profile| Ok(profile.clone())).unwrap();
        assert!(matches!(
            record(Duration::from_secs(1), 99, |_| Ok(())),
            Err(Refused::Busy)
        ));
        let profile = block_on(recording.finish()).unwrap();
        stop.store(true, Ordering::Relaxed);
        #[expect(clippy::disallowed_methods, reason = "a test's own thread")]
        burner.join().unwrap();
        let text = folded(&profile);
        let burned = text
            .lines()
            .any(|line| line.starts_with("burner;") && line.contains("burn_until"));
        assert!(!text.contains(";<pprof::"), "the sampler itself: {text}");
        assert!(burned, "{text}");
        assert!(profile.length >= Duration::from_secs(1));
        assert!(profile.total() > 10, "{text}");
    }

    /// Whoever goes away frees the place long before the session would have ended.
    #[test]
    fn an_abandoned_session_ends_early() {
        let _turn = turn();
        let begin = Instant::now();
        let hour = Duration::from_secs(3600);
        drop(record(hour, 99, |_| Ok(())).unwrap());
        loop {
            match record(Duration::from_millis(1), 99, |_| Ok(())) {
                Ok(recording) => return block_on(recording.finish()).unwrap(),
                Err(Refused::Busy) => assert!(begin.elapsed() < PATIENCE, "still busy"),
                Err(refused) => panic!("{refused:?}"),
            }
            thread::yield_now();
        }
    }

    /// A panic while rendering is an error for who asked, and the next one is served.
    #[test]
    fn a_panic_is_an_error() {
        let _turn = turn();
        let moment = Duration::from_millis(1);
        let recording = record::<()>(moment, 99, |_| panic!("as the test wants")).unwrap();
        assert!(matches!(
            block_on(recording.finish()),
            Err(Refused::Failed(_))
        ));
        let recording = record(moment, 0, |profile| Ok(profile.hz)).unwrap();
        assert_eq!(block_on(recording.finish()).unwrap(), 1);
    }
}
