//! The simulated disk: a store in memory that can fail as a disk does.
//!
//! Without faults it is simply the in-memory store. Handles are shared, so a test keeps one
//! while the writer owns another, and looks at what the medium holds after a fault.
//!
//! The model: a put is visible at once and durable after the next successful commit; at a
//! power cut each put since then has its own [`Fate`]. One operation, or every one from it on,
//! can be given a [`Fault`]; a commit can be held, as a slow sync holds it; and durable bytes
//! can be damaged afterwards.

use crate::error::JournalError;
use crate::store::{Pair, Store, Tree, VALUE_MAX};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

type Place = (Tree, Vec<u8>);
type Values = BTreeMap<Place, Vec<u8>>;

/// What a power cut makes of a put, or a removal, that was not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It reached the medium.
    Kept,
    /// It did not.
    Dropped,
    /// Only so many of its bytes did.
    Torn(usize),
    /// The medium holds other bytes, made from this number.
    Garbage(u64),
}

/// What an operation of the disk does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It and every later operation fail.
    Broken,
    /// It fails; later ones succeed.
    FailsOnce,
    /// The disk is full: it and every later put fail, commits succeed.
    Full,
    /// A put is acknowledged and never reaches the medium.
    Lost,
    /// A put is acknowledged and lands in the place of another value, picked by this number.
    Misdirected(u64),
}

#[derive(Debug, Default)]
struct Disk {
    visible: Values,
    durable: Values,
    /// Puts, and removals without a value, since the last commit, in order.
    pending: Vec<(Place, Option<Vec<u8>>)>,
    /// The write-ahead area, durable, and a write to it that has not returned.
    ahead: Vec<u8>,
    writing: Option<(usize, Vec<u8>)>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    commits: u64,
    /// The commit that waits, and whether it does.
    held: Option<(u64, bool)>,
}

#[derive(Debug, Default)]
struct Shared {
    disk: Mutex<Disk>,
    gate: Condvar,
}

/// A store in memory, for tests.
#[derive(Debug, Default, Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

impl MemoryStore {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        // A panic of another test thread leaves plain data behind.
        self.shared.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the `n`-th operation (puts and commits, from 1) a fault.
    pub fn inject(&self, n: u64, fault: Fault) {
        self.disk().fault = Some((n, fault));
    }

    /// Operations succeed again.
    pub fn heal(&self) {
        self.disk().fault = None;
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Makes the `n`-th commit or write ahead from here (from 1) wait until [`MemoryStore::release`]; until then nothing
    /// of it is durable.
    pub fn hold_commit(&self, n: u64) {
        let mut disk = self.disk();
        disk.held = Some((disk.commits + n, false));
    }

    /// Waits until the held commit is under way.
    pub fn wait_until_held(&self) {
        let mut disk = self.disk();
        while matches!(disk.held, Some((_, false))) {
            disk = self.shared.gate.wait(disk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the held commit go on.
    pub fn release(&self) {
        self.disk().held = None;
        self.shared.gate.notify_all();
    }

    /// The medium as it is found after the power went: what was committed, and of the rest what
    /// `fate` says, put by put.
    #[must_use]
    pub fn after_power_cut(&self, mut fate: impl FnMut(&[u8]) -> Fate) -> MemoryStore {
        let disk = self.disk();
        let mut values = disk.durable.clone();
        for (key, value) in &disk.pending {
            let Some(value) = value else {
                if fate(&[]) == Fate::Kept {
                    values.remove(key);
                }
                continue;
            };
            let found = match fate(value) {
                Fate::Kept => value.clone(),
                Fate::Dropped => continue,
                Fate::Torn(length) => value[..length.min(value.len())].to_vec(),
                Fate::Garbage(seed) => garbage(value.len(), seed),
            };
            values.insert(key.clone(), found);
        }
        let mut ahead = disk.ahead.clone();
        if let Some((at, bytes)) = &disk.writing {
            let found = match fate(bytes) {
                Fate::Kept => bytes.clone(),
                Fate::Dropped => Vec::new(),
                Fate::Torn(length) => bytes[..length.min(bytes.len())].to_vec(),
                Fate::Garbage(seed) => garbage(bytes.len(), seed),
            };
            ahead[*at..*at + found.len()].copy_from_slice(&found);
        }
        let disk = Disk { visible: values.clone(), durable: values, ahead, ..Disk::default() };
        MemoryStore { shared: Arc::new(Shared { disk: Mutex::new(disk), gate: Condvar::new() }) }
    }

    /// A commit or write ahead begins; goes on when it is not held any more.
    fn wait_while_held<'a>(&self, mut disk: MutexGuard<'a, Disk>) -> MutexGuard<'a, Disk> {
        disk.commits += 1;
        while matches!(disk.held, Some((n, _)) if n == disk.commits) {
            disk.held = Some((disk.commits, true));
            self.shared.gate.notify_all();
            disk = self.shared.gate.wait(disk).unwrap_or_else(PoisonError::into_inner);
        }
        disk
    }

    /// Counts an operation; an error when it is one that fails.
    fn operate(
        &self,
        what: &'static str,
        is_put: bool,
    ) -> Result<(MutexGuard<'_, Disk>, Option<Fault>), JournalError> {
        let mut disk = self.disk();
        disk.operations += 1;
        let n = disk.operations;
        let fault = disk.fault.filter(|(at, fault)| match fault {
            Fault::Broken => n >= *at,
            Fault::Full => n >= *at && is_put,
            Fault::FailsOnce | Fault::Lost | Fault::Misdirected(_) => n == *at,
        });
        let problem = match fault {
            Some((_, Fault::Broken | Fault::FailsOnce)) => "the medium refuses",
            Some((_, Fault::Full)) => "no space is left",
            _ => return Ok((disk, fault.map(|(_, fault)| fault))),
        };
        let path = "simulated disk".to_string();
        Err(JournalError::Failed { path, what, problem: problem.to_string() })
    }
}

fn garbage(length: usize, mut seed: u64) -> Vec<u8> {
    let next = |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    };
    (0..length).map(next).collect()
}

impl Store for MemoryStore {
    fn put(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
        assert!(value.len() <= VALUE_MAX, "callers chunk values");
        let (mut disk, fault) = self.operate("writing", true)?;
        let place = (tree, key.to_vec());
        disk.visible.insert(place.clone(), value.to_vec());
        match fault {
            Some(Fault::Lost) => {}
            Some(Fault::Misdirected(pick)) => {
                let places: Vec<&Place> =
                    disk.durable.keys().chain(disk.pending.iter().map(|(place, _)| place)).collect();
                let victim = places.get(pick as usize % places.len().max(1)).map(|place| (*place).clone());
                disk.pending.extend(victim.map(|victim| (victim, Some(value.to_vec()))));
            }
            _ => disk.pending.push((place, Some(value.to_vec()))),
        }
        Ok(())
    }

    fn remove(&mut self, tree: Tree, key: &[u8]) -> Result<(), JournalError> {
        let (mut disk, _) = self.operate("removing", false)?;
        let place = (tree, key.to_vec());
        disk.visible.remove(&place);
        disk.pending.push((place, None));
        Ok(())
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        let (disk, _) = self.operate("flushing", false)?;
        let mut disk = self.wait_while_held(disk);
        for (place, value) in std::mem::take(&mut disk.pending) {
            match value {
                Some(value) => disk.durable.insert(place, value),
                None => disk.durable.remove(&place),
            };
        }
        Ok(())
    }

    fn reserve_ahead(&mut self, bytes: usize) -> Result<(), JournalError> {
        let (mut disk, _) = self.operate("reserving the write-ahead area", bytes > 0)?;
        disk.ahead = vec![0; bytes];
        Ok(())
    }

    fn write_ahead(&mut self, at: usize, bytes: &[u8]) -> Result<(), JournalError> {
        // The space is there: a full disk does not matter.
        let (mut disk, fault) = self.operate("writing ahead", false)?;
        let at = match fault {
            Some(Fault::Lost) => return Ok(()),
            Some(Fault::Misdirected(pick)) => pick as usize % (disk.ahead.len() - bytes.len() + 1),
            _ => at,
        };
        disk.writing = Some((at, bytes.to_vec()));
        let mut disk = self.wait_while_held(disk);
        disk.writing = None;
        disk.ahead[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read_ahead(&self) -> Result<Vec<u8>, JournalError> {
        Ok(self.disk().ahead.clone())
    }

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.disk().visible.get(&(tree, key.to_vec())).cloned())
    }

    fn iterate<'a>(
        &'a self,
        tree: Tree,
        from: &[u8],
    ) -> Box<dyn Iterator<Item = Result<Pair, JournalError>> + Send + 'a> {
        let disk = self.disk();
        let range = disk.visible.range((tree, from.to_vec())..).take_while(|((t, _), _)| *t == tree);
        let pairs: Vec<Pair> = range.map(|((_, key), value)| (key.clone(), value.clone())).collect();
        Box::new(pairs.into_iter().map(Ok))
    }

    fn share(&self) -> Box<dyn Store> {
        Box::new(self.clone())
    }

    fn bytes(&self) -> u64 {
        self.disk().visible.values().map(|value| value.len() as u64).sum()
    }
}
