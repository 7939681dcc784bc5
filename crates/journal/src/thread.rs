//! The writer thread: takes sealed blocks over a bounded channel and gives the emptied ones back.
//!
//! It never drops a block; when it falls behind, the loop waits. In a live run it also commits as the
//! durability level says. Orders leave when they may: at the hand-over of their block, on the thread that
//! hands it over, or, where they wait for the disk, on the writer's thread once the block is in the write-ahead area.
//!
//! A live writer looks for blocks by itself, since waking a thread costs the one that wakes it tens of
//! microseconds: it naps between looks, longer each time, and is woken only when someone waits for it.

use crate::error::JournalError;
use crate::hashes::JournalSummary;
use crate::snapshots::Snapshot;
use crate::writer::JournalWriter;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use onetape_engine::block::Block;
use onetape_engine::event::Event;
use onetape_engine::ids::{OrderIx, Seq};
use onetape_engine::num::Nanos;
use onetape_engine::order::OrderState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

/// Snapshots that wait for the writer at most.
const SNAPSHOTS: usize = 1;
/// Blocks in flight at most.
const IN_FLIGHT: usize = 64;
/// Blocks that wait for a napping writer before it is woken.
const WAKE_AT: usize = 8;
/// A live writer's first nap, and its longest.
const NAPS: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(5));

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
    /// When the journal closes; orders leave once their block is handed over.
    AtEnd,
    /// At least so often; orders leave once their block is handed over.
    Every(Duration),
    /// At least so often; an order leaves once its block is durable in the write-ahead area.
    BeforeOrders(Duration),
}

impl Commits {
    fn interval(self) -> Option<Duration> {
        match self {
            Commits::AtEnd => None,
            Commits::Every(interval) | Commits::BeforeOrders(interval) => Some(interval),
        }
    }

    fn gates_orders(self) -> bool {
        matches!(self, Commits::BeforeOrders(_))
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

/// Called with what may leave now: by [`JournalThread::put`], or on the writer's thread where orders wait
/// for the disk.
pub type OnRelease = Box<dyn FnMut(&[Issued]) -> Result<(), JournalError> + Send>;

/// A journal writer on a thread of its own.
pub struct JournalThread {
    filled: Option<Sender<Block>>,
    emptied: Receiver<Block>,
    snapshots: Sender<Snapshot>,
    handed: u64,
    written: Arc<AtomicU64>,
    /// The writer of a live run; `None` where it sleeps on the channel.
    napping: Option<Thread>,
    /// Orders wait for the disk.
    gates_orders: bool,
    /// What orders leave through at the hand-over.
    gate: Option<OnRelease>,
    issued: Vec<Issued>,
    thread: Option<JoinHandle<Result<ThreadSummary, JournalError>>>,
}

impl std::fmt::Debug for JournalThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalThread").field("handed", &self.handed).field("lag", &self.lag()).finish()
    }
}

impl JournalThread {
    /// Starts a thread that commits when the journal closes; nothing leaves through it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(writer: JournalWriter) -> Result<JournalThread, JournalError> {
        JournalThread::spawn(writer, Commits::AtEnd, None)
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
        JournalThread::spawn(writer, commits, Some(on_release))
    }

    /// A live run's thread has a gate.
    fn spawn(
        mut writer: JournalWriter,
        commits: Commits,
        gate: Option<OnRelease>,
    ) -> Result<JournalThread, JournalError> {
        let (filled, blocks) = bounded::<Block>(IN_FLIGHT);
        let (back, emptied) = bounded::<Block>(IN_FLIGHT);
        let (snapshots, taken) = bounded::<Snapshot>(SNAPSHOTS);
        let written = Arc::new(AtomicU64::new(0));
        let (naps, gates_orders) = (gate.is_some(), commits.gates_orders());
        if gates_orders {
            writer.open_ahead()?;
        }
        let (gate, late_gate) = if gates_orders { (None, gate) } else { (gate, None) };
        let counter = Arc::clone(&written);
        let work = Work { writer, commits, naps, gate: late_gate, snapshots: taken, written: counter };
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
            napping: naps.then(|| thread.thread().clone()),
            gates_orders,
            gate,
            issued: Vec::new(),
            thread: Some(thread),
        })
    }

    /// Hands a block over, lets its orders leave unless they wait for the disk, and returns an empty block;
    /// waits while the writer is behind.
    ///
    /// # Errors
    /// The writer's failure, or that of the gate.
    pub fn put(&mut self, block: Block) -> Result<Block, JournalError> {
        let filled = self.filled.as_ref().ok_or(JournalError::Thread)?;
        if self.gate.is_some() {
            self.issued.clear();
            self.issued.extend(Issued::of(&block));
        }
        let is_awaited = self.gates_orders && Issued::of(&block).next().is_some();
        if filled.send(block).is_err() {
            return Err(self.join().err().unwrap_or(JournalError::Thread));
        }
        self.handed += 1;
        if let Some(gate) = self.gate.as_mut().filter(|_| !self.issued.is_empty()) {
            gate(&self.issued)?;
        }
        if let Some(writer) = self.napping.as_ref().filter(|_| is_awaited || filled.len() >= WAKE_AT) {
            writer.unpark();
        }
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
        if let Some(writer) = &self.napping {
            writer.unpark();
        }
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
    /// Whether it looks for blocks by itself.
    naps: bool,
    /// What orders leave through once they are durable.
    gate: Option<OnRelease>,
    snapshots: Receiver<Snapshot>,
    written: Arc<AtomicU64>,
}

impl Work {
    fn run(mut self, blocks: &Receiver<Block>, back: &Sender<Block>) -> Result<ThreadSummary, JournalError> {
        let mut issued: Vec<Issued> = Vec::new();
        let mut committed_at = Instant::now();
        let mut is_dirty = false;
        let interval = self.commits.interval();
        let is_over = |since: Instant| interval.is_some_and(|interval| since.elapsed() >= interval);
        loop {
            match self.next(blocks, is_dirty.then_some(committed_at)) {
                Ok(mut block) => {
                    if self.gate.is_some() {
                        issued.extend(Issued::of(&block));
                    }
                    // Blocks that queue up behind an order share its write, for one interval at most.
                    if !issued.is_empty() && (blocks.is_empty() || is_over(committed_at)) {
                        self.append_and_let_leave(&block, &mut issued)?;
                    } else {
                        self.writer.append(&block)?;
                    }
                    self.written.fetch_add(1, Ordering::Relaxed);
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
            if is_dirty && is_over(committed_at) {
                self.writer.commit()?;
                (committed_at, is_dirty) = (Instant::now(), false);
            }
        }
        let journal = self.writer.finish()?;
        Ok(ThreadSummary { journal, cpu: thread_cpu() })
    }

    /// Appends a block and lets leave what waited for it and for those before it; a commit follows in its time.
    fn append_and_let_leave(&mut self, block: &Block, issued: &mut Vec<Issued>) -> Result<(), JournalError> {
        let Work { writer, gate, .. } = self;
        writer.append_awaited(block, || gate.as_mut().map_or(Ok(()), |gate| gate(issued)))?;
        issued.clear();
        Ok(())
    }

    /// The next block; times out when what was written since `dirty_since` must be committed.
    fn next(
        &self,
        blocks: &Receiver<Block>,
        dirty_since: Option<Instant>,
    ) -> Result<Block, RecvTimeoutError> {
        if !self.naps {
            return blocks.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        let (mut nap, longest) = NAPS;
        loop {
            match blocks.try_recv() {
                Ok(block) => return Ok(block),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            let due = self.commits.interval().zip(dirty_since);
            let left = due.map(|(interval, since)| interval.saturating_sub(since.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(RecvTimeoutError::Timeout);
            }
            std::thread::park_timeout(left.map_or(nap, |left| nap.min(left)));
            nap = (nap * 2).min(longest);
        }
    }
}

/// CPU time of this thread so far, from the kernel's accounting.
fn thread_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let ns = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use onetape_engine::event::{Derived, StateReason};
    use onetape_engine::ids::InstrumentIx;
    use onetape_engine::record::{Body, Head, Record};
    use std::sync::Mutex;
    use std::thread::ThreadId;

    /// A block that sends order 3.
    fn sends() -> Block {
        let event = Event::State {
            order: OrderIx(3),
            from: OrderState::Submitted,
            to: OrderState::Approved,
            reason: StateReason::RiskApproved,
        };
        let seal = Record::new(Head::at(Nanos(5), InstrumentIx::NONE), Body::Seal);
        let derived = vec![Derived { after: 1, ts: Nanos(5), cause: 0, event }];
        Block { inputs: vec![seal], derived, ..Block::default() }
    }

    type Left = Arc<Mutex<Vec<(Issued, ThreadId)>>>;

    fn start(disk: &MemoryStore, commits: Commits) -> (JournalThread, Left) {
        let writer = JournalWriter::over_store(Box::new(disk.clone()), [7; 32]).unwrap();
        let left = Left::default();
        let gate = Arc::clone(&left);
        let on_release = Box::new(move |issued: &[Issued]| {
            let here = std::thread::current().id();
            gate.lock().unwrap().extend(issued.iter().map(|issued| (*issued, here)));
            Ok(())
        });
        (JournalThread::start_live(writer, commits, on_release).unwrap(), left)
    }

    const ORDER: Issued = Issued { seq: 1, ts: Nanos(5), order: OrderIx(3), is_cancel: false };

    #[test]
    fn an_order_leaves_at_the_hand_over_on_the_callers_thread() {
        for commits in [Commits::AtEnd, Commits::Every(Duration::from_millis(1))] {
            let disk = MemoryStore::default();
            // However long the disk takes.
            disk.hold_commit(1);
            let (mut thread, left) = start(&disk, commits);
            thread.put(sends()).unwrap();
            assert_eq!(*left.lock().unwrap(), [(ORDER, std::thread::current().id())]);
            disk.release();
            thread.finish().unwrap();
            assert_eq!(left.lock().unwrap().len(), 1, "and does not leave again");
        }
    }

    #[test]
    fn an_order_that_waits_for_the_disk_leaves_once_it_is_written_ahead() {
        let disk = MemoryStore::default();
        // The first is the commit that opens the area.
        disk.hold_commit(2);
        let (mut thread, left) = start(&disk, Commits::BeforeOrders(Duration::from_secs(60)));
        thread.put(sends()).unwrap();
        disk.wait_until_held();
        assert!(left.lock().unwrap().is_empty());
        disk.release();
        // The one that follows, the database's, is not waited for.
        disk.hold_commit(1);
        while left.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
        disk.release();
        thread.finish().unwrap();
        let left = left.lock().unwrap();
        assert!(left.len() == 1 && left[0].0 == ORDER && left[0].1 != std::thread::current().id());
    }

    /// Blocks that wait wake a napping writer; all are written, in order.
    #[test]
    fn a_napping_writer_finds_every_block() {
        let disk = MemoryStore::default();
        let (mut thread, _) = start(&disk, Commits::AtEnd);
        for n in 0..500u64 {
            let tick = Record::new(Head::at(Nanos(n), InstrumentIx::NONE), Body::Tick);
            thread.put(Block { first_seq: n, inputs: vec![tick], ..Block::default() }).unwrap();
        }
        assert_eq!(thread.finish().unwrap().journal.blocks, 500);
    }
}
