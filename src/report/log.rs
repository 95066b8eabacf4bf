//! The log sink: one `tracing` event a report, on a thread of its own.
//!
//! A subscriber is the user's code and may block: on a full pipe, on a lock, on a disk. Only this thread waits for it;
//! the reporter puts what it has into a bounded queue or counts it as lost, so ring, totals and stream go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::short_path;
use crate::Error;
use crate::config::Config;
use crate::debug;
use crate::finding::{Finding, FindingPhase, sentence as sentence_of};
use crate::stall::{Phase, Stall};

/// Reports that may wait for the subscriber: as many as may wait for the reporter. The events are shared
/// with the ring, so a waiting one costs a pointer until the ring has forgotten it.
const QUEUE_LEN_MAX: usize = 256;

/// Longest wait of a drop for a subscriber, and the pause between two looks.
const STOP_PATIENCE: Duration = Duration::from_secs(1);
const STOP_PAUSE: Duration = Duration::from_millis(1);

/// What is to be logged.
#[derive(Debug)]
enum Entry {
    Stall(Arc<Stall>),
    Finding(Arc<Finding>),
}

/// Where the reporter puts what is to be logged.
#[derive(Debug)]
pub(crate) struct LogQueue {
    queue: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

impl LogQueue {
    /// Leaves the report to the log thread; never waits.
    pub(crate) fn send(&self, stall: Arc<Stall>) {
        self.put(Entry::Stall(stall));
    }

    /// As [`LogQueue::send`], for a finding.
    pub(crate) fn send_finding(&self, finding: Arc<Finding>) {
        self.put(Entry::Finding(finding));
    }

    fn put(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The running thread; ends when every [`LogQueue`] is gone. A drop waits for that, but not long.
#[derive(Debug)]
pub(crate) struct LogThread {
    thread: Option<JoinHandle<()>>,
}

impl LogThread {
    /// Starts the thread that sends the events.
    pub(crate) fn start(
        config: Arc<Config>,
        lost: Arc<AtomicU64>,
    ) -> Result<(LogQueue, Self), Error> {
        Self::start_with(lost, move |entry| log(entry, &config))
    }

    fn start_with(
        lost: Arc<AtomicU64>,
        send: impl Fn(&Entry) + Send + 'static,
    ) -> Result<(LogQueue, Self), Error> {
        let (queue, reports) = sync_channel(QUEUE_LEN_MAX);
        let queue = LogQueue {
            queue,
            lost: Arc::clone(&lost),
        };
        let thread = std::thread::Builder::new()
            .name("pollscope-log".to_owned())
            .spawn(move || run(&reports, &lost, send))
            .map_err(|source| {
                Error::setup("the log thread could not be started").because(source)
            })?;
        let thread = Self {
            thread: Some(thread),
        };
        Ok((queue, thread))
    }
}

impl Drop for LogThread {
    #[expect(
        clippy::disallowed_methods,
        reason = "waits for a bounded time, then lets the thread be"
    )]
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        let deadline = Instant::now() + STOP_PATIENCE;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(STOP_PAUSE);
        }
        if thread.is_finished() {
            // Panics of subscribers are caught, so there is no result to look at.
            let _ = thread.join();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the log's own thread waits for work"
)]
fn run(reports: &Receiver<Entry>, lost: &AtomicU64, send: impl Fn(&Entry)) {
    while let Ok(entry) = reports.recv() {
        // A subscriber that panics loses its own report, not all later ones.
        if catch_unwind(AssertUnwindSafe(|| send(&entry))).is_err() {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn log(entry: &Entry, config: &Config) {
    match entry {
        Entry::Stall(stall) => send(stall, config),
        Entry::Finding(finding) => send_finding(finding),
    }
}

/// Sends the event: a warning for what somebody waits for now, information otherwise. Target `pollscope::finding`.
fn send_finding(finding: &Finding) {
    let text = sentence_of(finding);
    let (id, kind, site) = (
        finding.id,
        finding.kind.name(),
        finding.subject.site.as_deref(),
    );
    let is_loud = match finding.phase {
        FindingPhase::Open => finding.kind.harms(),
        FindingPhase::Once => true,
        FindingPhase::Close => false,
    };
    if is_loud {
        tracing::warn!(target: "pollscope::finding", id, kind, site, duration_ms = finding.duration_ms, "{text}");
    } else {
        tracing::info!(target: "pollscope::finding", id, kind, site, duration_ms = finding.duration_ms, "{text}");
    }
}

/// Sends the event: a warning from the warn threshold on (in debug mode always), debug below. Target `pollscope::stall`.
fn send(stall: &Stall, config: &Config) {
    let text = sentence(stall);
    let loud =
        Duration::from_secs_f64(stall.duration_ms.max(0.0) / 1e3) >= config.warn || debug::is_on();
    let task = stall.task.id;
    let (verdict, line) = (stall.verdict.name(), place(stall));
    if loud {
        tracing::warn!(target: "pollscope::stall", id = stall.id, verdict, line, task, duration_ms = stall.duration_ms, "{text}");
    } else {
        tracing::debug!(target: "pollscope::stall", id = stall.id, verdict, line, task, duration_ms = stall.duration_ms, "{text}");
    }
}

fn place(stall: &Stall) -> String {
    stall
        .line
        .as_ref()
        .map(|line| format!("{}:{}", short_path(&line.file), line.line))
        .unwrap_or_default()
}

/// The event in one sentence; PURE.
fn sentence(stall: &Stall) -> String {
    let has = match stall.phase {
        Phase::Open => "has been stalled for",
        Phase::Again => "is still stalled after",
        Phase::Close => "was stalled for",
    };
    let who = match stall.worker {
        _ if stall.verdict.is_standstill() => "the whole process".to_owned(),
        Some(worker) => format!("worker {worker} of runtime {}", stall.runtime),
        None => format!("the block_on thread of runtime {}", stall.runtime),
    };
    let whose = stall.line.as_ref().map_or_else(String::new, |line| {
        format!(" at {} in {}", place(stall), line.function)
    });
    let what = match (&stall.advice, stall.suppressed) {
        (Some(advice), 0) => format!("; {}", advice.text),
        (Some(advice), held_back) => format!(
            "; {} ({held_back} more of this kind were not logged)",
            advice.text
        ),
        (None, _) => String::new(),
    };
    let paid = match &stall.victims {
        Some(victims) if victims.count > 0 => format!(
            ", {}{} tasks waited {:.0} ms in all for it",
            if victims.measured { "" } else { "about " },
            victims.count,
            victims.delay_ms
        ),
        _ => String::new(),
    };
    format!(
        "{who} {has} {:.0} ms ({}){whose}{paid}{what}",
        stall.duration_ms,
        stall.verdict.name()
    )
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Mutex, PoisonError};

    use tracing::Subscriber;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    use super::*;
    use crate::report::recorded::stall as recorded_stall;
    use crate::stall::Victims;

    /// Far more than a crowded machine needs to run a thread.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn stall(id: u64) -> Arc<Stall> {
        Arc::new(recorded_stall(id, Phase::Open))
    }

    /// Tells of each event, then waits until somebody lets it go on.
    struct Blocking {
        met: std::sync::mpsc::Sender<()>,
        gate: Mutex<Receiver<()>>,
    }

    impl<S: Subscriber> Layer<S> for Blocking {
        #[expect(clippy::disallowed_methods, reason = "the block under test")]
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            self.met.send(()).unwrap();
            let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            // The test's end opens the gate for good.
            let _ = gate.recv();
        }
    }

    /// A subscriber that blocks loses reports by number, never holds the sender, and does not keep a drop waiting.
    #[test]
    fn a_blocked_subscriber_holds_nobody() {
        let (met, is_met) = channel();
        let (open, gate) = channel::<()>();
        let subscriber = tracing_subscriber::registry().with(Blocking {
            met,
            gate: Mutex::new(gate),
        });
        let dispatch = tracing::Dispatch::new(subscriber);
        let config = Config::default();
        let lost = Arc::new(AtomicU64::new(0));
        let (queue, thread) = LogThread::start_with(Arc::clone(&lost), move |entry| {
            tracing::dispatcher::with_default(&dispatch, || log(entry, &config));
        })
        .unwrap();
        queue.send(stall(1));
        is_met.recv_timeout(PATIENCE).unwrap();
        let extra = 40;
        for id in 0..QUEUE_LEN_MAX as u64 + extra {
            queue.send(stall(2 + id));
        }
        assert_eq!(lost.load(Ordering::Relaxed), extra);
        drop(queue);
        // The subscriber still blocks: this returns all the same.
        drop(thread);
        drop(open);
        for _ in 0..QUEUE_LEN_MAX {
            is_met.recv_timeout(PATIENCE).unwrap();
        }
    }

    /// The sentence says what others paid, and whether that is an estimate.
    #[test]
    fn tells_of_victims() {
        for (measured, expected) in [
            (true, ", 20 tasks waited 5900 ms in all for it"),
            (false, ", about 20 tasks waited 5900 ms in all for it"),
        ] {
            let text = sentence(&Stall {
                victims: Some(Victims {
                    count: 20,
                    delay_ms: 5900.0,
                    measured,
                    sites: Vec::new(),
                }),
                ..recorded_stall(1, Phase::Close)
            });
            assert!(text.ends_with(expected), "{text}");
        }
    }

    /// A subscriber that panics costs its own report only.
    #[test]
    fn a_panic_costs_one_report() {
        let (sent, is_sent) = channel();
        let lost = Arc::new(AtomicU64::new(0));
        let (queue, thread) = LogThread::start_with(Arc::clone(&lost), move |entry| {
            let Entry::Stall(stall) = entry else {
                panic!("only stalls were sent")
            };
            assert!(stall.id != 1, "the panic under test");
            sent.send(stall.id).unwrap();
        })
        .unwrap();
        queue.send(stall(1));
        queue.send(stall(2));
        assert_eq!(is_sent.recv_timeout(PATIENCE), Ok(2));
        assert_eq!(lost.load(Ordering::Relaxed), 1);
        drop(queue);
        drop(thread);
    }
}
