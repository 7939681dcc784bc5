//! Where generated records go, in receipt order.

use super::GenerateError;
use crate::session::SessionWriter;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::Nanos;
use onetape_engine::record::Record;

/// Receives a session's inputs in receipt order.
pub trait Sink {
    /// An instrument is defined; its index is the count of definitions before it.
    ///
    /// # Errors
    /// As the receiver finds.
    fn define(&mut self, ts: Nanos, def: &InstrumentDef) -> Result<(), GenerateError>;

    /// A plain record.
    ///
    /// # Errors
    /// As the receiver finds.
    fn record(&mut self, record: &Record) -> Result<(), GenerateError>;
}

impl Sink for SessionWriter {
    fn define(&mut self, ts: Nanos, def: &InstrumentDef) -> Result<(), GenerateError> {
        SessionWriter::define(self, ts, def.clone())?;
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<(), GenerateError> {
        self.push(*record, None)?;
        Ok(())
    }
}

/// Records that are decided but not yet due: sorted by time, ties in the order decided.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pending: Vec<Record>,
    /// Records handed to the sink.
    pub(super) sent: u64,
}

impl Outbox {
    /// Adds a record.
    pub(super) fn push(&mut self, record: Record) {
        self.pending.push(record);
    }

    /// Records waiting.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Drops what is waiting.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }

    /// Loses everything before `until`.
    pub(super) fn drop_before(&mut self, until: u64) {
        self.pending.retain(|record| record.ts >= until);
    }

    /// Hands over everything before `until`, in order.
    pub(super) fn flush(&mut self, until: u64, sink: &mut dyn Sink) -> Result<(), GenerateError> {
        // Stable: records of one instant keep the order in which they were decided.
        self.pending.sort_by_key(|record| record.ts);
        let due = self.pending.partition_point(|record| record.ts < until);
        for record in self.pending.drain(..due) {
            sink.record(&record)?;
        }
        self.sent += due as u64;
        Ok(())
    }
}
