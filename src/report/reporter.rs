//! The reporter's thread.

use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Ring;
use super::accounts::Accounts;
use super::compose::{close, compose, is_announced, is_elsewhere, keep_better_cause};
use super::lock::{is_told, with_lock};
use super::log::LogQueue;
use super::standstill::standstill;
use crate::Error;
use crate::capture::Captured;
use crate::config::Config;
use crate::finding::{self, Announced, Block, Board, Told};
use crate::metrics::Registry;
use crate::runtime::slots;
use crate::stall::{Limiter, Phase, Stall};
use crate::symbolize::Symbolizer;
use crate::watchdog::{LockFindings, Observed, Standstill};

/// Observations that may wait: a stall of every worker of a large machine at once, at under 70 KiB each.
const INBOX_LEN_MAX: usize = 256;

/// Open stalls remembered between their reports; more than there are workers.
const OPEN_LEN_MAX: usize = 4096;

/// Longest wait of a drop for the reports under way, and the pause between two looks.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
const STOP_PAUSE: Duration = Duration::from_millis(1);

/// What the reporter is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// A stall was observed.
    Observed(Box<Observed>),
    /// The whole process stood still.
    Standstill(Box<Standstill>),
    /// A condition that is no stall begins or ends.
    Finding(Box<Told>),
    /// Time for the metrics' upkeep.
    Upkeep,
    /// Of the stalls up to this number only these last still: what else is thought to be open has lost its close.
    Lasting(u64, BTreeSet<u64>),
    /// The scope is gone.
    Stop,
}

/// The running thread; stops when dropped.
#[derive(Debug)]
pub(crate) struct ReporterThread {
    inbox: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for ReporterThread {
    #[expect(
        clippy::disallowed_methods,
        reason = "waits for a bounded time, then lets the thread be"
    )]
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A report under way must not keep the service from ending.
        let deadline = Instant::now() + STOP_PATIENCE;
        while self.inbox.try_send(Message::Stop).is_err()
            && !thread.is_finished()
            && Instant::now() < deadline
        {
            std::thread::sleep(STOP_PAUSE);
        }
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(STOP_PAUSE);
        }
        if thread.is_finished() {
            // A reporter that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}

/// Everything the thread holds.
pub(crate) struct Reporter {
    pub(crate) config: Arc<Config>,
    pub(crate) ring: Ring,
    pub(crate) accounts: Arc<Mutex<Accounts>>,
    pub(crate) registry: Registry,
    pub(crate) log: LogQueue,
    pub(crate) board: Board,
    pub(crate) announced: Announced,
}

impl Reporter {
    /// Starts the thread; gives the place where observations are put.
    pub(crate) fn start(self) -> Result<(SyncSender<Message>, ReporterThread), Error> {
        let (inbox, messages) = sync_channel(INBOX_LEN_MAX);
        let thread = std::thread::Builder::new()
            .name("pollscope-report".to_owned())
            .spawn(move || self.run(&messages))
            .map_err(|source| {
                Error::setup("the reporter thread could not be started").because(source)
            })?;
        let handle = ReporterThread {
            inbox: inbox.clone(),
            thread: Some(thread),
        };
        Ok((inbox, handle))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the reporter's own thread waits for work"
    )]
    fn run(self, messages: &Receiver<Message>) {
        let mut symbolizer = Symbolizer::new();
        symbolizer.warm();
        let mut desk = Desk {
            limiter: Limiter::new(),
            open: HashMap::new(),
        };
        while let Ok(message) = messages.recv() {
            match message {
                Message::Observed(observed) => self.report(&mut desk, &mut symbolizer, &observed),
                Message::Standstill(found) => {
                    let mut stall = standstill(&found, &self.config);
                    let logged = self.admit(&mut desk, &mut stall);
                    self.publish(stall, logged);
                }
                Message::Finding(told) => {
                    let finding = Arc::new(finding::compose(&told, &self.config.service));
                    self.board.put(Arc::clone(&finding));
                    self.log.send_finding(finding);
                }
                Message::Upkeep => self.registry.upkeep(),
                Message::Lasting(latest, open) => {
                    desk.open.retain(|id, _| *id > latest || open.contains(id));
                    self.accounts().reconcile(latest, &open);
                }
                Message::Stop => return,
            }
        }
    }

    fn report(&self, desk: &mut Desk, symbolizer: &mut Symbolizer, observed: &Observed) {
        if observed.phase == Phase::Close {
            if let Some(block) = self.announced.end(observed.id) {
                self.accounts()
                    .announced(&block.runtime, observed.span.length);
            }
            if let Some(Some(open)) = desk.open.remove(&observed.id) {
                self.publish(close(observed, &open.shown), open.logged);
            }
            return;
        }
        let addresses = observed
            .captured
            .as_ref()
            .map_or(&[][..], |captured| &captured.addresses);
        let stack = symbolizer.stack(addresses);
        let known = desk.open.get(&observed.id).cloned();
        if known.as_ref().is_some_and(Option::is_none) {
            return;
        }
        let complete = |captured: &Option<Captured>| {
            captured.as_ref().is_some_and(|captured| captured.complete)
        };
        let earlier = observed
            .earlier
            .as_ref()
            .map_or_else(Vec::new, |earlier| symbolizer.stack(&earlier.addresses));
        let is_announced = is_announced(if stack.is_empty() { &earlier } else { &stack });
        // Either stack shows it: no task is polled by a thread that stood outside every runtime meanwhile.
        let is_elsewhere = is_elsewhere(&stack, complete(&observed.captured))
            || is_elsewhere(&earlier, complete(&observed.earlier));
        if is_announced || is_elsewhere {
            desk.remember(observed.id, None);
            self.accounts().excuse();
            if is_announced {
                self.announced.begin(observed.id, block(observed));
            }
            if let Some(Some(open)) = known {
                // An earlier report took it for a stall: that one ends here.
                self.publish(close(observed, &open.last), open.logged);
            }
            return;
        }
        let composed = compose(observed, stack, earlier, &self.config);
        let known = known.flatten();
        let mut stall = match &known {
            Some(open) => keep_better_cause(composed, &open.last, observed.parts),
            None => composed.stall,
        };
        let last = stall.clone();
        if let Some(lock) = &observed.lock {
            stall = self.tell_lock(desk, symbolizer, stall, lock);
        }
        let logged = match known {
            Some(open) => open.logged,
            None if is_told(&stall) => {
                self.accounts().suppress();
                false
            }
            None => self.admit(desk, &mut stall),
        };
        let open = Open {
            last,
            shown: stall.clone(),
            logged,
        };
        desk.remember(observed.id, Some(open));
        self.publish(stall, logged);
    }

    fn tell_lock(
        &self,
        desk: &Desk,
        symbolizer: &mut Symbolizer,
        stall: Stall,
        lock: &LockFindings,
    ) -> Stall {
        let held = lock.holder.as_ref();
        let held_at = held
            .and_then(|held| held.captured.as_ref())
            .map_or_else(Vec::new, |captured| symbolizer.stack(&captured.addresses));
        let open = |id| match desk.open.get(&id) {
            Some(Some(open)) => Some(&open.last),
            _ => None,
        };
        with_lock(stall, lock, held_at, &self.config.in_app, open)
    }

    fn admit(&self, desk: &mut Desk, stall: &mut Stall) -> bool {
        let admitted = desk.limiter.admit(slots::monotonic(), &stall.fingerprint);
        stall.suppressed = admitted.unwrap_or(0);
        if admitted.is_none() {
            self.accounts().suppress();
        }
        admitted.is_some()
    }

    fn publish(&self, stall: Stall, logged: bool) {
        self.accounts().book(&stall);
        let stall = Arc::new(stall);
        self.ring.push(Arc::clone(&stall));
        if logged {
            self.log.send(stall);
        }
    }

    fn accounts(&self) -> std::sync::MutexGuard<'_, Accounts> {
        // Totals are valid at every step.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The announced block that was observed.
fn block(observed: &Observed) -> Block {
    let subject = &observed.subject;
    Block {
        runtime: subject
            .runtime
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), |runtime| runtime.name.clone()),
        since: observed.span.started,
        task: subject.task_id,
        site: subject.spawned_at,
        worker: subject.worker,
    }
}

/// What the reporter remembers between messages.
struct Desk {
    limiter: Limiter,
    /// `None` marks a stall that was excused.
    open: HashMap<u64, Option<Open>>,
}

#[derive(Clone)]
struct Open {
    /// The last report by itself.
    last: Stall,
    /// The same with what was known about its lock.
    shown: Stall,
    logged: bool,
}

impl Desk {
    fn remember(&mut self, id: u64, open: Option<Open>) {
        if self.open.len() >= OPEN_LEN_MAX {
            // Closes were lost with a full inbox; forgetting the oldest only costs their late closes.
            let oldest = self.open.keys().min().copied();
            oldest.map(|oldest| self.open.remove(&oldest));
        }
        self.open.insert(id, open);
    }
}
