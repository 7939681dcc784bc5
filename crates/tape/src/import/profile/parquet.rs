//! Parquet as a stream of rows: one batch of the needed columns at a time.
//!
//! Flat columns of every physical type; decimals, dates and timestamps by their logical type. The
//! library panics on some damaged files, so its calls are guarded.

use super::cell::{Cell, Cells};
use super::csv::Nulls;
use crate::guard::guarded;
use crate::import::ImportError;
use parquet::basic::{LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::path::{Path, PathBuf};

/// First bytes of a Parquet file.
pub(super) const MAGIC: [u8; 4] = *b"PAR1";
/// Rows decoded at a time.
const BATCH_ROWS: usize = 4_096;

/// What the numbers of a column mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Plain,
    Decimal(u32),
    Date,
    /// Nanoseconds per unit, and whether they count from the UTC epoch.
    Time(i64, bool),
}

impl Meaning {
    fn of(column: &ColumnDescriptor) -> Meaning {
        use parquet::basic::ConvertedType;
        if column.physical_type() == Type::INT96 {
            return Meaning::Time(1, true);
        }
        match column.logical_type_ref() {
            Some(LogicalType::Date) => Meaning::Date,
            Some(LogicalType::Decimal(decimal)) => {
                Meaning::Decimal(u32::try_from(decimal.scale).unwrap_or(0))
            }
            Some(LogicalType::Timestamp(time)) => {
                let unit = match time.unit {
                    TimeUnit::MILLIS => 1_000_000,
                    TimeUnit::MICROS => 1_000,
                    TimeUnit::NANOS => 1,
                };
                Meaning::Time(unit, time.is_adjusted_to_u_t_c)
            }
            Some(_) => Meaning::Plain,
            None => match column.converted_type() {
                ConvertedType::DATE => Meaning::Date,
                ConvertedType::TIMESTAMP_MILLIS => Meaning::Time(1_000_000, true),
                ConvertedType::TIMESTAMP_MICROS => Meaning::Time(1_000, true),
                ConvertedType::DECIMAL => Meaning::Decimal(u32::try_from(column.type_scale()).unwrap_or(0)),
                _ => Meaning::Plain,
            },
        }
    }
}

/// Values of one column and the reader they come from.
struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
}

impl<T: DataType> Typed<T> {
    fn new(reader: ColumnReaderImpl<T>) -> Typed<T> {
        Typed { reader, values: Vec::new() }
    }

    fn read(&mut self, rows: usize, levels: &mut Vec<i16>) -> Result<usize, ParquetError> {
        self.values.clear();
        levels.clear();
        let mut total = 0;
        while total < rows {
            let (read, _, _) =
                self.reader.read_records(rows - total, Some(levels), None, &mut self.values)?;
            if read == 0 {
                break;
            }
            total += read;
        }
        Ok(total)
    }
}

enum Values {
    Bool(Typed<parquet::data_type::BoolType>),
    Int32(Typed<parquet::data_type::Int32Type>),
    Int64(Typed<parquet::data_type::Int64Type>),
    Int96(Typed<parquet::data_type::Int96Type>),
    Float(Typed<parquet::data_type::FloatType>),
    Double(Typed<parquet::data_type::DoubleType>),
    Bytes(Typed<parquet::data_type::ByteArrayType>),
    Fixed(Typed<parquet::data_type::FixedLenByteArrayType>),
}

impl Values {
    fn new(reader: ColumnReader) -> Values {
        match reader {
            ColumnReader::BoolColumnReader(reader) => Values::Bool(Typed::new(reader)),
            ColumnReader::Int32ColumnReader(reader) => Values::Int32(Typed::new(reader)),
            ColumnReader::Int64ColumnReader(reader) => Values::Int64(Typed::new(reader)),
            ColumnReader::Int96ColumnReader(reader) => Values::Int96(Typed::new(reader)),
            ColumnReader::FloatColumnReader(reader) => Values::Float(Typed::new(reader)),
            ColumnReader::DoubleColumnReader(reader) => Values::Double(Typed::new(reader)),
            ColumnReader::ByteArrayColumnReader(reader) => Values::Bytes(Typed::new(reader)),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => Values::Fixed(Typed::new(reader)),
        }
    }

    fn read(&mut self, rows: usize, levels: &mut Vec<i16>) -> Result<usize, ParquetError> {
        match self {
            Values::Bool(typed) => typed.read(rows, levels),
            Values::Int32(typed) => typed.read(rows, levels),
            Values::Int64(typed) => typed.read(rows, levels),
            Values::Int96(typed) => typed.read(rows, levels),
            Values::Float(typed) => typed.read(rows, levels),
            Values::Double(typed) => typed.read(rows, levels),
            Values::Bytes(typed) => typed.read(rows, levels),
            Values::Fixed(typed) => typed.read(rows, levels),
        }
    }

    fn cell(&self, at: usize, meaning: Meaning) -> Cell<'_> {
        let whole = |value: i64| match meaning {
            Meaning::Plain => Cell::Whole(value),
            Meaning::Decimal(scale) => Cell::Decimal(i128::from(value), scale),
            Meaning::Date => i32::try_from(value).map_or(Cell::Null, Cell::Day),
            Meaning::Time(unit, is_utc) => match value.checked_mul(unit) {
                Some(ns) if is_utc => Cell::Instant(ns),
                Some(ns) => Cell::Wall(ns),
                // Beyond the years 1677 to 2262: reported as out of range.
                None => Cell::Instant(i64::MAX),
            },
        };
        let bytes = |bytes| match meaning {
            Meaning::Decimal(scale) => {
                big_endian(bytes).map_or(Cell::Null, |value| Cell::Decimal(value, scale))
            }
            _ => Cell::Text(bytes),
        };
        let cell = match self {
            Values::Bool(typed) => typed.values.get(at).map(|value| Cell::Whole(i64::from(*value))),
            Values::Int32(typed) => typed.values.get(at).map(|value| whole(i64::from(*value))),
            Values::Int64(typed) => typed.values.get(at).map(|value| whole(*value)),
            Values::Int96(typed) => typed.values.get(at).map(|value: &Int96| Cell::Instant(value.to_nanos())),
            Values::Float(typed) => typed.values.get(at).map(|value| Cell::Float(widened(*value))),
            Values::Double(typed) => typed.values.get(at).map(|value| Cell::Float(*value)),
            Values::Bytes(typed) => typed.values.get(at).map(|value: &ByteArray| bytes(value.data())),
            Values::Fixed(typed) => typed.values.get(at).map(|value: &FixedLenByteArray| bytes(value.data())),
        };
        cell.unwrap_or(Cell::Null)
    }
}

/// The double whose shortest decimal is that of the float: 1.15f32 is 1.15, not 1.149999976.
fn widened(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

/// A decimal of at most 16 bytes, most significant first, in two's complement.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    if bytes.len() > 16 {
        return None;
    }
    let mut value: i128 = if first >= 0x80 { -1 } else { 0 };
    for byte in bytes {
        value = value << 8 | i128::from(*byte);
    }
    Some(value)
}

/// A needed column of the row group being read.
struct Column {
    values: Values,
    meaning: Meaning,
    level_max: i16,
    levels: Vec<i16>,
    /// Value of each row of the batch; `u32::MAX` where it is null.
    index: Vec<u32>,
}

impl Column {
    fn read(&mut self, rows: usize) -> Result<usize, ParquetError> {
        let read = self.values.read(rows, &mut self.levels)?;
        self.index.clear();
        let mut next = 0;
        for row in 0..read {
            let is_value = self.level_max == 0 || self.levels.get(row) == Some(&self.level_max);
            self.index.push(if is_value { next } else { u32::MAX });
            next += u32::from(is_value);
        }
        Ok(read)
    }
}

/// One row of a batch.
pub(super) struct ParquetRow<'a> {
    columns: &'a [Column],
    row: usize,
    nulls: &'a Nulls,
}

impl Cells for ParquetRow<'_> {
    fn get(&self, place: usize) -> Cell<'_> {
        let column = &self.columns[place];
        match column.index.get(self.row) {
            None | Some(&u32::MAX) => Cell::Null,
            Some(at) => match column.values.cell(*at as usize, column.meaning) {
                Cell::Text(text) => {
                    let text = text.trim_ascii();
                    if self.nulls.is_null(text) { Cell::Null } else { Cell::Text(text) }
                }
                cell => cell,
            },
        }
    }
}

/// Reads the rows of one file.
pub(super) struct ParquetRows<R: ChunkReader + 'static> {
    pub(super) path: PathBuf,
    reader: SerializedFileReader<R>,
    /// Column of the file by place.
    needed: Vec<usize>,
    columns: Vec<Column>,
    group: usize,
    /// Rows left in the group, rows of the batch, next row of the batch.
    left: usize,
    batch: usize,
    at: usize,
    /// Number of the row last read, from 1.
    pub(super) row: u64,
}

impl<R: ChunkReader + 'static> ParquetRows<R> {
    pub(super) fn open(path: &Path, source: R) -> Result<ParquetRows<R>, ImportError> {
        let reader =
            library(|| SerializedFileReader::new(source)).map_err(|error| damaged(path, 0, &error))?;
        Ok(ParquetRows {
            path: path.to_path_buf(),
            reader,
            needed: Vec::new(),
            columns: Vec::new(),
            group: 0,
            left: 0,
            batch: 0,
            at: 0,
            row: 0,
        })
    }

    /// An error at the row last read.
    pub(super) fn error(&self, what: String) -> ImportError {
        ImportError::Place { path: self.path.clone(), unit: "row", number: self.row, what }
    }

    /// Column names; of nested columns their path, which no profile can name.
    pub(super) fn header(&self) -> Vec<String> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        schema.columns().iter().map(|column| column.path().string()).collect()
    }

    /// Says which columns are needed, by the place each gets.
    pub(super) fn select(&mut self, places: &[Option<usize>], cells: usize) -> Result<(), ImportError> {
        self.needed = vec![0; cells];
        for (index, place) in places.iter().enumerate() {
            let Some(place) = place else { continue };
            let column = self.reader.metadata().file_metadata().schema_descr().column(index);
            if column.max_rep_level() > 0 {
                let what =
                    format!("column '{}' is a list: one value a row is expected", column.path().string());
                return Err(self.error(what));
            }
            self.needed[*place] = index;
        }
        Ok(())
    }

    /// Moves to the next row; false at the end of the file.
    pub(super) fn next_row(&mut self) -> Result<bool, ImportError> {
        while self.at == self.batch {
            if self.left > 0 {
                library(|| self.read_batch()).map_err(|error| damaged(&self.path, self.row, &error))?;
            } else if self.group < self.reader.metadata().num_row_groups() {
                library(|| self.open_group()).map_err(|error| damaged(&self.path, self.row, &error))?;
            } else {
                return Ok(false);
            }
        }
        self.at += 1;
        self.row += 1;
        Ok(true)
    }

    /// The cells of the row last read.
    pub(super) fn cells<'r>(&'r self, nulls: &'r Nulls) -> ParquetRow<'r> {
        ParquetRow { columns: &self.columns, row: self.at - 1, nulls }
    }

    fn open_group(&mut self) -> Result<(), ParquetError> {
        let group = self.reader.get_row_group(self.group)?;
        self.group += 1;
        self.left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        self.columns.clear();
        for index in &self.needed {
            let descriptor = group.metadata().schema_descr().column(*index);
            self.columns.push(Column {
                values: Values::new(group.get_column_reader(*index)?),
                meaning: Meaning::of(&descriptor),
                level_max: descriptor.max_def_level(),
                levels: Vec::new(),
                index: Vec::new(),
            });
        }
        Ok(())
    }

    fn read_batch(&mut self) -> Result<(), ParquetError> {
        let rows = self.left.min(BATCH_ROWS);
        for column in &mut self.columns {
            let read = column.read(rows)?;
            if read != rows {
                let what = format!("a column ends after {read} of {rows} rows of its group");
                return Err(ParquetError::General(what));
            }
        }
        self.left -= rows;
        (self.batch, self.at) = (rows, 0);
        Ok(())
    }
}

/// Calls into the library; its panics are errors.
fn library<T>(call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    guarded(call).unwrap_or_else(|panic| Err(ParquetError::General(panic)))
}

fn damaged(path: &Path, row: u64, error: &ParquetError) -> ImportError {
    let what = format!("not a readable Parquet file ({error}); copy or write it again");
    ImportError::Place { path: path.to_path_buf(), unit: "row", number: row + 1, what }
}
