//! The hashes of a run: what its blocks are, byte for byte.

use crate::blocks::block_error;
use crate::error::JournalError;
use crate::refer::Referrer;
use onetape_engine::block::Block;
use onetape_tape::codec::{Encoder, HEADER_LEN, Hash, Header, check_frame};
use std::ops::Range;

/// Totals of a finished journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalSummary {
    /// Hash of the last block: fixes every byte before it.
    pub head_hash: Hash,
    /// BLAKE3 over the derived lanes alone: equal in every journal mode.
    pub derived_hash: Hash,
    /// Inputs.
    pub inputs: u64,
    /// Derived events.
    pub derived: u64,
    /// Blocks.
    pub blocks: u64,
    /// Bytes of all frames.
    pub frame_bytes: u64,
    /// Bytes of the database file.
    pub stored_bytes: u64,
}

/// Hashes sealed blocks the way a journal does, storing nothing (journal mode `off`).
#[derive(Debug)]
pub struct HashOnly {
    encoder: Encoder,
    /// In mode `refs`.
    referrer: Option<Referrer>,
    id: Hash,
    /// Of the last block.
    pub(crate) frame: Vec<u8>,
    derived: blake3::Hasher,
    pub(crate) summary: JournalSummary,
}

impl HashOnly {
    /// For a run of this id.
    pub fn new(run_id: [u8; 32]) -> HashOnly {
        HashOnly {
            encoder: Encoder::new(),
            referrer: None,
            id: Hash(run_id),
            frame: Vec::new(),
            derived: blake3::Hasher::new(),
            summary: JournalSummary::default(),
        }
    }

    /// As a journal does that refers to the inputs of a session (mode `refs`).
    #[must_use]
    pub fn referring(mut self, session: Hash) -> HashOnly {
        self.referrer = Some(Referrer::new(session));
        self
    }

    /// Takes a block into the hashes; its frame stays in the buffer until the next.
    ///
    /// # Errors
    /// When the block cannot be encoded.
    pub fn append(&mut self, block: &Block) -> Result<(), JournalError> {
        let HashOnly { encoder, referrer, id, frame, summary, .. } = self;
        let sealed = match referrer {
            None => encoder.encode(block, id, &summary.head_hash, frame),
            Some(referrer) => {
                let references = referrer.refer(block);
                encoder.encode_referring(block, &references, id, &summary.head_hash, frame)
            }
        };
        let sealed = sealed.map_err(|source| block_error("the run", block.first_seq, source))?;
        self.enter(&sealed.header, sealed.hash, sealed.derived);
        Ok(())
    }

    /// Takes a block's frame into the hashes as it is.
    pub(crate) fn append_frame(&mut self, frame: &[u8]) -> Result<Header, JournalError> {
        let at = |seq| move |source| block_error("the run", seq, source);
        let seq = self.summary.inputs + self.summary.derived;
        let (header, hash) = check_frame(frame).map_err(at(seq))?;
        let follows = header.previous == self.summary.head_hash && header.first_seq == seq;
        if !follows || header.id != self.id {
            let problem = "the block does not follow the one before it, or is of another run".to_string();
            return Err(JournalError::Chain { path: "the run".to_string(), seq, problem });
        }
        self.frame.clear();
        self.frame.extend_from_slice(frame);
        let start = HEADER_LEN + header.inputs_len as usize + header.cold_len as usize;
        self.enter(&header, hash, start..start + header.derived_len as usize);
        Ok(header)
    }

    /// Counts the block whose frame is in the buffer.
    fn enter(&mut self, header: &Header, hash: Hash, derived: Range<usize>) {
        self.derived.update(&self.frame[derived]);
        self.summary.head_hash = hash;
        self.summary.inputs += u64::from(header.inputs);
        self.summary.derived += u64::from(header.derived);
        self.summary.blocks += 1;
        self.summary.frame_bytes += self.frame.len() as u64;
    }

    /// The totals so far.
    pub fn summary(&self) -> JournalSummary {
        JournalSummary { derived_hash: Hash(*self.derived.finalize().as_bytes()), ..self.summary }
    }
}
