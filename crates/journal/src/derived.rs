//! What journal mode `off` keeps of a run: the hash over its derived events.

use crate::error::JournalError;
use onetape_engine::block::Block;
use onetape_tape::codec::{Hash, encode_derived};

/// Hashes the derived lanes of sealed blocks the way a journal does, and neither encodes nor hashes their
/// inputs: an inner loop of a search pays for what its runs conclude, not for the tape they share.
#[derive(Debug, Default)]
pub struct DerivedHash {
    lane: Vec<u8>,
    hasher: blake3::Hasher,
}

impl DerivedHash {
    /// Takes a block's derived events into the hash.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn append(&mut self, block: &Block) -> Result<(), JournalError> {
        self.lane.clear();
        encode_derived(block, &mut self.lane).map_err(|source| JournalError::Block {
            path: "the run".to_string(),
            seq: block.first_seq,
            source,
        })?;
        self.hasher.update(&self.lane);
        Ok(())
    }

    /// The hash so far: equal to a journal's `derived_hash` after the same blocks.
    pub fn hash(&self) -> Hash {
        Hash(*self.hasher.finalize().as_bytes())
    }
}
