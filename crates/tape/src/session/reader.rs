//! Reading a session block by block, from a folder or from bytes built into the program.
//!
//! Memory is one block, whatever the session's length. Every block's hash is checked before
//! it is decoded, the chain while it is walked, and the head against the manifest at the end.

use super::{BLOCKS_FILE, MANIFEST_FILE, Manifest, SessionError};
use crate::codec::{CodecError, Decoder, HASH_LEN, HEADER_LEN, Hash, Header, check_frame};
use onetape_engine::block::Block;
use std::fs::{self, File};
use std::io::{BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A session built into the program by `include_bytes!`.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    /// Where it comes from, for errors.
    pub name: &'static str,
    /// `manifest.json`.
    pub manifest: &'static [u8],
    /// `blocks.tape`.
    pub blocks: &'static [u8],
    /// Data and note files by name.
    pub files: &'static [(&'static str, &'static [u8])],
}

trait Bytes: Read + Seek + Send {}
impl<T: Read + Seek + Send> Bytes for T {}

enum Files {
    Folder(PathBuf),
    Embedded(&'static [(&'static str, &'static [u8])]),
}

/// Reads a session's blocks in order.
pub struct SessionReader {
    manifest: Manifest,
    path: PathBuf,
    source: Box<dyn Bytes>,
    files: Files,
    decoder: Decoder,
    frame: Vec<u8>,
    head_hash: Hash,
    blocks: u64,
    bytes: u64,
    inputs: u64,
}

impl std::fmt::Debug for SessionReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionReader").field("path", &self.path).field("blocks", &self.blocks).finish()
    }
}

impl SessionReader {
    /// Opens the session at `dir`.
    ///
    /// # Errors
    /// Missing, not a session, of another version, or unreadable.
    pub fn open(dir: &Path) -> Result<SessionReader, SessionError> {
        if !dir.exists() {
            return Err(SessionError::Missing { path: dir.to_path_buf() });
        }
        let lacks = |file: &'static str| SessionError::NotASession { path: dir.to_path_buf(), file };
        let manifest_path = dir.join(MANIFEST_FILE);
        let text = match fs::read(&manifest_path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(lacks(MANIFEST_FILE));
            }
            Err(error) => return Err(SessionError::io("read", &manifest_path)(error)),
        };
        let manifest = Manifest::from_json(&text, &manifest_path)?;
        let path = dir.join(BLOCKS_FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(lacks(BLOCKS_FILE)),
            Err(error) => return Err(SessionError::io("open", &path)(error)),
        };
        let found = file.metadata().map_err(SessionError::io("read", &path))?.len();
        let source = Box::new(BufReader::with_capacity(1 << 20, file));
        SessionReader::new(manifest, path, source, found, Files::Folder(dir.to_path_buf()))
    }

    /// Opens a session built into the program.
    ///
    /// # Errors
    /// As [`SessionReader::open`].
    pub fn embedded(session: &Embedded) -> Result<SessionReader, SessionError> {
        let path = PathBuf::from(session.name);
        let manifest = Manifest::from_json(session.manifest, &path.join(MANIFEST_FILE))?;
        let source = Box::new(Cursor::new(session.blocks));
        let found = session.blocks.len() as u64;
        let path = path.join(BLOCKS_FILE);
        SessionReader::new(manifest, path, source, found, Files::Embedded(session.files))
    }

    fn new(
        manifest: Manifest,
        path: PathBuf,
        source: Box<dyn Bytes>,
        found: u64,
        files: Files,
    ) -> Result<SessionReader, SessionError> {
        if found != manifest.bytes {
            let what = format!("the file has {found} bytes, the manifest records {}", manifest.bytes);
            return Err(SessionError::Chain { path, block: manifest.blocks, what });
        }
        Ok(SessionReader {
            manifest,
            path,
            source,
            files,
            decoder: Decoder::new(),
            frame: Vec::new(),
            head_hash: Hash::ZERO,
            blocks: 0,
            bytes: 0,
            inputs: 0,
        })
    }

    /// The session's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Starts again at the first block.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn rewind(&mut self) -> Result<(), SessionError> {
        self.source.seek(SeekFrom::Start(0)).map_err(SessionError::io("seek", &self.path))?;
        (self.head_hash, self.blocks, self.bytes, self.inputs) = (Hash::ZERO, 0, 0, 0);
        Ok(())
    }

    /// Fills `block` with the next block, reusing its buffers; false at the end.
    ///
    /// # Errors
    /// The file cannot be read, a block is damaged, or it is not the one the manifest's chain
    /// has here.
    pub fn next_block(&mut self, block: &mut Block) -> Result<bool, SessionError> {
        if self.blocks == self.manifest.blocks {
            return self.check_end().map(|()| false);
        }
        let header = self.read_frame()?;
        let error = |source| SessionError::Block {
            path: self.path.clone(),
            block: self.blocks,
            offset: self.bytes,
            source,
        };
        let (_, hash) = self.decoder.decode(&self.frame, block).map_err(error)?;
        self.check_link(&header)?;
        self.advance(&header, hash);
        Ok(true)
    }

    /// Checks every block's hash, the chain and its head without decoding, then starts again at the first block.
    ///
    /// # Errors
    /// The file cannot be read, or its blocks are not those of the manifest.
    pub fn check(&mut self) -> Result<(), SessionError> {
        self.rewind()?;
        while self.blocks < self.manifest.blocks {
            let header = self.read_frame()?;
            let (_, hash) = check_frame(&self.frame).map_err(|source| self.block_error(source))?;
            self.check_link(&header)?;
            self.advance(&header, hash);
        }
        self.check_end()?;
        self.rewind()
    }

    fn advance(&mut self, header: &Header, hash: Hash) {
        self.head_hash = hash;
        self.blocks += 1;
        self.bytes += self.frame.len() as u64;
        self.inputs += u64::from(header.inputs);
    }

    fn read_frame(&mut self) -> Result<Header, SessionError> {
        self.frame.resize(HEADER_LEN, 0);
        self.read_exact(0, "header")?;
        let header = Header::from_bytes(&self.frame).map_err(|source| self.block_error(source))?;
        let left = self.manifest.bytes - self.bytes;
        if header.frame_len() as u64 > left {
            let expected = header.frame_len() as u64;
            return Err(self.block_error(CodecError::Truncated { part: "payload", expected, found: left }));
        }
        self.frame.resize(header.frame_len(), 0);
        self.read_exact(HEADER_LEN, "payload")?;
        debug_assert!(self.frame.len() >= HEADER_LEN + HASH_LEN);
        Ok(header)
    }

    fn read_exact(&mut self, from: usize, part: &'static str) -> Result<(), SessionError> {
        match self.source.read_exact(&mut self.frame[from..]) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                let expected = (self.frame.len() - from) as u64;
                let found = (self.manifest.bytes - self.bytes).min(expected);
                Err(self.block_error(CodecError::Truncated { part, expected, found }))
            }
            Err(error) => Err(SessionError::io("read", &self.path)(error)),
        }
    }

    fn block_error(&self, source: CodecError) -> SessionError {
        SessionError::Block { path: self.path.clone(), block: self.blocks, offset: self.bytes, source }
    }

    pub(super) fn chain_error(&self, what: String) -> SessionError {
        SessionError::Chain { path: self.path.clone(), block: self.blocks, what }
    }

    fn check_link(&self, header: &Header) -> Result<(), SessionError> {
        if header.previous != self.head_hash {
            let what = format!("it follows block {}, the one before is {}", header.previous, self.head_hash);
            return Err(self.chain_error(what));
        }
        if header.first_seq != self.inputs {
            let what = format!("it begins at input {}, {} expected", header.first_seq, self.inputs);
            return Err(self.chain_error(what));
        }
        if header.derived != 0 || header.inputs == 0 {
            let what = "a session's blocks hold inputs and no derived events".to_string();
            return Err(self.chain_error(what));
        }
        Ok(())
    }

    fn check_end(&self) -> Result<(), SessionError> {
        let (manifest, found) = (&self.manifest, (self.head_hash, self.bytes, self.inputs));
        let expected = (manifest.head_hash, manifest.bytes, manifest.inputs);
        if found != expected {
            let what = format!("the chain ends in {found:?}, the manifest records {expected:?}");
            return Err(self.chain_error(what));
        }
        Ok(())
    }

    /// The remaining blocks as owned values; [`SessionReader::next_block`] reuses buffers.
    pub fn blocks(&mut self) -> impl Iterator<Item = Result<Block, SessionError>> + '_ {
        let mut is_done = false;
        std::iter::from_fn(move || {
            if is_done {
                return None;
            }
            let mut block = Block::default();
            match self.next_block(&mut block) {
                Ok(true) => Some(Ok(block)),
                Ok(false) => None,
                Err(error) => {
                    is_done = true;
                    Some(Err(error))
                }
            }
        })
    }

    /// A data or note file of the session; `None` when it has none of that name. Data files
    /// are checked against their recorded hash.
    ///
    /// # Errors
    /// The file cannot be read, or is not the one recorded.
    pub fn file(&self, name: &str) -> Result<Option<Vec<u8>>, SessionError> {
        let path = match &self.files {
            Files::Folder(dir) => dir.join(name),
            Files::Embedded(_) => PathBuf::from(name),
        };
        let bytes = match &self.files {
            Files::Embedded(files) => {
                files.iter().find(|(file, _)| *file == name).map(|(_, bytes)| bytes.to_vec())
            }
            Files::Folder(_) => match fs::read(&path) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(SessionError::io("read", &path)(error)),
            },
        };
        let found = bytes.as_deref().map(Hash::of);
        match self.manifest.data_files.get(name) {
            Some(expected) if found != Some(*expected) => Err(SessionError::File {
                path,
                expected: expected.to_string(),
                found: found.map_or("nothing (the file is missing)".to_string(), |hash| hash.to_string()),
            }),
            _ => Ok(bytes),
        }
    }
}
