//! Finding blocks in a database file without the database.
//!
//! sled stores a value as it is, in one piece, so a block of one part stands in the file as
//! its frame, often more than once because nodes are rewritten. A frame proves itself by its
//! hash and its place by the previous hash, so a scan for the magic finds every intact block
//! whatever happened to the database around it. Blocks of several parts are not found.

use crate::error::JournalError;
use crate::store::VALUE_MAX;
use onetape_tape::codec::{HEADER_LEN, Hash, Header, MAGIC, check_frame};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes read at a time; windows overlap by one value, so no frame is cut.
const WINDOW: usize = 4 << 20;

/// Where an intact frame stands in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) at: u64,
    pub(crate) header: Header,
    pub(crate) hash: Hash,
}

/// The longest chain from the log's beginning among the intact frames of a database file.
pub(crate) fn longest_chain(file: &Path) -> Result<Vec<Found>, JournalError> {
    let found = scan(file)?;
    let mut chain: Vec<Found> = Vec::new();
    let (mut next_seq, mut head) = (0, Hash::ZERO);
    while let Some(candidates) = found.get(&next_seq) {
        let is_next = |found: &&Found| {
            let is_same_run = chain.first().is_none_or(|first: &Found| first.header.id == found.header.id);
            found.header.previous == head && is_same_run
        };
        let Some(next) = candidates.iter().find(is_next).copied() else { break };
        (next_seq, head) = (next_seq + next.header.len(), next.hash);
        chain.push(next);
    }
    Ok(chain)
}

/// Reads a found frame again.
pub(crate) fn read(file: &mut File, found: &Found) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![0; found.header.frame_len()];
    file.seek(SeekFrom::Start(found.at))?;
    file.read_exact(&mut frame)?;
    Ok(frame)
}

/// Every distinct intact frame by its first seq.
fn scan(path: &Path) -> Result<BTreeMap<u64, Vec<Found>>, JournalError> {
    let failed = |error: std::io::Error| JournalError::Failed {
        path: path.display().to_string(),
        what: "scanning the database file",
        problem: error.to_string(),
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut found: BTreeMap<u64, Vec<Found>> = BTreeMap::new();
    let (mut window, mut base) = (Vec::with_capacity(WINDOW + VALUE_MAX), 0u64);
    loop {
        let wanted = (WINDOW + VALUE_MAX - window.len()) as u64;
        let read = file.by_ref().take(wanted).read_to_end(&mut window).map_err(failed)?;
        let is_last = (read as u64) < wanted;
        // Starts beyond this come again, whole, in the next window.
        let starts = if is_last { window.len() } else { WINDOW };
        for at in magics(&window, starts) {
            if let Some(frame) = frame_at(&window, at, base) {
                let known = found.entry(frame.header.first_seq).or_default();
                // An empty block would make a chain of no length.
                if !frame.header.is_empty() && known.iter().all(|other| other.hash != frame.hash) {
                    known.push(frame);
                }
            }
        }
        if is_last {
            return Ok(found);
        }
        window.drain(..WINDOW);
        base += WINDOW as u64;
    }
}

/// Positions below `starts` at which the magic stands.
fn magics(window: &[u8], starts: usize) -> impl Iterator<Item = usize> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < starts {
            let ahead = window[at..starts].iter().position(|byte| *byte == MAGIC[0])?;
            at += ahead + 1;
            if window[at - 1..].starts_with(&MAGIC) {
                return Some(at - 1);
            }
        }
        None
    })
}

fn frame_at(window: &[u8], at: usize, base: u64) -> Option<Found> {
    let bytes = &window[at..];
    let header = Header::from_bytes(bytes.get(..HEADER_LEN)?).ok()?;
    let (header, hash) = check_frame(bytes.get(..header.frame_len())?).ok()?;
    Some(Found { at: base + at as u64, header, hash })
}
