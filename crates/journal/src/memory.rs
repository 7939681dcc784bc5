//! The simulated disk: a store in memory that can fail as a disk does.
//!
//! Without faults it is simply the in-memory store. Handles are shared, so a test keeps one
//! while the writer owns another, and looks at what the medium holds after a fault.
//!
//! The model: a put is visible at once and durable after the next successful commit; at a
//! power cut each put since then has its own [`Fate`]. An operation can be made to fail, and
//! durable bytes can be damaged afterwards.

use crate::error::JournalError;
use crate::store::{Pair, Store, Tree, VALUE_MAX};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Place = (Tree, Vec<u8>);
type Values = BTreeMap<Place, Vec<u8>>;

/// What a power cut makes of a put that was not committed.
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

#[derive(Debug, Default)]
struct Disk {
    visible: Values,
    durable: Values,
    /// Puts since the last commit, in order.
    pending: Vec<(Place, Vec<u8>)>,
    operations: u64,
    fails_at: Option<u64>,
}

/// A store in memory, for tests.
#[derive(Debug, Default, Clone)]
pub struct MemoryStore {
    disk: Arc<Mutex<Disk>>,
}

impl MemoryStore {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        // A panic of another test thread leaves plain data behind.
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the `n`-th operation (puts and commits, from 1) and every later one fail.
    pub fn fail_at(&self, n: u64) {
        self.disk().fails_at = Some(n);
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// The medium as it is found after the power went: what was committed, and of the rest what
    /// `fate` says, put by put.
    #[must_use]
    pub fn after_power_cut(&self, mut fate: impl FnMut(&[u8]) -> Fate) -> MemoryStore {
        let disk = self.disk();
        let mut values = disk.durable.clone();
        for (key, value) in &disk.pending {
            let found = match fate(value) {
                Fate::Kept => value.clone(),
                Fate::Dropped => continue,
                Fate::Torn(length) => value[..length.min(value.len())].to_vec(),
                Fate::Garbage(seed) => garbage(value.len(), seed),
            };
            values.insert(key.clone(), found);
        }
        let disk = Disk { visible: values.clone(), durable: values, ..Disk::default() };
        MemoryStore { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Changes stored values behind the journal's back: bit rot, lost and misdirected writes.
    pub fn damage(&self, change: impl FnOnce(&mut BTreeMap<(Tree, Vec<u8>), Vec<u8>>)) {
        let mut disk = self.disk();
        change(&mut disk.visible);
        disk.durable = disk.visible.clone();
    }

    /// Counts an operation; an error when it is one that fails.
    fn operate(&self, what: &'static str) -> Result<MutexGuard<'_, Disk>, JournalError> {
        let mut disk = self.disk();
        disk.operations += 1;
        if disk.fails_at.is_some_and(|n| disk.operations >= n) {
            let (path, problem) = ("simulated disk".to_string(), "the medium refuses".to_string());
            return Err(JournalError::Failed { path, what, problem });
        }
        Ok(disk)
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
        let mut disk = self.operate("writing")?;
        disk.visible.insert((tree, key.to_vec()), value.to_vec());
        disk.pending.push(((tree, key.to_vec()), value.to_vec()));
        Ok(())
    }

    fn remove(&mut self, tree: Tree, key: &[u8]) -> Result<(), JournalError> {
        let mut disk = self.operate("removing")?;
        let place = (tree, key.to_vec());
        disk.visible.remove(&place);
        disk.pending.retain(|(pending, _)| *pending != place);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        let mut disk = self.operate("flushing")?;
        disk.durable = disk.visible.clone();
        disk.pending.clear();
        Ok(())
    }

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.disk().visible.get(&(tree, key.to_vec())).cloned())
    }

    fn iterate<'a>(
        &'a self,
        tree: Tree,
        from: &[u8],
    ) -> Box<dyn Iterator<Item = Result<Pair, JournalError>> + 'a> {
        let disk = self.disk();
        let range = disk.visible.range((tree, from.to_vec())..).take_while(|((t, _), _)| *t == tree);
        let pairs: Vec<Pair> = range.map(|((_, key), value)| (key.clone(), value.clone())).collect();
        Box::new(pairs.into_iter().map(Ok))
    }

    fn bytes(&self) -> u64 {
        self.disk().visible.values().map(|value| value.len() as u64).sum()
    }
}
