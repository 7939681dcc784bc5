//! Records waiting to be merged: in memory up to a bound, beyond it in a nameless temporary file.
//!
//! Records are pushed in row order. They are cut into *runs*, each in order of time: rows already
//! in order make one run however many there are. Memory is one run of [`RUN_RECORDS`] and its
//! sorting space while writing, and a small buffer a run while merging. The file has no name, so
//! nothing is left behind by any kind of end.

use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Record};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A record and where it stands in the source: the file's place in the request and the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Spooled {
    pub(super) record: Record,
    /// [`origin_of`] file and row.
    pub(super) origin: u64,
}

const ROW_BITS: u32 = 40;

/// File and row in one word; rows beyond 2^40 are not told apart.
pub(super) fn origin_of(file: usize, row: u64) -> u64 {
    (file as u64) << ROW_BITS | row & ((1 << ROW_BITS) - 1)
}

/// File and row of [`origin_of`].
pub(super) fn file_and_row(origin: u64) -> (usize, u64) {
    ((origin >> ROW_BITS) as usize, origin & ((1 << ROW_BITS) - 1))
}

/// Records of a run that is sorted in memory (36 MiB).
const RUN_RECORDS: usize = 1 << 19;
/// Records read at a time from each run of the file (72 KiB).
const BUFFER_RECORDS: usize = 1 << 10;
const RECORD_BYTES: u64 = size_of::<Spooled>() as u64;

/// A stretch of the file that is in order.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: u64,
    count: u64,
    last_ts: u64,
}

/// Takes records in row order.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    records: Vec<Spooled>,
    is_ordered: bool,
    file: Option<File>,
    runs: Vec<Run>,
    run_records: usize,
    /// Knowable times of the first and last record.
    pub(super) span: Option<(u64, u64)>,
}

impl Spool {
    /// A spool whose file, when it needs one, lies in `folder`.
    pub(super) fn new(folder: &Path) -> Spool {
        Spool::with_run(folder, RUN_RECORDS)
    }

    fn with_run(folder: &Path, run_records: usize) -> Spool {
        Spool {
            folder: folder.to_path_buf(),
            records: Vec::new(),
            is_ordered: true,
            file: None,
            runs: Vec::new(),
            run_records,
            span: None,
        }
    }

    pub(super) fn push(&mut self, record: Spooled) -> Result<(), String> {
        if self.records.len() == self.run_records {
            self.spill()?;
        }
        let ts = record.record.ts;
        self.is_ordered &= self.records.last().is_none_or(|last| last.record.ts <= ts);
        self.span = Some(self.span.map_or((ts, ts), |(first, last)| (first.min(ts), last.max(ts))));
        self.records.push(record);
        Ok(())
    }

    /// Moves the records in memory to the file as one run, or to the end of the run before.
    fn spill(&mut self) -> Result<(), String> {
        if !self.is_ordered {
            self.records.sort_by_key(|spooled| spooled.record.ts);
        }
        let (Some(first), Some(last)) = (self.records.first(), self.records.last()) else { return Ok(()) };
        let fail = |error: std::io::Error| {
            format!("temporary space of 72 bytes a record is needed in {}: {error}", self.folder.display())
        };
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile_in(&self.folder).map_err(fail)?),
        };
        file.write_all(self.records.as_bytes()).map_err(fail)?;
        let count = self.records.len() as u64;
        let end = self.runs.last().map_or(0, |run| run.first + run.count);
        match self.runs.last_mut() {
            Some(run) if run.last_ts <= first.record.ts => {
                run.count += count;
                run.last_ts = last.record.ts;
            }
            _ => self.runs.push(Run { first: end, count, last_ts: last.record.ts }),
        }
        self.records.clear();
        self.is_ordered = true;
        Ok(())
    }

    /// The records as sources to merge, in the order that decides ties.
    fn sources(mut self) -> Result<(Option<File>, Vec<Source>), String> {
        if self.file.is_some() {
            self.spill()?;
            let sources = self.runs.iter().map(|run| Source::of_run(*run)).collect();
            return Ok((self.file, sources));
        }
        if !self.is_ordered {
            self.records.sort_by_key(|spooled| spooled.record.ts);
        }
        Ok((None, vec![Source { buffer: self.records, at: 0, next: 0, end: 0 }]))
    }
}

/// One run being read.
#[derive(Debug)]
struct Source {
    buffer: Vec<Spooled>,
    at: usize,
    /// Unread records of the file.
    next: u64,
    end: u64,
}

impl Source {
    fn of_run(run: Run) -> Source {
        Source { buffer: Vec::new(), at: 0, next: run.first, end: run.first + run.count }
    }

    fn peek(&mut self, file: Option<&File>) -> std::io::Result<Option<Spooled>> {
        if self.at == self.buffer.len() && self.next < self.end {
            let Some(mut file) = file else { return Ok(None) };
            let count = (self.end - self.next).min(BUFFER_RECORDS as u64);
            let record = Record::new(Head::at(Nanos(0), InstrumentIx::NONE), Body::Tick);
            let empty = Spooled { record, origin: 0 };
            self.buffer.resize(count as usize, empty);
            file.seek(SeekFrom::Start(self.next * RECORD_BYTES))?;
            file.read_exact(self.buffer.as_mut_bytes())?;
            (self.at, self.next) = (0, self.next + count);
        }
        Ok(self.buffer.get(self.at).copied())
    }
}

/// All records of several spools by time; at one instant in the order of spools and rows.
#[derive(Debug)]
pub(super) struct Merged {
    files: Vec<Option<File>>,
    /// File and run.
    sources: Vec<(usize, Source)>,
    heads: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Merged {
    pub(super) fn new(spools: impl IntoIterator<Item = Spool>) -> Result<Merged, String> {
        let mut merged = Merged { files: Vec::new(), sources: Vec::new(), heads: BinaryHeap::new() };
        for spool in spools {
            let (file, sources) = spool.sources()?;
            let place = merged.files.len();
            merged.files.push(file);
            merged.sources.extend(sources.into_iter().map(|source| (place, source)));
        }
        for index in 0..merged.sources.len() {
            if let Some(next) = merged.peek(index)? {
                merged.heads.push(Reverse((next.record.ts, index)));
            }
        }
        Ok(merged)
    }

    fn peek(&mut self, index: usize) -> Result<Option<Spooled>, String> {
        let (file, source) = &mut self.sources[index];
        let file = self.files[*file].as_ref();
        source.peek(file).map_err(|error| format!("the temporary file cannot be read: {error}"))
    }

    /// Appends the records of the next instant; false at the end.
    pub(super) fn instant(&mut self, group: &mut Vec<Spooled>) -> Result<bool, String> {
        let Some(Reverse((ts, _))) = self.heads.peek().copied() else { return Ok(false) };
        while let Some(Reverse((_, index))) = self.heads.peek().copied().filter(|Reverse((at, _))| *at == ts)
        {
            self.heads.pop();
            while let Some(next) = self.peek(index)? {
                if next.record.ts != ts {
                    self.heads.push(Reverse((next.record.ts, index)));
                    break;
                }
                group.push(next);
                self.sources[index].1.at += 1;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn origins_hold_file_and_row() {
        assert_eq!(file_and_row(origin_of(3, 1 << 39)), (3, 1 << 39));
    }

    proptest! {
        #[test]
        fn records_come_back_by_time_and_row(
            rows in proptest::collection::vec(0u64..40, 0..400), run in 1usize..50, split in 0usize..400
        ) {
            let folder = std::env::temp_dir();
            let mut spools = [Spool::with_run(&folder, run), Spool::with_run(&folder, run)];
            let mut expected = Vec::new();
            for (n, ts) in rows.iter().enumerate() {
                let record = Record::new(Head::at(Nanos(*ts), InstrumentIx(n as u32)), Body::Tick);
                let record = Spooled { record, origin: origin_of(n % 7, n as u64) };
                spools[usize::from(n >= split)].push(record).unwrap();
                expected.push(record);
            }
            expected.sort_by_key(|spooled: &Spooled| spooled.record.ts);
            let mut merged = Merged::new(spools).unwrap();
            let mut found = Vec::new();
            let mut last = None;
            loop {
                let from = found.len();
                if !merged.instant(&mut found).unwrap() {
                    break;
                }
                let ts = found[from].record.ts;
                prop_assert!(found[from..].iter().all(|spooled| spooled.record.ts == ts));
                prop_assert!(last < Some(ts), "each instant once");
                last = Some(ts);
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn rows_in_order_make_one_run(count in 1usize..300, run in 1usize..20) {
            let mut spool = Spool::with_run(&std::env::temp_dir(), run);
            for n in 0..count {
                let record = Record::new(Head::at(Nanos(n as u64 / 3), InstrumentIx::NONE), Body::Tick);
                spool.push(Spooled { record, origin: n as u64 }).unwrap();
            }
            prop_assert_eq!(spool.sources().unwrap().1.len(), 1);
        }
    }
}
