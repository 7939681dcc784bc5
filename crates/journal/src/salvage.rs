//! Finding blocks in a database file without the database.
//!
//! sled stores a value as it is, in one piece, so every part of a block stands in the file,
//! often more than once because nodes are rewritten. A block's header and a part's header
//! are recognised by their magic, a whole frame proves itself by its hash and its place by
//! the previous hash: a scan finds every intact block whatever happened to the database
//! around it.

use crate::chunk::{PART_HEADER, PART_MAGIC, PartHeader, VALUE_MAX_EVER, further_parts};
use crate::error::JournalError;
use crate::store::VALUE_MAX;
use onetape_tape::codec::{HEADER_LEN, Hash, Header, MAGIC, check_frame};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes read at a time; windows overlap by one value, so no part is cut.
const WINDOW: usize = 4 << 20;
/// Most copies of a part that are tried.
const COPIES_MAX: usize = 4;

/// A run of bytes of the file.
type Piece = (u64, usize);

/// A block whose frame is intact in these pieces.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) header: Header,
    hash: Hash,
    pieces: Vec<Piece>,
}

/// What the scan saw.
#[derive(Debug, Default)]
struct Seen {
    /// First parts by the seq they claim.
    firsts: BTreeMap<u64, Vec<(Header, u64)>>,
    /// Further parts by (seq, part).
    parts: BTreeMap<(u64, u16), Vec<Piece>>,
}

/// The longest chain from the log's beginning among the intact blocks of a database file.
pub(crate) fn longest_chain(path: &Path) -> Result<Vec<Found>, JournalError> {
    let failed = |error: std::io::Error| JournalError::Failed {
        path: path.display().to_string(),
        what: "scanning the database file",
        problem: error.to_string(),
    };
    let mut file = File::open(path).map_err(failed)?;
    let seen = scan(&mut file).map_err(failed)?;
    let mut chain: Vec<Found> = Vec::new();
    let (mut next_seq, mut head) = (0, Hash::ZERO);
    while let Some(firsts) = seen.firsts.get(&next_seq) {
        let mut next = None;
        for (header, at) in firsts {
            let is_same_run = chain.first().is_none_or(|first| first.header.id == header.id);
            if header.previous == head && is_same_run && next.is_none() {
                next = assemble(&mut file, &seen, header, *at).map_err(failed)?;
            }
        }
        let Some(found) = next else { break };
        (next_seq, head) = (next_seq + found.header.len(), found.hash);
        chain.push(found);
    }
    Ok(chain)
}

/// Reads a found frame again.
pub(crate) fn read(file: &mut File, found: &Found) -> std::io::Result<Vec<u8>> {
    read_pieces(file, &found.pieces)
}

fn read_pieces(file: &mut File, pieces: &[Piece]) -> std::io::Result<Vec<u8>> {
    let mut frame = Vec::new();
    for (at, length) in pieces {
        file.seek(SeekFrom::Start(*at))?;
        let read = file.by_ref().take(*length as u64).read_to_end(&mut frame)?;
        if read != *length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(frame)
}

/// Tries the copies of a block's parts until a frame hashes right, cut as this version cuts it or the one before.
fn assemble(file: &mut File, seen: &Seen, header: &Header, at: u64) -> std::io::Result<Option<Found>> {
    for value_max in [VALUE_MAX, VALUE_MAX_EVER] {
        let found = assemble_cut(file, seen, header, at, value_max)?;
        if found.is_some() || header.frame_len() <= VALUE_MAX {
            return Ok(found);
        }
    }
    Ok(None)
}

fn assemble_cut(
    file: &mut File,
    seen: &Seen,
    header: &Header,
    at: u64,
    value_max: usize,
) -> std::io::Result<Option<Found>> {
    let mut candidates: Vec<Vec<Piece>> = vec![vec![(at, header.frame_len().min(value_max))]];
    for part in 1..=further_parts(header.frame_len(), value_max) {
        let Some(copies) = seen.parts.get(&(header.first_seq, part as u16)) else { return Ok(None) };
        candidates = candidates
            .iter()
            .flat_map(|pieces| {
                copies.iter().take(COPIES_MAX).map(move |copy| [&pieces[..], &[*copy]].concat())
            })
            .collect();
        // Keeps the worst case at a few thousand hashes.
        candidates.truncate(COPIES_MAX.pow(5));
    }
    for pieces in candidates {
        match read_pieces(file, &pieces).map(|frame| check_frame(&frame)) {
            Ok(Ok((header, hash))) => return Ok(Some(Found { header, hash, pieces })),
            Ok(Err(_)) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Notes every place that looks like the beginning of a part. Identical copies count once.
fn scan(file: &mut File) -> std::io::Result<Seen> {
    let mut seen = Seen::default();
    let mut known = BTreeSet::new();
    let (mut window, mut base) = (Vec::with_capacity(WINDOW + VALUE_MAX_EVER), 0u64);
    loop {
        let wanted = (WINDOW + VALUE_MAX_EVER - window.len()) as u64;
        let is_last = (file.by_ref().take(wanted).read_to_end(&mut window)? as u64) < wanted;
        // Places beyond this come again, whole, in the next window.
        let starts = if is_last { window.len() } else { WINDOW };
        for at in magics(&window, starts) {
            let bytes = &window[at..];
            if let Some(header) = bytes.get(..HEADER_LEN).and_then(|bytes| Header::from_bytes(bytes).ok()) {
                let length = header.frame_len().min(VALUE_MAX_EVER).min(bytes.len());
                if !header.is_empty() && known.insert(Hash::of(&bytes[..length])) {
                    seen.firsts.entry(header.first_seq).or_default().push((header, base + at as u64));
                }
            } else if let Some(part) = PartHeader::from_bytes(bytes) {
                let end = (PART_HEADER + part.length).min(bytes.len());
                if known.insert(Hash::of(&bytes[..end])) {
                    let piece = (base + (at + PART_HEADER) as u64, part.length);
                    seen.parts.entry((part.first_seq, part.part)).or_default().push(piece);
                }
            }
        }
        if is_last {
            return Ok(seen);
        }
        window.drain(..WINDOW);
        base += WINDOW as u64;
    }
}

/// Positions below `starts` at which either magic stands.
fn magics(window: &[u8], starts: usize) -> impl Iterator<Item = usize> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < starts {
            let ahead = window[at..starts].iter().position(|byte| *byte == MAGIC[0])?;
            at += ahead + 1;
            let here = &window[at - 1..];
            if here.starts_with(&MAGIC) || here.starts_with(&PART_MAGIC) {
                return Some(at - 1);
            }
        }
        None
    })
}
