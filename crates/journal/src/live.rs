//! Reading a journal while it is written: sealed blocks, straight from the owner's database.
//!
//! The writer publishes the seq up to which blocks are whole; readers take them from the store at their own
//! pace and never make the writer wait.

use crate::error::JournalError;
use crate::store::{Store, Tree};
use crate::writer::{RunHeader, block_key};
use onetape_engine::block::Block;
use onetape_engine::ids::Seq;
use onetape_tape::codec::{Decoder, HEADER_LEN, Hash, Header};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The sealed blocks of a journal that is being written.
pub struct LiveLog {
    store: Box<dyn Store>,
    sealed: Arc<AtomicU64>,
    header: RunHeader,
    decoder: Decoder,
    frame: Vec<u8>,
}

impl std::fmt::Debug for LiveLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveLog").field("sealed", &self.sealed()).finish()
    }
}

impl LiveLog {
    pub(crate) fn new(store: Box<dyn Store>, sealed: Arc<AtomicU64>, header: RunHeader) -> LiveLog {
        LiveLog { store, sealed, header, decoder: Decoder::new(), frame: Vec::new() }
    }

    /// Another reader of the same log.
    #[must_use]
    pub fn share(&self) -> LiveLog {
        LiveLog::new(self.store.share(), Arc::clone(&self.sealed), self.header.clone())
    }

    /// Seq after the last block that is whole.
    pub fn sealed(&self) -> Seq {
        self.sealed.load(Ordering::Acquire)
    }

    /// What the journal says of itself.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    /// Puts the frame of the block that begins at `seq` into `frame`; `None` when it has not sealed yet.
    ///
    /// # Errors
    /// When the store fails, or no block begins there.
    pub fn frame(&self, seq: Seq, frame: &mut Vec<u8>) -> Result<Option<Header>, JournalError> {
        if seq >= self.sealed() {
            return Ok(None);
        }
        frame.clear();
        let failed = |problem: &str| JournalError::Chain {
            path: "the live journal".to_string(),
            seq,
            problem: problem.to_string(),
        };
        for part in 0.. {
            let value = self.store.get(Tree::Blocks, &block_key(seq, part))?;
            let value = value.ok_or_else(|| failed("no block begins here, or a part of it is missing"))?;
            let content = crate::chunk::content(&value, seq, part);
            frame.extend_from_slice(content.ok_or_else(|| failed("a part of the block is damaged"))?);
            if frame.len() >= HEADER_LEN {
                let header =
                    Header::from_bytes(frame).map_err(|_| failed("the block's header is damaged"))?;
                if frame.len() >= header.frame_len() {
                    return Ok(Some(header));
                }
            }
        }
        Ok(None)
    }

    /// Decodes the block that begins at `seq` and returns its hash; `None` when it has not sealed yet.
    ///
    /// # Errors
    /// As [`LiveLog::frame`], and when the block's bytes are damaged.
    pub fn block(&mut self, seq: Seq, block: &mut Block) -> Result<Option<Hash>, JournalError> {
        let mut frame = std::mem::take(&mut self.frame);
        let found = self.frame(seq, &mut frame);
        self.frame = frame;
        if found?.is_none() {
            return Ok(None);
        }
        let (_, hash) = self.decoder.decode(&self.frame, block).map_err(|source| JournalError::Block {
            path: "the live journal".to_string(),
            seq,
            source,
        })?;
        Ok(Some(hash))
    }
}
