//! Where sealed blocks go: a journal on its own thread, or hashes alone.

use crate::driver::BlockSink;
use crate::error::RunError;
use crate::run_folder::{RunFolder, RunId};
use crate::settings::JournalMode;
use onetape_engine::block::Block;
use onetape_journal::{DerivedHash, JournalThread, JournalWriter};
use onetape_tape::codec::Hash;
use std::time::Duration;

/// A run's sink.
#[derive(Debug)]
pub enum Sink {
    /// Journal modes `full` and `refs`.
    Journal(Box<JournalThread>),
    /// Journal mode `off`.
    Hashes(Box<DerivedHash>),
}

/// Totals of a closed sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSummary {
    /// Hash of the last block; empty in mode `off`, which keeps no chain.
    pub head_hash: String,
    /// Hash over the derived lanes.
    pub derived_hash: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes of all frames.
    pub frame_bytes: u64,
    /// CPU time of the writer thread.
    pub cpu: Option<Duration>,
}

impl Sink {
    /// Opens the sink of a run over the session of this content hash.
    ///
    /// # Errors
    /// When the journal cannot be created.
    pub fn open(mode: JournalMode, session: Hash, folder: &RunFolder, id: &RunId) -> Result<Sink, RunError> {
        match mode {
            JournalMode::Full => Sink::full(folder, id),
            JournalMode::Refs => {
                Sink::over(JournalWriter::create_referring(&folder.journal(), id.0, session)?)
            }
            JournalMode::Off => Ok(Sink::Hashes(Box::default())),
        }
    }

    /// Opens the sink of a run that holds its inputs.
    ///
    /// # Errors
    /// When the journal cannot be created.
    pub fn full(folder: &RunFolder, id: &RunId) -> Result<Sink, RunError> {
        Sink::over(JournalWriter::create(&folder.journal(), id.0)?)
    }

    fn over(writer: JournalWriter) -> Result<Sink, RunError> {
        Ok(Sink::Journal(Box::new(JournalThread::start(writer)?)))
    }

    /// Blocks handed over and not written yet.
    pub fn lag(&self) -> u32 {
        match self {
            Sink::Journal(thread) => thread.lag(),
            Sink::Hashes(_) => 0,
        }
    }

    /// Closes the sink; everything is durable then.
    ///
    /// # Errors
    /// The journal's failure.
    pub fn finish(self) -> Result<SinkSummary, RunError> {
        match self {
            Sink::Journal(thread) => {
                let done = thread.finish()?;
                Ok(SinkSummary {
                    head_hash: done.journal.head_hash.to_string(),
                    derived_hash: done.journal.derived_hash.to_string(),
                    bytes: done.journal.stored_bytes,
                    frame_bytes: done.journal.frame_bytes,
                    cpu: done.cpu,
                })
            }
            Sink::Hashes(hashes) => Ok(SinkSummary {
                head_hash: String::new(),
                derived_hash: hashes.hash().to_string(),
                bytes: 0,
                frame_bytes: 0,
                cpu: None,
            }),
        }
    }
}

impl BlockSink for Sink {
    type Error = RunError;

    fn put(&mut self, mut block: Block) -> Result<Block, RunError> {
        match self {
            Sink::Journal(thread) => Ok(thread.put(block)?),
            Sink::Hashes(hashes) => {
                hashes.append(&block)?;
                block.inputs.clear();
                block.cold.clear();
                block.derived.clear();
                Ok(block)
            }
        }
    }
}
