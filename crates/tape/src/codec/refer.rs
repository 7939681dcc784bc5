//! Inputs by reference (codec 2): what a session holds is named, not repeated.
//!
//! The input lane is `session 32 ‖ runs u32 ‖ time of the first own record u64 ‖ runs × (first u64 ‖ count u32) ‖
//! the own records as codec 1 writes them`; a run whose `first` is all ones is of own records. The
//! cold lane holds the own records' payloads alone. Header, derived lane and hash are as in codec 1: counts and
//! times are those of the whole block.
//!
//! A session is identified by its content hash, which fixes its records; so the frame's hash fixes the
//! inputs it names as surely as those it holds.

use super::CodecError;
use super::header::{HASH_LEN, Hash, Header};
use onetape_engine::block::Block;
use onetape_engine::input::Cold;
use onetape_engine::record::{Kind, Record};

/// `first` of a run of own records.
const OWN: u64 = u64::MAX;
/// Bytes before the runs.
const FIXED: usize = HASH_LEN + 4 + 8;
/// Bytes of a run.
const RUN_LEN: usize = 12;

/// Neighbouring inputs of a block that come from one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// The block holds them.
    Own {
        /// How many.
        count: u32,
    },
    /// The session holds them.
    Session {
        /// Position of the first among the session's inputs.
        first: u64,
        /// How many.
        count: u32,
    },
}

impl Run {
    /// Inputs of the run.
    pub fn count(self) -> u32 {
        match self {
            Run::Own { count } | Run::Session { count, .. } => count,
        }
    }
}

/// Where a block's inputs are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// Content hash of the session.
    pub session: Hash,
    /// The inputs in log order.
    pub runs: Vec<Run>,
}

impl References {
    /// Number of inputs that the block itself holds.
    pub(super) fn own_count(&self) -> usize {
        let own = self.runs.iter().map(|run| if let Run::Own { count } = run { *count } else { 0 });
        own.map(|count| count as usize).sum()
    }

    /// The records and payloads that the block itself holds, numbered anew.
    pub(super) fn own<'a>(&self, block: &'a Block, records: &mut Vec<Record>) -> Vec<&'a Cold> {
        records.clear();
        let (mut cold, mut at, mut next) = (Vec::new(), 0, 0);
        for run in &self.runs {
            let is_own = matches!(run, Run::Own { .. });
            for record in &block.inputs[at..at + run.count() as usize] {
                let is_cold = record.kind == Kind::Cold as u8;
                if is_own {
                    records.push(*record);
                    if is_cold {
                        records.last_mut().expect("just pushed").body[0] = cold.len() as u64;
                        cold.push(&block.cold[next]);
                    }
                }
                next += usize::from(is_cold);
            }
            at += run.count() as usize;
        }
        cold
    }

    /// Appends everything before the own records.
    pub(super) fn put(&self, first_own: Option<&Record>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.session.0);
        out.extend_from_slice(&(self.runs.len() as u32).to_le_bytes());
        out.extend_from_slice(&first_own.map_or(0, |record| record.ts).to_le_bytes());
        for run in &self.runs {
            let first = if let Run::Session { first, .. } = run { *first } else { OWN };
            out.extend_from_slice(&first.to_le_bytes());
            out.extend_from_slice(&run.count().to_le_bytes());
        }
    }

    /// Reads everything before the own records: references, time of the first own record, bytes read.
    pub(super) fn take(lane: &[u8], inputs: u32) -> Result<(References, u64, usize), CodecError> {
        let error = |at: usize, what: String| CodecError::Lane { lane: "input", at, what };
        let cut = || error(lane.len(), "the references are cut short".to_string());
        let fixed: &[u8; FIXED] = lane.first_chunk().ok_or_else(cut)?;
        let session = Hash(*fixed.first_chunk().expect("a hash is shorter"));
        let count = u32::from_le_bytes(*fixed[HASH_LEN..].first_chunk().expect("4 of 12 bytes")) as usize;
        let first_own = u64::from_le_bytes(*fixed[HASH_LEN + 4..].first_chunk().expect("8 bytes are left"));
        // No run is empty, which bounds what a hostile count allocates.
        let length = if count <= inputs as usize { count * RUN_LEN } else { usize::MAX };
        let bytes = lane[FIXED..].get(..length).ok_or_else(cut)?;
        let runs: Vec<Run> = bytes
            .chunks_exact(RUN_LEN)
            .map(|run| {
                let first = u64::from_le_bytes(*run.first_chunk().expect("12 bytes"));
                let count = u32::from_le_bytes(*run[8..].first_chunk().expect("12 bytes"));
                if first == OWN { Run::Own { count } } else { Run::Session { first, count } }
            })
            .collect();
        let total: u64 = runs.iter().map(|run| u64::from(run.count())).sum();
        let reaches_too_far = |run: &Run| matches!(run, Run::Session { first, count } if first.checked_add(u64::from(*count)).is_none());
        if total != u64::from(inputs) || runs.iter().any(|run| run.count() == 0 || reaches_too_far(run)) {
            let what = format!("its references are to {total} inputs, the header says {inputs}");
            return Err(error(FIXED, what));
        }
        Ok((References { session, runs }, first_own, FIXED + length))
    }
}

/// Puts a block together from what [`super::Decoder::decode_parts`] left in it and a session's inputs. `take` appends the
/// session's inputs `first..first + count`, and their payloads, to the lists it is given.
///
/// # Errors
/// What `take` reports, or inputs that are not those the frame was written with.
pub fn complete<E: From<CodecError>>(
    header: &Header,
    references: &References,
    block: &mut Block,
    mut take: impl FnMut(u64, u32, &mut Vec<Record>, &mut Vec<Cold>) -> Result<(), E>,
) -> Result<(), E> {
    let (own, own_cold) = (std::mem::take(&mut block.inputs), std::mem::take(&mut block.cold));
    let (mut own_at, mut own_cold) = (0, own_cold.into_iter());
    for run in &references.runs {
        match *run {
            Run::Session { first, count } => {
                take(first, count, &mut block.inputs, &mut block.cold)?;
            }
            Run::Own { count } => {
                let records = &own[own_at..own_at + count as usize];
                let payloads = records.iter().filter(|record| record.kind == Kind::Cold as u8).count();
                block.inputs.extend_from_slice(records);
                block.cold.extend(own_cold.by_ref().take(payloads));
                own_at += count as usize;
            }
        }
    }
    let cold = block.inputs.iter_mut().filter(|record| record.kind == Kind::Cold as u8);
    cold.enumerate().for_each(|(index, record)| record.body[0] = index as u64);
    let times = (block.inputs.first().map_or(0, |r| r.ts), block.inputs.last().map_or(0, |r| r.ts));
    if times != (header.first_ts, header.last_ts) || block.inputs.len() != header.inputs as usize {
        let what = format!(
            "{} inputs from {} to {} were found where the block has {} from {} to {}",
            block.inputs.len(),
            times.0,
            times.1,
            header.inputs,
            header.first_ts,
            header.last_ts
        );
        return Err(CodecError::Lane { lane: "input", at: 0, what }.into());
    }
    Ok(super::check_block(block)?)
}
