//! The gate that orders leave through, and its log `released.jsonl`.
//!
//! In a paper run the venue is inside the loop, so a release is a line in this log: written by the loop's
//! thread as it hands over the order's block, or, at durability `order`, by the journal's thread once the block
//! is durable. A gateway to a broker stands in the same place. The log is what the outside world was told: after a crash it is compared with the
//! journal, what was durable and not released is released then, and nothing is released twice.

use crate::error::RunError;
use onetape_engine::ids::Seq;
use onetape_journal::{Issued, JournalError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Name of the log in the run folder.
pub const RELEASE_FILE: &str = "released.jsonl";

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// An order or cancel left.
    Released { seq: Seq, ts: u64, order: u32, what: What },
    /// The run was resumed at this seq: what was released at or after it is in no journal.
    Resumed { resumed_at: Seq },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Order,
    Cancel,
}

/// The log of released orders.
#[derive(Debug)]
pub struct ReleaseLog {
    file: File,
    path: PathBuf,
}

/// What a resumed run found in its log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Seqs released and in the journal.
    pub released: BTreeSet<Seq>,
    /// Released before the crash, and in no journal: lost below durability `order`.
    pub lost: u64,
}

impl ReleaseLog {
    /// Opens the log of a run, creating it when there is none.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(run: &Path) -> Result<ReleaseLog, RunError> {
        let path = run.join(RELEASE_FILE);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|e| RunError::io(&path, e))?;
        Ok(ReleaseLog { file, path })
    }

    /// Reads what was released before a crash; the journal goes on at `next_seq`. With `waited`, orders left only
    /// once they were durable.
    ///
    /// # Errors
    /// When the file cannot be read or a line of it is not one of ours; with `waited` also when an order left that
    /// the journal does not hold.
    pub fn recover(run: &Path, next_seq: Seq, waited: bool) -> Result<(ReleaseLog, Found), RunError> {
        let path = run.join(RELEASE_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(RunError::io(&path, e)),
        };
        // A line without its end was being written when the process died: nobody was told.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let (mut found, mut beyond) = (Found::default(), None);
        for (n, line) in text[..whole].lines().enumerate() {
            let line = serde_json::from_str(line).map_err(|e| RunError::Text {
                path: path.display().to_string(),
                problem: format!("line {}: {e}; it is not a log of released orders", n + 1),
            })?;
            match line {
                Line::Released { seq, order, .. } => {
                    found.released.insert(seq);
                    if seq >= next_seq {
                        beyond = beyond.or(Some((n + 1, order, seq)));
                    }
                }
                Line::Resumed { resumed_at } => {
                    found.released.split_off(&resumed_at);
                    beyond = None;
                }
            }
        }
        if let Some((line, order, seq)) = beyond.filter(|_| waited) {
            let path = path.display().to_string();
            return Err(RunError::LostRelease { path, line, order, seq, end: next_seq });
        }
        found.lost = found.released.split_off(&next_seq).len() as u64;
        let mut log = ReleaseLog::open(run)?;
        if whole < text.len() {
            log.file.set_len(whole as u64).map_err(|e| RunError::io(&path, e))?;
        }
        log.put(&Line::Resumed { resumed_at: next_seq }).map_err(|e| RunError::io(&path, e))?;
        Ok((log, found))
    }

    /// Lets orders leave.
    ///
    /// # Errors
    /// When the log cannot be written: the run ends.
    pub fn release(&mut self, issued: &[Issued]) -> Result<(), JournalError> {
        for issued in issued {
            let what = if issued.is_cancel { What::Cancel } else { What::Order };
            let line = Line::Released { seq: issued.seq, ts: issued.ts.0, order: issued.order.0, what };
            self.put(&line).map_err(|e| JournalError::Failed {
                path: self.path.display().to_string(),
                what: "releasing an order",
                problem: e.to_string(),
            })?;
        }
        Ok(())
    }

    /// One line in one write, so that a reader sees it whole or not at all.
    fn put(&mut self, line: &Line) -> std::io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_engine::ids::OrderIx;
    use onetape_engine::num::Nanos;

    #[test]
    fn what_was_released_is_found_again_and_what_the_journal_lost_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let issued = |seq| Issued { seq, ts: Nanos(1), order: OrderIx(0), is_cancel: false };
        ReleaseLog::open(dir.path()).unwrap().release(&[issued(3), issued(9), issued(20)]).unwrap();
        let mut file = OpenOptions::new().append(true).open(dir.path().join(RELEASE_FILE)).unwrap();
        file.write_all(b"{\"seq\":30,\"t").unwrap();
        let lost = ReleaseLog::recover(dir.path(), 10, true).unwrap_err();
        assert!(matches!(lost, RunError::LostRelease { line: 3, order: 0, seq: 20, end: 10, .. }), "{lost}");
        let (mut log, found) = ReleaseLog::recover(dir.path(), 10, false).unwrap();
        assert_eq!(found, Found { released: BTreeSet::from([3, 9]), lost: 1 });
        log.release(&[issued(12)]).unwrap();
        let (_, found) = ReleaseLog::recover(dir.path(), 13, true).unwrap();
        assert_eq!(found, Found { released: BTreeSet::from([3, 9, 12]), lost: 0 });
    }
}
