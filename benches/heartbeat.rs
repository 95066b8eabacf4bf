//! What a watched poll costs more than a plain one.
//!
//! One task wakes itself and returns `Pending` 100,000 times on a current_thread runtime: no driver turn, so almost
//! nothing but the poll itself. The variants are interleaved and the minimum of the runtime thread's CPU time is
//! taken, because other work on the machine can only add to it. `cargo bench --bench heartbeat`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pollscope::{Config, Scope};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;

const POLLS: u32 = 100_000;
const ROUNDS: usize = 60;

struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn yields() {
    for _ in 0..POLLS {
        Yield(false).await;
    }
}

fn main() {
    let scope = Scope::start(Config::default()).expect("the only scope of this process");
    let plain = Builder::new_current_thread().build().expect("a runtime");
    let watched = scope
        .runtime(Builder::new_current_thread())
        .build()
        .expect("a runtime");
    let hookless = scope
        .runtime(Builder::new_current_thread())
        .without_task_hooks()
        .build()
        .expect("a runtime");
    let hooks = if cfg!(tokio_unstable) {
        "built runtime, hooks on every task (T2)"
    } else {
        "built runtime, tokio::spawn (T1)"
    };
    let mut variants = [
        Variant::new("plain tokio runtime", || {
            plain.block_on(async { drop(tokio::spawn(yields()).await) })
        }),
        Variant::new(hooks, || {
            watched.block_on(async { drop(tokio::spawn(yields()).await) })
        }),
        Variant::new("plain runtime, pollscope::spawn (T0)", || {
            plain.block_on(async { drop(pollscope::spawn(yields()).await) })
        }),
        Variant::new("no task hooks, pollscope::spawn (T1)", || {
            hookless.block_on(async { drop(pollscope::spawn(yields()).await) })
        }),
        Variant::new("built runtime, pollscope::spawn", || {
            watched.block_on(async { drop(pollscope::spawn(yields()).await) })
        }),
    ];
    for _ in 0..ROUNDS {
        variants.iter_mut().for_each(Variant::run);
    }
    let base = variants[0].min();
    println!(
        "{:<42} {:>10} {:>10} {:>8}",
        "", "ns/poll", "median", "added"
    );
    for variant in &variants {
        println!(
            "{:<42} {:>10.1} {:>10.1} {:>+8.1}",
            variant.name,
            variant.min(),
            variant.median(),
            variant.min() - base
        );
    }
}

struct Variant<'a> {
    name: &'static str,
    run: Box<dyn Fn() + 'a>,
    ns_per_poll: Vec<f64>,
}

impl<'a> Variant<'a> {
    fn new(name: &'static str, run: impl Fn() + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
            ns_per_poll: Vec::new(),
        }
    }

    fn run(&mut self) {
        let before = thread_cpu_ns();
        (self.run)();
        self.ns_per_poll
            .push((thread_cpu_ns() - before) / f64::from(POLLS));
    }

    fn min(&self) -> f64 {
        self.ns_per_poll.iter().copied().fold(f64::MAX, f64::min)
    }

    fn median(&self) -> f64 {
        let mut sorted = self.ns_per_poll.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }
}

fn thread_cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
