//! The write-ahead area: blocks that are durable before the database is.
//!
//! A commit waits for the medium three times: sled's flush, the sync of its file, the anchor. An order that waits
//! for its block needs only that the block *is* on the medium, so at durability `order` the frames since the last
//! commit go, in one write and one sync, into an area of fixed length that was written and synced when the run began:
//! no length, no allocation and no name changes. The next commit makes the database hold them, and the area begins
//! anew.
//!
//! A batch is `magic 8 ‖ first seq 8 ‖ bytes 4 ‖ blocks 4 ‖ check 8 ‖ frames`, integers little-endian, check = first 8
//! bytes of BLAKE3 over the 24 bytes before it and the frames. It begins on a page of its own, so that a torn write of
//! the next one leaves it whole.
//!
//! # Invariants
//! - A batch is written only when the one before it is durable, and the first after a commit in the first page:
//!   batches that follow each other by seq are what was promised since; one that does not is of an earlier lap.
//! - What lies in the area and is older than the anchor the database holds too.
//! - The area is made anew before a resumed journal goes on.

use crate::anchor::Anchor;
use crate::error::JournalError;
use crate::store::{Store, Tree};
use crate::writer::block_key;
use onetape_tape::codec::{HEADER_LEN, Hash, Header, check_frame};
use std::ops::Range;

/// Bytes of the area: two commits' worth of orders that each wait for their own 100 µs write.
pub(crate) const AREA: usize = 2 << 20;
/// What a medium writes as a whole or not at all, at the best.
const PAGE: usize = 4096;
const MAGIC: [u8; 8] = *b"ahead\x00\x00\x01";
const CHECK_AT: usize = 24;
const FRAMES_AT: usize = 32;

/// The batch that grows until it is written, and where that will be.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    at: usize,
    first_seq: u64,
    blocks: u32,
    /// Room for the batch's header, then its frames.
    batch: Vec<u8>,
}

impl Ahead {
    /// Adds a frame to the batch. What no longer fits into the area is not kept: only a commit helps then.
    pub(crate) fn push(&mut self, first_seq: u64, frame: &[u8]) {
        if self.blocks == 0 {
            self.first_seq = first_seq;
            self.batch.clear();
            self.batch.resize(FRAMES_AT, 0);
        }
        self.blocks += 1;
        if self.batch.len() <= AREA {
            self.batch.extend_from_slice(frame);
        }
    }

    /// Where the batch goes, and its pages; `None` when the area has no room for it.
    pub(crate) fn pages(&mut self) -> Option<(usize, &[u8])> {
        if self.at + self.batch.len().next_multiple_of(PAGE) > AREA {
            return None;
        }
        let bytes = u32::try_from(self.batch.len() - FRAMES_AT).ok()?;
        self.batch[..8].copy_from_slice(&MAGIC);
        self.batch[8..16].copy_from_slice(&self.first_seq.to_le_bytes());
        self.batch[16..20].copy_from_slice(&bytes.to_le_bytes());
        self.batch[20..CHECK_AT].copy_from_slice(&self.blocks.to_le_bytes());
        let check = check(&self.batch);
        self.batch[CHECK_AT..FRAMES_AT].copy_from_slice(&check);
        self.batch.resize(self.batch.len().next_multiple_of(PAGE), 0);
        Some((self.at, &self.batch))
    }

    /// The batch is durable; the next one follows it.
    pub(crate) fn written(&mut self) {
        self.at += self.batch.len();
        self.blocks = 0;
    }

    /// The database holds everything; the next batch begins the area anew.
    pub(crate) fn restart(&mut self) {
        (self.at, self.blocks) = (0, 0);
    }
}

/// Of a batch without its padding.
fn check(batch: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&batch[..CHECK_AT]).update(&batch[FRAMES_AT..]);
    let mut check = [0; 8];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    check
}

/// An intact batch.
struct Batch {
    first_seq: u64,
    frames: Range<usize>,
}

fn batch_at(area: &[u8], at: usize) -> Option<Batch> {
    let bytes = &area[at..];
    let head = bytes.first_chunk::<FRAMES_AT>().filter(|head| head[..8] == MAGIC)?;
    let first_seq = u64::from_le_bytes(*head[8..].first_chunk()?);
    let length = u32::from_le_bytes(*head[16..].first_chunk()?) as usize;
    let batch = bytes.get(..FRAMES_AT.checked_add(length)?)?;
    let is_intact = check(batch) == head[CHECK_AT..];
    is_intact.then_some(Batch { first_seq, frames: at + FRAMES_AT..at + batch.len() })
}

/// What an area holds of a run.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    /// Frames in log order, each following the one before it.
    frames: Vec<(Header, Range<usize>)>,
    area: Vec<u8>,
    /// A later batch is intact although one before it is not: seq at which it begins.
    beyond: Option<u64>,
}

impl Promised {
    /// Reads an area of the run of this id.
    pub(crate) fn read(area: Vec<u8>, id: &str) -> Promised {
        let (mut frames, mut at, mut head) = (Vec::new(), 0, None);
        while let Some(batch) = (at < area.len()).then(|| batch_at(&area, at)).flatten() {
            let follows = head.is_none_or(|(next_seq, _)| batch.first_seq == next_seq);
            let Some(found) = follows.then(|| split(&area, &batch, id, &mut head)).flatten() else { break };
            frames.extend(found);
            at = batch.frames.end.next_multiple_of(PAGE);
        }
        let end = head.map_or(0, |(next_seq, _)| next_seq);
        let later = (at..area.len()).step_by(PAGE).filter_map(|at| batch_at(&area, at));
        let beyond = later.map(|batch| batch.first_seq).find(|seq| *seq > end && end > 0);
        Promised { frames, area, beyond }
    }

    /// Seq after the last block.
    pub(crate) fn end(&self) -> u64 {
        self.frames.last().map_or(0, |(header, _)| header.first_seq + header.len())
    }

    /// The frame that begins at `seq`.
    pub(crate) fn frame(&self, seq: u64) -> Option<&[u8]> {
        let (_, range) = self.frames.iter().find(|(header, _)| header.first_seq == seq)?;
        Some(&self.area[range.clone()])
    }

    /// What was promised and is damaged.
    pub(crate) fn problem(&self) -> Option<(u64, String)> {
        let (end, beyond) = (self.end(), self.beyond?);
        let problem = format!(
            "the write-ahead area holds blocks from {beyond} on and those up to {end}: what lies between was lost"
        );
        Some((end, problem))
    }

    /// Puts every block that the anchor does not name yet into the store.
    pub(crate) fn put_into(&self, store: &mut dyn Store, anchor: Anchor) -> Result<(), JournalError> {
        for (header, range) in self.frames.iter().filter(|(header, _)| header.first_seq >= anchor.seq) {
            crate::chunk::split(&self.area[range.clone()], header.first_seq, |part, value| {
                store.put(Tree::Blocks, &block_key(header.first_seq, part), value)
            })?;
        }
        Ok(())
    }
}

/// Next seq and hash of the last frame.
type Head = Option<(u64, Hash)>;

/// The frames of a batch; `None` when one is not what follows `head` in the run of this id.
fn split(area: &[u8], batch: &Batch, id: &str, head: &mut Head) -> Option<Vec<(Header, Range<usize>)>> {
    let (mut frames, mut at, mut last) = (Vec::new(), batch.frames.start, *head);
    while at < batch.frames.end {
        let rest = &area[at..batch.frames.end];
        let header = Header::from_bytes(rest.get(..HEADER_LEN)?).ok()?;
        let frame = rest.get(..header.frame_len())?;
        let (header, hash) = check_frame(frame).ok()?;
        let (next_seq, previous) = last.unwrap_or((batch.first_seq, header.previous));
        let follows = header.first_seq == next_seq && header.previous == previous;
        if !follows || header.id.to_string() != id {
            return None;
        }
        last = Some((next_seq + header.len(), hash));
        frames.push((header, at..at + frame.len()));
        at += frame.len();
    }
    *head = last;
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashes::HashOnly;
    use onetape_engine::block::Block;
    use onetape_engine::ids::InstrumentIx;
    use onetape_engine::num::Nanos;
    use onetape_engine::record::{Body, Head as RecordHead, Record};

    /// The frames of a run whose n-th block has n + 1 ticks, and its id.
    fn frames(count: u64) -> (Vec<(u64, Vec<u8>)>, String) {
        let (mut hashes, mut frames, mut seq) = (HashOnly::new([7; 32]), Vec::new(), 0);
        for n in 0..count {
            let tick = Record::new(RecordHead::at(Nanos(seq), InstrumentIx::NONE), Body::Tick);
            let inputs = vec![tick; n as usize + 1];
            hashes.append(&Block { first_seq: seq, inputs, ..Block::default() }).unwrap();
            frames.push((seq, hashes.frame.clone()));
            seq += n + 1;
        }
        (frames, Hash([7; 32]).to_string())
    }

    /// An area with these batches of frames, written one after the other.
    fn area(ahead: &mut Ahead, area: &mut [u8], frames: &[(u64, Vec<u8>)]) {
        frames.iter().for_each(|(seq, frame)| ahead.push(*seq, frame));
        let (at, pages) = ahead.pages().unwrap();
        area[at..at + pages.len()].copy_from_slice(pages);
        ahead.written();
    }

    #[test]
    fn batches_are_read_back_and_an_earlier_lap_is_not() {
        let (frames, id) = frames(6);
        let (mut ahead, mut bytes) = (Ahead::default(), vec![0; AREA]);
        area(&mut ahead, &mut bytes, &frames[..2]);
        area(&mut ahead, &mut bytes, &frames[2..3]);
        area(&mut ahead, &mut bytes, &frames[3..4]);
        let found = Promised::read(bytes.clone(), &id);
        assert_eq!((found.end(), found.frames.len(), found.problem()), (10, 4, None));
        assert_eq!(found.frame(3), Some(&frames[2].1[..]));
        ahead.restart();
        area(&mut ahead, &mut bytes, &frames[4..]);
        let found = Promised::read(bytes.clone(), &id);
        assert_eq!((found.end(), found.frames.len(), found.problem()), (21, 2, None));
        assert_eq!(Promised::read(bytes, "another run").end(), 0);
    }

    #[test]
    fn a_torn_last_batch_was_promised_to_no_one_and_a_hole_is_named() {
        let (frames, id) = frames(3);
        let (mut ahead, mut bytes) = (Ahead::default(), vec![0; AREA]);
        frames.iter().for_each(|frame| area(&mut ahead, &mut bytes, std::slice::from_ref(frame)));
        let mut torn = bytes.clone();
        torn[2 * PAGE + 100] ^= 1;
        let found = Promised::read(torn, &id);
        assert_eq!((found.end(), found.problem()), (3, None));
        bytes[PAGE + 100] ^= 1;
        let found = Promised::read(bytes, &id);
        assert_eq!((found.end(), found.problem().map(|(seq, _)| seq)), (1, Some(1)));
    }

    #[test]
    fn a_batch_that_does_not_fit_waits_for_a_commit() {
        let mut ahead = Ahead::default();
        ahead.push(0, &vec![1; AREA]);
        ahead.push(1, &[1; 100]);
        assert!(ahead.pages().is_none());
        ahead.restart();
        ahead.push(2, &[1; 100]);
        assert_eq!(ahead.pages().map(|(at, pages)| (at, pages.len())), Some((0, PAGE)));
    }
}
