//! Records waiting to be merged: in memory up to a bound, beyond it in a nameless temporary file.
//!
//! Records are pushed in row order. They are cut into *runs*, each in order of time: rows already
//! in order make one run however many there are. A full run is sorted and written by a thread of its
//! own while rows are read on into the next. Memory is two runs of [`RUN_RECORDS`] and the sorting
//! space of one, and a small buffer a run while merging. The file has no name, so nothing is left
//! behind by any kind of end.

use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Record};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
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

/// Records of a run that is sorted in memory (18 MiB).
const RUN_RECORDS: usize = 1 << 18;
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

/// A run being written: gives back the file and the run's memory.
type Writing = JoinHandle<std::io::Result<(File, Vec<Spooled>)>>;

/// Takes records in row order.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    records: Vec<Spooled>,
    is_ordered: bool,
    /// Earliest and latest time in `records`.
    reach: (u64, u64),
    file: Option<File>,
    /// The run on its way to the file.
    writing: Option<Writing>,
    /// Memory of the run written last.
    spare: Vec<Spooled>,
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
            reach: (u64::MAX, 0),
            file: None,
            writing: None,
            spare: Vec::new(),
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
        self.reach = (self.reach.0.min(ts), self.reach.1.max(ts));
        self.span = Some(self.span.map_or((ts, ts), |(first, last)| (first.min(ts), last.max(ts))));
        self.records.push(record);
        Ok(())
    }

    /// Sends the records in memory to the file as one run, or to the end of the run before.
    fn spill(&mut self) -> Result<(), String> {
        if self.records.is_empty() {
            return Ok(());
        }
        self.wait()?;
        let mut file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.folder).map_err(|error| self.no_space(&error))?,
        };
        let (count, (first_ts, last_ts)) = (self.records.len() as u64, self.reach);
        let end = self.runs.last().map_or(0, |run| run.first + run.count);
        match self.runs.last_mut() {
            Some(run) if run.last_ts <= first_ts => {
                run.count += count;
                run.last_ts = last_ts;
            }
            _ => self.runs.push(Run { first: end, count, last_ts }),
        }
        let mut run = std::mem::replace(&mut self.records, std::mem::take(&mut self.spare));
        let is_ordered = std::mem::replace(&mut self.is_ordered, true);
        self.reach = (u64::MAX, 0);
        self.writing = Some(std::thread::spawn(move || {
            if !is_ordered {
                run.sort_by_key(|spooled| spooled.record.ts);
            }
            file.write_all(run.as_bytes())?;
            run.clear();
            Ok((file, run))
        }));
        Ok(())
    }

    /// Waits for the run under way.
    fn wait(&mut self) -> Result<(), String> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let written =
            writing.join().map_err(|_| "the thread that writes temporary space died".to_string())?;
        let (file, spare) = written.map_err(|error| self.no_space(&error))?;
        (self.file, self.spare) = (Some(file), spare);
        Ok(())
    }

    fn no_space(&self, error: &std::io::Error) -> String {
        format!("temporary space of 72 bytes a record is needed in {}: {error}", self.folder.display())
    }

    /// The records as sources to merge, in the order that decides ties.
    fn sources(mut self) -> Result<(Option<File>, Vec<Source>), String> {
        if self.file.is_some() || self.writing.is_some() {
            self.spill()?;
            self.wait()?;
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
