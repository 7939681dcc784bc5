//! The writer thread: takes sealed blocks over a bounded channel and gives the emptied ones back.
//!
//! It never drops a block; when it falls behind, the loop waits. In a live run it also commits as the
//! durability level says, and lets orders leave when they may.

use crate::error::JournalError;
use crate::snapshots::Snapshot;
use crate::writer::{JournalSummary, JournalWriter};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use onetape_engine::block::Block;
use onetape_engine::event::Event;
use onetape_engine::ids::{OrderIx, Seq};
use onetape_engine::num::Nanos;
use onetape_engine::order::OrderState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Snapshots that wait for the writer at most.
const SNAPSHOTS: usize = 1;
/// Blocks in flight at most.
const IN_FLIGHT: usize = 64;

/// Result of a writer thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadSummary {
    /// The journal's totals.
    pub journal: JournalSummary,
    /// CPU time of the thread; `None` where the system does not tell.
    pub cpu: Option<Duration>,
}

/// When a writer thread makes blocks durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// When the journal closes; orders leave once written.
    AtEnd,
    /// At least so often; orders leave once written.
    Every(Duration),
    /// At least so often, and before an order leaves.
    BeforeOrders(Duration),
}

impl Commits {
    fn interval(self) -> Option<Duration> {
        match self {
            Commits::AtEnd => None,
            Commits::Every(interval) | Commits::BeforeOrders(interval) => Some(interval),
        }
    }
}

/// An order or cancel that the log sends to its venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issued {
    /// Seq of the state change that sent it: its identity.
    pub seq: Seq,
    /// Event time.
    pub ts: Nanos,
    /// Order.
    pub order: OrderIx,
    /// A cancel of it rather than the order.
    pub is_cancel: bool,
}

impl Issued {
    /// The orders and cancels that a block sends, in order.
    pub fn of(block: &Block) -> impl Iterator<Item = Issued> + '_ {
        block.derived.iter().enumerate().filter_map(|(n, derived)| {
            let Event::State { order, to, .. } = derived.event else { return None };
            let is_cancel = match to {
                OrderState::Approved => false,
                OrderState::PendingCancel => true,
                _ => return None,
            };
            let seq = block.derived_seq(n, derived.after);
            Some(Issued { seq, ts: derived.ts, order, is_cancel })
        })
    }
}

/// Called on the writer's thread with what may leave now.
pub type OnRelease = Box<dyn FnMut(&[Issued]) -> Result<(), JournalError> + Send>;

/// A journal writer on a thread of its own.
#[derive(Debug)]
pub struct JournalThread {
    filled: Option<Sender<Block>>,
    emptied: Receiver<Block>,
    snapshots: Sender<Snapshot>,
    handed: u64,
    written: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<ThreadSummary, JournalError>>>,
}

impl JournalThread {
    /// Starts a thread that commits when the journal closes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(writer: JournalWriter) -> Result<JournalThread, JournalError> {
        JournalThread::start_live(writer, Commits::AtEnd, Box::new(|_| Ok(())))
    }

    /// Starts the thread of a live run.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start_live(
        writer: JournalWriter,
        commits: Commits,
        on_release: OnRelease,
    ) -> Result<JournalThread, JournalError> {
        let (filled, blocks) = bounded::<Block>(IN_FLIGHT);
        let (back, emptied) = bounded::<Block>(IN_FLIGHT);
        let (snapshots, taken) = bounded::<Snapshot>(SNAPSHOTS);
        let written = Arc::new(AtomicU64::new(0));
        let work = Work { writer, commits, on_release, snapshots: taken, written: Arc::clone(&written) };
        let thread = std::thread::Builder::new()
            .name("journal".to_string())
            .spawn(move || work.run(&blocks, &back))
            .map_err(|e| JournalError::Failed {
                path: "journal".to_string(),
                what: "starting the writer thread",
                problem: e.to_string(),
            })?;
        Ok(JournalThread {
            filled: Some(filled),
            emptied,
            snapshots,
            handed: 0,
            written,
            thread: Some(thread),
        })
    }

    /// Hands a block over and returns an empty one; waits while the writer is behind.
    ///
    /// # Errors
    /// The writer's failure.
    pub fn put(&mut self, block: Block) -> Result<Block, JournalError> {
        let filled = self.filled.as_ref().ok_or(JournalError::Thread)?;
        if filled.send(block).is_err() {
            return Err(self.join().err().unwrap_or(JournalError::Thread));
        }
        self.handed += 1;
        Ok(self.emptied.try_recv().unwrap_or_default())
    }

    /// Where snapshots are taken in; a full channel means that the writer is busy.
    pub fn snapshots(&self) -> Sender<Snapshot> {
        self.snapshots.clone()
    }

    /// Blocks handed over and not written yet.
    pub fn lag(&self) -> u32 {
        let behind = self.handed.saturating_sub(self.written.load(Ordering::Relaxed));
        u32::try_from(behind).unwrap_or(u32::MAX)
    }

    /// Waits until everything is written and committed.
    ///
    /// # Errors
    /// The writer's failure.
    pub fn finish(mut self) -> Result<ThreadSummary, JournalError> {
        self.join()
    }

    fn join(&mut self) -> Result<ThreadSummary, JournalError> {
        self.filled = None;
        let thread = self.thread.take().ok_or(JournalError::Thread)?;
        thread.join().map_err(|_| JournalError::Thread)?
    }
}

impl Drop for JournalThread {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.join().ok();
        }
    }
}

/// What the thread owns.
struct Work {
    writer: JournalWriter,
    commits: Commits,
    on_release: OnRelease,
    snapshots: Receiver<Snapshot>,
    written: Arc<AtomicU64>,
}

impl Work {
    fn run(mut self, blocks: &Receiver<Block>, back: &Sender<Block>) -> Result<ThreadSummary, JournalError> {
        let mut issued: Vec<Issued> = Vec::new();
        let mut committed_at = Instant::now();
        let mut is_dirty = false;
        loop {
            match self.next(blocks, is_dirty.then_some(committed_at)) {
                Ok(mut block) => {
                    self.writer.append(&block)?;
                    self.written.fetch_add(1, Ordering::Relaxed);
                    issued.extend(Issued::of(&block));
                    is_dirty = true;
                    block.inputs.clear();
                    block.cold.clear();
                    block.derived.clear();
                    back.try_send(block).ok();
                    if let Ok(snapshot) = self.snapshots.try_recv() {
                        self.writer.put_snapshot(&snapshot)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let is_over = self.commits.interval().is_some_and(|interval| committed_at.elapsed() >= interval);
            let waits = matches!(self.commits, Commits::BeforeOrders(_)) && !issued.is_empty();
            // Blocks that queue up behind an order share its commit, for one interval at most.
            if is_dirty && (is_over || (waits && blocks.is_empty())) {
                self.writer.commit()?;
                (committed_at, is_dirty) = (Instant::now(), false);
            } else if waits {
                continue;
            }
            if !issued.is_empty() {
                (self.on_release)(&issued)?;
                issued.clear();
            }
        }
        if !issued.is_empty() {
            self.writer.commit()?;
            (self.on_release)(&issued)?;
        }
        let journal = self.writer.finish()?;
        Ok(ThreadSummary { journal, cpu: thread_cpu() })
    }

    /// The next block; times out when what was written since `dirty_since` must be committed.
    fn next(
        &self,
        blocks: &Receiver<Block>,
        dirty_since: Option<Instant>,
    ) -> Result<Block, RecvTimeoutError> {
        match self.commits.interval().zip(dirty_since) {
            Some((interval, since)) => blocks.recv_timeout(interval.saturating_sub(since.elapsed())),
            None => blocks.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }
}

/// CPU time of this thread so far, from the kernel's accounting.
fn thread_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let ns = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(ns))
}
