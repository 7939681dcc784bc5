//! Where a live run's records come from: a thread of their own reads ahead into a bounded queue.
//!
//! A source supplies definitions, session phases and market records. Ticks, seals and commands that a
//! recorded run left in its session are that run's own and are not taken.

use super::sequencer::is_sequencers;
use super::wait::Intake;
use crate::error::RunError;
use crossbeam::channel::{Receiver, Sender, bounded};
use onetape_engine::block::Block;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::record::Kind;
use onetape_tape::import::dbn::DbnStream;
use onetape_tape::session::SessionReader;
use std::io::Read;
use std::thread::JoinHandle;

/// Most records of a batch of a stream.
const BATCH: usize = 512;
/// Batches read ahead of the sequencer.
const READ_AHEAD: usize = 16;

/// Yields records in receipt order.
pub trait Source: Send {
    /// Fills `batch` with the next records, at least one; false at the end.
    ///
    /// # Errors
    /// When the source cannot be read; the run ends there, gracefully.
    fn next_batch(&mut self, batch: &mut Block) -> Result<bool, RunError>;

    /// A run goes on that took so many records and defined these instruments before it was interrupted.
    fn resume(&mut self, records: u64, defined: &[InstrumentDef]);

    /// Records in all, where that is known.
    fn total(&self) -> Option<u64>;
}

/// A recorded session as a source.
#[derive(Debug)]
pub struct SessionSource {
    reader: SessionReader,
    /// Records of the first batch to leave out.
    skips: u64,
}

impl SessionSource {
    /// Plays this session.
    pub fn new(reader: SessionReader) -> SessionSource {
        SessionSource { reader, skips: 0 }
    }
}

impl Source for SessionSource {
    fn next_batch(&mut self, batch: &mut Block) -> Result<bool, RunError> {
        loop {
            if !self.reader.next_block(batch)? {
                return match self.skips {
                    0 => Ok(false),
                    missing => Err(RunError::Source {
                        problem: format!("the session ends {missing} records before the run's position"),
                    }),
                };
            }
            retain_sources(batch);
            let skipped = usize::try_from(self.skips).unwrap_or(usize::MAX).min(batch.inputs.len());
            drop_first(batch, skipped);
            self.skips -= skipped as u64;
            if !batch.inputs.is_empty() {
                return Ok(true);
            }
        }
    }

    fn resume(&mut self, records: u64, _: &[InstrumentDef]) {
        self.skips += records;
    }

    fn total(&self) -> Option<u64> {
        Some(self.reader.manifest().inputs)
    }
}

/// A DBN stream as a source: a pipe or a feed, whose past is past.
#[derive(Debug)]
pub struct DbnSource {
    stream: DbnStream,
}

impl DbnSource {
    /// Begins to read DBN; `name` stands for it in errors.
    ///
    /// # Errors
    /// Not DBN.
    pub fn open(source: Box<dyn Read + Send>, name: &str) -> Result<DbnSource, RunError> {
        Ok(DbnSource { stream: DbnStream::open(source, name)? })
    }
}

impl Source for DbnSource {
    fn next_batch(&mut self, batch: &mut Block) -> Result<bool, RunError> {
        Ok(self.stream.read(batch, BATCH)?)
    }

    fn resume(&mut self, _: u64, defined: &[InstrumentDef]) {
        self.stream.know(defined);
    }

    fn total(&self) -> Option<u64> {
        None
    }
}

/// Leaves what a source may supply; nothing moves in a batch that holds nothing else.
pub(super) fn retain_sources(batch: &mut Block) {
    let is_cold = |kind: u8| kind == Kind::Cold as u8;
    let mut n = 0;
    let mut keeps = Vec::new();
    for record in &batch.inputs {
        let cold = is_cold(record.kind).then(|| {
            n += 1;
            batch.cold.get(n - 1)
        });
        keeps.push(!is_sequencers(record, cold.flatten()));
    }
    if keeps.iter().all(|keep| *keep) {
        return;
    }
    let mut kept = keeps.iter();
    let cold_kept: Vec<bool> =
        batch.inputs.iter().zip(&keeps).filter(|(record, _)| is_cold(record.kind)).map(|(_, k)| *k).collect();
    batch.inputs.retain(|_| kept.next().is_some_and(|keep| *keep));
    let mut kept = cold_kept.iter();
    batch.cold.retain(|_| kept.next().is_some_and(|keep| *keep));
}

fn drop_first(batch: &mut Block, records: usize) {
    let cold = batch.inputs[..records].iter().filter(|record| record.kind == Kind::Cold as u8).count();
    batch.inputs.drain(..records);
    batch.cold.drain(..cold);
}

/// A batch, or why there are no more.
pub(super) type Delivered = Result<Block, RunError>;

/// The reading thread and its queue.
pub(super) struct SourceThread {
    pub(super) batches: Intake<Delivered>,
    pub(super) emptied: Sender<Block>,
    thread: JoinHandle<()>,
}

impl SourceThread {
    /// Starts reading.
    pub(super) fn start(mut source: Box<dyn Source>) -> Result<SourceThread, RunError> {
        let (filled, batches) = bounded::<Delivered>(READ_AHEAD);
        let (emptied, recycled) = bounded::<Block>(2 * READ_AHEAD);
        let thread = std::thread::Builder::new()
            .name("source".to_string())
            .spawn(move || read(source.as_mut(), &filled, &recycled))
            .map_err(|source| RunError::Io { path: "source thread".to_string(), source })?;
        Ok(SourceThread { batches: Intake::new(batches), emptied, thread })
    }

    /// Lets go of the source; one that waits for its feed ends with the process.
    pub(super) fn finish(self) {
        let SourceThread { batches, emptied, thread } = self;
        drop((batches, emptied));
        if thread.is_finished() {
            // It sent whatever it had to say.
            thread.join().ok();
        }
    }
}

fn read(source: &mut dyn Source, filled: &Sender<Delivered>, recycled: &Receiver<Block>) {
    loop {
        let mut batch = recycled.try_recv().unwrap_or_default();
        batch.inputs.clear();
        batch.cold.clear();
        let next = match source.next_batch(&mut batch) {
            Ok(true) => Ok(batch),
            Ok(false) => return,
            Err(error) => Err(error),
        };
        let is_last = next.is_err();
        // A closed queue means that the run ended.
        if filled.send(next).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_engine::ids::InstrumentIx;
    use onetape_engine::input::{Cold, Command};
    use onetape_engine::num::Nanos;
    use onetape_engine::record::{Body, Head, Quote, Record};

    #[test]
    fn a_recorded_runs_own_inputs_are_left_out() {
        let record = |body| Record::new(Head::at(Nanos(1), InstrumentIx(0)), body);
        let define = |symbol: &str| Cold::Definition(Box::new(InstrumentDef::equity(symbol)));
        let mut batch = Block {
            inputs: vec![
                record(Body::Cold(0)),
                record(Body::Seal),
                record(Body::Cold(1)),
                record(Body::Quote(Quote::default())),
                record(Body::Cold(2)),
                record(Body::Tick),
                record(Body::Cold(3)),
            ],
            cold: vec![
                define("A"),
                Cold::Command(Command::Kill { reason: String::new() }),
                Cold::Resumed { gap_ns: 1 },
                define("B"),
            ],
            ..Block::default()
        };
        retain_sources(&mut batch);
        assert_eq!(batch.cold, [define("A"), define("B")]);
        let kinds: Vec<u8> = batch.inputs.iter().map(|record| record.kind).collect();
        assert_eq!(kinds, [Kind::Cold as u8, Kind::Quote as u8, Kind::Cold as u8]);
        drop_first(&mut batch, 2);
        assert_eq!((batch.inputs.len(), batch.cold.as_slice()), (1, [define("B")].as_slice()));
    }
}
