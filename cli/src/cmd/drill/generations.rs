//! Programs that make runtimes and end them: the moments in which a detector is most easily wrong.

use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::bench::{Bench, Made};
use super::program::Program;
use crate::ending::Failure;

/// Tasks of one generation.
const TASKS: usize = 200;

/// Pause between two generations, so that a quarter of an hour has some thousand of them.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes and ends runtimes for that long.
#[expect(
    clippy::disallowed_methods,
    reason = "the main thread of the subject, in no runtime"
)]
pub(super) fn run(program: Program, bench: Bench<'_>, length: Duration) -> Result<(), Failure> {
    let end = Instant::now() + length;
    let mut generation = 0_usize;
    while Instant::now() < end {
        let builder = if generation.is_multiple_of(2) {
            Builder::new_current_thread()
        } else {
            Builder::new_multi_thread()
        };
        let runtime = bench.make(builder, &format!("generation-{}", generation % 4))?;
        match program {
            Program::StartUp => runtime.block_on(bind_and_connect(bench)),
            Program::Shutdown => shut_down(bench, runtime, generation),
            _ => runtime.block_on(be_short(bench)),
        }
        generation += 1;
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

async fn be_short(bench: Bench<'_>) {
    let mut joins = JoinSet::new();
    for _ in 0..TASKS {
        joins.spawn(bench.spawn(async { tokio::task::yield_now().await }));
    }
    joins.join_all().await;
}

/// What services do at their start: many tasks at once, each with sockets to open.
async fn bind_and_connect(bench: Bench<'_>) {
    let mut joins = JoinSet::new();
    for _ in 0..TASKS {
        joins.spawn(bench.spawn(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            let address = listener.local_addr()?;
            let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
            near.and(far.map(|_| ()))
        }));
    }
    joins.join_all().await;
}

/// Ends the runtime by turns with a drop, with a limit, and in the background, while tasks wait and others have just begun.
fn shut_down(bench: Bench<'_>, runtime: Made, generation: usize) {
    runtime.block_on(async {
        for _ in 0..TASKS {
            drop(bench.spawn(std::future::pending::<()>()));
            drop(bench.spawn(async { tokio::task::yield_now().await }));
        }
        drop(tokio::task::spawn_blocking(|| ()));
        sleep(Duration::from_millis(1)).await;
    });
    runtime.end(generation);
}
