//! The send queue of one connection: bounded by messages and by bytes, and never waited for.
//!
//! Whoever has a line for a client puts it here and goes on; only the connection's own writer waits. If the queue is
//! full its reader is too slow, and the choice is between memory without end, silent loss, and ending the connection
//! with a reason. This server does the last: what is queued is dropped and counted, the client is told, its rooms go on.
//!
//! Not a `tokio::sync::mpsc`, because that bounds messages but not bytes, and cannot be emptied by the sender.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use faults::Plan;
use tokio::sync::Notify;

use crate::meters::Meters;
use crate::protocol::capability::Capabilities;
use crate::protocol::line::Line;

/// Most bytes the writer takes at once: a few TCP segments, so one system call carries many lines, and small enough
/// that what is in flight beyond the bound of the queue does not matter.
const BATCH_BYTES: usize = 16 * 1024;

/// The bounds of a send queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendLimits {
    /// Most lines; bounds the work to write a queue out.
    pub messages: usize,
    /// Most bytes; bounds the memory a slow reader can hold.
    pub bytes: usize,
}

/// A line in the queue.
#[derive(Debug)]
pub(crate) struct Queued {
    /// What to write.
    pub(crate) line: Line,
    /// What the reader had negotiated when the line was queued: decides about the tags in front.
    pub(crate) reader: Capabilities,
    /// When the message that caused it was received; `None` for replies and other lines whose delay nobody asks for.
    pub(crate) received: Option<Instant>,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It will be written.
    Queued,
    /// The reader has not negotiated what the line needs; it is not to get it.
    Unwanted,
    /// The queue was full: the line is dropped and the connection will end. Said once.
    Evicted,
    /// The connection is ending and leaves its rooms by itself; the line is dropped.
    Closed,
    /// Nobody writes any more, and nobody may have left the rooms; the line is dropped.
    Gone,
}

/// The queue; shared by the connection and everybody who talks to it.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The queue itself. A std lock: held for a few instructions, never across an await.
    state: Mutex<State>,
    /// Wakes the writer, which is the only one to wait here.
    filled: Notify,
    /// Wakes whoever waits for the eviction.
    evicted: Notify,
    /// The bounds.
    limits: SendLimits,
    /// May ask to break the bounds.
    faults: Arc<Plan>,
    /// Counts evictions and drops.
    metrics: Arc<Meters>,
}

#[derive(Debug)]
struct State {
    /// Lines in order. Beyond the bounds only while the fault `unbounded-queue` is on.
    queue: VecDeque<Queued>,
    /// Bytes of all lines in `queue`, tags included.
    bytes: usize,
    /// What the reader has negotiated.
    reader: Capabilities,
    /// Whether lines are still accepted.
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// What is queued will be written, nothing is added.
    Finishing,
    /// As `Finishing`, because the reader was too slow.
    Evicted,
    /// Nobody takes anything any more.
    Abandoned,
}

impl Outbox {
    pub(crate) fn new(limits: SendLimits, faults: Arc<Plan>, metrics: Arc<Meters>) -> Self {
        Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                bytes: 0,
                reader: Capabilities::NONE,
                phase: Phase::Open,
            }),
            filled: Notify::new(),
            evicted: Notify::new(),
            limits,
            faults,
            metrics,
        }
    }

    /// Lines queued from now on are for a reader with these capabilities.
    pub(crate) fn negotiated(&self, reader: Capabilities) {
        self.lock().reader = reader;
    }

    /// Queues a line, or evicts the reader. Never waits.
    pub(crate) fn send(&self, line: Line, received: Option<Instant>) -> Sent {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            self.metrics.dropped_closed.increment(1);
            return match state.phase {
                Phase::Abandoned => Sent::Gone,
                _ => Sent::Closed,
            };
        }
        if !line.is_for(state.reader) {
            return Sent::Unwanted;
        }
        let too_many = state.queue.len() >= self.limits.messages;
        let too_big = state.bytes + line.wire_len(state.reader) > self.limits.bytes;
        if too_many || too_big {
            if !self.faults.queue_is_unbounded() {
                self.evict(&mut state, too_many);
                return Sent::Evicted;
            }
            self.metrics.overflow.increment(1);
        }
        self.push(&mut state, line, received);
        Sent::Queued
    }

    /// Queues the last line; what was queued before is still written. Does nothing if the outbox is closed already.
    pub(crate) fn finish(&self, last: Line) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            self.push(&mut state, last, None);
            state.phase = Phase::Finishing;
        }
    }

    /// Closes the queue and drops what is in it: nobody writes any more.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.phase = Phase::Abandoned;
        let dropped = u64::try_from(state.queue.len()).unwrap_or(u64::MAX);
        self.metrics.dropped_unwritten.increment(dropped);
        // New containers rather than cleared ones: after an overflow their memory must go back.
        state.queue = VecDeque::new();
        state.bytes = 0;
    }

    /// Waits for lines and moves a batch of them to `batch`. `false` when everything has been taken and no more comes.
    ///
    /// Cancel-safe: lines are taken only when the future completes. One caller only.
    pub(crate) async fn take(&self, batch: &mut Vec<Queued>) -> bool {
        loop {
            {
                let mut state = self.lock();
                let mut taken = 0;
                while taken < BATCH_BYTES
                    && let Some(queued) = state.queue.pop_front()
                {
                    taken += queued.line.wire_len(queued.reader);
                    batch.push(queued);
                }
                state.bytes -= taken;
                if taken > 0 {
                    return true;
                }
                if state.phase != Phase::Open {
                    return false;
                }
            }
            self.filled.notified().await;
        }
    }

    /// Waits until the reader has been evicted.
    pub(crate) async fn evicted(&self) {
        loop {
            let notified = self.evicted.notified();
            if self.lock().phase == Phase::Evicted {
                return;
            }
            notified.await;
        }
    }

    /// Messages and bytes waiting.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let state = self.lock();
        (state.queue.len(), state.bytes)
    }

    fn push(&self, state: &mut State, line: Line, received: Option<Instant>) {
        let reader = state.reader;
        state.bytes += line.wire_len(reader);
        state.queue.push_back(Queued {
            line,
            reader,
            received,
        });
        // The writer sleeps only on an empty queue.
        if state.queue.len() == 1 {
            self.filled.notify_one();
        }
    }

    fn evict(&self, state: &mut State, too_many: bool) {
        let counter = if too_many {
            &self.metrics.evicted_messages
        } else {
            &self.metrics.evicted_bytes
        };
        counter.increment(1);
        // The line that did not fit is lost as well.
        let dropped = u64::try_from(state.queue.len() + 1).unwrap_or(u64::MAX);
        self.metrics.dropped_evicted.increment(dropped);
        state.queue = VecDeque::new();
        state.bytes = 0;
        let last = Line::new(None, "ERROR", &[], Some("SendQ exceeded"));
        self.push(state, last, None);
        state.phase = Phase::Evicted;
        self.evicted.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The queue is valid at every step, so a panicked holder left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::capability::Capability;

    fn outbox(messages: usize, bytes: usize) -> Outbox {
        let registry = pollscope::metrics::Registry::new();
        let metrics = Arc::new(Meters::new(&registry));
        let plan = Arc::new(Plan::new("chat", crate::POINTS));
        Outbox::new(SendLimits { messages, bytes }, plan, metrics)
    }

    fn line(text: &str) -> Line {
        Line::new(None, text, &[], None)
    }

    async fn drain(outbox: &Outbox) -> Vec<Line> {
        let mut batch = Vec::new();
        while outbox.take(&mut batch).await {}
        batch.into_iter().map(|queued| queued.line).collect()
    }

    /// Lines come out in order, the last one last, and then the end.
    #[tokio::test]
    async fn keeps_order() {
        let outbox = outbox(10, 1000);
        assert_eq!(outbox.send(line("A"), None), Sent::Queued);
        assert_eq!(outbox.send(line("B"), None), Sent::Queued);
        assert_eq!(outbox.depth(), (2, 6));
        outbox.finish(line("END"));
        assert_eq!(outbox.send(line("C"), None), Sent::Closed);
        outbox.finish(line("AGAIN"));
        assert_eq!(drain(&outbox).await, [line("A"), line("B"), line("END")]);
        outbox.abandon();
        assert_eq!(outbox.send(line("C"), None), Sent::Gone);
        assert_eq!(outbox.depth(), (0, 0));
    }

    /// Either bound evicts: the queue is emptied, the reason is the only line left.
    #[tokio::test]
    async fn evicts_on_either_bound() {
        for outbox in [outbox(2, 1000), outbox(1000, 6)] {
            assert_eq!(outbox.send(line("A"), None), Sent::Queued);
            assert_eq!(outbox.send(line("B"), None), Sent::Queued);
            assert_eq!(outbox.send(line("C"), None), Sent::Evicted);
            assert_eq!(outbox.send(line("D"), None), Sent::Closed);
            outbox.evicted().await;
            let last = drain(&outbox).await;
            assert_eq!(last.len(), 1);
            assert_eq!(last[0].as_bytes(), b"ERROR :SendQ exceeded\r\n");
        }
    }

    /// The tags a reader gets count against its bound, and a line it cannot read is not queued.
    #[tokio::test]
    async fn counts_what_the_reader_gets() {
        let outbox = outbox(10, 1000);
        let tags = crate::protocol::tags::Tags::new("+a=1").client_only();
        let tagged = line("A").tagged(tags).only_with(Capability::MessageTags);
        assert_eq!(outbox.send(tagged.clone(), None), Sent::Unwanted);
        outbox.negotiated(Capabilities::offered());
        assert_eq!(outbox.send(tagged, None), Sent::Queued);
        outbox.negotiated(Capabilities::NONE);
        assert_eq!(outbox.send(line("B"), None), Sent::Queued);
        assert_eq!(outbox.depth(), (2, "@+a=1 A\r\nB\r\n".len()));
        outbox.finish(line("END"));
        assert_eq!(drain(&outbox).await.len(), 3);
        assert_eq!(outbox.depth(), (0, 0));
    }

    /// A writer that waits is woken by the first line and by the end.
    #[tokio::test]
    async fn wakes_the_writer() {
        let outbox = Arc::new(outbox(10, 1000));
        let writer = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move { drain(&outbox).await }
        });
        tokio::task::yield_now().await;
        outbox.send(line("A"), None);
        tokio::task::yield_now().await;
        outbox.finish(line("END"));
        assert_eq!(writer.await.unwrap(), [line("A"), line("END")]);
    }
}
