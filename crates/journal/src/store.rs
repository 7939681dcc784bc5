//! Where values live: the [`Store`] seam and the sled database behind it.
//!
//! sled 0.34.7 is run with `flush_every_ms(None)` and 2 MiB segments, and no value exceeds 24 KiB: a leaf
//! above 512 KiB would spill into `blobs/` files that sled never syncs, and leaves hold up to 18 neighbours. `flush()` alone is not
//! durable, so a commit also syncs the database file through a second descriptor.

use crate::copy::is_in_use;
use crate::error::JournalError;
use crate::guard::guarded;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most bytes of one value. sled splits a leaf when it holds more than 16, so the largest it writes, with 18 of them, is
/// 432 KiB, below the quarter of a segment from which it writes to a file of its own.
pub(crate) const VALUE_MAX: usize = 24 << 10;
const _: () = assert!(18 * (VALUE_MAX + 64) < SEGMENT / 4);
/// Bytes of sled's segments.
const SEGMENT: usize = 2 << 20;

/// The write-ahead area's file in the database's folder.
pub(crate) const AHEAD_FILE: &str = "ahead";

/// Longest wait for sled's threads to let go of a closed database.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Named collection of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    /// Blocks by (first seq, part).
    Blocks,
    /// Snapshots by (seq, part).
    Snapshots,
    /// Run header and other facts by name.
    Meta,
}

impl Tree {
    fn name(self) -> &'static str {
        match self {
            Tree::Blocks => "blocks",
            Tree::Snapshots => "snapshots",
            Tree::Meta => "meta",
        }
    }
}

/// A value as iteration yields it: key, bytes.
pub type Pair = (Vec<u8>, Vec<u8>);

/// A store of values in key order.
pub trait Store: Send + Sync {
    /// Puts a value; it is durable after the next [`Store::commit`].
    ///
    /// # Errors
    /// When the medium refuses.
    fn put(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Result<(), JournalError>;
    /// Removes a value; durable after the next [`Store::commit`].
    ///
    /// # Errors
    /// When the medium refuses.
    fn remove(&mut self, tree: Tree, key: &[u8]) -> Result<(), JournalError>;
    /// Makes everything put so far durable.
    ///
    /// # Errors
    /// When flush or sync fails.
    fn commit(&mut self) -> Result<(), JournalError>;
    /// Makes the write-ahead area so many zero bytes long, durably; none removes it.
    ///
    /// # Errors
    /// No space, or the medium refuses.
    fn reserve_ahead(&mut self, bytes: usize) -> Result<(), JournalError>;
    /// Writes into the write-ahead area; durable when it returns.
    ///
    /// # Errors
    /// When the write or its sync fails.
    fn write_ahead(&mut self, at: usize, bytes: &[u8]) -> Result<(), JournalError>;
    /// The write-ahead area; empty where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_ahead(&self) -> Result<Vec<u8>, JournalError>;
    /// One value.
    ///
    /// # Errors
    /// When the medium fails.
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError>;
    /// The values of a tree in key order, from a key on.
    fn iterate<'a>(
        &'a self,
        tree: Tree,
        from: &[u8],
    ) -> Box<dyn Iterator<Item = Result<Pair, JournalError>> + Send + 'a>;
    /// Another handle on the same values, for reading beside the writer.
    fn share(&self) -> Box<dyn Store>;
    /// Bytes on the medium.
    fn bytes(&self) -> u64;
}

/// The journal's database.
///
/// Every call into sled is guarded: over damaged files it may panic.
#[derive(Debug)]
pub struct SledStore {
    /// `None` only while dropping.
    open: Option<Arc<OpenDatabase>>,
    path: PathBuf,
    /// Second descriptor of the database file, for `sync_data`.
    file: Arc<File>,
    /// The write-ahead area of the handle that reserved it.
    ahead: Option<File>,
}

#[derive(Debug)]
struct OpenDatabase {
    db: sled::Db,
    trees: [sled::Tree; 3],
}

impl SledStore {
    /// Opens or creates the database folder.
    ///
    /// # Errors
    /// In use, unreadable, or the folder cannot be made.
    pub fn open(path: &Path) -> Result<SledStore, JournalError> {
        let shown = path.display().to_string();
        let config = sled::Config::new()
            .path(path)
            .flush_every_ms(None)
            .segment_size(SEGMENT)
            .cache_capacity(64 << 20)
            .mode(sled::Mode::HighThroughput);
        let opened = guarded(|| {
            let db = config.open()?;
            let tree = |tree: Tree| db.open_tree(tree.name());
            let trees = [tree(Tree::Blocks)?, tree(Tree::Snapshots)?, tree(Tree::Meta)?];
            Ok(OpenDatabase { db, trees })
        });
        let unreadable = |problem: String| JournalError::Unreadable { path: shown.clone(), problem };
        let open = match opened {
            Ok(Ok(open)) => open,
            Ok(Err(sled::Error::Io(e))) if is_lock(&e) => return Err(JournalError::InUse { path: shown }),
            Ok(Err(e)) => return Err(unreadable(e.to_string())),
            Err(panic) => return Err(unreadable(format!("the database is damaged ({panic})"))),
        };
        let file = File::open(path.join("db")).map_err(|e| JournalError::Failed {
            path: shown.clone(),
            what: "opening the database file",
            problem: e.to_string(),
        })?;
        Ok(SledStore {
            open: Some(Arc::new(open)),
            path: path.to_path_buf(),
            file: Arc::new(file),
            ahead: None,
        })
    }

    fn database(&self) -> &OpenDatabase {
        self.open.as_ref().expect("open until dropped")
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        &self.database().trees[tree as usize]
    }

    fn failed(&self, what: &'static str, problem: impl std::fmt::Display) -> JournalError {
        JournalError::Failed { path: self.path.display().to_string(), what, problem: problem.to_string() }
    }

    /// A database call whose panic is a damaged database.
    fn call<T>(&self, what: &'static str, call: impl FnOnce() -> sled::Result<T>) -> Result<T, JournalError> {
        match guarded(call) {
            Ok(result) => result.map_err(|e| self.failed(what, e)),
            Err(panic) => Err(self.failed(what, format!("the database is damaged ({panic})"))),
        }
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Only the last handle closes the database.
        let Some(open) = self.open.take().and_then(Arc::into_inner) else { return };
        // Closing a damaged database may panic; there is nothing left to save then.
        guarded(move || drop(open)).ok();
        // sled's own threads may hold the files a moment longer than the last handle. Closed
        // means closed: who opens or hashes the files next must find them free and final.
        let deadline = Instant::now() + CLOSE_MAX;
        while is_in_use(&self.path) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn is_lock(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

impl Store for SledStore {
    fn put(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
        assert!(value.len() <= VALUE_MAX, "callers chunk values");
        self.call("writing", || self.tree(tree).insert(key, value)).map(|_| ())
    }

    fn remove(&mut self, tree: Tree, key: &[u8]) -> Result<(), JournalError> {
        self.call("removing", || self.tree(tree).remove(key)).map(|_| ())
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        self.call("flushing", || self.database().db.flush())?;
        self.file.sync_data().map_err(|e| self.failed("syncing", e))?;
        let spilled =
            std::fs::read_dir(self.path.join("blobs")).is_ok_and(|mut files| files.next().is_some());
        if spilled {
            return Err(self.failed("committing", "values spilled into blobs/, which are never synced"));
        }
        Ok(())
    }

    fn reserve_ahead(&mut self, bytes: usize) -> Result<(), JournalError> {
        let path = self.path.join(AHEAD_FILE);
        self.ahead = None;
        let done = if bytes > 0 {
            // Written, not only allocated: the first write to an allocated block changes the file's map of blocks.
            File::create(&path).and_then(|mut file| {
                file.write_all(&vec![0; bytes])?;
                file.sync_all()?;
                self.ahead = Some(file);
                Ok(())
            })
        } else {
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
                done => done,
            }
        };
        done.and_then(|()| crate::folder::sync(&self.path))
            .map_err(|e| self.failed("reserving the write-ahead area", e))
    }

    fn write_ahead(&mut self, at: usize, bytes: &[u8]) -> Result<(), JournalError> {
        let Some(file) = &self.ahead else { return Err(self.failed("writing ahead", "no area is reserved")) };
        let done = file.write_all_at(bytes, at as u64).and_then(|()| file.sync_data());
        done.map_err(|e| self.failed("writing ahead", e))
    }

    fn read_ahead(&self) -> Result<Vec<u8>, JournalError> {
        match std::fs::read(self.path.join(AHEAD_FILE)) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            read => read.map_err(|e| self.failed("reading the write-ahead area", e)),
        }
    }

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        let value = self.call("reading", || self.tree(tree).get(key))?;
        Ok(value.map(|bytes| bytes.to_vec()))
    }

    fn iterate<'a>(
        &'a self,
        tree: Tree,
        from: &[u8],
    ) -> Box<dyn Iterator<Item = Result<Pair, JournalError>> + Send + 'a> {
        let mut pairs = self.tree(tree).range(from.to_vec()..);
        let mut is_done = false;
        Box::new(std::iter::from_fn(move || {
            if is_done {
                return None;
            }
            let pair = self.call("reading", || pairs.next().transpose()).transpose()?;
            // After an error the database's iterator is not to be trusted.
            is_done = pair.is_err();
            Some(pair.map(|(key, value)| (key.to_vec(), value.to_vec())))
        }))
    }

    fn share(&self) -> Box<dyn Store> {
        let (open, file) = (self.open.clone(), Arc::clone(&self.file));
        Box::new(SledStore { open, path: self.path.clone(), file, ahead: None })
    }

    fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }
}
