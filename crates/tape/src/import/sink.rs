//! Where importers put what they read, so that they can be tested without a session folder.

use super::ImportError;
use crate::quality::{Action, Finding, QUARANTINE_FILE, QUARANTINE_HEADER};
use crate::session::SessionWriter;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::{Cold, Input};
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Record};
use std::collections::BTreeMap;
use std::path::Path;

/// Where a record stands in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// File.
    pub file: &'a Path,
    /// Entry of an archive, else empty.
    pub entry: &'a str,
    /// Line or record from 1.
    pub line: u64,
}

/// Takes inputs in receipt order and counts rows of the source.
pub trait InputSink {
    /// Appends one input; a cold record's body index is the sink's to set.
    ///
    /// # Errors
    /// The sink refuses the input or cannot store it.
    fn push(&mut self, record: Record, cold: Option<Cold>) -> Result<(), ImportError>;

    /// Appends one market record and says where it comes from, for quarantine.
    ///
    /// # Errors
    /// As [`InputSink::push`].
    #[inline]
    fn push_from(&mut self, record: Record, _origin: Origin<'_>) -> Result<(), ImportError> {
        self.push(record, None)
    }

    /// Counts `n` rows of the source's record type.
    fn count_source(&mut self, record_type: &str, n: u64);

    /// Notes that `n` records had a finding, and what was done with them.
    fn count_finding(&mut self, _finding: Finding, _action: Action, _n: u64) {}

    /// Sets a record aside as a row of `quarantine.csv`.
    ///
    /// # Errors
    /// The sink cannot store it.
    fn quarantine(&mut self, _row: &str) -> Result<(), ImportError> {
        Ok(())
    }

    /// Adds a data file that strategies may read.
    ///
    /// # Errors
    /// The sink cannot store it.
    fn data_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), ImportError>;
}

impl InputSink for SessionWriter {
    fn push(&mut self, record: Record, cold: Option<Cold>) -> Result<(), ImportError> {
        Ok(SessionWriter::push(self, record, cold)?)
    }

    fn count_source(&mut self, record_type: &str, n: u64) {
        SessionWriter::count_source(self, record_type, n);
    }

    fn count_finding(&mut self, finding: Finding, action: Action, n: u64) {
        self.add_finding(finding.name(), action.name(), n);
    }

    fn quarantine(&mut self, row: &str) -> Result<(), ImportError> {
        Ok(self.append_note(QUARANTINE_FILE, QUARANTINE_HEADER, row)?)
    }

    fn data_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), ImportError> {
        Ok(self.add_data_file(name, bytes)?)
    }
}

/// An import in memory: for tests and small tools.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct MemorySink {
    /// Inputs in order.
    pub inputs: Vec<Input>,
    /// Source rows by record type.
    pub source_records: BTreeMap<String, u64>,
    /// Data files by name.
    pub data_files: BTreeMap<String, Vec<u8>>,
}

impl InputSink for MemorySink {
    fn push(&mut self, record: Record, cold: Option<Cold>) -> Result<(), ImportError> {
        self.inputs.push(Input { record, cold });
        Ok(())
    }

    fn count_source(&mut self, record_type: &str, n: u64) {
        *self.source_records.entry(record_type.to_string()).or_default() += n;
    }

    fn data_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), ImportError> {
        self.data_files.insert(name.to_string(), bytes.to_vec());
        Ok(())
    }
}

/// Pushes a definition known from `ts` on.
pub(crate) fn define(
    sink: &mut dyn InputSink,
    ts: Nanos,
    instrument: InstrumentIx,
    def: InstrumentDef,
) -> Result<(), ImportError> {
    let record = Record::new(Head::at(ts, instrument), Body::Cold(0));
    sink.push(record, Some(Cold::Definition(Box::new(def))))
}
