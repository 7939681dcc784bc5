//! Where rows go: a Parquet, CSV or JSON-lines file.

use super::schema::{Kind, Table};
use super::{Exported, Format, failed};
use crate::error::JournalError;
use onetape_engine::num::Money;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a Parquet row group: what is held in memory of a table.
const GROUP_ROWS: usize = 1 << 16;

/// A value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// Of [`Kind::Count`] and [`Kind::Time`].
    Count(u64),
    /// In 1e-9.
    Decimal(i128),
    /// Of [`Kind::Text`] and [`Kind::Json`].
    Text(&'a str),
}

/// Takes a table's rows.
pub(super) trait Rows {
    /// Takes a row: one cell for each column.
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), JournalError>;
}

/// A table's file under construction.
pub(super) struct TableSink {
    table: &'static Table,
    path: PathBuf,
    rows: u64,
    file: Output,
}

enum Output {
    Csv(Box<csv::Writer<BufWriter<File>>>),
    Json(BufWriter<File>),
    Parquet(Box<Columns>),
}

impl TableSink {
    /// Creates the table's file in `folder`.
    pub(super) fn create(
        folder: &Path,
        table: &'static Table,
        format: Format,
    ) -> Result<TableSink, JournalError> {
        let path = folder.join(format!("{}.{}", table.name, format.extension()));
        let file = File::create(&path).map_err(failed(&path, "creating the file"))?;
        let file = match format {
            Format::Json => Output::Json(BufWriter::new(file)),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(BufWriter::new(file));
                let head = writer.write_record(table.columns.iter().map(|column| column.name));
                head.map_err(|error| failed(&path, "writing")(error.into()))?;
                Output::Csv(Box::new(writer))
            }
            Format::Parquet => {
                let columns = Columns::create(file, table).map_err(|error| parquet_failed(&path, &error))?;
                Output::Parquet(Box::new(columns))
            }
        };
        Ok(TableSink { table, path, rows: 0, file })
    }

    /// Closes the file; `out` is the folder it will lie in.
    pub(super) fn finish(self, out: &Path) -> Result<Exported, JournalError> {
        let path = &self.path;
        match self.file {
            Output::Csv(mut writer) => writer.flush().map_err(failed(path, "writing"))?,
            Output::Json(mut file) => file.flush().map_err(failed(path, "writing"))?,
            Output::Parquet(columns) => columns.finish().map_err(|error| parquet_failed(path, &error))?,
        }
        let bytes = path.metadata().map_err(failed(path, "reading the size"))?.len();
        let file = out.join(path.file_name().unwrap_or_default());
        Ok(Exported { table: self.table.name, file, rows: self.rows, bytes })
    }
}

impl Rows for TableSink {
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), JournalError> {
        assert_eq!(cells.len(), self.table.columns.len(), "one cell for each column of {}", self.table.name);
        self.rows += 1;
        let path = &self.path;
        match &mut self.file {
            Output::Csv(writer) => {
                let written = cells.iter().try_for_each(|cell| writer.write_field(csv_text(cell)));
                let written = written.and_then(|()| writer.write_record(None::<&[u8]>));
                written.map_err(|error| failed(path, "writing")(error.into()))
            }
            Output::Json(file) => write_json(self.table, cells, file).map_err(failed(path, "writing")),
            Output::Parquet(columns) => columns.row(cells).map_err(|error| parquet_failed(path, &error)),
        }
    }
}

fn parquet_failed(path: &Path, error: &ParquetError) -> JournalError {
    let problem = error.to_string();
    JournalError::Output { path: path.display().to_string(), what: "writing", problem }
}

fn csv_text(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Count(count) => count.to_string(),
        Cell::Decimal(raw) => Money(*raw).to_string(),
        Cell::Text(text) => (*text).to_string(),
    }
}

fn write_json(table: &Table, cells: &[Cell<'_>], file: &mut BufWriter<File>) -> std::io::Result<()> {
    let mut separator = '{';
    for (column, cell) in table.columns.iter().zip(cells) {
        let name = column.name;
        match cell {
            Cell::Null => continue,
            Cell::Count(count) => write!(file, "{separator}\"{name}\":{count}")?,
            Cell::Decimal(raw) => write!(file, "{separator}\"{name}\":\"{}\"", Money(*raw))?,
            Cell::Text(text) if column.kind == Kind::Json => write!(file, "{separator}\"{name}\":{text}")?,
            Cell::Text(text) => {
                write!(file, "{separator}\"{name}\":")?;
                serde_json::to_writer(&mut *file, text)?;
            }
        }
        separator = ',';
    }
    file.write_all(b"}\n")
}

/// One column of the row group under construction.
struct Buffer {
    kind: Kind,
    /// 1 where there is a value; empty for the key, which always has one.
    levels: Vec<i16>,
    numbers: Vec<i64>,
    decimals: Vec<FixedLenByteArray>,
    texts: Vec<ByteArray>,
}

struct Columns {
    writer: SerializedFileWriter<File>,
    buffers: Vec<Buffer>,
    rows: usize,
}

impl Columns {
    fn create(file: File, table: &Table) -> Result<Columns, ParquetError> {
        let fields = table.columns.iter().enumerate().map(|(n, column)| {
            let (physical, logical) = match column.kind {
                Kind::Count => ("INT64", "INTEGER(64,false)"),
                Kind::Time => ("INT64", "TIMESTAMP(NANOS,true)"),
                Kind::Decimal => ("FIXED_LEN_BYTE_ARRAY(16)", "DECIMAL(38,9)"),
                Kind::Text => ("BYTE_ARRAY", "STRING"),
                Kind::Json => ("BYTE_ARRAY", "JSON"),
            };
            let need = if n == 0 { "REQUIRED" } else { "OPTIONAL" };
            format!("{need} {physical} {} ({logical});", column.name)
        });
        let message = format!("message {} {{ {} }}", table.name, fields.collect::<Vec<_>>().join(" "));
        let schema = Arc::new(parse_message_type(&message)?);
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let buffers = table.columns.iter().map(|column| Buffer {
            kind: column.kind,
            levels: Vec::new(),
            numbers: Vec::new(),
            decimals: Vec::new(),
            texts: Vec::new(),
        });
        let buffers = buffers.collect();
        Ok(Columns { writer: SerializedFileWriter::new(file, schema, properties)?, buffers, rows: 0 })
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), ParquetError> {
        for (buffer, cell) in self.buffers.iter_mut().zip(cells) {
            buffer.levels.push(i16::from(*cell != Cell::Null));
            match cell {
                Cell::Null => {}
                // Counts and times of the log fit; the format reads the same bits as unsigned.
                Cell::Count(count) => buffer.numbers.push(*count as i64),
                Cell::Decimal(raw) => {
                    buffer.decimals.push(ByteArray::from(raw.to_be_bytes().to_vec()).into());
                }
                Cell::Text(text) => buffer.texts.push(ByteArray::from(*text)),
            }
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for (n, buffer) in self.buffers.iter_mut().enumerate() {
            buffer.write(&mut group, n == 0)?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<(), ParquetError> {
        self.flush()?;
        self.writer.close().map(|_| ())
    }
}

impl Buffer {
    fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, File>,
        is_key: bool,
    ) -> Result<(), ParquetError> {
        let missing = || ParquetError::General("a column of the schema is missing".to_string());
        let mut column = group.next_column()?.ok_or_else(missing)?;
        let levels = (!is_key).then_some(self.levels.as_slice());
        match self.kind {
            Kind::Count | Kind::Time => {
                column.typed::<Int64Type>().write_batch(&self.numbers, levels, None)?;
            }
            Kind::Decimal => {
                column.typed::<FixedLenByteArrayType>().write_batch(&self.decimals, levels, None)?;
            }
            Kind::Text | Kind::Json => {
                column.typed::<ByteArrayType>().write_batch(&self.texts, levels, None)?;
            }
        }
        column.close()?;
        self.levels.clear();
        self.numbers.clear();
        self.decimals.clear();
        self.texts.clear();
        Ok(())
    }
}
