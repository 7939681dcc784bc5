//! A journal's blocks in order: frames from the store, decoded, each fitted to the chain.

use crate::error::JournalError;
use crate::store::{Pair, Store, Tree};
use onetape_engine::block::Block;
use onetape_tape::codec::{CodecError, Decoder, HEADER_LEN, Hash, Header};

/// Puts a block's frame together from its parts in the store.
///
/// Where the next block lies follows from the header before it, which nothing has checked yet: a damaged
/// header leads nowhere, and [`Chain`] finds the block that it belongs to first.
pub(crate) struct Frames<'a> {
    pairs: Box<dyn Iterator<Item = Result<Pair, JournalError>> + Send + 'a>,
    path: &'a str,
    next_seq: u64,
}

impl<'a> Frames<'a> {
    pub(crate) fn of(store: &'a dyn Store, path: &'a str) -> Frames<'a> {
        Frames { pairs: store.iterate(Tree::Blocks, &[]), path, next_seq: 0 }
    }

    /// Replaces `frame` by the next one; `false` at the end.
    pub(crate) fn next_frame(&mut self, frame: &mut Vec<u8>) -> Result<bool, JournalError> {
        frame.clear();
        let mut part = 0;
        loop {
            let Some(pair) = self.pairs.next() else {
                return if part == 0 {
                    Ok(false)
                } else {
                    Err(self.error("the block's last parts are missing"))
                };
            };
            let (key, value) = pair?;
            if key != crate::writer::block_key(self.next_seq, part) {
                return Err(self.error("the next block, or a part of it, is missing or misplaced"));
            }
            let Some(content) = crate::chunk::content(&value, self.next_seq, part) else {
                return Err(self.error(&format!("part {part} of the block is damaged")));
            };
            frame.extend_from_slice(content);
            part += 1;
            if frame.len() >= HEADER_LEN {
                let header =
                    Header::from_bytes(frame).map_err(|e| block_error(self.path, self.next_seq, e))?;
                if frame.len() >= header.frame_len() {
                    self.next_seq = self.next_seq.saturating_add(header.len());
                    return Ok(true);
                }
            }
        }
    }

    fn error(&self, problem: &str) -> JournalError {
        JournalError::Chain { path: self.path.to_string(), seq: self.next_seq, problem: problem.to_string() }
    }
}

pub(crate) fn block_error(path: &str, seq: u64, source: CodecError) -> JournalError {
    JournalError::Block { path: path.to_string(), seq, source }
}

/// The chain so far: what the next block must follow.
pub(crate) struct Chain<'a> {
    path: &'a str,
    run_id: &'a str,
    pub(crate) next_seq: u64,
    pub(crate) head: Hash,
    derived: blake3::Hasher,
}

impl<'a> Chain<'a> {
    pub(crate) fn new(path: &'a str, run_id: &'a str) -> Chain<'a> {
        Chain { path, run_id, next_seq: 0, head: Hash::ZERO, derived: blake3::Hasher::new() }
    }

    /// Takes a decoded frame into the chain.
    pub(crate) fn extend(
        &mut self,
        frame: &[u8],
        decoded: Result<(Header, Hash), CodecError>,
    ) -> Result<(), JournalError> {
        let (header, hash) = decoded.map_err(|source| block_error(self.path, self.next_seq, source))?;
        if header.previous != self.head {
            return Err(self.error("the block does not follow the one before it: the chain is broken"));
        }
        if header.id.to_string() != self.run_id || header.first_seq != self.next_seq {
            return Err(self.error("the block belongs to another journal or place"));
        }
        let derived_at = HEADER_LEN + header.inputs_len as usize + header.cold_len as usize;
        self.derived.update(&frame[derived_at..derived_at + header.derived_len as usize]);
        self.head = hash;
        self.next_seq += header.len();
        Ok(())
    }

    /// BLAKE3 over the derived lanes so far.
    pub(crate) fn derived_hash(&self) -> Hash {
        Hash(*self.derived.finalize().as_bytes())
    }

    fn error(&self, problem: &str) -> JournalError {
        JournalError::Chain { path: self.path.to_string(), seq: self.next_seq, problem: problem.to_string() }
    }
}

/// Iterates over a journal's blocks.
pub struct Blocks<'a> {
    frames: Frames<'a>,
    chain: Chain<'a>,
    decoder: Decoder,
    frame: Vec<u8>,
    is_done: bool,
}

impl std::fmt::Debug for Blocks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocks").field("path", &self.chain.path).field("next_seq", &self.next_seq()).finish()
    }
}

impl<'a> Blocks<'a> {
    pub(crate) fn of(store: &'a dyn Store, path: &'a str, run_id: &'a str) -> Blocks<'a> {
        Blocks {
            frames: Frames::of(store, path),
            chain: Chain::new(path, run_id),
            decoder: Decoder::new(),
            frame: Vec::new(),
            is_done: false,
        }
    }

    /// Hash of the last block read, zero before the first.
    pub fn head(&self) -> Hash {
        self.chain.head
    }

    /// Seq after the last block read.
    pub fn next_seq(&self) -> u64 {
        self.chain.next_seq
    }

    /// Reads the next block; `false` at the end.
    ///
    /// # Errors
    /// A damaged, missing, foreign or misplaced block; nothing is read after one.
    pub fn next_block(&mut self, block: &mut Block) -> Result<bool, JournalError> {
        if self.is_done {
            return Ok(false);
        }
        let read = self.frames.next_frame(&mut self.frame).and_then(|is_there| {
            if is_there {
                self.chain.extend(&self.frame, self.decoder.decode(&self.frame, block))?;
            }
            Ok(is_there)
        });
        self.is_done = !matches!(read, Ok(true));
        read
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<Block, JournalError>;
    fn next(&mut self) -> Option<Result<Block, JournalError>> {
        let mut block = Block::default();
        match self.next_block(&mut block) {
            Ok(true) => Some(Ok(block)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
