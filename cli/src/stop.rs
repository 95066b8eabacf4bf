//! When to stop: Ctrl-C, SIGTERM, or the end of the process that started us.
//!
//! The waiting is done on a thread and a runtime of its own, so that a service whose workers all stand still can be
//! stopped too. Whoever starts us under supervision holds the other end of our standard input: it closes when that
//! process ends, however it ends, so nothing is left running behind a killed one.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::ending::Failure;

/// Time for an orderly end. The services need at most some eight seconds; what takes longer hangs.
const ORDERLY: Duration = Duration::from_secs(15);

/// Exit code of an end that was not orderly.
const FORCED: i32 = 3;

/// Completes when this process should stop; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    asked: watch::Receiver<bool>,
    told: watch::Receiver<bool>,
}

/// Whether standard input is a line to a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Supervision {
    /// Started by a person or a script; standard input is theirs.
    None,
    /// Started by this program; its end is ours.
    StandardInput,
}

impl Supervision {
    /// From the hidden option of that name.
    pub(crate) fn from_option(supervised: bool) -> Self {
        if supervised {
            Self::StandardInput
        } else {
            Self::None
        }
    }
}

impl Stop {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// When the thread, its runtime or the signal handlers cannot be had.
    pub(crate) fn listen(supervision: Supervision) -> Result<Self, Failure> {
        let (ask, asked) = watch::channel(false);
        let (tell, told) = watch::channel(false);
        let unable = |error: io::Error| Failure::unable("cannot listen for signals", &error);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(unable)?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt()).map_err(unable)?,
                signal(SignalKind::terminate()).map_err(unable)?,
            )
        };
        let wait = async move {
            let mut signals = 0;
            tokio::select! {
                _ = interrupt.recv() => signals += 1,
                _ = terminate.recv() => signals += 1,
                () = supervisor_ends(supervision, &tell) => {}
            }
            let _ = ask.send(true);
            // A second signal means now. The first one after the supervisor's end is not: whoever sends a signal and then
            // closes our input has asked once.
            let again = async move {
                while signals < 2 {
                    tokio::select! {
                        _ = interrupt.recv() => signals += 1,
                        _ = terminate.recv() => signals += 1,
                    }
                }
            };
            let _ = tokio::time::timeout(ORDERLY, again).await;
        };
        thread::Builder::new()
            .name("pollscope-stop".to_owned())
            .spawn(move || {
                runtime.block_on(wait);
                force();
            })
            .map_err(unable)?;
        Ok(Self { asked, told })
    }

    /// Completes when this process should stop.
    pub(crate) async fn asked(mut self) {
        // An error means that the thread is gone; its last act is to end the process.
        let _ = self.asked.wait_for(|asked| *asked).await;
    }

    /// Completes when the supervisor has said a word, whatever it is.
    pub(crate) async fn told(mut self) {
        if self.told.wait_for(|told| *told).await.is_err() {
            // The thread is gone: nobody will say anything any more.
            std::future::pending().await
        }
    }

    /// Whether it should.
    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }
}

#[expect(
    clippy::exit,
    reason = "the orderly end did not come; the process must not stay"
)]
fn force() {
    std::process::exit(FORCED);
}

async fn supervisor_ends(supervision: Supervision, tell: &watch::Sender<bool>) {
    if supervision == Supervision::None {
        std::future::pending::<()>().await;
    }
    let mut input = tokio::io::stdin();
    let mut word = [0; 64];
    while input.read(&mut word).await.is_ok_and(|len| len > 0) {
        let _ = tell.send(true);
    }
}
