//! Whole CSV files through a formula: the input's columns, the result columns, and `error`.
//!
//! A file needs a header row; columns are found by name, in any order, and further ones pass through.
//! Rows are read, computed in parallel and written in their order, a few thousand at a time, so memory
//! does not grow with the file. A row that cannot be computed has its reason in `error` and blanks in
//! the result columns; the other rows are not affected. Numbers have 17 significant digits, which
//! name a 64-bit float exactly.
//!
//! ```
//! use onetape_analytics::batch::{self, Options, PriceModel};
//!
//! let input = "type,S,K,T,r,q,sigma\nc,60,65,0.25,0.08,0,0.3\nc,60,65,0.25,0.08,0,much\n";
//! let mut output = Vec::new();
//! let file = batch::Source { name: "example.csv", reader: input.as_bytes(), constants: &[] };
//! let report = batch::run(file, &PriceModel::Bsm.formulas(&Options::default())?, &mut output)?;
//! assert_eq!((report.rows, report.errors), (2, 1));
//! let text = String::from_utf8(output)?;
//! assert!(text.lines().nth(1).is_some_and(|row| row.contains("2.13336844491619")));
//! assert!(text.lines().nth(2).is_some_and(|row| row.ends_with("sigma is not a number: 'much'")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod digits;
mod early;
mod european;
mod implied;
mod model;
mod row;
mod smile;

pub use digits::digits;
pub use implied::IvModel;
pub use model::{Options, PriceModel};
pub use row::{Column, Row, RowError, Value};
pub use smile::Slices;

use csv::{ByteRecord, ReaderBuilder, WriterBuilder};
use rayon::prelude::*;
use row::{Layout, Place};
use std::io::{Read, Write};

/// A formula of one row.
pub trait Formula: Sync {
    /// The columns it reads.
    fn columns(&self) -> &[Column];
    /// The columns it writes.
    fn results(&self) -> &[&'static str];
    /// Appends one value per result.
    ///
    /// # Errors
    /// Why the row has no result.
    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError>;
}

/// The formula for a file, which may depend on the columns that the file has.
pub type Formulas = Box<dyn Fn(&dyn Fn(&str) -> bool) -> Box<dyn Formula> + Sync>;

/// A file to compute.
#[derive(Debug)]
pub struct Source<'a, R> {
    /// Its name, for errors.
    pub name: &'a str,
    /// Its bytes.
    pub reader: R,
    /// Columns that the file does not have, with the value that holds for every row.
    pub constants: &'a [(String, String)],
}

/// What a run over a file found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Data rows.
    pub rows: u64,
    /// Rows with an error.
    pub errors: u64,
    /// Line and message of the first of them.
    pub first_error: Option<(u64, String)>,
}

/// Why a file cannot be computed at all.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The input cannot be read.
    #[error("{name}: {source}")]
    Read {
        /// The input's name.
        name: String,
        /// What went wrong.
        source: csv::Error,
    },
    /// The output cannot be written.
    #[error("cannot write the result: {0}")]
    Write(std::io::Error),
    /// The input is empty.
    #[error("{name}: no header row; expected the columns {expected}")]
    NoHeader {
        /// The input's name.
        name: String,
        /// The columns that the formula reads.
        expected: String,
    },
    /// A column is missing.
    #[error(
        "{name}: no column '{column}' ({meaning}); expected {expected}; found {found}. \
         A value for every row: --set {column}=VALUE"
    )]
    MissingColumn {
        /// The input's name.
        name: String,
        /// The column.
        column: &'static str,
        /// What it holds.
        meaning: &'static str,
        /// The columns that the formula reads.
        expected: String,
        /// The columns that the file has.
        found: String,
    },
    /// A column is there twice.
    #[error("{name}: column '{column}' appears more than once; which one is meant?")]
    DuplicateColumn {
        /// The input's name.
        name: String,
        /// The column.
        column: String,
    },
    /// A constant that the formula does not read, or that the file has as a column.
    #[error("--set {column}: {why}")]
    Constant {
        /// The column.
        column: String,
        /// What is wrong with it.
        why: String,
    },
    /// A scheme that the model does not have.
    #[error("model {model} has no scheme '{scheme}'; {known}")]
    Scheme {
        /// The model.
        model: &'static str,
        /// The scheme asked for.
        scheme: String,
        /// The schemes it has.
        known: String,
    },
}

/// Rows computed by one task.
const CHUNK: usize = 64;
/// Rows read before they are computed and written.
const WINDOW: usize = 64 * CHUNK;

/// Computes every row of `source` and writes the result to `sink`.
///
/// # Errors
/// [`BatchError`] if the file as a whole cannot be computed; what was written until then is part of a
/// result only.
pub fn run<R: Read, W: Write>(
    source: Source<'_, R>,
    formulas: &Formulas,
    sink: W,
) -> Result<Report, BatchError> {
    let Source { name, reader, constants } = source;
    let read_error = |source| BatchError::Read { name: name.to_string(), source };
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(reader);
    let header = reader.byte_headers().map_err(read_error)?.clone();
    let formula = formulas(&|column| header.iter().any(|name| name == column.as_bytes()));
    let formula = formula.as_ref();
    let layout = layout(name, &header, formula, constants)?;
    let mut sink = std::io::BufWriter::new(sink);
    write_header(&mut sink, &header, formula)?;
    let mut report = Report::default();
    let mut window: Vec<ByteRecord> = Vec::new();
    let mut is_done = false;
    while !is_done {
        window.clear();
        while window.len() < WINDOW && !is_done {
            let mut record = ByteRecord::new();
            if reader.read_byte_record(&mut record).map_err(read_error)? {
                window.push(record);
            } else {
                is_done = true;
            }
        }
        let parts: Vec<Part> =
            window.par_chunks(CHUNK).map(|rows| compute(rows, &layout, formula)).collect::<Result<_, _>>()?;
        for part in parts {
            sink.write_all(&part.text).map_err(BatchError::Write)?;
            report.errors += part.errors;
            report.first_error = report.first_error.take().or(part.first_error);
        }
        report.rows += window.len() as u64;
    }
    sink.flush().map_err(BatchError::Write)?;
    Ok(report)
}

/// A computed chunk.
struct Part {
    text: Vec<u8>,
    errors: u64,
    first_error: Option<(u64, String)>,
}

fn write_error(error: csv::Error) -> BatchError {
    BatchError::Write(error.into())
}

fn compute(rows: &[ByteRecord], layout: &Layout, formula: &dyn Formula) -> Result<Part, BatchError> {
    let mut writer = WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let mut part = Part { text: Vec::new(), errors: 0, first_error: None };
    let width = formula.results().len();
    let (mut values, mut cell) = (Vec::with_capacity(width), String::new());
    for record in rows {
        values.clear();
        let verdict = evaluate(&Row::new(layout, record), formula, &mut values);
        for field in 0..layout.width {
            writer.write_field(record.get(field).unwrap_or_default()).map_err(write_error)?;
        }
        match verdict {
            Ok(()) => {
                for value in &values {
                    cell.clear();
                    value.write(&mut cell);
                    writer.write_field(&cell).map_err(write_error)?;
                }
                writer.write_field("").map_err(write_error)?;
            }
            Err(error) => {
                let error = error.to_string();
                for _ in 0..width {
                    writer.write_field("").map_err(write_error)?;
                }
                writer.write_field(&error).map_err(write_error)?;
                part.errors += 1;
                let line = record.position().map_or(0, csv::Position::line);
                part.first_error.get_or_insert((line, error));
            }
        }
        writer.write_record(None::<&[u8]>).map_err(write_error)?;
    }
    part.text = writer.into_inner().map_err(|error| BatchError::Write(error.into_error()))?;
    Ok(part)
}

/// The formula's values; an error where the leading one is no number.
fn evaluate(row: &Row<'_>, formula: &dyn Formula, values: &mut Vec<Value>) -> Result<(), RowError> {
    row.check_width()?;
    formula.evaluate(row, values)?;
    debug_assert_eq!(values.len(), formula.results().len(), "one value per result column");
    match values.first() {
        Some(Value::Number(value)) if !value.is_finite() => {
            Err(RowError::NoValue { result: formula.results()[0], value: *value })
        }
        _ => Ok(()),
    }
}

/// Where each column of the formula is found.
fn layout(
    name: &str,
    header: &ByteRecord,
    formula: &dyn Formula,
    constants: &[(String, String)],
) -> Result<Layout, BatchError> {
    let columns = formula.columns();
    let list = |names: &mut dyn Iterator<Item = &str>| names.collect::<Vec<_>>().join(",");
    let expected = list(&mut columns.iter().map(|column| column.name));
    if header.is_empty() {
        return Err(BatchError::NoHeader { name: name.to_string(), expected });
    }
    for (constant, _) in constants {
        if !columns.iter().any(|column| column.name == constant) {
            let why = format!("the model reads the columns {expected}");
            return Err(BatchError::Constant { column: constant.clone(), why });
        }
        if header.iter().any(|name| name == constant.as_bytes()) {
            let why = format!("{name} has that column");
            return Err(BatchError::Constant { column: constant.clone(), why });
        }
    }
    let mut places = Vec::with_capacity(columns.len());
    for column in columns {
        let mut fields = (0..header.len()).filter(|&at| &header[at] == column.name.as_bytes());
        let given = constants.iter().find(|(name, _)| name == column.name).map(|(_, value)| value.as_str());
        let place = match (fields.next(), given.or(column.default)) {
            (Some(field), _) => Place::Field(field),
            (None, Some(value)) => Place::Constant(value.to_string()),
            (None, None) => {
                let names: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
                let found = list(&mut names.iter().map(|name| name.as_ref()));
                return Err(BatchError::MissingColumn {
                    name: name.to_string(),
                    column: column.name,
                    meaning: column.meaning,
                    expected,
                    found,
                });
            }
        };
        if fields.next().is_some() {
            let column = column.name.to_string();
            return Err(BatchError::DuplicateColumn { name: name.to_string(), column });
        }
        places.push((column.name, place));
    }
    Ok(Layout { places, width: header.len() })
}

/// The header: a result whose name the file already uses is written `model_NAME`.
fn write_header<W: Write>(
    sink: &mut W,
    header: &ByteRecord,
    formula: &dyn Formula,
) -> Result<(), BatchError> {
    let mut names: Vec<Vec<u8>> = header.iter().map(<[u8]>::to_vec).collect();
    for result in formula.results().iter().chain(&["error"]) {
        let mut name = (*result).to_string();
        while names.iter().any(|taken| taken == name.as_bytes()) {
            name.insert_str(0, "model_");
        }
        names.push(name.into_bytes());
    }
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(&names).map_err(write_error)?;
    let text = writer.into_inner().map_err(|error| BatchError::Write(error.into_error()))?;
    sink.write_all(&text).map_err(BatchError::Write)
}
