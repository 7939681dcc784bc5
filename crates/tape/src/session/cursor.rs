//! A session's inputs by their positions, for logs that name them instead of holding them.

use super::{Embedded, SessionError, SessionReader};
use crate::codec::Hash;
use onetape_engine::block::Block;
use onetape_engine::input::Cold;
use onetape_engine::record::{Kind, Record};
use std::path::PathBuf;

/// Where a session lies.
#[derive(Debug, Clone)]
pub enum SessionPlace {
    /// A folder.
    Folder(PathBuf),
    /// Built into the program.
    BuiltIn(&'static Embedded),
}

impl SessionPlace {
    /// Opens the session.
    ///
    /// # Errors
    /// As [`SessionReader::open`].
    pub fn open(&self) -> Result<SessionReader, SessionError> {
        match self {
            SessionPlace::Folder(dir) => SessionReader::open(dir),
            SessionPlace::BuiltIn(session) => SessionReader::embedded(session),
        }
    }

    /// The session's content hash, as its manifest has it.
    ///
    /// # Errors
    /// As [`SessionReader::open`].
    pub fn content_hash(&self) -> Result<Hash, SessionError> {
        Ok(self.open()?.manifest().content_hash)
    }
}

impl std::fmt::Display for SessionPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SessionPlace::Folder(dir) => dir.display().fmt(f),
            SessionPlace::BuiltIn(session) => f.write_str(session.name),
        }
    }
}

/// Takes runs of a session's inputs, in ascending order; memory is one block.
#[derive(Debug)]
pub struct SessionCursor {
    reader: SessionReader,
    block: Block,
    /// Inputs and payloads of the block that were passed.
    at: usize,
    cold: usize,
    /// Position of the next input.
    next: u64,
}

impl SessionCursor {
    /// At the session's first input.
    pub fn new(reader: SessionReader) -> SessionCursor {
        SessionCursor { reader, block: Block::default(), at: 0, cold: 0, next: 0 }
    }

    /// Appends the inputs `first..first + count` and their payloads. Payload indices are left as they are in the session.
    ///
    /// # Errors
    /// The session ends before, was passed already, or cannot be read.
    pub fn take(
        &mut self,
        first: u64,
        count: u32,
        inputs: &mut Vec<Record>,
        cold: &mut Vec<Cold>,
    ) -> Result<(), SessionError> {
        let total = self.reader.manifest().inputs;
        let end = first + u64::from(count);
        if first < self.next || end > total {
            let what = format!("inputs {first} to {end} are asked for at input {} of {total}", self.next);
            return Err(self.reader.chain_error(what));
        }
        while self.next < end {
            if self.at == self.block.inputs.len() {
                // Cannot be the end: the manifest's count, which the reader holds the chain to, is beyond.
                self.reader.next_block(&mut self.block)?;
                (self.at, self.cold) = (0, 0);
            }
            let left = (self.block.inputs.len() - self.at) as u64;
            let skips = self.next < first;
            let step = left.min(if skips { first - self.next } else { end - self.next }) as usize;
            let is_whole_block = step == self.block.inputs.len() && inputs.is_empty() && cold.is_empty();
            if is_whole_block && !skips {
                std::mem::swap(inputs, &mut self.block.inputs);
                std::mem::swap(cold, &mut self.block.cold);
                (self.at, self.cold) = (0, 0);
            } else {
                let records = &self.block.inputs[self.at..self.at + step];
                let payloads = records.iter().filter(|record| record.kind == Kind::Cold as u8).count();
                if !skips {
                    inputs.extend_from_slice(records);
                    cold.extend_from_slice(&self.block.cold[self.cold..self.cold + payloads]);
                }
                self.at += step;
                self.cold += payloads;
            }
            self.next += step as u64;
        }
        Ok(())
    }
}
