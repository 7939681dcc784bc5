//! The writer thread: takes sealed blocks over a bounded channel and gives the emptied ones back.
//!
//! It never drops a block; when it falls behind, the loop waits.

use crate::error::JournalError;
use crate::writer::{JournalSummary, JournalWriter};
use crossbeam::channel::{Receiver, Sender, bounded};
use onetape_engine::block::Block;
use std::thread::JoinHandle;
use std::time::Duration;

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

/// A journal writer on a thread of its own.
#[derive(Debug)]
pub struct JournalThread {
    filled: Option<Sender<Block>>,
    emptied: Receiver<Block>,
    thread: Option<JoinHandle<Result<ThreadSummary, JournalError>>>,
}

impl JournalThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(writer: JournalWriter) -> Result<JournalThread, JournalError> {
        let (filled, blocks) = bounded::<Block>(IN_FLIGHT);
        let (back, emptied) = bounded::<Block>(IN_FLIGHT);
        let thread = std::thread::Builder::new()
            .name("journal".to_string())
            .spawn(move || write(writer, &blocks, &back))
            .map_err(|e| JournalError::Failed {
                path: "journal".to_string(),
                what: "starting the writer thread",
                problem: e.to_string(),
            })?;
        Ok(JournalThread { filled: Some(filled), emptied, thread: Some(thread) })
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
        Ok(self.emptied.try_recv().unwrap_or_default())
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

fn write(
    mut writer: JournalWriter,
    blocks: &Receiver<Block>,
    back: &Sender<Block>,
) -> Result<ThreadSummary, JournalError> {
    for mut block in blocks {
        writer.append(&block)?;
        block.inputs.clear();
        block.cold.clear();
        block.derived.clear();
        back.try_send(block).ok();
    }
    let journal = writer.finish()?;
    Ok(ThreadSummary { journal, cpu: thread_cpu() })
}

/// CPU time of this thread so far, from the kernel's accounting.
fn thread_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let ns = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(ns))
}
