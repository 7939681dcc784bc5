//! A journal as tables, for other tools: one folder with five files.
//!
//! | table | a row is |
//! |---|---|
//! | `inputs` | an input record, in log order |
//! | `events` | a derived event, in log order |
//! | `fills` | a booked fill |
//! | `orders` | an order with how it ended |
//! | `positions` | an instrument that an account held, as it stood at the end |
//!
//! The columns are in [`schema`]; `docs/audit.md` describes them. Blocks are streamed: memory grows with
//! the number of orders and instruments only. The folder appears whole, by rename, or stays `.partial`.

mod orders;
mod positions;
mod rows;
pub mod schema;
mod sink;

pub use sink::Cell;

use crate::error::JournalError;
use crate::reader::JournalReader;
use crate::render::Names;
use onetape_engine::block::{Block, Entry};
use onetape_engine::event::Event;
use orders::Orders;
use positions::Positions;
use schema::{TABLES, Table};
use serde::Serialize;
use sink::{Rows, TableSink};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

/// File format of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet, zstd: times as timestamps, decimals as `DECIMAL(38, 9)`.
    Parquet,
    /// Comma-separated with a header line; times in nanoseconds, decimals as text, nothing for null.
    Csv,
    /// One JSON object a line; times in nanoseconds, decimals as strings, no key for null.
    Json,
}

impl Format {
    /// What the files' names end in.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Json => "jsonl",
        }
    }
}

/// A table that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Name of the table.
    pub table: &'static str,
    /// Its file.
    pub file: PathBuf,
    /// Rows.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Writes a journal's tables into the folder `out`, which must not exist.
///
/// # Errors
/// `out` exists, the journal cannot be read, or a file cannot be written.
pub fn export(reader: &JournalReader, out: &Path, format: Format) -> Result<Vec<Exported>, JournalError> {
    let partial = begin(out)?;
    let open = |table: &'static Table| TableSink::create(&partial, table, format);
    let [inputs, events, fills, orders, positions] = TABLES;
    let mut sinks = [open(inputs)?, open(events)?, open(fills)?, open(orders)?, open(positions)?];
    walk(reader, &mut sinks)?;
    let tables = sinks.map(|sink| sink.finish(out));
    let tables = tables.into_iter().collect::<Result<Vec<_>, _>>()?;
    finish(&partial, out)?;
    Ok(tables)
}

/// Takes a row of a table: one cell for each column.
pub type TakeRow<'a> = &'a mut dyn FnMut(&'static Table, &[Cell<'_>]) -> Result<(), JournalError>;

/// Calls `take` with every row of the tables and its table: rows of one table in log order, orders and positions last.
///
/// # Errors
/// The journal cannot be read, or what `take` reports.
pub fn tables(reader: &JournalReader, take: TakeRow<'_>) -> Result<(), JournalError> {
    let take = RefCell::new(take);
    walk(reader, &mut TABLES.map(|table| Taken { table, take: &take }))
}

/// A table whose rows go to a caller.
struct Taken<'a, 't> {
    table: &'static Table,
    take: &'a RefCell<TakeRow<'t>>,
}

impl Rows for Taken<'_, '_> {
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), JournalError> {
        (self.take.borrow_mut())(self.table, cells)
    }
}

/// The sinks are of [`TABLES`], in their order.
fn walk<R: Rows>(reader: &JournalReader, sinks: &mut [R; TABLES.len()]) -> Result<(), JournalError> {
    let [inputs, events, fills, orders, positions] = sinks;
    let (mut blocks, mut block) = (reader.blocks(), Block::default());
    let (mut names, mut ledger, mut held) = (Names::default(), Orders::default(), Positions::default());
    while blocks.next_block(&mut block)? {
        for (seq, entry) in block.entries() {
            names.learn(&entry);
            held.observe(seq, &entry);
            match entry {
                Entry::Input(record, cold) => rows::input(&names, seq, record, cold, inputs)?,
                Entry::Derived(derived) => {
                    rows::event(&names, seq, &entry, events)?;
                    if let Event::Fill { execution, account, fee } = &derived.event {
                        rows::fill(&names, seq, derived.ts, execution, *account, *fee, fills)?;
                    }
                    ledger.observe(seq, derived);
                }
            }
        }
    }
    ledger.write(&names, orders)?;
    held.write(&names, positions)
}

/// Makes the folder that is written to; what an interrupted export left there goes.
fn begin(out: &Path) -> Result<PathBuf, JournalError> {
    if out.exists() {
        return Err(JournalError::Exists { path: out.display().to_string() });
    }
    let partial = partial_of(out);
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(failed(&partial, "removing an unfinished export"))?;
    }
    fs::create_dir_all(&partial).map_err(failed(&partial, "making the folder"))?;
    Ok(partial)
}

/// The name something is written under until it is whole.
pub(crate) fn partial_of(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    out.with_file_name(name)
}

/// Gives what was written its name.
pub(crate) fn finish(partial: &Path, out: &Path) -> Result<(), JournalError> {
    fs::rename(partial, out).map_err(failed(out, "naming what was written"))
}

pub(crate) fn failed(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.display().to_string();
    move |error| JournalError::Output { path, what, problem: error.to_string() }
}
