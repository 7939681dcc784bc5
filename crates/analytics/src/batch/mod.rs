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
//! let formulas = PriceModel::Bsm.formulas(&Options::default())?;
//! let report = batch::run(file, &formulas, &batch::Output::default(), &mut output)?;
//! assert_eq!((report.rows, report.errors), (2, 1));
//! let text = String::from_utf8(output)?;
//! assert!(text.lines().nth(1).is_some_and(|row| row.contains("2.13336844491619")));
//! assert!(text.lines().nth(2).is_some_and(|row| row.ends_with("sigma is not a number: 'much'")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod compare;
mod digits;
mod early;
mod european;
mod exotic;
mod explain;
mod implied;
mod layout;
mod model;
mod paths;
mod row;
mod smile;
mod units;

pub use compare::{Compared, Tolerances};
pub use digits::digits;
pub use implied::IvModel;
pub use model::{Options, PriceModel};
pub use row::{Column, Row, RowError, Value};
pub use smile::Slices;
pub use units::{TraderUnit, trader_unit};

use compare::Comparison;
use csv::{ByteRecord, ReaderBuilder, WriterBuilder};
use layout::layout;
use rayon::prelude::*;
use row::Layout;
use std::io::{Read, Write};

/// A formula of one row.
pub trait Formula: Sync {
    /// The columns it reads.
    fn columns(&self) -> &[Column];
    /// The columns it writes.
    fn results(&self) -> &[&'static str];
    /// Whether volatilities are in price units (Bachelier's model).
    fn is_normal(&self) -> bool {
        false
    }
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

/// What is written beside the results as they are.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Results in trader units ([`trader_unit`]) in place of raw ones.
    pub in_trader_units: bool,
    /// Compares results with the file's columns of the same name; the column `outside` names those
    /// beyond their tolerance.
    pub compare: Option<Tolerances>,
}

/// What a run over a file found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Data rows.
    pub rows: u64,
    /// Rows with an error.
    pub errors: u64,
    /// Line and message of the first of them.
    pub first_error: Option<(u64, String)>,
    /// The comparisons that were asked for.
    pub compared: Vec<Compared>,
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
    /// A comparison with a column that the file does not have.
    #[error(
        "--check: the file has no column '{column}' that the model also gives; both have {}",
        if columns.is_empty() { "none" } else { columns }
    )]
    NotCompared {
        /// The column asked for.
        column: String,
        /// The columns that may be compared.
        columns: String,
    },
    /// A model that needs a file of slices.
    #[error("model mc-local needs --slices FILE: the SVI slices (id,T,a,b,rho,m,sigma) of its surface")]
    NoSlices,
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

/// How the rows of a file are computed and written.
struct Plan<'a> {
    layout: Layout,
    formula: &'a dyn Formula,
    /// What each result is multiplied by.
    factors: Vec<f64>,
    comparison: Option<Comparison>,
    /// Lines to add to a record's position.
    lines_before: u64,
}

impl Plan<'_> {
    fn line(&self, record: &ByteRecord) -> u64 {
        record.position().map_or(0, csv::Position::line) + self.lines_before
    }
}

/// Notes how the first line ends: after `\r` the reader's position stands before the `\n`, one line short.
struct LineEnds<R> {
    reader: R,
    last: u8,
    is_crlf: Option<bool>,
}

impl<R: Read> Read for LineEnds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if self.is_crlf.is_none() {
            let bytes = &buffer[..count];
            if let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
                let before = at.checked_sub(1).map_or(self.last, |before| bytes[before]);
                self.is_crlf = Some(before == b'\r');
            }
            self.last = bytes.last().copied().unwrap_or(self.last);
        }
        Ok(count)
    }
}

/// Computes every row of `source` and writes the result to `sink`.
///
/// # Errors
/// [`BatchError`] if the file as a whole cannot be computed; what was written until then is part of a
/// result only.
pub fn run<R: Read, W: Write>(
    source: Source<'_, R>,
    formulas: &Formulas,
    output: &Output,
    sink: W,
) -> Result<Report, BatchError> {
    let Source { name, reader, constants } = source;
    let read_error = |source| BatchError::Read { name: name.to_string(), source };
    let reader = LineEnds { reader, last: 0, is_crlf: None };
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(reader);
    let header = reader.byte_headers().map_err(read_error)?.clone();
    let formula = formulas(&|column| header.iter().any(|name| name.trim_ascii() == column.as_bytes()));
    let formula = formula.as_ref();
    let layout = layout(name, &header, formula, constants)?;
    let factor = |result: &&str| match trader_unit(result, formula.is_normal()) {
        Some(unit) if output.in_trader_units => unit.factor,
        _ => 1.0,
    };
    let compare = output.compare.as_ref();
    let comparison = compare.map(|wanted| Comparison::new(wanted, &header, formula.results())).transpose()?;
    let mut plan = Plan {
        layout,
        formula,
        factors: formula.results().iter().map(factor).collect(),
        comparison,
        lines_before: 0,
    };
    let mut sink = std::io::BufWriter::new(sink);
    write_header(&mut sink, &header, &plan)?;
    let mut report = Report::default();
    if let Some(comparison) = &plan.comparison {
        report.compared = comparison.start();
    }
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
        plan.lines_before = u64::from(reader.get_ref().is_crlf == Some(true));
        let parts: Vec<Part> =
            window.par_chunks(CHUNK).map(|rows| compute(rows, &plan)).collect::<Result<_, _>>()?;
        for part in parts {
            sink.write_all(&part.text).map_err(BatchError::Write)?;
            report.errors += part.errors;
            report.first_error = report.first_error.take().or(part.first_error);
            report.compared.iter_mut().zip(&part.compared).for_each(|(sum, next)| sum.merge(next));
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
    compared: Vec<Compared>,
}

fn write_error(error: csv::Error) -> BatchError {
    BatchError::Write(error.into())
}

fn compute(rows: &[ByteRecord], plan: &Plan<'_>) -> Result<Part, BatchError> {
    let mut writer = WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let compared = plan.comparison.as_ref().map(Comparison::start).unwrap_or_default();
    let mut part = Part { text: Vec::new(), errors: 0, first_error: None, compared };
    let width = plan.formula.results().len();
    let (mut values, mut cell) = (Vec::with_capacity(width), String::new());
    for record in rows {
        values.clear();
        let verdict = evaluate(&Row::new(&plan.layout, record), plan.formula, &mut values);
        for field in 0..plan.layout.width {
            writer.write_field(record.get(field).unwrap_or_default()).map_err(write_error)?;
        }
        let (mut outside, mut error) = (String::new(), String::new());
        match verdict {
            Ok(()) => {
                for (value, factor) in values.iter_mut().zip(&plan.factors) {
                    if let Value::Number(number) = value {
                        *number *= factor;
                    }
                    cell.clear();
                    value.write(&mut cell);
                    writer.write_field(&cell).map_err(write_error)?;
                }
                if let Some(comparison) = &plan.comparison {
                    outside = comparison.row(record, plan.line(record), &values, &mut part.compared);
                }
            }
            Err(reason) => {
                for _ in 0..width {
                    writer.write_field("").map_err(write_error)?;
                }
                error = reason.to_string();
                part.errors += 1;
                part.first_error.get_or_insert_with(|| (plan.line(record), error.clone()));
            }
        }
        if plan.comparison.is_some() {
            writer.write_field(&outside).map_err(write_error)?;
        }
        writer.write_field(&error).map_err(write_error)?;
        writer.write_record(None::<&[u8]>).map_err(write_error)?;
    }
    part.text = writer.into_inner().map_err(|error| BatchError::Write(error.into_error()))?;
    Ok(part)
}

/// Why one option has no result.
#[derive(Debug, thiserror::Error)]
pub enum OneError {
    /// A column is missing or not known.
    #[error(transparent)]
    Columns(#[from] BatchError),
    /// The row's own reason.
    #[error(transparent)]
    Row(#[from] RowError),
}

/// The results of one option.
#[derive(Debug)]
pub struct One {
    /// Each result with its value, in raw units.
    pub results: Vec<(&'static str, Value)>,
    /// Whether volatilities are in price units.
    pub is_normal: bool,
}

/// One option whose cells are given by column name; `defaults` hold for columns that the formula reads
/// and `cells` do not have.
///
/// # Errors
/// A column that the formula reads and nobody gives, one that it does not read, or the row's reason.
pub fn one(
    formulas: &Formulas,
    cells: &[(String, String)],
    defaults: &[(&str, &str)],
) -> Result<One, OneError> {
    let formula = formulas(&|column| cells.iter().any(|(name, _)| name == column));
    let mut constants = cells.to_vec();
    for (column, value) in defaults {
        let is_read = formula.columns().iter().any(|c| c.name == *column);
        if is_read && !cells.iter().any(|(name, _)| name == column) {
            constants.push(((*column).to_string(), (*value).to_string()));
        }
    }
    let layout = layout::of_constants(formula.as_ref(), &constants)?;
    let mut values = Vec::new();
    evaluate(&Row::new(&layout, &ByteRecord::new()), formula.as_ref(), &mut values)?;
    let results = formula.results().iter().copied().zip(values).collect();
    Ok(One { results, is_normal: formula.is_normal() })
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

/// The header: a result whose name the file already uses is written `model_NAME`.
fn write_header<W: Write>(sink: &mut W, header: &ByteRecord, plan: &Plan<'_>) -> Result<(), BatchError> {
    let mut names: Vec<Vec<u8>> = header.iter().map(<[u8]>::to_vec).collect();
    let outside = plan.comparison.is_some().then_some("outside");
    for result in plan.formula.results().iter().copied().chain(outside).chain(["error"]) {
        let mut name = result.to_string();
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
