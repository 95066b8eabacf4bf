//! What a guard cannot see: the list in the guide, each as a test that asserts the miss.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pollscope::testing::{Guard, run};
use tokio::runtime::Builder;

use crate::{blocks, computes};

const LONG: Duration = Duration::from_millis(30);

/// A loop that never waits makes no switch; only `poll_limit` sees it.
#[test]
fn a_busy_loop() {
    run(async { computes(LONG) });
}

/// A lock that was free did not block, though it would under load.
#[test]
fn a_free_lock() {
    static LOCK: Mutex<()> = Mutex::new(());
    run(async { drop(LOCK.lock()) });
}

/// A file that is in memory is read without waiting.
#[test]
#[expect(clippy::disallowed_methods, reason = "the blocking call under test")]
fn a_cached_file() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let cached = std::fs::read(path).unwrap();
    run(async { assert_eq!(std::fs::read(path).unwrap(), cached) });
}

/// A lock that spins instead of sleeping computes.
#[test]
fn a_spinning_lock() {
    static IS_HELD: AtomicBool = AtomicBool::new(true);
    let holder = std::thread::spawn(|| {
        blocks(LONG);
        IS_HELD.store(false, Ordering::Release);
    });
    run(async {
        while IS_HELD.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
    });
    drop(holder);
}

/// Threads that are not the runtime's workers may block, as they should; that a poll gave them too much is not seen.
#[test]
fn work_on_other_threads() {
    run(async {
        tokio::task::spawn_blocking(|| blocks(LONG)).await.unwrap();
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            blocks(LONG);
            tell.send(()).unwrap();
        });
        told.await.unwrap();
    });
}

/// A future that is dropped is not polled: what its destructor does is not seen after the run.
#[test]
fn a_destructor_at_the_end() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            blocks(LONG);
        }
    }
    run(async {
        let slow = Slow;
        drop(pollscope::spawn(async move {
            std::future::pending::<()>().await;
            drop(slow);
        }));
        tokio::task::yield_now().await;
    });
}

/// Without task hooks a task that a library spawned with Tokio's own `spawn` is not metered.
#[cfg(not(tokio_unstable))]
#[test]
fn tasks_of_others_on_stable() {
    run(async {
        tokio::spawn(async { blocks(LONG) }).await.unwrap();
    });
}

/// On a multi-thread runtime only what was seen counts, and a look that falls into a short block is chance: of so many one
/// at least goes unseen. The kernel has counted all of them.
#[test]
fn short_blocks_among_several_workers() {
    let passes = |counts_unseen: bool| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all();
        let guard = Guard::new().count_unseen(counts_unseen);
        let task = async { pollscope::spawn(async { blocks(Duration::from_micros(1)) }).await };
        guard.block_on(builder, task).is_ok()
    };
    assert!((0..50).any(|_| passes(false)));
    assert!(!(0..3).any(|_| passes(true)));
}
