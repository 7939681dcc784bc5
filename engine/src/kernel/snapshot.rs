//! Snapshots: everything that decides what the loop does next, as bytes.
//!
//! A kernel made from a snapshot goes on exactly as the one it was taken from: books with their depth and their
//! memory of taken size, orders, exposure, the venue's queues, accounts, schedule, settlements, random streams and
//! the strategies' own bytes. What can be rebuilt (chains, symbols, the venue's watches) is.
//!
//! `magic 8 ‖ version 4 ‖ semantics 4 ‖ seq 8 ‖ state hash 32 ‖ payload ‖ BLAKE3 32 of all before`,
//! integers little-endian; the payload is fixed-int bincode. A restored state is hashed and compared with
//! the state hash before anyone may use it.

use super::{Kernel, Slot};
use crate::config::{FillProfile, RunConfig, SEMANTICS_VERSION};
use crate::ids::Seq;
use crate::num::Nanos;
use crate::state::Core;
use crate::strategy::{StateError, Strategy};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// First bytes of every snapshot.
const SNAPSHOT_MAGIC: [u8; 8] = *b"onetape\x03";
/// Version of the snapshot's layout; another one is not read, since every journal can do without.
const SNAPSHOT_VERSION: u32 = 2;

const HEAD: usize = 56;
const HASH: usize = 32;
/// Most bytes that reading a snapshot may ask for.
const LIMIT: usize = 4 << 30;

/// A snapshot that cannot be taken or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Snapshots are taken between blocks.
    #[error("a snapshot at seq {seq} would fall inside a block: take it right after one sealed")]
    InsideBlock {
        /// Present seq.
        seq: Seq,
    },
    /// Not a snapshot, or a damaged one.
    #[error("not an intact snapshot: {what}")]
    Damaged {
        /// What is wrong.
        what: &'static str,
    },
    /// Written by another version.
    #[error("snapshot version {version}, semantics {semantics}: not this program's; run the journal instead")]
    Version {
        /// Layout version found.
        version: u32,
        /// Loop semantics found.
        semantics: u32,
    },
    /// A strategy does not read its own bytes.
    #[error(transparent)]
    Strategy(#[from] StateError),
    /// The restored state hashes to something else.
    #[error("the restored state is not the one that was saved: their hashes differ")]
    StateHash,
}

#[derive(Serialize, Deserialize)]
struct Saved<C> {
    core: C,
    /// The configuration is the journal's; a command may have switched its fill profile.
    profile: FillProfile,
    slots: Vec<SavedSlot>,
    last_ts: Nanos,
    next_state_hash: Seq,
    last_state_hash: Option<[u8; 32]>,
    inputs: u64,
    is_finished: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedSlot {
    strategy: Vec<u8>,
    rng: ChaCha8Rng,
    is_called: bool,
    is_active: bool,
    is_paused: bool,
    spent: u64,
    spent_at: Nanos,
    spent_in: u64,
}

fn encoding() -> impl bincode::config::Config {
    bincode::config::standard().with_fixed_int_encoding().with_limit::<LIMIT>()
}

impl<S: Strategy> Kernel<S> {
    /// The whole state as bytes, right after a block sealed.
    ///
    /// # Errors
    /// Inside a block, whose derived events nobody has taken yet.
    pub fn save(&self) -> Result<Vec<u8>, SnapshotError> {
        let seq = self.seq();
        if self.core.block_inputs != 0 || !self.core.derived.is_empty() || !self.core.notices.is_empty() {
            return Err(SnapshotError::InsideBlock { seq });
        }
        let slots = self.slots.iter().map(|slot| {
            let mut strategy = Vec::new();
            slot.strategy.save(&mut strategy);
            SavedSlot {
                strategy,
                rng: slot.rng.clone(),
                is_called: slot.is_called,
                is_active: slot.is_active,
                is_paused: slot.is_paused,
                spent: slot.spent as u64,
                spent_at: slot.spent_at,
                spent_in: slot.spent_in,
            }
        });
        let saved = Saved {
            core: &self.core,
            profile: self.core.config.profile,
            slots: slots.collect(),
            last_ts: self.last_ts,
            next_state_hash: self.next_state_hash,
            last_state_hash: self.last_state_hash,
            inputs: self.inputs,
            is_finished: self.is_finished,
        };
        let mut bytes = SNAPSHOT_MAGIC.to_vec();
        bytes.extend(SNAPSHOT_VERSION.to_le_bytes());
        bytes.extend(SEMANTICS_VERSION.to_le_bytes());
        bytes.extend(seq.to_le_bytes());
        bytes.extend(self.state_hash());
        bincode::serde::encode_into_std_write(&saved, &mut bytes, encoding())
            .map_err(|_| SnapshotError::Damaged { what: "the state does not encode" })?;
        bytes.extend(blake3::hash(&bytes).as_bytes());
        Ok(bytes)
    }

    /// A kernel in the state that `bytes` hold; `strategies` as for [`Kernel::new`], freshly made.
    ///
    /// # Errors
    /// Damaged bytes, another version, a strategy that refuses its bytes, or a state that does not hash to
    /// what was saved.
    pub fn restore(config: RunConfig, strategies: Vec<S>, bytes: &[u8]) -> Result<Kernel<S>, SnapshotError> {
        let (state_hash, payload) = check(bytes)?;
        let damaged = |what| SnapshotError::Damaged { what };
        let (saved, read): (Saved<Core>, usize) = bincode::serde::decode_from_slice(payload, encoding())
            .map_err(|_| damaged("the state does not decode"))?;
        if read != payload.len() || saved.slots.len() != strategies.len() {
            return Err(damaged("the state is of another length or number of strategies"));
        }
        let mut slots = Vec::with_capacity(strategies.len());
        for (mut strategy, slot) in strategies.into_iter().zip(saved.slots) {
            strategy.load(&slot.strategy)?;
            slots.push(Slot {
                strategy,
                rng: slot.rng,
                is_called: slot.is_called,
                is_active: slot.is_active,
                is_paused: slot.is_paused,
                spent: slot.spent as usize,
                spent_at: slot.spent_at,
                spent_in: slot.spent_in,
            });
        }
        let mut core = saved.core;
        core.config = RunConfig { profile: saved.profile, ..config };
        core.rebuild();
        let kernel = Kernel {
            core,
            slots,
            intents: Vec::new(),
            last_ts: saved.last_ts,
            next_state_hash: saved.next_state_hash,
            last_state_hash: saved.last_state_hash,
            inputs: saved.inputs,
            is_finished: saved.is_finished,
        };
        if kernel.state_hash() == state_hash { Ok(kernel) } else { Err(SnapshotError::StateHash) }
    }
}

/// The state hash and payload of intact bytes of this version.
fn check(bytes: &[u8]) -> Result<([u8; 32], &[u8]), SnapshotError> {
    let damaged = |what| SnapshotError::Damaged { what };
    if bytes.len() < HEAD + HASH || bytes[..8] != SNAPSHOT_MAGIC {
        return Err(damaged("it does not begin like one"));
    }
    let (content, hash) = bytes.split_at(bytes.len() - HASH);
    if blake3::hash(content).as_bytes() != hash {
        return Err(damaged("its bytes do not hash to what they say"));
    }
    let number = |at: usize| u32::from_le_bytes(*content[at..].first_chunk().expect("the head is there"));
    let (version, semantics) = (number(8), number(12));
    if version != SNAPSHOT_VERSION || semantics != SEMANTICS_VERSION {
        return Err(SnapshotError::Version { version, semantics });
    }
    let state_hash = *content[24..].first_chunk().expect("the head is there");
    Ok((state_hash, &content[HEAD..]))
}
