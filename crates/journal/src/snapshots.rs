//! Snapshots of the loop in the journal's database: values of at most 16 KiB under (seq, part), with the
//! head of the chain they belong to before them.
//!
//! They make resuming quicker and prove nothing: a snapshot is used only when the chain has its head at its
//! seq, and a journal without any resumes all the same.

use crate::error::JournalError;
use crate::store::{Store, Tree};
use crate::writer::block_key;
use onetape_engine::ids::Seq;
use onetape_tape::codec::{HASH_LEN, Hash};
use std::collections::BTreeSet;

/// Snapshots kept.
const KEPT: usize = 2;
/// Larger states are not kept: running the journal again is quicker than writing them.
const BYTES_MAX: usize = 512 << 20;
/// Most bytes of a part. sled keeps up to 16 neighbours in a leaf, and some more before it splits one; a leaf above a
/// quarter of a segment (512 KiB) spills into a file that is never synced. Eleven parts of 48 KiB did.
const PART_MAX: usize = 16 << 10;

/// The loop's state between two blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Seq of the next element.
    pub seq: Seq,
    /// Hash of the last block before it.
    pub head: Hash,
    /// The state.
    pub bytes: Vec<u8>,
}

/// Stores a snapshot and removes those it supersedes.
pub(crate) fn put(store: &mut dyn Store, snapshot: &Snapshot) -> Result<(), JournalError> {
    if snapshot.bytes.len() > BYTES_MAX {
        return Ok(());
    }
    let mut value = snapshot.head.0.to_vec();
    value.extend_from_slice(&snapshot.bytes);
    for (part, value) in value.chunks(PART_MAX).enumerate() {
        store.put(Tree::Snapshots, &block_key(snapshot.seq, part), value)?;
    }
    let keys = keys(store)?;
    let seqs: BTreeSet<Seq> = keys.iter().map(|(seq, _)| *seq).collect();
    let oldest_kept = seqs.iter().rev().nth(KEPT - 1).copied().unwrap_or(0);
    for (_, key) in keys.into_iter().filter(|(seq, _)| *seq < oldest_kept) {
        store.remove(Tree::Snapshots, &key)?;
    }
    Ok(())
}

fn keys(store: &dyn Store) -> Result<Vec<(Seq, Vec<u8>)>, JournalError> {
    let pairs = store.iterate(Tree::Snapshots, &[]);
    let keys = pairs.map(|pair| {
        let (key, _) = pair?;
        let seq = key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Ok((seq, key))
    });
    keys.collect()
}

/// The stored snapshots, newest first; damaged ones are passed over.
pub(crate) fn newest_first(store: &dyn Store) -> Result<impl Iterator<Item = Snapshot> + '_, JournalError> {
    let seqs: BTreeSet<Seq> = keys(store)?.into_iter().map(|(seq, _)| seq).collect();
    Ok(seqs.into_iter().rev().filter_map(|seq| load(store, seq)))
}

fn load(store: &dyn Store, seq: Seq) -> Option<Snapshot> {
    let mut bytes = Vec::new();
    for part in 0.. {
        let Some(value) = store.get(Tree::Snapshots, &block_key(seq, part)).ok()? else { break };
        bytes.extend_from_slice(&value);
    }
    let head = Hash(*bytes.first_chunk::<HASH_LEN>()?);
    Some(Snapshot { seq, head, bytes: bytes.split_off(HASH_LEN) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use crate::store::SledStore;

    #[test]
    fn the_newest_two_are_kept_whole() {
        let mut store = MemoryStore::default();
        let snapshot = |seq: u64| Snapshot {
            seq,
            head: Hash([seq as u8; 32]),
            bytes: (0..100_000 + seq).map(|n| (n % 251) as u8).collect(),
        };
        for seq in [5, 9, 20] {
            put(&mut store, &snapshot(seq)).unwrap();
        }
        let found: Vec<Snapshot> = newest_first(&store).unwrap().collect();
        assert_eq!(found, [snapshot(20), snapshot(9)]);
        store.remove(Tree::Snapshots, &block_key(20, 1)).unwrap();
        let seqs: Vec<u64> = newest_first(&store).unwrap().map(|s| s.seq).collect();
        // Cut short; who restores it sees that by its hash.
        assert_eq!(seqs, [20, 9]);
    }

    #[test]
    fn large_snapshots_spill_into_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(dir.path()).unwrap();
        for seq in 1..=6 {
            let bytes = (0..1_500_000u64).map(|n| (n.wrapping_mul(seq * 31) >> 7) as u8).collect();
            let snapshot = Snapshot { seq, head: Hash::ZERO, bytes };
            put(&mut store, &snapshot).unwrap();
            store.commit().unwrap();
            assert_eq!(newest_first(&store).unwrap().next(), Some(snapshot));
        }
    }
}
