//! A journal's blocks in order: frames from the store, decoded, each fitted to the chain.

use crate::error::JournalError;
use crate::store::{Pair, Store, Tree};
use crate::writer::RunHeader;
use onetape_engine::block::Block;
use onetape_tape::codec::{CodecError, Decoder, HEADER_LEN, Hash, Header, References, complete};
use onetape_tape::session::{SessionCursor, SessionError, SessionPlace};

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
    run: &'a RunHeader,
    pub(crate) next_seq: u64,
    pub(crate) head: Hash,
    derived: blake3::Hasher,
}

impl<'a> Chain<'a> {
    pub(crate) fn new(path: &'a str, run: &'a RunHeader) -> Chain<'a> {
        Chain { path, run, next_seq: 0, head: Hash::ZERO, derived: blake3::Hasher::new() }
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
        if header.id.to_string() != self.run.run_id || header.first_seq != self.next_seq {
            return Err(self.error("the block belongs to another journal or place"));
        }
        let derived_at = HEADER_LEN + header.inputs_len as usize + header.cold_len as usize;
        self.derived.update(&frame[derived_at..derived_at + header.derived_len as usize]);
        self.head = hash;
        self.next_seq += header.len();
        Ok(())
    }

    /// Every block refers to one session, the one that the run header names.
    pub(crate) fn check_session(&self, references: &References) -> Result<(), JournalError> {
        if self.run.session == Some(references.session) {
            return Ok(());
        }
        Err(self.error("the block refers to another session than the run header names"))
    }

    /// BLAKE3 over the derived lanes so far.
    pub(crate) fn derived_hash(&self) -> Hash {
        Hash(*self.derived.finalize().as_bytes())
    }

    fn error(&self, problem: &str) -> JournalError {
        JournalError::Chain { path: self.path.to_string(), seq: self.next_seq, problem: problem.to_string() }
    }
}

/// The inputs that a journal in mode `refs` does not hold.
pub(crate) struct SessionInputs<'a> {
    path: &'a str,
    place: Option<&'a SessionPlace>,
    /// Opened with the first block that needs it.
    cursor: Option<SessionCursor>,
}

/// What keeps a block from being completed.
enum Incomplete {
    Session(SessionError),
    Codec(CodecError),
}

impl From<CodecError> for Incomplete {
    fn from(error: CodecError) -> Incomplete {
        Incomplete::Codec(error)
    }
}

impl<'a> SessionInputs<'a> {
    /// Of the session at `place`, whose content hash was compared with the run header's; `None` when it is not at hand.
    pub(crate) fn of(path: &'a str, place: Option<&'a SessionPlace>) -> SessionInputs<'a> {
        SessionInputs { path, place, cursor: None }
    }

    pub(crate) fn are_at_hand(&self) -> bool {
        self.place.is_some()
    }

    /// Makes a decoded block whole.
    pub(crate) fn complete(
        &mut self,
        header: &Header,
        references: &References,
        block: &mut Block,
    ) -> Result<(), JournalError> {
        let Some(place) = self.place else {
            let (path, session) = (self.path.to_string(), references.session.to_string());
            return Err(JournalError::NeedsSession { path, session });
        };
        let session_error = |error: SessionError| JournalError::Session { problem: error.to_string() };
        let cursor = match &mut self.cursor {
            Some(cursor) => cursor,
            None => self.cursor.insert(SessionCursor::new(place.open().map_err(session_error)?)),
        };
        let take = |first, count, inputs: &mut Vec<_>, cold: &mut Vec<_>| {
            cursor.take(first, count, inputs, cold).map_err(Incomplete::Session)
        };
        complete(header, references, block, take).map_err(|error| match error {
            Incomplete::Session(error) => session_error(error),
            Incomplete::Codec(error) => block_error(self.path, header.first_seq, error),
        })
    }
}

/// The header of a frame that refers to a session, and what it refers to.
pub(crate) type Referring = (Header, References);

/// A decoded frame without its references, and those.
pub(crate) fn apart(
    decoded: Result<(Header, Hash, Option<References>), CodecError>,
) -> (Result<(Header, Hash), CodecError>, Option<Referring>) {
    match decoded {
        Ok((header, hash, references)) => {
            (Ok((header, hash)), references.map(|references| (header, references)))
        }
        Err(error) => (Err(error), None),
    }
}

/// Iterates over a journal's blocks.
pub struct Blocks<'a> {
    frames: Frames<'a>,
    chain: Chain<'a>,
    inputs: SessionInputs<'a>,
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
    pub(crate) fn of(
        store: &'a dyn Store,
        path: &'a str,
        header: &'a RunHeader,
        session: Option<&'a SessionPlace>,
    ) -> Blocks<'a> {
        Blocks {
            frames: Frames::of(store, path),
            chain: Chain::new(path, header),
            inputs: SessionInputs::of(path, session),
            decoder: Decoder::new(),
            frame: Vec::new(),
            is_done: false,
        }
    }

    /// The bytes of the block that was read last.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Reads the next block's frame and checks it and its place, without the inputs that it refers to; `false` at the end.
    ///
    /// # Errors
    /// As [`Blocks::next_block`], the session aside.
    pub(crate) fn next_frame(&mut self) -> Result<bool, JournalError> {
        if self.is_done {
            return Ok(false);
        }
        let mut block = Block::default();
        let read = self.frames.next_frame(&mut self.frame).and_then(|is_there| {
            if is_there {
                let (decoded, references) = apart(self.decoder.decode_parts(&self.frame, &mut block));
                self.chain.extend(&self.frame, decoded)?;
                references.map_or(Ok(()), |(_, references)| self.chain.check_session(&references))?;
            }
            Ok(is_there)
        });
        self.is_done = !matches!(read, Ok(true));
        read
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
                let (decoded, references) = apart(self.decoder.decode_parts(&self.frame, block));
                self.chain.extend(&self.frame, decoded)?;
                if let Some((header, references)) = references {
                    self.chain.check_session(&references)?;
                    self.inputs.complete(&header, &references, block)?;
                }
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
