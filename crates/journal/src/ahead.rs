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
//! - A batch is written only when the one before it is durable, and the first after a commit in the first page: an
//!   intact batch proves that everything before it was durable too, and if it is not there, it was lost.
//! - What lies in the area and is older than the anchor the database holds too: a new lap overwrites nothing else.
//! - The area is removed before a resumed journal goes on: no two blocks of one seq ever meet in it.

use crate::anchor::Anchor;
use crate::error::JournalError;
use crate::store::{Store, Tree};
use crate::writer::block_key;
use onetape_tape::codec::{HEADER_LEN, Hash, Header, check_frame};
use std::collections::BTreeMap;
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
///
/// A batch is written only once the one before it is durable, and a commit comes before the area begins anew. So every
/// intact batch, whatever lies before it in the area, says that the log reaches at least to its end, and each of
/// its frames is a block of that log.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    area: Vec<u8>,
    /// Where frames lie, by first seq.
    frames: BTreeMap<u64, (Header, Range<usize>)>,
}

impl Promised {
    /// Reads an area of the run of this id; without one, of the run that the first intact batch is of.
    pub(crate) fn read(area: Vec<u8>, id: Option<Hash>) -> Promised {
        let (mut frames, mut at, mut id) = (BTreeMap::new(), 0, id);
        while at < area.len() {
            let found = batch_at(&area, at)
                .and_then(|batch| Some((split(&area, &batch, &mut id)?, batch.frames.end)));
            match found {
                Some((found, end)) => {
                    frames
                        .extend(found.into_iter().map(|(header, place)| (header.first_seq, (header, place))));
                    at = end.next_multiple_of(PAGE);
                }
                // Torn, never written, or the rest of an earlier lap's batch.
                None => at += PAGE,
            }
        }
        Promised { area, frames }
    }

    /// Seq up to which the log was promised; 0 when nothing was.
    pub(crate) fn end(&self) -> u64 {
        self.frames.last_key_value().map_or(0, |(seq, (header, _))| seq + header.len())
    }

    /// The frame that begins at `seq`.
    pub(crate) fn frame(&self, seq: u64) -> Option<(&Header, &[u8])> {
        let (header, place) = self.frames.get(&seq)?;
        Some((header, &self.area[place.clone()]))
    }

    /// Seq up to which blocks follow each other from `seq` on.
    pub(crate) fn reach(&self, mut seq: u64) -> u64 {
        while let Some((header, _)) = self.frame(seq) {
            seq += header.len();
        }
        seq
    }

    /// Puts every block that the anchor does not name yet into the store.
    pub(crate) fn put_into(&self, store: &mut dyn Store, anchor: Anchor) -> Result<(), JournalError> {
        for (seq, (_, place)) in self.frames.range(anchor.seq..) {
            crate::chunk::split(&self.area[place.clone()], *seq, |part, value| {
                store.put(Tree::Blocks, &block_key(*seq, part), value)
            })?;
        }
        Ok(())
    }
}

/// The frames of a batch, which follow each other and are of the run of this id.
fn split(area: &[u8], batch: &Batch, id: &mut Option<Hash>) -> Option<Vec<(Header, Range<usize>)>> {
    let (mut frames, mut at, mut last) = (Vec::new(), batch.frames.start, None);
    let mut run = *id;
    while at < batch.frames.end {
        let rest = &area[at..batch.frames.end];
        let header = Header::from_bytes(rest.get(..HEADER_LEN)?).ok()?;
        let (header, hash) = check_frame(rest.get(..header.frame_len())?).ok()?;
        let (next_seq, previous) = last.unwrap_or((batch.first_seq, header.previous));
        let follows = header.first_seq == next_seq && header.previous == previous;
        if !follows || *run.get_or_insert(header.id) != header.id || header.is_empty() {
            return None;
        }
        last = Some((next_seq + header.len(), hash));
        frames.push((header, at..at + header.frame_len()));
        at += header.frame_len();
    }
    *id = run;
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
    fn frames(count: u64) -> (Vec<(u64, Vec<u8>)>, Hash) {
        let (mut hashes, mut frames, mut seq) = (HashOnly::new([7; 32]), Vec::new(), 0);
        for n in 0..count {
            let tick = Record::new(RecordHead::at(Nanos(seq), InstrumentIx::NONE), Body::Tick);
            let inputs = vec![tick; n as usize + 1];
            hashes.append(&Block { first_seq: seq, inputs, ..Block::default() }).unwrap();
            frames.push((seq, hashes.frame.clone()));
            seq += n + 1;
        }
        (frames, Hash([7; 32]))
    }

    /// An area with these batches of frames, written one after the other.
    fn area(ahead: &mut Ahead, area: &mut [u8], frames: &[(u64, Vec<u8>)]) {
        frames.iter().for_each(|(seq, frame)| ahead.push(*seq, frame));
        let (at, pages) = ahead.pages().unwrap();
        area[at..at + pages.len()].copy_from_slice(pages);
        ahead.written();
    }

    #[test]
    fn batches_are_read_back_and_a_new_lap_leaves_what_it_does_not_overwrite() {
        let (frames, id) = frames(6);
        let (mut ahead, mut bytes) = (Ahead::default(), vec![0; AREA]);
        area(&mut ahead, &mut bytes, &frames[..2]);
        area(&mut ahead, &mut bytes, &frames[2..3]);
        area(&mut ahead, &mut bytes, &frames[3..4]);
        let found = Promised::read(bytes.clone(), Some(id));
        assert_eq!((found.end(), found.reach(0), found.frames.len()), (10, 10, 4));
        assert_eq!(found.frame(3).map(|(_, frame)| frame), Some(&frames[2].1[..]));
        ahead.restart();
        area(&mut ahead, &mut bytes, &frames[4..]);
        let found = Promised::read(bytes.clone(), Some(id));
        // The batches of blocks 2 and 3 lie in pages that the new lap has not reached.
        assert_eq!((found.end(), found.reach(10), found.frames.len()), (21, 21, 4));
        assert_eq!(Promised::read(bytes.clone(), Some(Hash([8; 32]))).end(), 0);
        assert_eq!(Promised::read(bytes, None).end(), 21);
    }

    #[test]
    fn a_torn_last_batch_was_promised_to_no_one_and_a_hole_shows() {
        let (frames, id) = frames(3);
        let (mut ahead, mut bytes) = (Ahead::default(), vec![0; AREA]);
        frames.iter().for_each(|frame| area(&mut ahead, &mut bytes, std::slice::from_ref(frame)));
        let damaged = |pages: &[usize]| {
            let mut bytes = bytes.clone();
            pages.iter().for_each(|page| bytes[page * PAGE + 100] ^= 1);
            let found = Promised::read(bytes, Some(id));
            (found.reach(0), found.end())
        };
        for (pages, reach, end) in
            [(&[][..], 6, 6), (&[2], 3, 3), (&[1], 1, 6), (&[0], 0, 6), (&[0, 1], 0, 6), (&[0, 1, 2], 0, 0)]
        {
            assert_eq!(damaged(pages), (reach, end), "{pages:?}");
        }
    }

    #[test]
    fn no_area_however_short_or_strange_is_read_beyond_its_end() {
        let (frames, id) = frames(2);
        let (mut ahead, mut bytes) = (Ahead::default(), vec![0; AREA]);
        area(&mut ahead, &mut bytes, &frames);
        for length in [0, 1, 7, 8, FRAMES_AT - 1, FRAMES_AT, FRAMES_AT + 1, PAGE - 1, PAGE, PAGE + 1] {
            let cut = bytes[..length].to_vec();
            let is_whole = length >= FRAMES_AT + frames.iter().map(|(_, frame)| frame.len()).sum::<usize>();
            assert_eq!(Promised::read(cut, Some(id)).end(), if is_whole { 3 } else { 0 }, "{length}");
        }
        // A length beyond the area.
        bytes[16..20].fill(0xff);
        assert_eq!(Promised::read(bytes, Some(id)).end(), 0);
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
